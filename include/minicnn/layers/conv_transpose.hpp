#pragma once
/// Transposed convolution: what a convolution's gradient does, as a layer that enlarges. Zeiler et al., "Deconvolutional
/// networks", CVPR 2010.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/conv/backward_input.hpp"
#include "minicnn/kernels/conv/backward_weight.hpp"
#include "minicnn/kernels/conv/forward.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"
#include "minicnn/layers/window.hpp"

namespace minicnn::inline MINICNN_ABI {

struct conv_transpose_options {
  /// Output channels; a multiple of `groups`.
  index_t filters = 0;

  extent2d kernel = 1;
  extent2d stride = 1;

  /// Rows and columns that are cut off the result's sides; not `same`.
  padding2d padding = 0;

  /// Rows and columns more at the bottom and right, below the stride: a convolution of that stride makes one size of several.
  extent2d output_padding = 0;

  extent2d dilation = 1;

  /// Splits input channels and filters into this many parts that do not see each other.
  index_t groups = 1;

  /// Whether a number is added per filter.
  bool bias = true;

  /// Initial values of the weights.
  initializer init = initializer::he();

  /// Node name; empty: up1, up2, ...
  std::string name = {};
};

/// x (n, c, h, w) -> y (n, filters, oh, ow), oh = (h - 1) * stride - padding + (kernel - 1) * dilation + 1 + output padding: each
/// element of x adds its multiple of the filter to y. Parameters: weight (c, filters / groups, kernel rows, kernel columns) as in
/// PyTorch, bias (filters).
template <class T>
class conv_transpose_op final : public op<T> {
 public:
  explicit conv_transpose_op(conv_transpose_options o) : o_(std::move(o)) {}

  std::string_view kind() const override { return "conv_transpose"; }

  MINICNN_COLD attribute_list describe() const override {
    attribute_list a{{"filters", o_.filters},
                     {"kernel_shape", o_.kernel.list()},
                     {"strides", o_.stride.list()},
                     {"dilations", o_.dilation.list()},
                     {"output_padding", o_.output_padding.list()},
                     {"group", o_.groups},
                     {"bias", o_.bias}};
    describe_padding(a, o_.padding);
    return a;
  }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    check(x);
    const kernels::conv_geometry g = geometry(x);
    const int threads = request.ctx.threads;
    op_plan p;
    p.output = {x[0], o_.filters, g.height, g.width};
    const index_t fan_in = g.group_filters() * g.taps(), fan_out = g.group_channels() * g.taps();
    p.parameters.push_back({"weight", {x[1], g.group_channels(), g.kernel_h, g.kernel_w}, fan_in, fan_out, o_.init, true});
    if (o_.bias) p.parameters.push_back({"bias", {o_.filters}, fan_in, fan_out, initializer::constant(0.0), false});
    p.forward_scratch_bytes = kernels::conv_backward_input_scratch_bytes<T>(threads, x[0], g);
    if (request.training)
      p.backward_scratch_bytes = (std::max)(kernels::conv_forward_scratch_bytes<T>(threads, x[0], g),
                                            kernels::conv_backward_weight_scratch_bytes<T>(threads, x[0], g));
    p.multiply_adds = shape{x.size(), fan_out}.size();  // checked: batches may be absurd
    p.backward_reads_input = true;
    return p;
  }

  void forward(const frame<T>& f) const override {
    scratch work = f.work();
    const kernels::conv_geometry g = geometry(f.input().dims());
    kernels::conv_backward_input(f.ctx, f.input().dim(0), g, f.input().data(), f.parameter(0).data(), f.output.data(), false,
                                 work);
    if (!o_.bias) return;
    const T* bias = f.parameter(1).data();
    const index_t pixels = g.height * g.width, planes = f.output.dim(0) * o_.filters;
    parallel_for(f.ctx.threads, planes, 1 + kernels::elementwise_grain / (pixels + 1), [&](index_t begin, index_t end) {
      for (index_t plane = begin; plane < end; ++plane) {
        const T b = bias[plane % o_.filters];
        T* const y = f.output.data() + plane * pixels;
        for (index_t i = 0; i < pixels; ++i) y[i] += b;
      }
    });
  }

