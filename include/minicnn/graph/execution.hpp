#pragma once
/// Runs a network for one batch shape: plans all memory by liveness once, then executes without allocating.
///
/// Time runs from 0 to P-1 forward and from P to 2P-1 backward (node i at 2P-1-i). Every value, gradient, saved state and
/// scratch block gets the interval in which it matters; `place_buffers` lays them out in one block.

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "minicnn/graph/memory_plan.hpp"
#include "minicnn/graph/node.hpp"
#include "minicnn/graph/parameter.hpp"

namespace minicnn::inline MINICNN_ABI {

/// The immutable part of a network. A change (keep, freeze) makes a new one, so whoever planned for the old one notices.
template <class T>
struct network_topology {
  std::vector<graph_node<T>> nodes;
  std::vector<int> outputs;
  std::vector<char> kept;    ///< value and gradient outlive the step
  std::vector<char> frozen;  ///< parameters fixed, evaluation mode

  int find(std::string_view name) const {
    for (std::size_t i = 0; i < nodes.size(); ++i)
      if (nodes[i].name == name) return static_cast<int>(i);
    return -1;
  }
};

template <class T>
class execution {
 public:
  /// What is to be planned. `wanted` lists the nodes whose values are asked for.
  struct request {
    shape input;
    bool training = false;
    context ctx;
    std::vector<int> wanted;
    bool fixed_weights = false;  ///< parameters are as they are now until the next plan
  };

  /// Plans for batches of up to `r.input[0]`. Throws shape_error naming the node if the input does not fit the parameters.
  MINICNN_COLD execution(std::shared_ptr<const network_topology<T>> topology, network_state<T>& state, request r)
      : topology_(std::move(topology)), request_(std::move(r)), count_(topology_->nodes.size()) {
    plan_nodes(state);
    choose_places();
    place_memory();
    build_frames(state);
    bind(request_.input[0]);
    for (std::size_t i = 0; i < count_; ++i)
      if (frames_[i].prepared != nullptr) topology_->nodes[i].operation->prepare(frames_[i]);
  }

  const request& planned() const { return request_; }
  const network_topology<T>* topology() const { return topology_.get(); }
  const std::vector<op_plan>& plans() const { return plans_; }
  index_t memory_bytes() const { return block_.size(); }
  bool runs(int node) const { return needed_[index(node)] != 0; }

  /// Sets the batch size, at most the planned one.
  void bind(index_t batch) {
    if (batch == batch_) return;
    batch_ = batch;
    for (frame<T>& f : frames_)
      if (f.output.dims().rank() > 0) rebatch(f.output), rebatch(f.output_gradient);
    for (view<const T>& v : edges_) rebatch(v);
    for (gradient_target<T>& g : edge_gradients_) rebatch(g.data);
    for (view<T>& v : values_) rebatch(v);
    for (view<T>& v : gradients_) rebatch(v);
  }

  /// `input` must stay valid until backward is done: layers read it there.
  void forward(const view<const T>& input, random_key key) {
    flush_denormals guard;
    for (std::size_t e = 0; e < edges_.size(); ++e)
      if (edge_source_[e] == input_node_) edges_[e] = input;
    for (std::size_t i = 0; i < count_; ++i) {
      if (!needed_[i] || skipped_[i] || topology_->nodes[i].operation == nullptr) continue;
      frame<T>& f = frames_[i];
      f.random = key.of(i);
      use_scratch(f, 3 * count_ + i, plans_[i].forward_scratch_bytes);
      topology_->nodes[i].operation->forward(f);
    }
    // Outputs that the loss does not mention have gradient zero; the loss overwrites the others.
    for (const std::size_t i : zeroed_) std::fill(gradients_[i].begin(), gradients_[i].end(), T{});
  }

  /// `accumulate`: parameter gradients are added to what is there.
  void backward(bool accumulate) {
    flush_denormals guard;
    for (gradient_target<T>& g : parameter_gradients_) g.add = accumulate;
    for (std::size_t i = count_; i-- > 0;) {
      if (!needs_gradient_[i] || topology_->nodes[i].operation == nullptr) continue;
      use_scratch(frames_[i], 4 * count_ + i, plans_[i].backward_scratch_bytes);
      topology_->nodes[i].operation->backward(frames_[i]);
    }
  }

  const view<T>& value(int node) const { return values_[index(node)]; }
  const view<T>& gradient(int node) const { return gradients_[index(node)]; }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  template <class U>
  void rebatch(view<U>& v) const {
    if (v.dims().rank() == 0) return;
    shape dims = v.dims();
    dims.set(0, batch_);
    v = view<U>(v.data(), dims);
  }

