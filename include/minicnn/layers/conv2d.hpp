#pragma once
/// Two-dimensional convolution (cross-correlation, as every network library means it).

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/graph/passes/channel_map.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"
#include "minicnn/layers/convolution_method.hpp"
#include "minicnn/layers/window.hpp"

namespace minicnn::inline MINICNN_ABI {

struct conv2d_options {
  /// Output channels; a multiple of `groups`.
  index_t filters = 0;

  /// Rows and columns of a filter: `.kernel = 11` or `.kernel = {1, 7}`.
  extent2d kernel = 1;

  extent2d stride = 1;

  /// Zeros around the image: `.padding = 2`, `{vertical, horizontal}`, `{top, bottom, left, right}` or `padding2d::same()`.
  padding2d padding = 0;

  /// Distance between the taps of a filter; 1 is the ordinary convolution.
  extent2d dilation = 1;

  /// Splits input channels and filters into this many parts that do not see each other. AlexNet's two GPUs: 2;
  /// depthwise convolution: as many as there are input channels.
  index_t groups = 1;

  /// Whether a number is added per filter. Off where batch normalisation follows, which subtracts the mean anyway.
  bool bias = true;

  /// initial values of the weights: He, for a ReLU behind it.
  initializer init = initializer::he();

  /// Initial value of every bias.
  double bias_init = 0.0;

  /// Node name; empty: conv1, conv2, ...
  std::string name = {};
};

/// x (n, c, h, w) -> y (n, filters, oh, ow), oh = floor((h + padding - reach) / stride) + 1 with
/// reach = (kernel - 1) * dilation + 1. Parameters: weight (filters, c / groups, kernel rows, kernel columns), bias (filters).
template <class T>
class conv2d_op final : public op<T>, public channel_map_producer<T> {
 public:
  explicit conv2d_op(conv2d_options o) : o_(std::move(o)) {}

  const conv2d_options& options() const { return o_; }

  std::string_view kind() const override { return "conv2d"; }
  const channel_map_producer<T>* as_channel_map_producer() const override { return this; }

  MINICNN_COLD attribute_list describe() const override {
    attribute_list a{{"filters", o_.filters},       {"kernel_shape", o_.kernel.list()},
                     {"strides", o_.stride.list()}, {"dilations", o_.dilation.list()},
                     {"group", o_.groups},          {"bias", o_.bias}};
    describe_padding(a, o_.padding);
    return a;
  }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    check_input(request.inputs[0]);
    const kernels::conv_geometry g = geometry(request.inputs[0]);
    const index_t batch = request.inputs[0][0];
    const int threads = request.ctx.threads;
    op_plan p;
    p.output = {batch, g.filters, g.out_height(), g.out_width()};
    const index_t fan_in = g.group_channels() * g.taps(), fan_out = g.group_filters() * g.taps();
    p.parameters.push_back({"weight", {g.filters, g.group_channels(), g.kernel_h, g.kernel_w}, fan_in, fan_out, o_.init, true});
    if (o_.bias) p.parameters.push_back({"bias", {g.filters}, fan_in, fan_out, initializer::constant(o_.bias_init), false});
    const bool fixed = request.prepack_weights;
    const convolution_method<T>& method = choose_convolution<T>(request.ctx, batch, g, fixed);
    if (fixed) p.packed_weight_bytes = method.packed_weight_bytes(g);
    p.forward_scratch_bytes = method.forward_scratch_bytes(threads, batch, g, fixed);
    if (request.training) p.backward_scratch_bytes = method.backward_scratch_bytes(threads, batch, g);
    // A smaller last batch may not be worth Winograd's transforms, so there is room for both ways.
    if (&method == &winograd_convolution<T> && !fixed) {
      const convolution_method<T>& other = direct_convolution<T>;
      p.forward_scratch_bytes = (std::max)(p.forward_scratch_bytes, other.forward_scratch_bytes(threads, batch, g, false));
      if (request.training)
        p.backward_scratch_bytes = (std::max)(p.backward_scratch_bytes, other.backward_scratch_bytes(threads, batch, g));
    }
    p.multiply_adds = shape{p.output.size(), fan_in}.size();  // checked: batches may be absurd
    p.backward_reads_input = true;
    p.fuses_activation = p.fuses_add = p.writes_slices = true;
    return p;
  }

  std::shared_ptr<const op<T>> with_channel_map() const override {
    conv2d_options o = o_;
    o.bias = true;
    return make_op<conv2d_op>(std::move(o));
  }

  MINICNN_COLD void fold(std::span<const channel_map> maps, std::span<const view<const T>> from,
                         std::span<const view<T>> to) const override {
    const index_t taps = from[0].size() / from[0].dim(0);
    for (std::size_t f = 0; f < maps.size(); ++f) {
      const index_t filter = static_cast<index_t>(f);
      const double before = o_.bias ? static_cast<double>(from[1][filter]) : 0.0;
      for (index_t k = filter * taps; k < (filter + 1) * taps; ++k)
        to[0][k] = static_cast<T>(static_cast<double>(from[0][k]) * maps[f].scale);
      to[1][filter] = static_cast<T>((before - maps[f].center) * maps[f].scale + maps[f].shift);
    }
  }

