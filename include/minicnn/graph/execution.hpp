#pragma once
/// Runs a network for one batch shape: memory is planned by liveness once, then nothing is allocated.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "minicnn/core/function_ref.hpp"
#include "minicnn/graph/execution_plan.hpp"

namespace minicnn::inline MINICNN_ABI {

template <class T>
class execution {
 public:
  /// Plans for batches of up to `r.input[0]`. `core` is only read, except for parameter gradients and buffers, which go to
  /// `written` in training; null: neither is written, which requires that every node is frozen or that the request is for
  /// prediction. Throws shape_error naming the node if the input does not fit the parameters.
  MINICNN_COLD execution(std::shared_ptr<const detail::network_core<T>> core, network_state<T>* written, execution_request r)
      : core_(std::move(core)), plan_(core_->topology, core_->state, std::move(r)), block_(plan_.memory_bytes()) {
    build_frames(written);
    bind(plan_.request.input[0]);
    for (std::size_t i = 0; i < plan_.count; ++i)
      if (frames_[i].packed_weights != nullptr) plan_.nodes[i].operation->prepack(frames_[i]);
  }

  const execution_plan<T>& plan() const { return plan_; }
  index_t memory_bytes() const { return block_.size(); }

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

  /// `input` must stay valid until backward is done, which reads it again.
  void forward(const view<const T>& input, random_key key) {
    flush_denormals guard;
    for (std::size_t e = 0; e < edges_.size(); ++e)
      if (edge_source_[e] == core_->topology.input) edges_[e] = input;
    for (std::size_t i = 0; i < plan_.count; ++i) {
      if (!plan_.needed[i] || plan_.fused.skipped[i] || plan_.nodes[i].operation == nullptr) continue;
      frame<T>& f = frames_[i];
      f.random = key.of(i);
      use_scratch(f, purpose::forward_scratch, i, plan_.plans[i].forward_scratch_bytes);
      plan_.nodes[i].operation->forward(f);
    }
    // Outputs that the loss does not mention have gradient zero; the loss overwrites the others.
    for (const std::size_t i : zeroed_) std::fill(gradients_[i].begin(), gradients_[i].end(), T{});
  }

  /// `accumulate`: parameter gradients are added to what is there. `done(i)`: those of node i and of all behind it are written.
  void backward(bool accumulate, const function_ref<void(std::size_t)>* done) {
    flush_denormals guard;
    for (gradient_target<T>& g : parameter_gradients_) g.add = accumulate;
    for (std::size_t i = plan_.count; i-- > 0;) {
      if (!plan_.needs_gradient[i] || plan_.nodes[i].operation == nullptr) continue;
      const std::vector<int>& inputs = plan_.nodes[i].inputs;
      const bool left = plan_.fused.skipped[i] && plan_.returns_activation[index(inputs[0])] && inputs.size() == 1;
      use_scratch(frames_[i], purpose::backward_scratch, i, plan_.plans[i].backward_scratch_bytes);
      if (!left) plan_.nodes[i].operation->backward(frames_[i]);
      if (done != nullptr) (*done)(i);
    }
  }

  const view<T>& value(int node) const { return values_[index(node)]; }
  const view<T>& gradient(int node) const { return gradients_[index(node)]; }

 private:
  using purpose = typename execution_plan<T>::purpose;
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }

  template <class U>
  void rebatch(view<U>& v) const {
    if (v.dims().rank() == 0) return;
    shape dims = v.dims();
    dims.set(0, batch_);
    v = view<U>(v.data(), dims);
  }

  std::byte* place(purpose p, std::size_t node) {
    const index_t offset = plan_.offset(p, node);
    return offset < 0 ? nullptr : block_.data() + offset;
  }
  void use_scratch(frame<T>& f, purpose p, std::size_t node, index_t bytes) {
    f.scratch_block = place(p, node);
    f.scratch_bytes = bytes;
  }

  /// All views that the operations get. The vectors have their final size first: frames hold spans into them.
  MINICNN_COLD void build_frames(network_state<T>* written) {
    const auto& nodes = plan_.nodes;
    values_.resize(plan_.count);
    gradients_.resize(plan_.count);
    frames_.resize(plan_.count);
    std::size_t edge_count = 0;
    for (std::size_t i = 0; i < plan_.count; ++i) {
      if (!plan_.needed[i]) continue;
      const shape& dims = plan_.plans[i].output;
      edge_count += nodes[i].inputs.size();
      values_[i] = {reinterpret_cast<T*>(place(purpose::value, plan_.fused.value_buffer[i])) + plan_.fused.slice[i], dims};
      if (plan_.needs_gradient[i])
        gradients_[i] = {reinterpret_cast<T*>(place(purpose::gradient, plan_.gradient_buffer[i])), dims};
    }
    edges_.resize(edge_count);
    edge_gradients_.resize(edge_count);
    edge_source_.resize(edge_count);
    const network_state<T>& state = core_->state;
    parameters_.resize(state.parameters.size());
    parameter_gradients_.resize(state.parameters.size());
    buffers_.resize(state.buffers.size());
    updated_buffers_.resize(state.buffers.size());
    std::size_t edge = 0;
    for (std::size_t i = 0; i < plan_.count; ++i) {
      if (!plan_.needed[i] || nodes[i].operation == nullptr) continue;
      build_frame(i, edge, frames_[i]);
      bind_state(written, static_cast<int>(i), frames_[i]);
      edge += nodes[i].inputs.size();
    }
    choose_write_or_add();
  }

