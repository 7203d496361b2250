#pragma once
/// The nonlinearity of most networks, for inputs of any shape; activation.hpp has the others.

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Common to all activations.
struct activation_options {
  /// Node name; empty: the activation's kind and a running number (relu1, tanh1, ...).
  std::string name = {};
};

/// max(x, 0). Backward needs the output only, so the output takes the input's place; behind a convolution or a dense
/// layer it is applied there, as their results are stored.
template <class T>
class relu_op final : public op<T> {
 public:
  std::string_view kind() const override { return "relu"; }
  attribute_list describe() const override { return {}; }
  op_role role() const override { return op_role::relu; }
  std::optional<kernels::fused_activation<T>> activation(isa) const override { return kernels::fused_activation<T>::relu(); }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    op_plan p;
    p.output = request.inputs[0];
    p.backward_reads_output = p.in_place = p.gradient_in_place = true;
    return p;
  }

  void forward(const frame<T>& f) const override {
    kernels::relu_forward(f.ctx, f.input().data(), f.output.data(), f.output.size());
  }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>& dx = f.input_gradient();
    if (!dx.wanted()) return;
    kernels::relu_backward(f.ctx, static_cast<const T*>(f.output.data()), f.output_gradient.data(), dx.data.data(),
                           dx.data.size(), dx.add);
  }
};

/// max(x, 0).
template <class T>
MINICNN_COLD node<T> relu(node<T> x, activation_options o = {}) {
  return x.owner->add(make_op<relu_op<T>>(), {x}, std::move(o.name), "relu");
}

MINICNN_COMPILED_CLASS(relu_op);

}  // namespace minicnn::inline MINICNN_ABI
