#pragma once
/// Fully connected layer.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"
#include "minicnn/kernels/product/gemm.hpp"

namespace minicnn::inline MINICNN_ABI {

struct dense_options {
  /// Whether a number is added per unit.
  bool bias = true;

  /// initial values of the weights: He, for a ReLU behind it.
  initializer init = initializer::he();

  /// Initial value of every bias.
  double bias_init = 0.0;

  /// Whether the input may be (n, ..., features) of more axes, of which the last is multiplied and the others stay (tokens). Else
  /// only (n, features) is taken, so that a forgotten `flatten` is noticed.
  bool last_axis = false;

  /// Node name; empty: fc1, fc2, ...
  std::string name = {};
};

/// x (n, in) -> y = x W^T + b (n, units); with `last_axis` (n, ..., in) -> (n, ..., units). Parameters: weight (units, in), bias
/// (units).
template <class T>
class dense_op final : public op<T> {
 public:
  explicit dense_op(index_t units, dense_options o = {}) : units_(units), o_(std::move(o)) {}

  std::string_view kind() const override { return "dense"; }
  MINICNN_COLD attribute_list describe() const override {
    attribute_list a{{"units", units_}, {"bias", o_.bias}};
    if (o_.last_axis) a.push_back({"last_axis", true});
    return a;
  }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    if (units_ < 1) fail<option_error>("units must be at least 1, got ", units_);
    if (o_.last_axis ? x.rank() < 2 : x.rank() != 2)
      fail<shape_error>("a dense layer wants an input of (n, features), got ", x, "; put flatten before it");
    const auto [batch, in] = extents(x);
    const int threads = request.ctx.threads;
    op_plan p;
    p.output = x;
    p.output.set(x.rank() - 1, units_);
    p.parameters.push_back({"weight", {units_, in}, in, units_, o_.init, true});
    if (o_.bias) p.parameters.push_back({"bias", {units_}, in, units_, initializer::constant(o_.bias_init), false});
    p.forward_scratch_bytes = kernels::gemm_scratch_bytes<T>(threads, batch, units_, in);
    if (request.training)
      p.backward_scratch_bytes = (std::max)(kernels::gemm_scratch_bytes<T>(threads, batch, in, units_),
                                            kernels::gemm_scratch_bytes<T>(threads, units_, in, batch));
    p.multiply_adds = shape{batch, units_, in}.size();  // checked: batches may be absurd
    p.backward_reads_input = true;
    p.fuses_activation = true;
    return p;
  }

  void forward(const frame<T>& f) const override {
    const auto [batch, in] = extents(f.input().dims());
    kernels::epilogue<T> ep;
    ep.column_bias = o_.bias ? f.parameter(1).data() : nullptr;
    ep.activation = f.activation;
    scratch work = f.work();
    kernels::gemm<T>(f.ctx, kernels::row_major(f.input().data(), batch, in),
                     kernels::transposed(kernels::row_major(f.parameter(0).data(), units_, in)), f.output.data(), units_, ep,
                     work);
  }

  /// dW = dy^T x, db = sum of dy over the batch, dx = dy W.
  void backward(const frame<T>& f) const override {
    const auto [batch, in] = extents(f.input().dims());
    const kernels::matrix<T> dy = kernels::row_major(f.output_gradient.data(), batch, units_);
    const auto product = [&, in = in](const kernels::matrix<T>& a, const kernels::matrix<T>& b, const gradient_target<T>& to) {
      if (!to.wanted()) return;
      kernels::epilogue<T> ep;
      ep.add = to.add;
      scratch work = f.work();
      kernels::gemm<T>(f.ctx, a, b, to.data.data(), in, ep, work);
    };
    product(kernels::transposed(dy), kernels::row_major(f.input().data(), batch, in), f.parameter_gradient(0));
    if (o_.bias && f.parameter_gradient(1).wanted())
      kernels::column_sums(f.ctx, dy.data, batch, units_, f.parameter_gradient(1).data.data(), f.parameter_gradient(1).add);
    product(dy, kernels::row_major(f.parameter(0).data(), units_, in), f.input_gradient());
  }

 private:
  struct rows_and_features {
    index_t rows, in;
  };
  static rows_and_features extents(const shape& x) {
    const index_t in = x[x.rank() - 1];
    return {x.size() / (std::max)(in, index_t{1}), in};
  }

  index_t units_;
  dense_options o_;
};

/// Fully connected layer of `units` outputs over (n, features). Throws shape_error for other ranks: flatten first.
template <class T>
MINICNN_COLD node<T> dense(node<T> x, index_t units, dense_options o = {}) {
  return x.owner->add(make_op<dense_op<T>>(units, o), {x}, o.name, "fc");
}

MINICNN_COMPILED_CLASS(dense_op);

}  // namespace minicnn::inline MINICNN_ABI
