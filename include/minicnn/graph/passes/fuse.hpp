#pragma once
/// Operations that run in place or as part of another: activations in the operation before them, sums in a convolution before
/// them, convolutions into their place of a concatenation.

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "minicnn/graph/node.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Input of the pass; everything has one element per node.
template <class T>
struct fusable_graph {
  std::span<const graph_node<T>> nodes;
  std::span<const op_plan> plans;
  std::span<const char> needed;          ///< runs
  std::span<const char> needs_gradient;  ///< of its value
  std::span<const char> wanted;          ///< its value is read by the caller
  std::span<const int> readers;          ///< inputs of running nodes that its value is
  bool training = false;
  isa instructions = isa::baseline;
};

/// One element per node.
template <class T>
struct fusion {
  std::vector<std::size_t> value_buffer;  ///< the node whose memory its value shares, itself where it does not
  std::vector<char> skipped;              ///< runs as part of another operation
  std::vector<char> applies_add;          ///< accumulates into the other addend of the sum that follows
  std::vector<std::optional<kernels::fused_activation<T>>> activation;  ///< runs the one that follows
  std::vector<index_t> slice;                                           ///< its value begins so many elements into that memory
  std::vector<index_t> image;  ///< elements from image to image there; 0: its own follow each other
};

namespace detail {

template <class T>
class fusion_pass {
 public:
  explicit fusion_pass(const fusable_graph<T>& graph) : g_(graph), producer_(graph.nodes.size()) {
    const std::size_t count = g_.nodes.size();
    out_.value_buffer.resize(count), out_.skipped.resize(count), out_.applies_add.resize(count);
    out_.activation.resize(count), out_.slice.resize(count), out_.image.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      out_.value_buffer[i] = producer_[i] = i;
      if (!g_.needed[i] || g_.nodes[i].operation == nullptr) continue;
      if (role(i) == op_role::concat)
        write_slices(i);
      else if (!fuse_residual_add(i))
        run_in_place(i);
    }
  }

  fusion<T> result() && { return std::move(out_); }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  op_role role(std::size_t i) const { return g_.nodes[i].operation->role(); }

  /// The output takes the memory of input 0 where nothing else reads that; an activation then runs in the operation that writes
  /// it.
  void run_in_place(std::size_t i) {
    if (!g_.plans[i].in_place) return;
    const std::size_t j = index(g_.nodes[i].inputs[0]);
    const bool read_later =
        (g_.needs_gradient[j] && g_.plans[j].backward_reads_output) || (g_.needs_gradient[i] && g_.plans[i].backward_reads_input);
    if (g_.nodes[j].operation == nullptr || g_.readers[j] != 1 || g_.wanted[j] || read_later) return;
    out_.value_buffer[i] = out_.value_buffer[j];
    const std::size_t writer = producer_[j];
    if (!g_.plans[writer].fuses_activation || out_.activation[writer].has_value()) return;
    out_.activation[writer] = g_.nodes[i].operation->activation(g_.instructions);
    if (!out_.activation[writer].has_value()) return;
    producer_[i] = writer;
    out_.skipped[i] = 1;
  }

  /// Prediction only: a convolution followed by a sum becomes one convolution that accumulates into the other addend's memory.
  /// Requires that nothing reads that addend from then on, the convolution included. Returns whether it was done.
  bool fuse_residual_add(std::size_t i) {
    const std::vector<int>& inputs = g_.nodes[i].inputs;
    if (g_.training || role(i) != op_role::add || inputs.size() != 2) return false;
    const std::size_t late = index((std::max)(inputs[0], inputs[1])), early = index((std::min)(inputs[0], inputs[1]));
    if (!g_.plans[late].fuses_add || g_.readers[late] != 1 || g_.wanted[late]) return false;
    if (out_.skipped[late] || out_.activation[late].has_value()) return false;
    if (g_.nodes[early].operation == nullptr || g_.wanted[early]) return false;
    for (std::size_t n = late; n < g_.nodes.size(); ++n)
      for (const int input : g_.nodes[n].inputs)
        if (n != i && g_.needed[n] && index(input) == early) return false;
    out_.value_buffer[late] = out_.value_buffer[i] = out_.value_buffer[early];
    producer_[i] = late;
    out_.applies_add[late] = out_.skipped[i] = 1;
    return true;
  }

  /// Prediction only: what is concatenated is written where it is wanted, if that operation can and nothing else reads it.
  void write_slices(std::size_t i) {
    index_t offset = 0;
    for (const int input : g_.nodes[i].inputs) {
      const std::size_t j = index(input), writer = producer_[j], memory = out_.value_buffer[j];
      const index_t length = g_.plans[j].output.size_from(1);
      if (!g_.training && g_.plans[writer].writes_slices && memory == writer && !out_.applies_add[writer] && g_.readers[j] == 1 &&
          !g_.wanted[j]) {
        for (std::size_t n = writer; n <= j; ++n)
          if (out_.value_buffer[n] == memory)
            out_.value_buffer[n] = i, out_.slice[n] = offset, out_.image[n] = g_.plans[i].output.size_from(1);
      }
      offset += length;
    }
  }

  fusable_graph<T> g_;
  std::vector<std::size_t> producer_;  // the node whose operation writes the value in the end
  fusion<T> out_;
};

}  // namespace detail

/// Decides what is fused. The values that the graph computes keep their bits.
template <class T>
MINICNN_COLD fusion<T> fuse_operations(const fusable_graph<T>& graph) {
  return detail::fusion_pass<T>(graph).result();
}

}  // namespace minicnn::inline MINICNN_ABI
