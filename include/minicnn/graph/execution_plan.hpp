#pragma once
/// What a run computes and where its values are stored: decided once per batch shape, from the operations' plans.

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "minicnn/graph/memory_plan.hpp"
#include "minicnn/graph/passes/fuse.hpp"
#include "minicnn/graph/passes/reachability.hpp"
#include "minicnn/graph/topology.hpp"

namespace minicnn::inline MINICNN_ABI {

/// What is to be run.
struct execution_request {
  shape input;            ///< batches of up to `input[0]`
  bool training = false;  ///< backward will follow
  context ctx;
  std::vector<int> outputs;      ///< nodes whose values the caller reads, and in training gives gradients for
  std::vector<int> retained;     ///< nodes whose values, and in training gradients, outlive the step
  std::vector<char> frozen;      ///< one a node: parameters fixed, evaluation mode; empty: none
  bool prepack_weights = false;  ///< parameters are as they are now until the next plan (prediction only)
};

/// Which nodes run, which of them get gradients, and how values share memory.
template <class T>
class execution_plan {
 public:
  /// Throws shape_error naming the node if the input does not fit the network, option_error if a value is asked for that is 8-bit
  /// numbers.
  MINICNN_COLD execution_plan(const network_topology<T>& topology, const network_state<T>& state, execution_request r)
      : request(std::move(r)), nodes(topology.nodes), count(topology.nodes.size()) {
    std::vector<int> wanted = request.outputs;
    wanted.insert(wanted.end(), request.retained.begin(), request.retained.end());
    for (const int i : wanted)
      if (nodes[index(i)].bytes) fail<option_error>("network: the value of ", nodes[index(i)].name, " is 8-bit numbers");
    needed = needed_nodes<T>(nodes, wanted);
    readers = count_readers<T>(nodes, needed);
    if (request.frozen.empty()) request.frozen.assign(count, 0);
    plan_nodes(topology, state);
    share_values();
    share_gradients();
    place();
  }

  execution_request request;
  std::span<const graph_node<T>> nodes;
  std::size_t count;
  std::vector<op_plan> plans;        ///< one a node, as all below
  std::vector<char> needed;          ///< the node runs
  std::vector<char> needs_gradient;  ///< of its value
  std::vector<int> readers;          ///< how many inputs of running nodes its value is
  fusion<T> fused;
  std::vector<std::size_t> gradient_buffer;  ///< the node whose gradient's memory its own shares
  std::vector<char> returns_activation;      ///< takes the gradient behind the activation that it runs

  /// Offset of a node's buffer in the block; -1: there is none.
  enum class purpose { value, gradient, saved, forward_scratch, backward_scratch, packed_weights };
  index_t offset(purpose p, std::size_t node) const { return buffers_[static_cast<std::size_t>(p) * count + node].offset; }
  /// Bytes of the block.
  index_t memory_bytes() const { return bytes_; }

  bool is_output(std::size_t i) const { return contains(request.outputs, i); }
  bool is_retained(std::size_t i) const { return contains(request.retained, i); }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  static bool contains(const std::vector<int>& list, std::size_t i) {
    return std::find(list.begin(), list.end(), static_cast<int>(i)) != list.end();
  }
  bool is_wanted(std::size_t i) const { return is_output(i) || is_retained(i); }
  index_t value_bytes(std::size_t i) const {
    return plans[i].output_bytes > 0 ? plans[i].output_bytes : plans[i].output.size() * static_cast<index_t>(sizeof(T));
  }

  MINICNN_COLD void plan_nodes(const network_topology<T>& topology, const network_state<T>& state) {
    plans.resize(count);
    needs_gradient.assign(count, 0);
    for (std::size_t i = 0; i < count; ++i) {
      if (!needed[i]) continue;
      bool gradient = is_retained(i);
      if (nodes[i].operation == nullptr) {
        check_input(nodes[i]);
        plans[i].output = request.input;
      } else {
        std::vector<shape> shapes;
        for (const int j : nodes[i].inputs) {
          shapes.push_back(plans[index(j)].output);
          gradient = gradient || needs_gradient[index(j)];
        }
        // A frozen node runs in evaluation mode, but gradients may pass through it, so it is planned like the others.
        const plan_request asked{shapes, request.training, request.ctx, request.prepack_weights};
        plans[i] = graph<T>::plan_named(nodes[i].name, *nodes[i].operation, asked);
        const bool trains = check_parameters(topology, state, i) && !request.frozen[i];
        gradient = gradient || trains;
      }
      needs_gradient[i] = request.training && gradient;
    }
  }

  MINICNN_COLD void check_input(const graph_node<T>& node) const {
    const shape& got = request.input;
    if (got.rank() != node.dims.rank() || got[0] < 1)
      fail<shape_error>(node.name, ": wanted a batch of shape ", node.dims, " (any batch size from 1), got ", got);
  }

