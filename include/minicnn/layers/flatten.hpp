#pragma once
/// Joins all axes but the batch.

#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"

namespace minicnn::inline MINICNN_ABI {

struct flatten_options {
  /// Node name; empty: flatten1, flatten2, ...
  std::string name = {};
};

/// (n, c, h, w) -> (n, c * h * w), in this order. Costs nothing where the network lets the output take the input's place.
template <class T>
class flatten_op final : public op<T> {
 public:
  std::string_view kind() const override { return "flatten"; }
  attribute_list describe() const override { return {}; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    if (x.rank() < 2) fail<shape_error>("flatten wants an input of (n, ...), got ", x);
    op_plan p;
    p.output = {x[0], x.size_from(1)};
    p.in_place = p.gradient_in_place = true;
    return p;
  }

  void forward(const frame<T>& f) const override {
    kernels::copy_elements(f.ctx, f.input().data(), f.output.data(), f.output.size());
  }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>& dx = f.input_gradient();
    if (dx.wanted()) kernels::copy_or_add(f.ctx, f.output_gradient.data(), dx.data.data(), dx.data.size(), dx.add);
  }
};

/// (n, c, h, w) -> (n, c * h * w), what dense layers want.
template <class T>
MINICNN_COLD node<T> flatten(node<T> x, flatten_options o = {}) {
  return x.owner->add(make_op<flatten_op<T>>(), {x}, std::move(o.name), "flatten");
}

MINICNN_COMPILED_CLASS(flatten_op);

}  // namespace minicnn::inline MINICNN_ABI