  /// Shapes, plans, and which nodes run, need gradients and have how many consumers.
  MINICNN_COLD void plan_nodes(const network_state<T>& state) {
    const auto& nodes = topology_->nodes;
    needed_.assign(count_, 0);
    for (const int i : request_.wanted) needed_[index(i)] = 1;
    for (std::size_t i = count_; i-- > 0;)
      if (needed_[i])
        for (const int j : nodes[i].inputs) needed_[index(j)] = 1;

    plans_.resize(count_);
    consumers_.assign(count_, 0);
    needs_gradient_.assign(count_, 0);
    for (std::size_t i = 0; i < count_; ++i) {
      if (!needed_[i]) continue;
      bool gradient = request_.training && topology_->kept[i];
      if (nodes[i].operation == nullptr) {
        input_node_ = static_cast<int>(i);
        check_input(nodes[i]);
        plans_[i].output = request_.input;
      } else {
        std::vector<shape> shapes;
        for (const int j : nodes[i].inputs) {
          shapes.push_back(plans_[index(j)].output);
          consumers_[index(j)] += 1;
          gradient = gradient || needs_gradient_[index(j)];
        }
        // A frozen node runs in evaluation mode, but gradients may pass through it, so it is planned like the others.
        const plan_request asked{shapes, request_.training, request_.ctx, request_.fixed_weights};
        plans_[i] = graph<T>::plan_named(nodes[i].name, *nodes[i].operation, asked);
        gradient = check_parameters(state, static_cast<int>(i)) || gradient;
      }
      needs_gradient_[i] = request_.training && gradient;
    }
  }

  MINICNN_COLD void check_input(const graph_node<T>& node) const {
    const shape& got = request_.input;
    if (got.rank() != node.dims.rank() || got[0] < 1)
      fail<shape_error>(node.name, ": wanted a batch of shape ", node.dims, " (any batch size from 1), got ", got);
  }

  /// True if the node has parameters to train. Their shapes are fixed; only the batch and the image may change.
  MINICNN_COLD bool check_parameters(const network_state<T>& state, int node) const {
    bool trains = false;
    std::size_t next = 0;
    for (const parameter_info& p : state.parameters) {
      if (p.node != node) continue;
      const parameter_spec& wanted = plans_[index(node)].parameters[next++];
      if (!(wanted.dims == p.dims))
        fail<shape_error>(p.name, " is ", p.dims, ", but an input of ", request_.input, " would need ", wanted.dims,
                          "; the network was made for ", topology_->nodes[index(input_node_)].dims,
                          " (adaptive or pyramid pooling before the first dense layer makes the image size free)");
      trains = trains || p.trainable;
    }
    return trains;
  }

  bool is_output(std::size_t i) const {
    return std::find(topology_->outputs.begin(), topology_->outputs.end(), static_cast<int>(i)) != topology_->outputs.end();
  }
  bool is_wanted(std::size_t i) const {
    return std::find(request_.wanted.begin(), request_.wanted.end(), static_cast<int>(i)) != request_.wanted.end();
  }

  /// Which values and gradients share one buffer, and which ReLUs and sums are left to the op before them.
  MINICNN_COLD void choose_places() {
    const auto& nodes = topology_->nodes;
    value_place_.resize(count_);
    gradient_place_.resize(count_);
    skipped_.assign(count_, 0);
    fused_.assign(count_, 0);
    adds_.assign(count_, 0);
    std::vector<std::size_t> maker(count_);  // the node whose op writes the value in the end
    for (std::size_t i = 0; i < count_; ++i) {
      value_place_[i] = maker[i] = i;
      if (!needed_[i] || nodes[i].operation == nullptr) continue;
      if (leave_addition(i, maker)) continue;
      if (!plans_[i].in_place) continue;
      const std::size_t j = index(nodes[i].inputs[0]);
      const bool read_later =
          (needs_gradient_[j] && plans_[j].backward_reads_output) || (needs_gradient_[i] && plans_[i].backward_reads_input);
      if (nodes[j].operation == nullptr || consumers_[j] != 1 || is_wanted(j) || read_later) continue;
      value_place_[i] = value_place_[j];
      if (!plans_[i].is_relu || !plans_[maker[j]].fuses_relu) continue;
      maker[i] = maker[j];
      fused_[maker[j]] = skipped_[i] = 1;
    }
    for (std::size_t i = count_; i-- > 0;) {
      gradient_place_[i] = i;
      if (!needs_gradient_[i] || consumers_[i] != 1 || is_wanted(i)) continue;
      for (std::size_t c = i + 1; c < count_; ++c)
        if (needed_[c] && nodes[c].operation != nullptr && !nodes[c].inputs.empty() && index(nodes[c].inputs[0]) == i &&
            plans_[c].gradient_in_place && !topology_->kept[c])
          gradient_place_[i] = gradient_place_[c];
    }
  }

