#pragma once
/// One op run outside a network, on memory that shows what the op does with it. The gradient check is made of such runs.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "minicnn/graph/op.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define MINICNN_WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MINICNN_WATCHED 1
#endif
#endif

namespace minicnn::inline MINICNN_ABI {

/// What goes into an op.
template <class T>
struct op_values {
  std::vector<tensor<T>> inputs, parameters, buffers;
  tensor<T> output_gradient;
};

/// What comes out of it.
template <class T>
struct op_results {
  tensor<T> output;
  std::vector<tensor<T>> buffers;
  std::vector<tensor<T>> gradients;  ///< of the inputs, then of the parameters; empty where not wanted
  std::string fault;                 ///< the first thing that broke the contract; empty if none did
};

/// How an op is called.
struct op_test_case {
  context ctx;
  bool plan_training = true;  ///< false: forward only
  bool training = true;       ///< `frame::training`
  bool backward = true;
  enum class fused { nothing, bounds, map } activation = fused::nothing;  ///< from -1/4 to 1/2; x * x
  bool apply_add = false;          ///< to an output that holds the values of `output_gradient`
  bool in_place = false;           ///< the output takes the place of input 0
  bool gradient_in_place = false;  ///< the gradient of input 0 takes the place of the output's gradient
  bool add = false;                ///< gradients are added to what is in `before`, not written
  std::vector<bool> wanted;        ///< inputs, then parameters; empty: all
};

namespace detail {

/// Bytes with guards before and behind, all 0xFF (NaN as float and as double). Address sanitizer watches better than
/// guards can, so with it the block ends where its memory ends.
class guarded_block {
 public:
  /// `offset` moves the start away from the alignment of 64.
  guarded_block(index_t bytes, index_t offset) : memory_(front + offset + bytes + back), bytes_(bytes), offset_(offset) {
    std::memset(memory_.data(), 0xFF, static_cast<std::size_t>(memory_.size()));
  }
  std::byte* data() { return memory_.data() + front + offset_; }
  const std::byte* data() const { return memory_.data() + front + offset_; }
  void fill_nan() {
    if (bytes_ > 0) std::memset(data(), 0xFF, static_cast<std::size_t>(bytes_));
  }
  bool intact() const {
    const auto untouched = [](std::byte b) { return b == std::byte{0xFF}; };
    return std::all_of(memory_.data(), data(), untouched) &&
           std::all_of(data() + bytes_, memory_.data() + memory_.size(), untouched);
  }

 private:
  static constexpr index_t front = 64;
#if defined(MINICNN_WATCHED)
  static constexpr index_t back = 0;
#else
  static constexpr index_t back = 256;
#endif
  aligned_buffer<std::byte> memory_;
  index_t bytes_, offset_;
};

/// All trials draw the same random numbers.
inline random_key trial_key() { return random_key(2012); }

/// A tensor between guards. It starts one element after a cache line: no kernel may count on alignment.
template <class T>
class guarded_tensor {
 public:
  explicit guarded_tensor(const shape& dims)
      : block_(dims.size() * static_cast<index_t>(sizeof(T)), static_cast<index_t>(sizeof(T))), dims_(dims) {}
  explicit guarded_tensor(const tensor<T>& source) : guarded_tensor(source.dims()) { set(source); }

  view<T> get() { return view<T>(reinterpret_cast<T*>(block_.data()), dims_); }
  void set(const tensor<T>& source) { std::copy(source.begin(), source.end(), get().begin()); }
  void fill_nan() { block_.fill_nan(); }
  bool intact() const { return block_.intact(); }
  tensor<T> copy() { return tensor<T>(view<const T>(get())); }
  bool same_as(const tensor<T>& other) const {
    return other.size() == 0 || std::memcmp(block_.data(), other.data(), static_cast<std::size_t>(other.size()) * sizeof(T)) == 0;
  }

