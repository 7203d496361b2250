#pragma once
/// Which nodes of a network its outputs depend on.

#include <algorithm>
#include <span>
#include <vector>

#include "minicnn/graph/network.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Whether each node is needed for the first output: auxiliary heads are not.
template <class T>
std::vector<char> nodes_of_first_output(const network<T>& net) {
  return needed_nodes<T>(net.nodes(), std::span(net.topology().outputs).first(1));
}

/// Whether layers of the network compute with 8-bit numbers (int8/): it predicts, and has no gradients.
template <class T>
bool is_quantized(const network<T>& net) {
  return std::any_of(net.nodes().begin(), net.nodes().end(), [](const graph_node<T>& n) { return n.bytes; });
}

/// The nodes that make logits of features, for each output the last one with parameters: what a network for other classes has
/// anew.
template <class T>
std::vector<int> head_nodes(const network<T>& net) {
  std::vector<int> heads;
  for (const int output : net.topology().outputs) {
    int head = -1;
    for (const parameter_info& p : net.parameters())
      if (p.node <= output) head = (std::max)(head, p.node);
    heads.push_back(head);
  }
  return heads;
}

}  // namespace minicnn::inline MINICNN_ABI