  /// In prediction a sum whose later input comes straight from a convolution (a residual block's, after `fold_batch_norm`) is
  /// left to that convolution, which adds to the other input where that lies. The convolution must not read that, nor anybody
  /// after it.
  MINICNN_COLD bool leave_addition(std::size_t i, std::vector<std::size_t>& maker) {
    const auto& inputs = topology_->nodes[i].inputs;
    if (request_.training || !plans_[i].is_add || inputs.size() != 2) return false;
    const std::size_t late = index((std::max)(inputs[0], inputs[1])), early = index((std::min)(inputs[0], inputs[1]));
    if (!plans_[late].fuses_add || consumers_[late] != 1 || skipped_[late] || fused_[late] || is_wanted(late)) return false;
    if (topology_->nodes[early].operation == nullptr || is_wanted(early)) return false;
    for (std::size_t n = late; n < count_; ++n)
      for (const int input : topology_->nodes[n].inputs)
        if (n != i && needed_[n] && index(input) == early) return false;
    value_place_[late] = value_place_[i] = value_place_[early];
    maker[i] = late;
    adds_[late] = skipped_[i] = 1;
    return true;
  }

  MINICNN_COLD void place_memory() {
    const int end = 2 * static_cast<int>(count_);
    const auto& nodes = topology_->nodes;
    buffers_.assign(6 * count_, {});
    const auto touch = [](planned_buffer& b, index_t bytes, int time) {
      if (b.bytes == 0) b.first = b.last = time;
      b.bytes = (std::max)(b.bytes, bytes);
      b.first = (std::min)(b.first, time);
      b.last = (std::max)(b.last, time);
    };
    for (std::size_t i = 0; i < count_; ++i) {
      if (!needed_[i] || nodes[i].operation == nullptr) continue;
      const op_plan& p = plans_[i];
      const int forward = static_cast<int>(i), backward = end - 1 - forward;
      const bool returns = needs_gradient_[i] != 0;

      planned_buffer& value = buffers_[value_place_[i]];
      const index_t bytes = bytes_of(i);
      touch(value, bytes, forward);
      if (returns && p.backward_reads_output) touch(value, bytes, backward);
      if (is_wanted(i)) touch(value, bytes, end);
      for (const int j : nodes[i].inputs) {
        if (nodes[index(j)].operation == nullptr) continue;
        touch(buffers_[value_place_[index(j)]], bytes_of(index(j)), forward);
        if (returns && p.backward_reads_input) touch(buffers_[value_place_[index(j)]], bytes_of(index(j)), backward);
      }
      planned_buffer& saved = buffers_[2 * count_ + i];
      if (returns && p.saved_bytes > 0) touch(saved, p.saved_bytes, forward), touch(saved, p.saved_bytes, backward);
      if (p.prepared_bytes > 0) touch(buffers_[5 * count_ + i], p.prepared_bytes, 0), touch(buffers_[5 * count_ + i], 0, end);
      if (p.forward_scratch_bytes > 0) touch(buffers_[3 * count_ + i], p.forward_scratch_bytes, forward);
      if (returns && p.backward_scratch_bytes > 0) touch(buffers_[4 * count_ + i], p.backward_scratch_bytes, backward);
    }
    for (std::size_t i = 0; i < count_; ++i) {
      if (!needs_gradient_[i]) continue;
      const int backward = end - 1 - static_cast<int>(i);
      planned_buffer& gradient = buffers_[count_ + gradient_place_[i]];
      touch(gradient, bytes_of(i), backward);
      if (is_wanted(i)) touch(gradient, bytes_of(i), static_cast<int>(count_) - 1);
      if (topology_->kept[i]) touch(gradient, bytes_of(i), end);
      for (const int j : nodes[i].inputs)
        if (needs_gradient_[index(j)]) touch(buffers_[count_ + gradient_place_[index(j)]], bytes_of(index(j)), backward);
    }
    block_ = aligned_buffer<std::byte>(place_buffers(buffers_));
  }

  index_t bytes_of(std::size_t i) const { return plans_[i].output.size() * static_cast<index_t>(sizeof(T)); }
  std::byte* place(std::size_t buffer) { return buffers_[buffer].offset < 0 ? nullptr : block_.data() + buffers_[buffer].offset; }

  void use_scratch(frame<T>& f, std::size_t buffer, index_t bytes) {
    f.scratch_block = place(buffer);
    f.scratch_bytes = bytes;
  }

