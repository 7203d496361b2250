#pragma once
/// Fine-tuning from another tool's file: what `transfer_weights` does, with a table of names and any reader of tensors.

#include <algorithm>
#include <set>
#include <vector>

#include "minicnn/formats/named_weights.hpp"
#include "minicnn/model/transfer.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Reads the tensors `names` of the network from a `safetensors_file`, `pth_file` or `npz_file`, where they are called
/// `names[i].other` (own_names, torchvision_names). A head whose tensors the file has in other shapes, or does not have, keeps
/// the network's values, and so do the layers of auxiliary heads that the file lacks; with `new_head` all heads do. Throws
/// file_error with whatever else is missing, left over or of another shape (wanted and got); the network is then as it was.
template <class T, class File>
transfer_result transfer_named_weights(network<T>& net, const File& file, const std::vector<tensor_name>& names,
                                       bool new_head = false) {
  const auto found = tensors_by_name(file, names);
  const std::vector<int> heads = head_nodes(net);
  const std::vector<char> needed = nodes_of_first_output(net);
  std::set<int> kept;  // nodes: a layer comes from the file as a whole or not at all
  for (const tensor_name& n : names) {
    const bool head = std::find(heads.begin(), heads.end(), n.node) != heads.end();
    const auto entry = found.find(n.other);
    const bool missing = entry == found.end();
    if (head && (new_head || missing || !(entry->second->dims == n.dims))) kept.insert(n.node);
    if (missing && !needed[static_cast<std::size_t>(n.node)]) kept.insert(n.node);
  }
  transfer_result result;
  std::vector<tensor_name> wanted, left;
  for (const tensor_name& n : names) {
    const bool keeps = kept.count(n.node) > 0;
    (keeps ? left : wanted).push_back(n);
    (keeps ? result.skipped : result.loaded).push_back(n.own);
  }
  load_named_weights(net, file, wanted, left);
  return result;
}

}  // namespace minicnn::inline MINICNN_ABI
