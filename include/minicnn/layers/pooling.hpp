#pragma once
/// Pooling: the maximum or mean of windows of each channel.

#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/pool/avg_pool.hpp"
#include "minicnn/kernels/pool/max_pool.hpp"
#include "minicnn/layers/window.hpp"

namespace minicnn::inline MINICNN_ABI {

struct max_pool_options {
  extent2d kernel = 2;

  /// 0 (the default): as large as the kernel, so that windows do not overlap. AlexNet's overlapping pooling (section 3.4
  /// of the paper) is `{.kernel = 3, .stride = 2}`.
  extent2d stride = 0;

  /// Cells around the image, which never win; fewer on each side than the kernel has.
  padding2d padding = 0;

  /// Counts a last, incomplete window, as Caffe does, if it starts inside the image or the padding before it (PyTorch's
  /// rule). Default: such windows are dropped.
  bool ceil_mode = false;

  /// Node name; empty: pool1, pool2, ...
  std::string name = {};
};

struct avg_pool_options {
  extent2d kernel = 2;

  /// 0 (the default): as large as the kernel.
  extent2d stride = 0;

  /// Zeros around the image; fewer on each side than the kernel has.
  padding2d padding = 0;

  /// As in `max_pool_options`. An incomplete window divides by the cells that exist.
  bool ceil_mode = false;

  /// Whether padding counts as zeros (the default, as in PyTorch and Caffe) or each window divides by its cells inside the
  /// image (TensorFlow, Keras and, by default, ONNX).
  bool count_include_pad = true;

  /// Node name; empty: pool1, pool2, ...
  std::string name = {};
};

struct adaptive_pool_options {
  /// Rows and columns of the result, whatever the image's size. Bin o of an axis covers the cells from
  /// floor(o * in / out) to ceil((o + 1) * in / out); bins overlap where out does not divide in.
  extent2d output = 1;

  /// Node name; empty: pool1, pool2, ...
  std::string name = {};
};

namespace detail {

inline void check_pool_input(const shape& x) {
  if (x.rank() != 4 || x[2] < 1 || x[3] < 1) fail<shape_error>("pooling wants an input of (n, c, h, w), got ", x);
}

/// The windows of max or average pooling with options `o` over `x`.
template <class Options>
kernels::pool_geometry window_geometry(const Options& o, const shape& x) {
  check_pool_input(x);
  const extent2d stride = o.stride == extent2d(0) ? o.kernel : o.stride;
  check_window(o.kernel, stride, o.padding);
  const padding2d pad = o.padding.resolve(x[2], x[3], o.kernel, stride);
  if ((std::max)(pad.top, pad.bottom) >= o.kernel.height || (std::max)(pad.left, pad.right) >= o.kernel.width)
    fail<option_error>("pooling wants less padding than its kernel of ", o.kernel, ", got ", pad.top, ", ", pad.bottom, ", ",
                       pad.left, ", ", pad.right, " (top, bottom, left, right)");
  const index_t out_h = window_count("height", x[2], o.kernel.height, stride.height, pad.top, pad.bottom, 1, o.ceil_mode);
  const index_t out_w = window_count("width", x[3], o.kernel.width, stride.width, pad.left, pad.right, 1, o.ceil_mode);
  return {{x[2], out_h, o.kernel.height, stride.height, pad.top, pad.bottom},
          {x[3], out_w, o.kernel.width, stride.width, pad.left, pad.right}};
}

inline kernels::pool_geometry window_geometry(const adaptive_pool_options& o, const shape& x) {
  check_pool_input(x);
  if (o.output.height < 1 || o.output.width < 1) fail<option_error>("adaptive pooling to ", o.output);
  return {kernels::pool_axis::bins(x[2], o.output.height), kernels::pool_axis::bins(x[3], o.output.width)};
}

template <class Options>
attribute_list describe_windows(const Options& o) {
  attribute_list a{{"kernel_shape", o.kernel.list()},
                   {"strides", (o.stride == extent2d(0) ? o.kernel : o.stride).list()},
                   {"ceil_mode", o.ceil_mode}};
  describe_padding(a, o.padding);
  return a;
}
inline attribute_list describe_windows(const adaptive_pool_options& o) { return {{"output_size", o.output.list()}}; }

}  // namespace detail

/// x (n, c, h, w) -> y (n, c, oh, ow), the largest cell of each window; a NaN counts as largest. Backward sends each gradient
/// to that cell alone, among equals to the first in row-major order. Saves one byte per output (four if windows have more
/// than 256 cells or unequal sizes); neither input nor output are kept.
template <class T, class Options>
class max_pool_op_base : public op<T> {
 public:
  op_role role() const override { return op_role::pooling; }

  explicit max_pool_op_base(Options o) : o_(std::move(o)) {}

  const Options& options() const { return o_; }
  MINICNN_COLD attribute_list describe() const override { return detail::describe_windows(o_); }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    const kernels::pool_geometry g = detail::window_geometry(o_, x);
    if (!g.compact() && g.in_size() > (std::numeric_limits<std::int32_t>::max)())
      fail<shape_error>("max pooling of planes of ", g.in_size(), " cells");
    op_plan p;
    p.output = {x[0], x[1], g.rows.out, g.columns.out};
    if (request.training) p.saved_bytes = kernels::max_pool_note_bytes(g, x[0] * x[1]);
    return p;
  }

  void forward(const frame<T>& f) const override {
    const shape& x = f.input().dims();
    kernels::max_pool_forward(f.ctx, detail::window_geometry(o_, x), x[0] * x[1], f.input().data(), f.output.data(), f.saved);
  }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>& dx = f.input_gradient();
    if (!dx.wanted()) return;
    const shape& x = dx.data.dims();
    kernels::max_pool_backward(f.ctx, detail::window_geometry(o_, x), x[0] * x[1], f.output_gradient.data(), f.saved,
                               dx.data.data(), dx.add);
  }

 private:
  Options o_;
};