  /// All views that the ops will see. The vectors get their final size first: frames hold spans into them.
  MINICNN_COLD void build_frames(network_state<T>& state) {
    const auto& nodes = topology_->nodes;
    values_.resize(count_);
    gradients_.resize(count_);
    frames_.resize(count_);
    std::size_t edge_count = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      if (!needed_[i]) continue;
      edge_count += nodes[i].inputs.size();
      values_[i] = {reinterpret_cast<T*>(place(value_place_[i])), plans_[i].output};
      if (needs_gradient_[i]) gradients_[i] = {reinterpret_cast<T*>(place(count_ + gradient_place_[i])), plans_[i].output};
    }
    edges_.resize(edge_count);
    edge_gradients_.resize(edge_count);
    edge_source_.resize(edge_count);
    parameters_.resize(state.parameters.size());
    parameter_gradients_.resize(state.parameters.size());
    buffer_views_.resize(state.buffers.size());

    std::size_t edge = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      if (!needed_[i] || nodes[i].operation == nullptr) continue;
      frame<T>& f = frames_[i];
      f.ctx = request_.ctx;
      f.training = request_.training && !topology_->frozen[i];
      f.apply_relu = fused_[i] != 0;
      f.apply_add = adds_[i] != 0;
      f.output = values_[i];
      f.output_gradient = gradients_[i];
      f.saved = place(2 * count_ + i);
      f.prepared = place(5 * count_ + i);
      f.planned_batch = request_.input[0];
      const std::size_t inputs = nodes[i].inputs.size();
      for (std::size_t k = 0; k < inputs; ++k) {
        const int j = nodes[i].inputs[k];
        edge_source_[edge + k] = j;
        edges_[edge + k] = values_[index(j)];
      }
      f.inputs = std::span(edges_).subspan(edge, inputs);
      f.input_gradients = std::span(edge_gradients_).subspan(edge, inputs);
      edge += inputs;
      bind_state(state, static_cast<int>(i), f);
    }
    choose_write_or_add();
  }

  MINICNN_COLD void bind_state(network_state<T>& state, int node, frame<T>& f) {
    std::size_t first = state.parameters.size(), last = 0;
    for (std::size_t k = 0; k < state.parameters.size(); ++k) {
      const parameter_info& p = state.parameters[k];
      if (p.node != node) continue;
      first = (std::min)(first, k), last = k + 1;
      parameters_[k] = state.value(p);
      if (p.trainable && request_.training) parameter_gradients_[k].data = state.gradient(p);
    }
    if (first < last) {
      f.parameters = std::span(parameters_).subspan(first, last - first);
      f.parameter_gradients = std::span(parameter_gradients_).subspan(first, last - first);
    }
    first = state.buffers.size(), last = 0;
    for (std::size_t k = 0; k < state.buffers.size(); ++k) {
      if (state.buffers[k].node != node) continue;
      first = (std::min)(first, k), last = k + 1;
      buffer_views_[k] = state.value(state.buffers[k]);
    }
    if (first < last) f.buffers = std::span(buffer_views_).subspan(first, last - first);
  }

  /// The first writer of a gradient in reverse order writes, later ones add; the loss comes first where there is one.
  MINICNN_COLD void choose_write_or_add() {
    const auto& nodes = topology_->nodes;
    std::vector<char> written(count_, 0);
    for (std::size_t i = 0; i < count_; ++i)
      if (needs_gradient_[i] && (is_output(i) || consumers_[i] == 0)) written[i] = 1, zeroed_.push_back(i);
    std::size_t edge = edges_.size();
    for (std::size_t i = count_; i-- > 0;) {
      if (!needed_[i]) continue;
      edge -= nodes[i].inputs.size();
      if (!needs_gradient_[i]) continue;
      for (std::size_t k = 0; k < nodes[i].inputs.size(); ++k) {
        const std::size_t j = index(nodes[i].inputs[k]);
        if (!needs_gradient_[j]) continue;
        edge_gradients_[edge + k] = {gradients_[j], written[j] != 0};
        written[j] = 1;
      }
    }
  }

  std::shared_ptr<const network_topology<T>> topology_;
  request request_;
  std::size_t count_;
  int input_node_ = 0;
  index_t batch_ = -1;

  std::vector<op_plan> plans_;
  std::vector<char> needed_, needs_gradient_, skipped_, fused_, adds_;
  std::vector<int> consumers_;
  std::vector<std::size_t> value_place_, gradient_place_, zeroed_;

  std::vector<planned_buffer> buffers_;  // values, gradients, saved, forward scratch, backward scratch, prepared: `count_` each
  aligned_buffer<std::byte> block_;

  std::vector<frame<T>> frames_;
  std::vector<view<T>> values_, gradients_, buffer_views_;
  std::vector<view<const T>> edges_, parameters_;
  std::vector<int> edge_source_;
  std::vector<gradient_target<T>> edge_gradients_, parameter_gradients_;
};

MINICNN_COMPILED_CLASS(execution);

}  // namespace minicnn::inline MINICNN_ABI