  /// Returns whether the node has parameters. Their shapes are fixed; only the batch and the image may change.
  MINICNN_COLD bool check_parameters(const network_topology<T>& topology, const network_state<T>& state, std::size_t i) const {
    std::size_t next = 0;
    for (const parameter_info& p : state.parameters) {
      if (index(p.node) != i) continue;
      const parameter_spec& wanted = plans[i].parameters[next++];
      if (!(wanted.dims == p.dims))
        fail<shape_error>(p.name, " is ", p.dims, ", but an input of ", request.input, " would need ", wanted.dims,
                          "; the network was made for ", nodes[index(topology.input)].dims,
                          " (adaptive or pyramid pooling before the first dense layer makes the image size free)");
    }
    return next > 0;
  }

  MINICNN_COLD void share_values() {
    std::vector<char> wanted(count);
    for (std::size_t i = 0; i < count; ++i) wanted[i] = is_wanted(i);
    fused = fuse_operations<T>(
        {nodes, plans, needed, needs_gradient, wanted, readers, request.training, request.ctx.instruction_set});
  }

  MINICNN_COLD void share_gradients() {
    gradient_buffer.resize(count);
    for (std::size_t i = count; i-- > 0;) {
      gradient_buffer[i] = i;
      if (!needs_gradient[i] || readers[i] != 1 || is_wanted(i)) continue;
      for (std::size_t c = i + 1; c < count; ++c)
        if (needed[c] && nodes[c].operation != nullptr && !nodes[c].inputs.empty() && index(nodes[c].inputs[0]) == i &&
            plans[c].gradient_in_place && !is_retained(c))
          gradient_buffer[i] = gradient_buffer[c];
    }
    returns_activation.assign(count, 0);
    for (std::size_t i = 0; i < count; ++i) {
      if (!fused.skipped[i] || nodes[i].inputs.size() != 1 || !needs_gradient[i]) continue;
      const std::size_t j = index(nodes[i].inputs[0]);
      returns_activation[j] = plans[j].returns_activation && fused.activation[j].has_value() && fused.activation[j]->bounded &&
                              gradient_buffer[j] == gradient_buffer[i];
    }
  }

  /// Extends the time in which a buffer matters.
  void touch(purpose p, std::size_t node, index_t bytes, int time) {
    if (bytes == 0) return;
    planned_buffer& b = buffers_[static_cast<std::size_t>(p) * count + node];
    if (b.bytes == 0) b.first = b.last = time;
    b.bytes = (std::max)(b.bytes, bytes);
    b.first = (std::min)(b.first, time);
    b.last = (std::max)(b.last, time);
  }

  /// Time runs from 0 to P-1 forward and from P to 2P-1 backward (node i at 2P-1-i).
  MINICNN_COLD void place() {
    buffers_.assign(6 * count, {});
    for (std::size_t i = 0; i < count; ++i)
      if (needed[i] && nodes[i].operation != nullptr) place_values(i);
    for (std::size_t i = 0; i < count; ++i)
      if (needs_gradient[i]) place_gradient(i);
    bytes_ = place_buffers(buffers_);
  }

  /// The value of node `i`, the values it reads, and the memory in its operation's plan.
  MINICNN_COLD void place_values(std::size_t i) {
    const op_plan& p = plans[i];
    const int end = 2 * static_cast<int>(count), forward = static_cast<int>(i), backward = end - 1 - forward;
    const bool returns = needs_gradient[i] != 0;
    touch(purpose::value, fused.value_buffer[i], value_bytes(i), forward);
    if (returns && p.backward_reads_output) touch(purpose::value, fused.value_buffer[i], value_bytes(i), backward);
    if (is_wanted(i)) touch(purpose::value, fused.value_buffer[i], value_bytes(i), end);
    for (const int input : nodes[i].inputs) {
      const std::size_t j = index(input);
      if (nodes[j].operation == nullptr) continue;
      touch(purpose::value, fused.value_buffer[j], value_bytes(j), forward);
      if (returns && p.backward_reads_input) touch(purpose::value, fused.value_buffer[j], value_bytes(j), backward);
    }
    touch(purpose::packed_weights, i, p.packed_weight_bytes, 0);
    touch(purpose::packed_weights, i, p.packed_weight_bytes, end);
    touch(purpose::forward_scratch, i, p.forward_scratch_bytes, forward);
    if (!returns) return;
    touch(purpose::saved, i, p.saved_bytes, forward);
    touch(purpose::saved, i, p.saved_bytes, backward);
    touch(purpose::backward_scratch, i, p.backward_scratch_bytes, backward);
  }

  /// The gradient of node `i`, and those that its operation writes.
  MINICNN_COLD void place_gradient(std::size_t i) {
    const int end = 2 * static_cast<int>(count), backward = end - 1 - static_cast<int>(i);
    touch(purpose::gradient, gradient_buffer[i], value_bytes(i), backward);
    if (is_wanted(i)) touch(purpose::gradient, gradient_buffer[i], value_bytes(i), static_cast<int>(count) - 1);
    if (is_retained(i)) touch(purpose::gradient, gradient_buffer[i], value_bytes(i), end);
    for (const int input : nodes[i].inputs) {
      const std::size_t j = index(input);
      if (needs_gradient[j]) touch(purpose::gradient, gradient_buffer[j], value_bytes(j), backward);
    }
  }

  std::vector<planned_buffer> buffers_;  // `count` of each purpose
  index_t bytes_ = 0;
};

}  // namespace minicnn::inline MINICNN_ABI