  MINICNN_COLD void build_frame(std::size_t i, std::size_t edge, frame<T>& f) {
    const std::vector<int>& inputs = plan_.nodes[i].inputs;
    f.ctx = plan_.request.ctx;
    f.training = plan_.request.training && !plan_.request.frozen[i];
    f.activation = plan_.fused.activation[i].value_or(kernels::fused_activation<T>{});
    if (plan_.returns_activation[i]) f.returned = f.activation;
    f.apply_add = plan_.fused.applies_add[i] != 0;
    f.output = values_[i];
    f.output_image = plan_.fused.image[i];
    f.output_gradient = gradients_[i];
    f.saved = place(purpose::saved, i);
    f.packed_weights = place(purpose::packed_weights, i);
    f.planned_batch = plan_.request.input[0];
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      edge_source_[edge + k] = inputs[k];
      edges_[edge + k] = values_[index(inputs[k])];
    }
    f.inputs = std::span(edges_).subspan(edge, inputs.size());
    f.input_gradients = std::span(edge_gradients_).subspan(edge, inputs.size());
  }

  /// The parameters and buffers of a node; those of one node are neighbours in the lists.
  MINICNN_COLD void bind_state(network_state<T>* written, int node, frame<T>& f) {
    const network_state<T>& state = core_->state;
    const bool trains = f.training && written != nullptr;
    std::size_t first = state.parameters.size(), last = 0;
    for (std::size_t k = 0; k < state.parameters.size(); ++k) {
      const parameter_info& p = state.parameters[k];
      if (p.node != node) continue;
      first = (std::min)(first, k), last = k + 1;
      parameters_[k] = state.value(p);
      if (trains && p.trainable) parameter_gradients_[k].data = written->gradient(p);
    }
    if (first < last) {
      f.parameters = std::span(parameters_).subspan(first, last - first);
      f.parameter_gradients = std::span(parameter_gradients_).subspan(first, last - first);
    }
    first = state.buffers.size(), last = 0;
    for (std::size_t k = 0; k < state.buffers.size(); ++k) {
      const buffer_info& b = state.buffers[k];
      if (b.node != node) continue;
      first = (std::min)(first, k), last = k + 1;
      buffers_[k] = state.value(b);
      if (trains) updated_buffers_[k] = written->value(b);
    }
    if (first < last) {
      f.buffers = std::span(buffers_).subspan(first, last - first);
      f.updated_buffers = std::span(updated_buffers_).subspan(first, last - first);
    }
  }

  /// The first writer of a gradient in reverse order writes, later ones add; the loss comes first where there is one.
  MINICNN_COLD void choose_write_or_add() {
    std::vector<char> written(plan_.count, 0);
    for (std::size_t i = 0; i < plan_.count; ++i)
      if (plan_.needs_gradient[i] && (plan_.is_output(i) || plan_.readers[i] == 0)) written[i] = 1, zeroed_.push_back(i);
    std::size_t edge = edges_.size();
    for (std::size_t i = plan_.count; i-- > 0;) {
      if (!plan_.needed[i]) continue;
      const std::vector<int>& inputs = plan_.nodes[i].inputs;
      edge -= inputs.size();
      if (!plan_.needs_gradient[i]) continue;
      for (std::size_t k = 0; k < inputs.size(); ++k) {
        const std::size_t j = index(inputs[k]);
        if (!plan_.needs_gradient[j]) continue;
        edge_gradients_[edge + k] = {gradients_[j], written[j] != 0};
        written[j] = 1;
      }
    }
  }

  std::shared_ptr<const detail::network_core<T>> core_;
  execution_plan<T> plan_;
  aligned_buffer<std::byte> block_;
  index_t batch_ = -1;

  std::vector<frame<T>> frames_;
  std::vector<view<T>> values_, gradients_, updated_buffers_;
  std::vector<view<const T>> edges_, parameters_, buffers_;
  std::vector<int> edge_source_;
  std::vector<gradient_target<T>> edge_gradients_, parameter_gradients_;
  std::vector<std::size_t> zeroed_;
};

MINICNN_COMPILED_CLASS(execution);

}  // namespace minicnn::inline MINICNN_ABI