  void prepack(const frame<T>& f) const override {
    const kernels::conv_geometry g = geometry(f.input().dims());
    choose_convolution<T>(f.ctx, f.planned_batch, g, true)
        .prepack_weights(f.ctx, g, f.parameter(0).data(), reinterpret_cast<T*>(f.packed_weights));
  }

  void forward(const frame<T>& f) const override {
    scratch work = f.work();
    const index_t batch = f.input().dim(0);
    const kernels::conv_geometry g = geometry(f.input().dims());
    const T* const bias = o_.bias ? f.parameter(1).data() : nullptr;
    const T* const packed = reinterpret_cast<const T*>(f.packed_weights);
    // Packed weights are for the method of the planned batch.
    const convolution_method<T>& method =
        packed == nullptr ? choose_convolution<T>(f.ctx, batch, g) : choose_convolution<T>(f.ctx, f.planned_batch, g, true);
    method.forward(f.ctx, batch, g,
                   {.x = f.input().data(),
                    .weight = f.parameter(0).data(),
                    .bias = bias,
                    .y = f.output.data(),
                    .activation = f.activation,
                    .add = f.apply_add,
                    .packed_weights = packed,
                    .y_image = f.output_image},
                   work);
  }

  /// The gradient of the input is computed only where it is wanted: the first layer of a network saves a third of its work.
  void backward(const frame<T>& f) const override {
    const index_t batch = f.input().dim(0);
    const kernels::conv_geometry g = geometry(f.input().dims());
    const convolution_method<T>& method = choose_convolution<T>(f.ctx, batch, g);
    const T* dy = f.output_gradient.data();
    const gradient_target<T>& weight = f.parameter_gradient(0);
    const gradient_target<T> bias = o_.bias ? f.parameter_gradient(1) : gradient_target<T>{};
    if (weight.wanted()) {
      scratch work = f.work();
      method.backward_weight(f.ctx, batch, g,
                             {.x = f.input().data(),
                              .dy = dy,
                              .dweight = weight.data.data(),
                              .add_weight = weight.add,
                              .dbias = bias.data.data(),
                              .add_bias = bias.add},
                             work);
    } else if (bias.wanted()) {
      kernels::channel_sums(f.ctx, dy, batch, g.filters, g.out_height() * g.out_width(), bias.data.data(), bias.add);
    }
    if (f.input_gradient().wanted()) {
      scratch work = f.work();
      method.backward_input(f.ctx, batch, g, dy, f.parameter(0).data(), f.input_gradient().data.data(), f.input_gradient().add,
                            work);
    }
  }

 private:
  MINICNN_COLD void check_input(const shape& x) const {
    if (o_.filters < 1) fail<option_error>("filters must be at least 1, got ", o_.filters);
    if (o_.groups < 1) fail<option_error>("groups must be at least 1, got ", o_.groups);
    check_window(o_.kernel, o_.stride, o_.padding, o_.dilation);
    if (x.rank() != 4 || x[1] < 1) fail<shape_error>("a convolution wants an input of (n, c, h, w), got ", x);
    if (x[1] % o_.groups != 0) fail<shape_error>("channels must be a multiple of groups, got ", x[1], " and ", o_.groups);
    if (o_.filters % o_.groups != 0)
      fail<option_error>("filters must be a multiple of groups, got ", o_.filters, " and ", o_.groups);
    const padding2d pad = o_.padding.resolve(x[2], x[3], o_.kernel, o_.stride, o_.dilation);
    window_count("height", x[2], o_.kernel.height, o_.stride.height, pad.top, pad.bottom, o_.dilation.height);
    window_count("width", x[3], o_.kernel.width, o_.stride.width, pad.left, pad.right, o_.dilation.width);
    // Kernels count positions of padded maps: throws if there are more than can be counted.
    (void)shape{x[1], x[2] + pad.top + pad.bottom, x[3] + pad.left + pad.right};
  }

  kernels::conv_geometry geometry(const shape& x) const {
    const padding2d pad = o_.padding.resolve(x[2], x[3], o_.kernel, o_.stride, o_.dilation);
    kernels::conv_geometry g;
    g.channels = x[1], g.height = x[2], g.width = x[3];
    g.filters = o_.filters;
    g.kernel_h = o_.kernel.height, g.kernel_w = o_.kernel.width;
    g.stride_h = o_.stride.height, g.stride_w = o_.stride.width;
    g.dilation_h = o_.dilation.height, g.dilation_w = o_.dilation.width;
    g.pad_top = pad.top, g.pad_bottom = pad.bottom, g.pad_left = pad.left, g.pad_right = pad.right;
    g.groups = o_.groups;
    return g;
  }

  conv2d_options o_;
};

/// Convolution of (n, c, h, w). Throws shape_error if groups do not divide the channels or the filter is larger than the
/// padded image, option_error for sizes below 1.
template <class T>
MINICNN_COLD node<T> conv2d(node<T> x, conv2d_options o) {
  return x.owner->add(make_op<conv2d_op<T>>(o), {x}, o.name, "conv");
}

MINICNN_COMPILED_CLASS(conv2d_op);

}  // namespace minicnn::inline MINICNN_ABI