template <class T>
class max_pool_op final : public max_pool_op_base<T, max_pool_options> {
 public:
  using max_pool_op_base<T, max_pool_options>::max_pool_op_base;
  std::string_view kind() const override { return "max_pool"; }
};

template <class T>
class adaptive_max_pool_op final : public max_pool_op_base<T, adaptive_pool_options> {
 public:
  using max_pool_op_base<T, adaptive_pool_options>::max_pool_op_base;
  std::string_view kind() const override { return "adaptive_max_pool"; }
};

/// x (n, c, h, w) -> y (n, c, oh, ow), the mean of each window.
template <class T, class Options>
class avg_pool_op_base : public op<T> {
 public:
  op_role role() const override { return op_role::pooling; }

  explicit avg_pool_op_base(Options o) : o_(std::move(o)) {}

  const Options& options() const { return o_; }

  MINICNN_COLD attribute_list describe() const override {
    attribute_list a = detail::describe_windows(o_);
    if constexpr (requires { o_.count_include_pad; }) a.push_back({"count_include_pad", o_.count_include_pad});
    return a;
  }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    const kernels::pool_geometry g = detail::window_geometry(o_, x);
    op_plan p;
    p.output = {x[0], x[1], g.rows.out, g.columns.out};
    return p;
  }

  void forward(const frame<T>& f) const override {
    const shape& x = f.input().dims();
    kernels::avg_pool_forward(f.ctx, detail::window_geometry(o_, x), x[0] * x[1], count_padding(), f.input().data(),
                              f.output.data());
  }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>& dx = f.input_gradient();
    if (!dx.wanted()) return;
    const shape& x = dx.data.dims();
    kernels::avg_pool_backward(f.ctx, detail::window_geometry(o_, x), x[0] * x[1], count_padding(), f.output_gradient.data(),
                               dx.data.data(), dx.add);
  }

 private:
  bool count_padding() const {
    if constexpr (requires { o_.count_include_pad; })
      return o_.count_include_pad;
    else
      return false;
  }

  Options o_;
};

template <class T>
class avg_pool_op final : public avg_pool_op_base<T, avg_pool_options> {
 public:
  using avg_pool_op_base<T, avg_pool_options>::avg_pool_op_base;
  std::string_view kind() const override { return "avg_pool"; }
};

template <class T>
class adaptive_avg_pool_op final : public avg_pool_op_base<T, adaptive_pool_options> {
 public:
  using avg_pool_op_base<T, adaptive_pool_options>::avg_pool_op_base;
  std::string_view kind() const override { return "adaptive_avg_pool"; }
};

/// Maxima of windows of (n, c, h, w). Throws shape_error if no window fits, option_error for sizes below 1 and for padding as
/// large as the kernel.
template <class T>
MINICNN_COLD node<T> max_pool(node<T> x, max_pool_options o = {}) {
  return x.owner->add(make_op<max_pool_op<T>>(o), {x}, o.name, "pool");
}

/// Means of windows of (n, c, h, w). Throws as `max_pool`.
template <class T>
MINICNN_COLD node<T> avg_pool(node<T> x, avg_pool_options o = {}) {
  return x.owner->add(make_op<avg_pool_op<T>>(o), {x}, o.name, "pool");
}

/// Means of bins: (n, c, any, any) -> (n, c, output rows, output columns).
template <class T>
MINICNN_COLD node<T> adaptive_avg_pool(node<T> x, adaptive_pool_options o) {
  return x.owner->add(make_op<adaptive_avg_pool_op<T>>(o), {x}, o.name, "pool");
}

/// Maxima of bins: (n, c, any, any) -> (n, c, output rows, output columns).
template <class T>
MINICNN_COLD node<T> adaptive_max_pool(node<T> x, adaptive_pool_options o) {
  return x.owner->add(make_op<adaptive_max_pool_op<T>>(o), {x}, o.name, "pool");
}

/// The mean of each channel: (n, c, h, w) -> (n, c, 1, 1).
template <class T>
MINICNN_COLD node<T> global_avg_pool(node<T> x, std::string name = {}) {
  adaptive_pool_options whole{.output = 1, .name = std::move(name)};
  return adaptive_avg_pool(x, std::move(whole));
}

MINICNN_COMPILED_FLOAT(class max_pool_op_base<float, max_pool_options>);
MINICNN_COMPILED_DOUBLE(class max_pool_op_base<double, max_pool_options>);
MINICNN_COMPILED_FLOAT(class max_pool_op_base<float, adaptive_pool_options>);
MINICNN_COMPILED_DOUBLE(class max_pool_op_base<double, adaptive_pool_options>);
MINICNN_COMPILED_FLOAT(class avg_pool_op_base<float, avg_pool_options>);
MINICNN_COMPILED_DOUBLE(class avg_pool_op_base<double, avg_pool_options>);
MINICNN_COMPILED_FLOAT(class avg_pool_op_base<float, adaptive_pool_options>);
MINICNN_COMPILED_DOUBLE(class avg_pool_op_base<double, adaptive_pool_options>);
MINICNN_COMPILED_CLASS(max_pool_op);
MINICNN_COMPILED_CLASS(adaptive_max_pool_op);
MINICNN_COMPILED_CLASS(avg_pool_op);
MINICNN_COMPILED_CLASS(adaptive_avg_pool_op);

}  // namespace minicnn::inline MINICNN_ABI