  void backward(const frame<T>& f) const override {
    const index_t batch = f.input().dim(0);
    const kernels::conv_geometry g = geometry(f.input().dims());
    const T* dy = f.output_gradient.data();
    if (const gradient_target<T>& dw = f.parameter_gradient(0); dw.wanted()) {
      scratch work = f.work();
      kernels::conv_backward_weight<T>(f.ctx, batch, g,
                                       {.x = dy, .dy = f.input().data(), .dweight = dw.data.data(), .add_weight = dw.add}, work);
    }
    if (o_.bias && f.parameter_gradient(1).wanted())
      kernels::channel_sums(f.ctx, dy, batch, o_.filters, g.height * g.width, f.parameter_gradient(1).data.data(),
                            f.parameter_gradient(1).add);
    if (const gradient_target<T>& dx = f.input_gradient(); dx.wanted()) {
      scratch work = f.work();
      kernels::conv_forward<T>(f.ctx, batch, g, {.x = dy, .weight = f.parameter(0).data(), .y = dx.data.data(), .add = dx.add},
                               work);
    }
  }

 private:
  MINICNN_COLD void check(const shape& x) const {
    if (o_.filters < 1) fail<option_error>("filters must be at least 1, got ", o_.filters);
    if (o_.groups < 1) fail<option_error>("groups must be at least 1, got ", o_.groups);
    check_window(o_.kernel, o_.stride, o_.padding, o_.dilation);
    if (o_.padding.is_same) fail<option_error>("a transposed convolution has no padding \"same\"");
    const extent2d more = o_.output_padding;
    if (more.height < 0 || more.width < 0 || more.height >= o_.stride.height || more.width >= o_.stride.width)
      fail<option_error>("output padding must be below the stride of ", o_.stride, ", got ", more);
    if (x.rank() != 4 || x[1] < 1 || x[2] < 1 || x[3] < 1)
      fail<shape_error>("a transposed convolution wants an input of (n, c, h, w), got ", x);
    if (x[1] % o_.groups != 0) fail<shape_error>("channels must be a multiple of groups, got ", x[1], " and ", o_.groups);
    if (o_.filters % o_.groups != 0)
      fail<option_error>("filters must be a multiple of groups, got ", o_.filters, " and ", o_.groups);
    const kernels::conv_geometry g = geometry(x);
    if (g.height < 1 || g.width < 1)
      fail<shape_error>("a transposed convolution of ", x, " would give ", g.height, " x ", g.width, " pixels");
  }

  /// Of the convolution whose gradient this is: from y to x.
  kernels::conv_geometry geometry(const shape& x) const {
    kernels::conv_geometry g;
    g.channels = o_.filters, g.filters = x[1], g.groups = o_.groups;
    g.kernel_h = o_.kernel.height, g.kernel_w = o_.kernel.width;
    g.stride_h = o_.stride.height, g.stride_w = o_.stride.width;
    g.dilation_h = o_.dilation.height, g.dilation_w = o_.dilation.width;
    g.pad_top = o_.padding.top, g.pad_bottom = o_.padding.bottom, g.pad_left = o_.padding.left, g.pad_right = o_.padding.right;
    g.height =
        (x[2] - 1) * g.stride_h - g.pad_top - g.pad_bottom + (g.kernel_h - 1) * g.dilation_h + 1 + o_.output_padding.height;
    g.width = (x[3] - 1) * g.stride_w - g.pad_left - g.pad_right + (g.kernel_w - 1) * g.dilation_w + 1 + o_.output_padding.width;
    return g;
  }

  conv_transpose_options o_;
};

/// Transposed convolution of (n, c, h, w). Throws shape_error if groups do not divide the channels or nothing would be left,
/// option_error for sizes below 1.
template <class T>
MINICNN_COLD node<T> conv_transpose(node<T> x, conv_transpose_options o) {
  return x.owner->add(make_op<conv_transpose_op<T>>(o), {x}, o.name, "up");
}

MINICNN_COMPILED_CLASS(conv_transpose_op);

}  // namespace minicnn::inline MINICNN_ABI
