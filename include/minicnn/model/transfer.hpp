#pragma once
/// Weights of one network for another that differs in a part, normally the last layer: the first step of fine-tuning.

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/graph/network.hpp"
#include "minicnn/graph/output_nodes.hpp"
#include "minicnn/io/checkpoint.hpp"

namespace minicnn::inline MINICNN_ABI {

struct transfer_options {
  /// The tensors of these layers or scopes (see `selects`) keep the network's values and are passed over in the file:
  /// "logits_eval".
  std::vector<std::string> skip = {};
};

/// Names of parameters and buffers, in the network's order.
struct transfer_result {
  std::vector<std::string> loaded;
  std::vector<std::string> skipped;  ///< of the network: they keep their initial values
};

/// Names of the layers that make logits, for every output: {"logits_eval"}, with auxiliary heads theirs too. `freeze`,
/// `unfreeze`, `parameter_rule::name` and `transfer_options::skip` take them.
template <class T>
std::vector<std::string> head_names(const network<T>& net) {
  std::vector<std::string> out;
  for (const int head : head_nodes(net))
    if (head >= 0) out.push_back(net.nodes()[static_cast<std::size_t>(head)].name);
  return out;
}

/// Fixes all layers but the last one that makes the first output's logits: training is then that of a linear classifier on the
/// features of the rest. Frozen batch norm uses its running statistics, frozen dropout is off, and backward stops at the head.
template <class T>
void freeze_body(network<T>& net) {
  const int head = head_nodes(net).front();
  if (head < 0) fail<option_error>("network: no layer with parameters makes its output");
  net.freeze("");
  net.unfreeze(net.nodes()[static_cast<std::size_t>(head)].name);
}

/// Reads the parameters and buffers of `net` from `file`, all but `skip`. Throws file_error naming every tensor that is missing,
/// of another shape (wanted and got), or in the file alone; the network is then as it was.
template <class T>
transfer_result transfer_weights(network<T>& net, const safetensors_file& file, const transfer_options& o = {}) {
  const auto skipped = [&](std::string_view name) {
    return std::any_of(o.skip.begin(), o.skip.end(), [&](const std::string& layer) { return selects(layer, name); });
  };
  transfer_result result;
  std::vector<view<T>> places;
  std::set<std::string> own;
  std::string problems;
  const auto problem = [&](const auto&... parts) { problems += text_of(problems.empty() ? "" : "; ", parts...); };
  const auto look_at = [&](const std::string& name, view<T> place) {
    own.insert(name);
    if (skipped(name)) {
      result.skipped.push_back(name);
      return;
    }
    const tensor_entry* entry = file.find(name);
    if (entry == nullptr)
      problem("\"", name, "\" is missing");
    else if (!(entry->dims == place.dims()))
      problem("\"", name, "\": wanted shape ", place.dims(), ", got ", entry->dims);
    result.loaded.push_back(name);
    places.push_back(place);
  };
  for (const parameter_info& p : net.parameters()) look_at(p.name, net.parameter(p.name));
  for (const buffer_info& b : net.buffers()) look_at(b.name, net.buffer(b.name));
  for (const tensor_entry& entry : file.entries())
    if (!std::string_view(entry.name).starts_with(training_prefix) && !skipped(entry.name) && own.count(entry.name) == 0)
      problem("\"", entry.name, "\" does not belong to this network");
  if (!problems.empty()) fail<file_error>(file.path(), ": does not fit the network: ", problems);

  std::vector<tensor<T>> values;
  for (std::size_t i = 0; i < places.size(); ++i) {
    values.emplace_back(places[i].dims());
    file.read(result.loaded[i], values.back());
  }
  for (std::size_t i = 0; i < places.size(); ++i) std::copy(values[i].begin(), values[i].end(), places[i].begin());
  return result;
}

template <class T>
transfer_result transfer_weights(network<T>& net, const std::string& path, const transfer_options& o = {}) {
  return transfer_weights(net, safetensors_file::open(path), o);
}

}  // namespace minicnn::inline MINICNN_ABI