 private:
  guarded_block block_;
  shape dims_;
};

template <class T>
std::vector<guarded_tensor<T>> guarded(const std::vector<tensor<T>>& sources) {
  std::vector<guarded_tensor<T>> made;
  for (const tensor<T>& source : sources) made.emplace_back(source);
  return made;
}

template <class T, class U>
std::vector<view<U>> views_of(std::vector<guarded_tensor<T>>& tensors) {
  std::vector<view<U>> made;
  for (guarded_tensor<T>& one : tensors) made.push_back(one.get());
  return made;
}

}  // namespace detail

/// Runs forward, and backward if asked for. Outputs, scratch and saved state are NaN before; what the plan does not ask
/// to keep until backward is NaN by then; `before` gives the gradients' earlier contents for `add`.
template <class T>
op_results<T> run_test_case(const op<T>& operation, const op_values<T>& values, const op_test_case& trial,
                            const std::vector<tensor<T>>& before = {}) {
  using detail::guarded_tensor;
  op_results<T> out;
  const auto blame = [&](bool right, const auto&... what) {
    if (!right && out.fault.empty()) out.fault = text_of(what...);
  };

  std::vector<shape> shapes;
  for (const tensor<T>& x : values.inputs) shapes.push_back(x.dims());
  const op_plan plan = operation.plan({shapes, trial.plan_training, trial.ctx});
  auto inputs = detail::guarded(values.inputs);
  auto parameters = detail::guarded(values.parameters);
  auto buffers = detail::guarded(values.buffers);
  guarded_tensor<T> separate_output(plan.output);
  guarded_tensor<T>& output = trial.in_place ? inputs[0] : separate_output;
  detail::guarded_block saved(plan.saved_bytes, 0), forward_scratch(plan.forward_scratch_bytes, 0);

  const auto input_views = detail::views_of<T, const T>(inputs), parameter_views = detail::views_of<T, const T>(parameters);
  const auto buffer_views = detail::views_of<T, const T>(buffers);
  std::vector<view<T>> updated_views(buffers.size());
  if (trial.training) updated_views = detail::views_of<T, T>(buffers);
  frame<T> f;
  f.ctx = trial.ctx;
  f.training = trial.training;
  if (trial.activation == op_test_case::fused::bounds) f.activation = decltype(f.activation)::clip(T(-0.25), T(0.5));
  if (trial.activation == op_test_case::fused::map)
    f.activation.map = [](isa, const void*, T* x, index_t count) {
      for (index_t i = 0; i < count; ++i) x[i] *= x[i];
    };
  f.apply_add = trial.apply_add;
  if (trial.apply_add) output.set(values.output_gradient);
  f.random = detail::trial_key();
  f.inputs = input_views;
  f.parameters = parameter_views;
  f.buffers = buffer_views;
  f.updated_buffers = updated_views;
  f.output = view<T>(output.get().data(), plan.output);
  f.saved = trial.plan_training && plan.saved_bytes > 0 ? saved.data() : nullptr;
  f.scratch_block = forward_scratch.data();
  f.scratch_bytes = plan.forward_scratch_bytes;
  operation.forward(f);

  blame(output.intact(), "forward writes outside its output");
  blame(saved.intact(), "forward writes outside its saved state of ", plan.saved_bytes, " bytes");
  blame(forward_scratch.intact(), "forward writes outside its scratch of ", plan.forward_scratch_bytes, " bytes");
  for (std::size_t i = trial.in_place ? 1 : 0; i < inputs.size(); ++i)
    blame(inputs[i].intact() && inputs[i].same_as(values.inputs[i]), "forward changes input ", static_cast<int>(i));
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    blame(buffers[i].intact(), "forward writes outside buffer ", plan.buffers[i].name);
    blame(trial.training || buffers[i].same_as(values.buffers[i]), "forward changes buffer ", plan.buffers[i].name,
          " in evaluation");
    out.buffers.push_back(buffers[i].copy());
  }
  out.output = tensor<T>(view<const T>(f.output));
  if (!trial.backward) return out;

  // What the plan does not keep may be anything by now.
  if (!plan.backward_reads_input)
    for (std::size_t i = trial.in_place ? 1 : 0; i < inputs.size(); ++i) inputs[i].fill_nan();
  if (!plan.backward_reads_output) output.fill_nan();
  const tensor<T> kept_output = output.copy();

  guarded_tensor<T> output_gradient(values.output_gradient);
  detail::guarded_block backward_scratch(plan.backward_scratch_bytes, 0);
  std::vector<guarded_tensor<T>> gradients;
  for (const shape& dims : shapes) gradients.emplace_back(dims);
  for (const parameter_spec& parameter : plan.parameters) gradients.emplace_back(parameter.dims);
  std::vector<gradient_target<T>> targets;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const bool wanted = trial.wanted.empty() || trial.wanted[i];
    if (trial.add) gradients[i].set(before[i]);
    view<T> place = gradients[i].get();
    if (i == 0 && trial.gradient_in_place) place = view<T>(output_gradient.get().data(), place.dims());
    targets.push_back({wanted ? place : view<T>{}, wanted && trial.add});
  }
  f.returned = f.activation;
  f.scratch_block = backward_scratch.data();
  f.scratch_bytes = plan.backward_scratch_bytes;
  f.output_gradient = output_gradient.get();
  f.input_gradients = std::span<const gradient_target<T>>(targets).first(inputs.size());
  f.parameter_gradients = std::span<const gradient_target<T>>(targets).subspan(inputs.size());
  operation.backward(f);

  blame(saved.intact(), "backward writes outside its saved state of ", plan.saved_bytes, " bytes");
  blame(backward_scratch.intact(), "backward writes outside its scratch of ", plan.backward_scratch_bytes, " bytes");
  blame(output_gradient.intact(), "backward writes outside the output's gradient");
  blame(trial.gradient_in_place || output_gradient.same_as(values.output_gradient), "backward changes the output's gradient");
  blame(output.intact() && output.same_as(kept_output), "backward changes the output");
  for (std::size_t i = trial.in_place ? 1 : 0; plan.backward_reads_input && i < inputs.size(); ++i)
    blame(inputs[i].intact() && inputs[i].same_as(values.inputs[i]), "backward changes input ", static_cast<int>(i));
  for (std::size_t i = 0; i < parameters.size(); ++i)
    blame(parameters[i].intact() && parameters[i].same_as(values.parameters[i]), "parameter ", plan.parameters[i].name,
          " is changed");
  for (std::size_t i = 0; i < buffers.size(); ++i)
    blame(buffers[i].intact() && buffers[i].same_as(out.buffers[i]), "backward changes buffer ", plan.buffers[i].name);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    blame(gradients[i].intact(), "backward writes outside gradient ", static_cast<int>(i));
    out.gradients.push_back(targets[i].wanted() ? tensor<T>(view<const T>(targets[i].data)) : tensor<T>(shape{0}));
  }
  return out;
}

MINICNN_COMPILED_FUNCTION(run_test_case);

}  // namespace minicnn::inline MINICNN_ABI
#undef MINICNN_WATCHED
