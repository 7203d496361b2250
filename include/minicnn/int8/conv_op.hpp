#pragma once
/// Convolution and dense layer of 8-bit numbers, with what follows them in a network: a ReLU, a map of channels, a sum.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "minicnn/int8/op.hpp"
#include "minicnn/layers/window.hpp"

namespace minicnn::inline MINICNN_ABI {

struct int8_conv2d_options {
  index_t filters = 0;
  extent2d kernel = 1, stride = 1;
  padding2d padding = 0;
  extent2d dilation = 1;
  index_t groups = 1;

  /// The input's quantisation and the result's. Padding is `input.zero`, the real number 0.
  int8::quantization input = {}, output = {};

  /// Bounds of the result as bytes: a ReLU has `low` = output.zero.
  index_t low = 0, high = 255;

  /// Whether the result is real numbers (n, filters): for the last layer. It has one pixel then, and no bounds.
  bool real = false;

  /// Whether the result is max(y, 0) * factor + shift, one of each a filter: a normalisation behind a ReLU.
  bool mapped = false;

  /// That of the second input, where there is one: bytes of the result's shape that are added before the bounds.
  int8::quantization addend = {};

  /// Node name; empty: conv1, conv2, ...
  std::string name = {};
};

/// Bytes x (n, c, h, w), or (n, c) as one pixel -> bytes y (n, filters, oh, ow). Sums are of 32 bits and exact; then, for each
/// filter, y = nearest(sum * scale + offset (+ (addend - zero) * factor)), each step rounded to float and halves to even: all
/// instruction sets give the same bits. Parameters: weight (filters, c / groups, kernel rows, kernel columns), whole numbers from
/// -127 to 127; scale (filters), which makes real weights of them; bias (filters); with `mapped` factor and shift (filters).
template <class T>
class int8_conv2d_op final : public int8_op<T> {
 public:
  explicit int8_conv2d_op(int8_conv2d_options o) : o_(std::move(o)) {}
  const int8_conv2d_options& options() const { return o_; }

  std::string_view kind() const override { return "int8_conv2d"; }

  MINICNN_COLD attribute_list describe() const override {
    attribute_list a{{"filters", o_.filters},
                     {"kernel_shape", o_.kernel.list()},
                     {"strides", o_.stride.list()},
                     {"dilations", o_.dilation.list()},
                     {"group", o_.groups}};
    describe_padding(a, o_.padding);
    int8_op<T>::describe(a, "input", o_.input);
    int8_op<T>::describe(a, "output", o_.output);
    int8_op<T>::describe(a, "addend", o_.addend);
    a.insert(a.end(), {{"low", o_.low}, {"high", o_.high}, {"real", o_.real}, {"mapped", o_.mapped}});
    return a;
  }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    check(x);
    if (request.inputs.size() > 2)
      fail<shape_error>("wants an input and perhaps an addend, got ", request.inputs.size(), " inputs");
    const int8::conv_geometry g = geometry(x);
    const index_t terms = shape{int8::padded_channels(g.group_channels()), g.kernel_h, g.kernel_w}.size();  // checked, as below
    if (terms > 65536) fail<shape_error>("sums of ", terms, " products do not fit 32 bits, wanted at most 65536");
    const index_t fan_in = g.group_channels() * g.taps();
    (void)shape{x[0], int8::padded_channels(x[1]), g.height + g.pad_top + g.pad_bottom, g.width + g.pad_left + g.pad_right,
                16384};
    op_plan p;
    p.reads_bytes = true;
    p.output = {x[0], g.filters, g.out_height(), g.out_width()};
    if (o_.real && p.output.size_from(2) != 1) fail<shape_error>("a real result wants one pixel, got ", p.output);
    if (o_.real || x.rank() == 2) p.output = {x[0], g.filters};
    if (request.inputs.size() > 1 && (o_.real || !(request.inputs[1] == p.output)))
      fail<shape_error>("wants an addend of ", p.output, " bytes, got ", request.inputs[1]);
    if (!o_.real) p.output_bytes = int8::extents(p.output).bytes();
    p.parameters = {
        {"weight", {g.filters, g.group_channels(), g.kernel_h, g.kernel_w}, fan_in, 1, initializer::constant(0), false},
        {"scale", {g.filters}, 1, 1, initializer::constant(1), false},
        {"bias", {g.filters}, 1, 1, initializer::constant(0), false}};
    p.parameters[0].int8 = true;
    if (o_.mapped) {
      p.parameters.push_back({"factor", {g.filters}, 1, 1, initializer::constant(1), false});
      p.parameters.push_back({"shift", {g.filters}, 1, 1, initializer::constant(0), false});
    }
    const index_t packed = int8::packed_weight_bytes(request.ctx.instruction_set, g);
    if (request.prepack_weights) p.packed_weight_bytes = packed;
    p.forward_scratch_bytes = int8::conv_scratch_bytes(request.ctx.threads, x[0], g) +
                              (request.prepack_weights ? index_t{0} : packed) +
                              (o_.real && !std::is_same_v<T, float> ? scratch::bytes_for<float>(p.output.size()) : index_t{0});
    p.multiply_adds = shape{x[0] * g.filters, g.out_height(), g.out_width(), fan_in}.size();
    return p;
  }

