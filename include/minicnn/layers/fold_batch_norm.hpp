#pragma once
/// Batch normalisation folded into the convolution before it: the same function with fewer passes over memory, for inference.

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "minicnn/graph/network.hpp"
#include "minicnn/graph/output_nodes.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/conv2d.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// The node's operation if it is an `Op`, whatever it calls itself; else null.
template <class Op, class T>
const Op* operation_as(const graph_node<T>& n) {
  return dynamic_cast<const Op*>(n.operation.get());
}

/// Per node: whether it is a batch normalisation of a convolution that nobody else reads.
template <class T>
std::vector<bool> foldable_nodes(const network<T>& net) {
  const std::vector<graph_node<T>>& nodes = net.nodes();
  std::vector<int> readers(nodes.size());
  for (const graph_node<T>& n : nodes)
    for (const int input : n.inputs) readers[static_cast<std::size_t>(input)] += 1;
  for (const int output : net.topology().outputs) readers[static_cast<std::size_t>(output)] += 1;
  std::vector<bool> out(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (operation_as<batch_norm_op<T>>(nodes[i]) == nullptr) continue;
    const auto before = static_cast<std::size_t>(nodes[i].inputs[0]);
    out[i] = readers[before] == 1 && operation_as<conv2d_op<T>>(nodes[before]) != nullptr;
  }
  return out;
}

}  // namespace detail

/// A network for inference that computes the first output of `net` in evaluation mode: each batch normalisation that directly
/// follows a convolution is folded into its weights and bias, w' = w g, b' = (b - mean) g + bias with
/// g = weight / sqrt(variance + eps). Normalisations elsewhere (after ReLU or pooling, as in alexnet_bn) stay, and so do the
/// names of all other nodes. Results differ by rounding. The network given keeps its weights.
template <class T>
MINICNN_COLD network<T> fold_batch_norm(const network<T>& net) {
  const std::vector<graph_node<T>>& nodes = net.nodes();
  const std::vector<bool> foldable = detail::foldable_nodes(net);
  std::vector<char> needed = nodes_of_first_output(net);
  needed[static_cast<std::size_t>(net.topology().input)] = 1;
  std::vector<int> folded_by(nodes.size(), -1);  // the batch norm that a convolution takes in
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (foldable[i]) folded_by[static_cast<std::size_t>(nodes[i].inputs[0])] = static_cast<int>(i);

  graph<T> g;
  std::vector<node<T>> made(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const graph_node<T>& n = nodes[i];
    if (!needed[i]) continue;
    if (!n.operation) {
      made[i] = g.input(shape(n.dims.begin() + 1, n.dims.end()), n.name);
    } else if (foldable[i]) {
      made[i] = made[static_cast<std::size_t>(n.inputs[0])];
    } else {
      std::vector<node<T>> inputs;
      for (const int input : n.inputs) inputs.push_back(made[static_cast<std::size_t>(input)]);
      std::shared_ptr<const op<T>> operation = n.operation;
      if (folded_by[i] >= 0) {
        conv2d_options o = detail::operation_as<conv2d_op<T>>(n)->options();
        o.bias = true;
        operation = std::make_shared<conv2d_op<T>>(std::move(o));
      }
      made[i] = g.add(std::move(operation), inputs, n.name, {});
    }
  }
  const context& run = net.ctx();
  network<T> out(std::move(g), {made[static_cast<std::size_t>(net.topology().outputs[0])]},
                 {net.seed(), run.threads, run.bf16, run.winograd});

  const auto copy = [](const view<const T>& from, const view<T>& to) {
    for (index_t k = 0; k < from.size(); ++k) to.data()[k] = from.data()[k];
  };
  for (const buffer_info& b : out.buffers()) copy(net.buffer(b.name), out.buffer(b.name));
  for (const parameter_info& p : net.parameters()) {
    const auto owner = static_cast<std::size_t>(p.node);
    if (needed[owner] && !foldable[owner] && folded_by[owner] < 0) copy(net.parameter(p.name), out.parameter(p.name));
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!needed[i] || folded_by[i] < 0) continue;
    const graph_node<T>& normalised = nodes[static_cast<std::size_t>(folded_by[i])];
    const auto& norm = detail::operation_as<batch_norm_op<T>>(normalised)->options();
    const bool biased = detail::operation_as<conv2d_op<T>>(nodes[i])->options().bias;
    const view<const T> w = net.parameter(nodes[i].name + ".weight");
    const view<const T> mean = net.buffer(normalised.name + ".running_mean"),
                        variance = net.buffer(normalised.name + ".running_var");
    const view<T> weight = out.parameter(nodes[i].name + ".weight"), bias = out.parameter(nodes[i].name + ".bias");
    const index_t filters = w.dim(0), taps = w.size() / filters;
    for (index_t f = 0; f < filters; ++f) {
      double gain = 1.0 / std::sqrt(static_cast<double>(variance.data()[f]) + norm.eps), shift = 0.0;
      if (norm.affine) {
        gain *= static_cast<double>(net.parameter(normalised.name + ".weight").data()[f]);
        shift = static_cast<double>(net.parameter(normalised.name + ".bias").data()[f]);
      }
      const double before = biased ? static_cast<double>(net.parameter(nodes[i].name + ".bias").data()[f]) : 0.0;
      for (index_t k = 0; k < taps; ++k)
        weight.data()[f * taps + k] = static_cast<T>(static_cast<double>(w.data()[f * taps + k]) * gain);
      bias.data()[f] = static_cast<T>((before - static_cast<double>(mean.data()[f])) * gain + shift);
    }
  }
  return out;
}

}  // namespace minicnn::inline MINICNN_ABI
