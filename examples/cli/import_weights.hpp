#pragma once
// Weights files of whatever kind, and whose names their tensors have.

#include <algorithm>
#include <minicnn/formats/file_kind.hpp>
#include <minicnn/formats/named_weights.hpp>
#include <minicnn/formats/npz_reader.hpp>
#include <minicnn/formats/pth.hpp>
#include <minicnn/io/safetensors.hpp>
#include <string>
#include <vector>

#include "data_source.hpp"
#include "messages.hpp"

namespace cli {

/// What the file is. Throws minicnn::file_error that names the weights in it for a run's folder.
minicnn::file_kind kind_of_input(const std::string& path);

/// safetensors, torch_zip or npz. Throws minicnn::file_error if the file cannot be read or is of another kind, with what helps
/// then.
minicnn::file_kind kind_of_weights(const std::string& path);

/// Throws minicnn::file_error for a file that `minicnn quantize` made, which says `why` it does not do, and which file does.
void refuse_quantized(const std::string& path, const std::string& why);

/// What such a file is, and which one to use instead: "is an 8-bit file for prediction; WHY; use the file ...". Empty for others.
std::string about_quantized(const minicnn::safetensors_file& file, const std::string& why);

/// Metadata: the name of the file that an 8-bit one was made from.
inline constexpr const char* quantized_from = "quantized_from";

/// A weights file of ours. Throws minicnn::file_error that says what else the file is, and how to make a weights file of it.
minicnn::safetensors_file open_weights(const std::string& path);

/// The state of a training, last.safetensors. Throws minicnn::file_error that says what else the file is, and what to do then.
minicnn::safetensors_file open_training(const std::string& path);

/// Calls `use` with the file opened as what it is. Throws minicnn::file_error.
template <class F>
decltype(auto) with_weights_file(const std::string& path, const F& use) {
  switch (kind_of_weights(path)) {
    case minicnn::file_kind::torch_zip:
      return use(minicnn::pth_file::open(path));
    case minicnn::file_kind::npz:
      return use(minicnn::npz_file::open(path));
    default:
      return use(minicnn::safetensors_file::open(path));
  }
}

/// The last layer by the file's name for it ("head.weight" for "fc.weight") where all else is found and one layer remains, whose
/// tensors are such as the last layer has, but for the number of classes.
template <class File>
void name_last_layer(const File& file, std::vector<minicnn::tensor_name>& names, const minicnn::network<float>& net) {
  auto remaining = tensors_by_name(file, names);
  const int head = head_nodes(net)[0];
  std::vector<minicnn::tensor_name*> lacking;
  for (minicnn::tensor_name& n : names)
    if (remaining.erase(n.other) == 0) {
      if (n.node != head) return;
      lacking.push_back(&n);
    }
  if (lacking.empty() || remaining.size() != lacking.size()) return;
  const std::string layer = remaining.begin()->first.substr(0, remaining.begin()->first.rfind('.') + 1);
  std::vector<std::string> called;
  for (const minicnn::tensor_name* n : lacking) {
    const auto same = remaining.find(layer + n->own.substr(n->own.rfind('.') + 1));
    if (same == remaining.end() || same->second->dims.rank() != n->dims.rank()) return;
    for (int axis = 1; axis < n->dims.rank(); ++axis)
      if (same->second->dims[axis] != n->dims[axis]) return;
    called.push_back(same->first);
  }
  for (std::size_t i = 0; i < lacking.size(); ++i) lacking[i]->other = called[i];
}

/// Throws minicnn::file_error for tensors of whole numbers in the place of weights, with what such a file is or wants.
template <class File>
void refuse_whole_numbers(const File& file, const std::vector<minicnn::tensor_name>& names) {
  const auto whole = [](const auto& e) { return e.type > minicnn::dtype::bf16; };
  const auto& all = file.entries();
  if (all.empty()) return;
  if (std::all_of(all.begin(), all.end(), whole))
    minicnn::fail<minicnn::file_error>(file.path(), ": holds whole numbers alone (", all.front().name, ": ",
                                       dtype_name(all.front().type), " ", all.front().dims,
                                       ", ...): pictures and labels are no weights, and quantized weights are to be made "
                                       "floating-point numbers first");
  const auto found = tensors_by_name(file, names);
  for (const minicnn::tensor_name& n : names)
    if (const auto e = found.find(n.other); e != found.end() && whole(*e->second))
      minicnn::fail<minicnn::file_error>(file.path(), ": tensor ", e->second->name, ": wanted floating-point numbers, got ",
                                         dtype_name(e->second->type),
                                         "; quantized weights are to be made such first, others by .astype(\"float32\")");
}

/// The names that the file has: torchvision's or ours, whichever more of its tensors are called by.
template <class File>
std::vector<minicnn::tensor_name> names_in(const File& file, const std::string& model, const minicnn::network<float>& net) {
  auto theirs = minicnn::torchvision_names(model, net);
  auto ours = minicnn::own_names(net);
  auto names = count_present(file, ours) > count_present(file, theirs) ? ours : theirs;
  name_last_layer(file, names, net);
  return names;
}

/// Says which tensors of the file are left out because they are of a loss, a metric or an average, or another state dict's.
template <class File>
void note_left_out(const File& file, const std::vector<minicnn::tensor_name>& names, const std::string& path) {
  if constexpr (requires { file.other_keys(); })
    if (!file.other_keys().empty())
      say(path + ": holds several state dicts; taken is \"" + file.key() + "\", not " + list_of(file.other_keys()) +
          "; to take another, save it alone: torch.save(torch.load(file)[\"" + file.other_keys()[0] + "\"], other)");
  if (const std::vector<std::string> left = tensors_left_out(file, names); !left.empty())
    say(path + ": left out, as they belong to a loss, a metric or an average of the weights: " + list_of(left));
}

}  // namespace cli
