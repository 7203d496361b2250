#pragma once
/// Layer normalisation: Ba, Kiros and Hinton, "Layer normalization", 2016; and softmax as a layer, for attention.

#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/norm/axis_norm.hpp"

namespace minicnn::inline MINICNN_ABI {

struct layer_norm_options {
  /// Which axis is normalised; negative: counted from the last. 1 for the channels of (n, c, h, w), as in ConvNeXt.
  int axis = -1;

  /// Added to the variance before the root is taken.
  double eps = 1e-5;

  /// Whether each element of the axis has a weight and a bias.
  bool affine = true;

  /// Node name; empty: ln1, ln2, ...
  std::string name = {};
};

struct softmax_options {
  /// Which axis adds up to 1; negative: counted from the last.
  int axis = -1;

  /// Node name; empty: softmax1, softmax2, ...
  std::string name = {};
};

namespace detail {
/// `axis` from the first. Throws option_error for the batch axis and for one that does not exist.
inline int resolved_axis(std::string_view kind, int axis, const shape& x) {
  const int resolved = axis < 0 ? axis + x.rank() : axis;
  if (resolved < 1 || resolved >= x.rank())
    fail<option_error>(kind, " wants an axis from 1 to ", x.rank() - 1, " of ", x, ", got ", axis);
  return resolved;
}
}  // namespace detail

/// y = (x - mean) / sqrt(variance + eps) * weight + bias, mean and (biased) variance along one axis at every place of the others.
/// Parameters without weight decay: weight (first 1), bias (first 0), both with the axis's extent.
template <class T>
class layer_norm_op final : public op<T> {
 public:
  explicit layer_norm_op(layer_norm_options o) : o_(std::move(o)) {}

  std::string_view kind() const override { return "layer_norm"; }
  op_role role() const override { return op_role::normalization; }
  MINICNN_COLD attribute_list describe() const override {
    return {{"axis", index_t{o_.axis}}, {"epsilon", o_.eps}, {"affine", o_.affine}};
  }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    if (!(o_.eps > 0.0)) fail<option_error>("eps must be above 0, got ", o_.eps);
    const kernels::axis_extents e = extents(x);
    op_plan p;
    p.output = x;
    if (o_.affine) {
      p.parameters.push_back({"weight", {e.length}, 1, 1, initializer::constant(1.0), false});
      p.parameters.push_back({"bias", {e.length}, 1, 1, initializer::constant(0.0), false});
    }
    if (request.training) p.saved_bytes = 2 * e.lines() * static_cast<index_t>(sizeof(T));
    p.backward_reads_input = true;
    p.gradient_in_place = true;
    return p;
  }

  void forward(const frame<T>& f) const override {
    const kernels::axis_extents e = extents(f.input().dims());
    kernels::for_lines<kernels::layer_norm_kernel, T>(f.ctx, e, static_cast<T>(o_.eps), parts(f, e), f.input().data(),
                                                      f.output.data());
  }

  void backward(const frame<T>& f) const override {
    const kernels::axis_extents e = extents(f.input().dims());
    const kernels::layer_norm_parts<T> p = parts(f, e);
    const T *x = f.input().data(), *dy = f.output_gradient.data();
    if (o_.affine) {
      const gradient_target<T>&dw = f.parameter_gradient(0), &db = f.parameter_gradient(1);
      T *to_weight = dw.data.data(), *to_bias = db.data.data();
      const index_t grain = 1 + kernels::elementwise_grain / (e.lines() + 1);
      parallel_for(f.ctx.threads, e.length, grain, [&](index_t begin, index_t end) {
        const auto run = [&]<bool Row>() {
          kernels::dispatch<kernels::layer_norm_weight_kernel<T, Row>>(f.ctx.instruction_set, e, p, x, dy, to_weight, dw.add,
                                                                       to_bias, db.add, begin, end);
        };
        e.inner == 1 ? run.template operator()<true>() : run.template operator()<false>();
      });
    }
    if (const gradient_target<T>& dx = f.input_gradient(); dx.wanted())
      kernels::for_lines<kernels::layer_norm_backward_kernel, T>(f.ctx, e, p, x, dy, dx.data.data(), dx.add);
  }

 private:
  kernels::axis_extents extents(const shape& x) const {
    return kernels::axis_extents::of(x, detail::resolved_axis("layer_norm", o_.axis, x));
  }
  kernels::layer_norm_parts<T> parts(const frame<T>& f, const kernels::axis_extents& e) const {
    T* saved = reinterpret_cast<T*>(f.saved);
    return {o_.affine ? f.parameter(0).data() : nullptr, o_.affine ? f.parameter(1).data() : nullptr, saved,
            saved == nullptr ? nullptr : saved + e.lines()};
  }

  layer_norm_options o_;
};

/// y = exp(x) / sum of exp(x) along one axis.
template <class T>
class softmax_op final : public op<T> {
 public:
  explicit softmax_op(int axis) : axis_(axis) {}

  std::string_view kind() const override { return "softmax"; }
  MINICNN_COLD attribute_list describe() const override { return {{"axis", index_t{axis_}}}; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    op_plan p;
    p.output = request.inputs[0];
    (void)extents(p.output);
    p.backward_reads_output = p.in_place = p.gradient_in_place = true;
    return p;
  }

  void forward(const frame<T>& f) const override {
    kernels::for_lines<kernels::softmax_kernel, T>(f.ctx, extents(f.output.dims()), f.input().data(), f.output.data());
  }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>& dx = f.input_gradient();
    if (!dx.wanted()) return;
    kernels::for_lines<kernels::softmax_backward_kernel, T>(
        f.ctx, extents(dx.data.dims()), static_cast<const T*>(f.output.data()), f.output_gradient.data(), dx.data.data(), dx.add);
  }

 private:
  kernels::axis_extents extents(const shape& x) const {
    return kernels::axis_extents::of(x, detail::resolved_axis("softmax", axis_, x));
  }

  int axis_;
};

/// Layer normalisation. Throws option_error for eps not above 0 or an axis that x does not have.
template <class T>
MINICNN_COLD node<T> layer_norm(node<T> x, layer_norm_options o = {}) {
  return x.owner->add(make_op<layer_norm_op<T>>(o), {x}, o.name, "ln");
}

/// Shares that add up to 1. Losses take logits, so a classifier needs none at its end.
template <class T>
MINICNN_COLD node<T> softmax_along(node<T> x, softmax_options o = {}) {
  return x.owner->add(make_op<softmax_op<T>>(o.axis), {x}, std::move(o.name), "softmax");
}

MINICNN_COMPILED_CLASS(layer_norm_op);
MINICNN_COMPILED_CLASS(softmax_op);

}  // namespace minicnn::inline MINICNN_ABI
