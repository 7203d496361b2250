#pragma once
/// Which nodes of a graph some of its values depend on.

#include <cstddef>
#include <span>
#include <vector>

#include "minicnn/graph/node.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One flag per node: whether it is one of `wanted`, or one of them depends on it. Nodes are in topological order.
template <class T>
MINICNN_COLD std::vector<char> needed_nodes(std::span<const graph_node<T>> nodes, std::span<const int> wanted) {
  std::vector<char> needed(nodes.size(), 0);
  for (const int i : wanted) needed[static_cast<std::size_t>(i)] = 1;
  for (std::size_t i = nodes.size(); i-- > 0;)
    if (needed[i])
      for (const int j : nodes[i].inputs) needed[static_cast<std::size_t>(j)] = 1;
  return needed;
}

/// How many inputs of `needed` nodes each value is.
template <class T>
MINICNN_COLD std::vector<int> count_readers(std::span<const graph_node<T>> nodes, std::span<const char> needed) {
  std::vector<int> readers(nodes.size(), 0);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (needed[i])
      for (const int j : nodes[i].inputs) readers[static_cast<std::size_t>(j)] += 1;
  return readers;
}

}  // namespace minicnn::inline MINICNN_ABI
