#pragma once
/// Local response normalisation across channels: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep
/// convolutional neural networks", NIPS 2012, section 3.3.

#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/norm/lrn.hpp"

namespace minicnn::inline MINICNN_ABI {

/// y_i = x_i / (k + alpha * sum of x_j^2 over the window of i)^beta. Defaults: the paper's.
///
/// `alpha` is used as the paper and TensorFlow use it. Caffe, PyTorch and ONNX divide it by `size` first: `caffe(...)` converts.
struct lrn_options {
  /// Channels in the window of channel i: i - size / 2 to i + (size - 1) / 2 (for an even size one more before than after, as
  /// in PyTorch), cut off at the first and last channel. TensorFlow's depth_radius r is size 2 r + 1.
  index_t size = 5;

  double alpha = 1e-4;

  /// 0.75 is computed without calls of pow, and faster than other exponents.
  double beta = 0.75;

  /// Above 0.
  double k = 2.0;

  /// Node name; empty: norm1, norm2, ...
  std::string name = {};

  /// From the arguments of Caffe's LRN, PyTorch's LocalResponseNorm and ONNX's LRN, whose alpha is divided by size.
  static lrn_options caffe(index_t size, double alpha, double beta, double k = 1.0) {
    return {.size = size, .alpha = alpha / static_cast<double>(size), .beta = beta, .k = k};
  }

  /// From the arguments of tf.nn.local_response_normalization, with its defaults.
  static lrn_options tensorflow(index_t depth_radius = 5, double bias = 1.0, double alpha = 1.0, double beta = 0.5) {
    return {.size = 2 * depth_radius + 1, .alpha = alpha, .beta = beta, .k = bias};
  }
};

/// x (n, c, h, w) or (n, c) -> y of the same shape. Keeps its input for backward and saves nothing.
template <class T>
class lrn_op final : public op<T> {
 public:
  explicit lrn_op(lrn_options o) : o_(std::move(o)) {}

  const lrn_options& options() const { return o_; }

  std::string_view kind() const override { return "lrn"; }
  op_role role() const override { return op_role::normalization; }

  /// `alpha` is not divided by `size`; ONNX's attribute of that name is `alpha * size`, and its `bias` is `k`.
  MINICNN_COLD attribute_list describe() const override {
    return {{"size", o_.size}, {"alpha", o_.alpha}, {"beta", o_.beta}, {"k", o_.k}};
  }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    if (o_.size < 1) fail<option_error>("size must be at least 1, got ", o_.size);
    if (!(o_.k > 0.0)) fail<option_error>("k must be above 0, got ", o_.k);
    if (!(o_.alpha >= 0.0)) fail<option_error>("alpha must not be negative, got ", o_.alpha);
    if (x.rank() < 2) fail<shape_error>("local response normalisation wants (n, c, h, w) or (n, c), got ", x);
    op_plan p;
    p.output = x;
    if (request.training) p.backward_scratch_bytes = kernels::lrn_backward_scratch_bytes<T>(request.ctx.threads, window());
    p.backward_reads_input = true;
    p.gradient_in_place = true;
    return p;
  }

  void forward(const frame<T>& f) const override {
    kernels::lrn_forward(f.ctx, extents(f.input().dims()), window(), f.input().data(), f.output.data());
  }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>& dx = f.input_gradient();
    if (dx.wanted())
      kernels::lrn_backward(f.ctx, extents(f.input().dims()), window(), f.input().data(), f.output_gradient.data(),
                            dx.data.data(), dx.add, f.work());
  }

 private:
  kernels::lrn_window window() const { return {o_.size / 2, (o_.size - 1) / 2, o_.alpha, o_.beta, o_.k}; }
  static kernels::lrn_extents extents(const shape& x) { return {x[0], x[1], x.size_from(2)}; }

  lrn_options o_;
};

/// Local response normalisation. Throws option_error for a size below 1, k not above 0 or a negative alpha.
template <class T>
MINICNN_COLD node<T> lrn(node<T> x, lrn_options o = {}) {
  return x.owner->add(make_op<lrn_op<T>>(o), {x}, o.name, "norm");
}

MINICNN_COMPILED_CLASS(lrn_op);

}  // namespace minicnn::inline MINICNN_ABI