  void prepack(const frame<T>& f) const override { pack(f, f.packed_weights); }

  void forward(const frame<T>& f) const override {
    scratch work = f.work();
    const int8::conv_geometry g = geometry(f.input().dims());
    const std::byte* packed = f.packed_weights;
    if (packed == nullptr) {
      auto* const made = work.take<std::byte>(int8::packed_weight_bytes(f.ctx.instruction_set, g));
      pack(f, made);
      packed = made;
    }
    int8::conv_result r;
    r.relu_first = o_.mapped;
    r.low = static_cast<float>(o_.low), r.high = static_cast<float>(o_.high);
    if (f.inputs.size() > 1) r.addend = this->bytes(f.input(1)), r.addend_is = o_.addend;
    r.addend_scale = o_.addend.scale / o_.output.scale;
    if (!o_.real)
      r.y = this->bytes(f.output);
    else if constexpr (std::is_same_v<T, float>)
      r.values = f.output.data();
    else
      r.values = work.take<float>(f.output.size());
    int8::convolve(f.ctx, f.input().dim(0), g, this->bytes(f.input()), o_.input.zero, packed, r, work);
    if constexpr (!std::is_same_v<T, float>)
      if (o_.real) std::copy(r.values, r.values + f.output.size(), f.output.data());
  }

 private:
  MINICNN_COLD void check(const shape& x) const {
    this->check_input(x);
    if (o_.filters < 1) fail<option_error>("filters must be at least 1, got ", o_.filters);
    if (o_.groups < 1) fail<option_error>("groups must be at least 1, got ", o_.groups);
    check_window(o_.kernel, o_.stride, o_.padding, o_.dilation);
    if (x[1] % o_.groups != 0 || o_.filters % o_.groups != 0)
      fail<shape_error>("channels and filters must be multiples of groups, got ", x[1], ", ", o_.filters, " and ", o_.groups);
    const bool depthwise = x[1] == o_.groups && o_.filters == o_.groups;
    if (o_.groups > 1 && !depthwise && x[1] / o_.groups % 4 != 0)
      fail<shape_error>("a group wants 4, 8, 12, ... channels, got ", x[1] / o_.groups);
    (void)geometry(x);
    int8_op<T>::check("input", o_.input);
    int8_op<T>::check("output", o_.output);
    int8_op<T>::check("addend", o_.addend);
    if (o_.low < 0 || o_.low > o_.high || o_.high > 255)
      fail<option_error>("wants bounds from 0 to 255, got ", o_.low, " and ", o_.high);
  }

  int8::conv_geometry geometry(const shape& x) const {
    int8::conv_geometry g;
    g.channels = x[1];
    if (x.rank() == 4) g.height = x[2], g.width = x[3];
    const padding2d pad = o_.padding.resolve(g.height, g.width, o_.kernel, o_.stride, o_.dilation);
    window_count("height", g.height, o_.kernel.height, o_.stride.height, pad.top, pad.bottom, o_.dilation.height);
    window_count("width", g.width, o_.kernel.width, o_.stride.width, pad.left, pad.right, o_.dilation.width);
    g.filters = o_.filters, g.groups = o_.groups;
    g.kernel_h = o_.kernel.height, g.kernel_w = o_.kernel.width;
    g.stride_h = o_.stride.height, g.stride_w = o_.stride.width;
    g.dilation_h = o_.dilation.height, g.dilation_w = o_.dilation.width;
    g.pad_top = pad.top, g.pad_bottom = pad.bottom, g.pad_left = pad.left, g.pad_right = pad.right;
    return g;
  }

  void pack(const frame<T>& f, std::byte* packed) const {
    const auto values = [&](int i) { return f.parameter(i).data(); };
    int8::pack_weights<T>(f.ctx.instruction_set, geometry(f.input().dims()),
                          {.weight = values(0),
                           .scale = values(1),
                           .bias = values(2),
                           .factor = o_.mapped ? values(3) : nullptr,
                           .shift = o_.mapped ? values(4) : nullptr,
                           .input = o_.input,
                           .output = o_.output,
                           .real_output = o_.real},
                          packed);
  }

  int8_conv2d_options o_;
};

/// Convolution of bytes, plus bytes `addend` if given. Throws shape_error and option_error for what does not fit.
template <class T>
MINICNN_COLD node<T> int8_conv2d(node<T> x, int8_conv2d_options o, const node<T>* addend = nullptr) {
  std::vector<node<T>> inputs{x};
  if (addend != nullptr) inputs.push_back(*addend);
  return x.owner->add(make_op<int8_conv2d_op<T>>(o), inputs, o.name, "conv");
}

MINICNN_COMPILED_CLASS(int8_conv2d_op);

}  // namespace minicnn::inline MINICNN_ABI
