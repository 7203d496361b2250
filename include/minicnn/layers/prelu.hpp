#pragma once
/// Parametric ReLU: He, Zhang, Ren and Sun, "Delving deep into rectifiers", ICCV 2015.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/broadcast.hpp"

namespace minicnn::inline MINICNN_ABI {

struct prelu_options {
  /// Initial value of every slope.
  double init = 0.25;

  /// Node name; empty: prelu1, prelu2, ...
  std::string name = {};
};

/// x (n, c, ...) -> y of the same shape: x above 0, slope[c] * x below. Parameter without weight decay, as the paper has it:
/// weight (c), the slopes.
template <class T>
class prelu_op final : public op<T> {
 public:
  explicit prelu_op(double init = 0.25) : init_(init) {}

  std::string_view kind() const override { return "prelu"; }
  attribute_list describe() const override { return {}; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    if (x.rank() < 2) fail<shape_error>("prelu wants an input of (n, c, ...), got ", x);
    op_plan p;
    p.output = x;
    p.parameters.push_back({"weight", {x[1]}, 1, 1, initializer::constant(init_), false});
    p.backward_reads_input = true;
    return p;
  }

  void forward(const frame<T>& f) const override {
    kernels::broadcast_map<T>(f.ctx, kernels::broadcast_form::prelu, axes(f.output.dims()),
                              {f.output.data(), f.input().data(), f.parameter(0).data()}, f.output.data(), f.output.size());
  }

  void backward(const frame<T>& f) const override {
    const kernels::broadcast_axes along = axes(f.input().dims());
    const kernels::broadcast_operands<T> p{f.output_gradient.data(), f.input().data(), f.parameter(0).data()};
    const index_t count = f.input().size();
    if (const gradient_target<T>& dw = f.parameter_gradient(0); dw.wanted())
      kernels::broadcast_sum<T>(f.ctx, kernels::broadcast_form::slope_gradient, along, along.b, p, dw.data.data(), dw.data.size(),
                                count, dw.add);
    if (const gradient_target<T>& dx = f.input_gradient(); dx.wanted())
      kernels::broadcast_map<T>(f.ctx, kernels::broadcast_form::prelu_gradient, along, p, dx.data.data(), count, dx.add);
  }

 private:
  static kernels::broadcast_axes axes(const shape& x) {
    std::vector<index_t> slopes(static_cast<std::size_t>(x.rank() - 1), 1);
    slopes[0] = x[1];
    return {x, x, shape(slopes.begin(), slopes.end())};
  }

  double init_;
};

/// A ReLU with a trained slope below 0 for each channel.
template <class T>
MINICNN_COLD node<T> prelu(node<T> x, prelu_options o = {}) {
  return x.owner->add(make_op<prelu_op<T>>(o.init), {x}, std::move(o.name), "prelu");
}

MINICNN_COMPILED_CLASS(prelu_op);

}  // namespace minicnn::inline MINICNN_ABI
