#pragma once
/// What a network consists of, and what it shares with everything that refers to it.

#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

#include "minicnn/graph/node.hpp"
#include "minicnn/graph/parameter.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Operations, their inputs, and which values are outputs: the part of a network that never changes.
template <class T>
struct network_topology {
  std::vector<graph_node<T>> nodes;
  std::vector<int> outputs;
  int input = 0;  ///< index of the input node

  /// Index of the node called `name`, or -1.
  int find(std::string_view name) const {
    for (std::size_t i = 0; i < nodes.size(); ++i)
      if (nodes[i].name == name) return static_cast<int>(i);
    return -1;
  }
};

namespace detail {

/// All of a network. It lives on the heap, so a network can move while sessions and optimizers refer to it, and as long as one of
/// them does, so none is left with a pointer to nothing.
template <class T>
struct network_core {
  network_topology<T> topology;
  network_state<T> state;
  std::vector<char> frozen;          // one a node: parameters fixed, evaluation mode
  std::vector<double> loss_weights;  // one an output
  context ctx;                       // how sessions run unless their options say otherwise
  std::uint64_t seed = 0;
  std::uint64_t step = 0;  // trained so far
  index_t epochs = 0;
  std::atomic<std::uint64_t> edits{0};    // counts whenever parameters or buffers were given out to be written, or were trained
  std::atomic<std::uint64_t> freezes{0};  // counts changes of `frozen`
  std::atomic<bool> owned{true};          // false once the network was destroyed or replaced by another

  void count_edit() { edits.fetch_add(1, std::memory_order_relaxed); }
};

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
