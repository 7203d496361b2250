#pragma once
/// Batch normalisation folded into the convolution before it: the same function with fewer passes over memory, for inference.

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "minicnn/graph/network.hpp"
#include "minicnn/graph/output_nodes.hpp"
#include "minicnn/graph/passes/channel_map.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

// Null where an operation has not the interface; inputs have no operation.
template <class T>
const channel_mapping<T>* mapping_of(const graph_node<T>& n) {
  return n.operation == nullptr ? nullptr : n.operation->as_channel_mapping();
}
template <class T>
const channel_map_producer<T>* producer_of(const graph_node<T>& n) {
  return n.operation == nullptr ? nullptr : n.operation->as_channel_map_producer();
}

/// Per node: the node whose channel mapping it can do, or -1. A mapping is folded where nothing else reads its input.
template <class T>
MINICNN_COLD std::vector<int> folded_mappings(const network<T>& net) {
  const std::vector<graph_node<T>>& nodes = net.nodes();
  std::vector<int> readers = count_readers<T>(nodes, std::vector<char>(nodes.size(), 1));
  for (const int output : net.topology().outputs) readers[static_cast<std::size_t>(output)] += 1;
  std::vector<int> folded(nodes.size(), -1);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (mapping_of(nodes[i]) == nullptr) continue;
    const auto before = static_cast<std::size_t>(nodes[i].inputs[0]);
    if (readers[before] == 1 && producer_of(nodes[before]) != nullptr) folded[before] = static_cast<int>(i);
  }
  return folded;
}

/// Parameters or buffers of a node, in the order of its plan.
template <class T>
std::vector<view<const T>> parameters_of(const network<T>& net, int node) {
  std::vector<view<const T>> out;
  for (const parameter_info& p : net.parameters())
    if (p.node == node) out.push_back(net.parameter(p.name));
  return out;
}
template <class T>
std::vector<view<const T>> buffers_of(const network<T>& net, int node) {
  std::vector<view<const T>> out;
  for (const buffer_info& b : net.buffers())
    if (b.node == node) out.push_back(net.buffer(b.name));
  return out;
}

/// The graph of the first output with every mapping of `folded` done by the node before it.
template <class T>
MINICNN_COLD network<T> folded_network(const network<T>& net, const std::vector<int>& folded) {
  const std::vector<graph_node<T>>& nodes = net.nodes();
  std::vector<char> needed = nodes_of_first_output(net);
  needed[static_cast<std::size_t>(net.topology().input)] = 1;
  graph<T> g;
  std::vector<node<T>> made(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const graph_node<T>& n = nodes[i];
    if (!needed[i]) continue;
    if (!n.operation) {
      made[i] = g.input(shape(n.dims.begin() + 1, n.dims.end()), n.name);
    } else if (const auto before = static_cast<std::size_t>(n.inputs[0]); folded[before] == static_cast<int>(i)) {
      made[i] = made[before];
    } else {
      std::vector<node<T>> inputs;
      for (const int input : n.inputs) inputs.push_back(made[static_cast<std::size_t>(input)]);
      auto operation = folded[i] < 0 ? n.operation : producer_of(n)->with_channel_map();
      made[i] = g.add(std::move(operation), inputs, n.name, {});
    }
  }
  const context& ctx = net.ctx();
  return network<T>(
      std::move(g), {made[static_cast<std::size_t>(net.topology().outputs[0])]},
      {.seed = net.seed(), .threads = ctx.threads, .bf16 = ctx.bf16, .winograd = ctx.winograd, .initialize = false});
}

}  // namespace detail

/// A network for inference that computes the first output of `net` in evaluation mode: each batch normalisation that directly
/// follows a convolution is folded into its weights and bias, w' = w g, b' = (b - mean) g + bias with
/// g = weight / sqrt(variance + eps). Normalisations elsewhere (after ReLU or pooling, as in alexnet_bn) stay, and so do the
/// names of all other nodes. Results differ by rounding. The network given keeps its weights. Layers of your own take part
/// through the interfaces of passes/channel_map.hpp.
template <class T>
MINICNN_COLD network<T> fold_batch_norm(const network<T>& net) {
  const std::vector<int> folded = detail::folded_mappings(net);
  network<T> out = detail::folded_network(net, folded);
  for (const buffer_info& b : out.buffers()) {
    const view<const T> from = net.buffer(b.name);
    std::copy(from.begin(), from.end(), out.buffer(b.name).begin());
  }
  for (std::size_t made = 0; made < out.nodes().size(); ++made) {
    const int source = net.topology().find(out.nodes()[made].name), mapping = folded[static_cast<std::size_t>(source)];
    const std::vector<view<const T>> from = detail::parameters_of(net, source);
    std::vector<view<T>> to;
    for (const parameter_info& p : out.parameters())
      if (p.node == static_cast<int>(made)) to.push_back(out.parameter(p.name));
    if (mapping < 0) {
      for (std::size_t k = 0; k < to.size(); ++k) std::copy(from[k].begin(), from[k].end(), to[k].begin());
      continue;
    }
    const auto* maps = detail::mapping_of(net.nodes()[static_cast<std::size_t>(mapping)]);
    const auto* producer = detail::producer_of(net.nodes()[static_cast<std::size_t>(source)]);
    producer->fold(maps->channel_maps(detail::parameters_of(net, mapping), detail::buffers_of(net, mapping)), from, to);
  }
  return out;
}

}  // namespace minicnn::inline MINICNN_ABI
