#pragma once
/// Our networks' tensors by the names that torchvision's state dicts have for them.

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/graph/network.hpp"
#include "minicnn/graph/output_nodes.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One tensor of a network under two names.
struct tensor_name {
  std::string own;      ///< in the network: "conv1.weight"
  std::string other;    ///< in a file: "features.0.weight"
  shape dims;           ///< in the file: as many elements as in the network, in the same order
  int node = 0;         ///< index of the node that owns it
  bool buffer = false;  ///< not trained
};

/// All parameters and buffers under their own names.
template <class T>
std::vector<tensor_name> own_names(const network<T>& net) {
  std::vector<tensor_name> names;
  for (const parameter_info& p : net.parameters()) names.push_back({p.name, p.name, p.dims, p.node, false});
  for (const buffer_info& b : net.buffers()) names.push_back({b.name, b.name, b.dims, b.node, true});
  return names;
}

namespace detail {

/// What torchvision calls the nodes of a network that is a `features` sequence followed by a `classifier` sequence: each module
/// has its place in the sequence for a name, and those without weights count as well. A scope (squeezenet's fire modules) is one
/// module, but pooling never belongs to it.
template <class T>
std::vector<std::string> sequential_names(const std::vector<graph_node<T>>& nodes) {
  std::vector<std::string> names;
  std::string part = "features", scope;
  int place = -1;
  for (const graph_node<T>& n : nodes) {
    const std::string_view kind = n.operation ? n.operation->kind() : "input";
    const bool pause = kind == "adaptive_avg_pool" || kind == "flatten";
    if (part == "features" && (pause || kind == "dropout")) part = "classifier", place = -1;
    const auto dot = n.name.find('.');
    const std::string here = dot == std::string::npos || kind == "max_pool" ? "" : n.name.substr(0, dot);
    if (kind != "input" && !pause && (here.empty() || here != scope)) ++place;
    scope = here;
    names.push_back(text_of(part, ".", place, here.empty() ? std::string() : n.name.substr(dot)));
  }
  return names;
}

/// Of vision transformers and ConvNeXt: names that are no layer's, and dense layers that are convolutions of 1x1 here.
inline void name_in_attention_network(tensor_name& name) {
  if (name.own == "tokens.class_token") name.other = "class_token";
  if (const auto at = name.own.find(".in_proj."); at != std::string::npos) name.other[at + 8] = '_';
  if (name.dims.rank() == 4 && name.dims.size_from(2) == 1) name.dims = {name.dims[0], name.dims[1]};
}

/// DenseNet's published weights have names of before 2018, "denselayer1.norm.1.weight", which torchvision's loader turns into
/// today's.
inline std::string current_name(std::string name) {
  if (name.find("denselayer") != std::string::npos)
    for (const std::string_view part : {".norm.", ".conv."})
      if (const auto at = name.find(part); at != std::string::npos) name.erase(at + part.size() - 1, 1);
  return name;
}

}  // namespace detail

/// All parameters and buffers of a network with their names in torchvision's state dict of the model of that name ("vgg16-bn",
/// "alexnet-torchvision", "squeezenet"; as `--model` has them). ResNet, GoogLeNet, Inception v3, MobileNet, EfficientNet and
/// DenseNet have torchvision's names here too; networks that torchvision does not have keep their own. Without
/// `num_batches_tracked`, which has no counterpart.
template <class T>
std::vector<tensor_name> torchvision_names(std::string_view model, const network<T>& net) {
  std::vector<tensor_name> names = own_names(net);
  if (model.starts_with("vit-") || model.starts_with("convnext")) {
    for (tensor_name& name : names) detail::name_in_attention_network(name);
    return names;
  }
  if (!model.starts_with("vgg") && !model.starts_with("squeezenet") && model != "alexnet-torchvision") return names;
  const std::vector<std::string> nodes = detail::sequential_names(net.nodes());
  for (tensor_name& name : names) {
    const auto id = static_cast<std::size_t>(name.node);
    name.other = nodes[id] + name.own.substr(net.nodes()[id].name.size());
  }
  return names;
}

}  // namespace minicnn::inline MINICNN_ABI
