#pragma once
/// Sum of values of one shape: the end of a residual block.

#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"

namespace minicnn::inline MINICNN_ABI {

struct add_options {
  /// Node name; empty: add1, add2, ...
  std::string name = {};
};

/// y = a + b, same shapes. The gradient of y is the gradient of both.
template <class T>
class add_op final : public op<T> {
 public:
  std::string_view kind() const override { return "add"; }
  attribute_list describe() const override { return {}; }
  op_role role() const override { return op_role::add; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape &a = request.inputs[0], &b = request.inputs[1];
    if (!(a == b)) fail<shape_error>("add wants two inputs of one shape, got ", a, " and ", b);
    op_plan p;
    p.output = a;
    p.in_place = p.gradient_in_place = true;
    p.fuses_activation = true;  // a residual block ends with one
    return p;
  }

  void forward(const frame<T>& f) const override {
    kernels::add_elements(f.ctx, f.input(0).data(), f.input(1).data(), f.activation, f.output.data(), f.output.size());
  }

  void backward(const frame<T>& f) const override {
    for (const gradient_target<T>& dx : f.input_gradients)
      if (dx.wanted()) kernels::copy_or_add(f.ctx, f.output_gradient.data(), dx.data.data(), dx.data.size(), dx.add);
  }
};

/// a + b: `relu(add(y, skip))`. Throws shape_error if the shapes differ.
template <class T>
MINICNN_COLD node<T> add(node<T> a, node<T> b, add_options o = {}) {
  return a.owner->add(make_op<add_op<T>>(), {a, b}, std::move(o.name), "add");
}

MINICNN_COMPILED_CLASS(add_op);

}  // namespace minicnn::inline MINICNN_ABI
