#pragma once
/// A fixed factor and offset per channel, without parameters: pictures prepared in one way, for weights that want another.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"

namespace minicnn::inline MINICNN_ABI {

struct scale_options {
  std::vector<double> factor = {};  ///< one a channel; one in all: the same for every channel
  std::vector<double> offset = {};  ///< as many as factors; empty: 0

  /// Node name; empty: scale1, scale2, ...
  std::string name = {};

  /// Of three channels that were normalised with ImageNet's mean and deviation, to pixels from -1 to 1: what torchvision calls
  /// `transform_input`, for weights that were trained in TensorFlow.
  static scale_options imagenet_to_unit() {
    return {.factor = {0.229 / 0.5, 0.224 / 0.5, 0.225 / 0.5},
            .offset = {(0.485 - 0.5) / 0.5, (0.456 - 0.5) / 0.5, (0.406 - 0.5) / 0.5}};
  }
};

/// x (n, c, ...) -> y of the same shape, y = factor[channel] * x + offset[channel].
template <class T>
class scale_op final : public op<T> {
 public:
  explicit scale_op(scale_options o) : o_(std::move(o)) {
    if (o_.offset.empty()) o_.offset.assign(o_.factor.size(), 0.0);
  }

  const scale_options& options() const { return o_; }

  std::string_view kind() const override { return "scale"; }

  /// Every `factor` and `offset`, as texts that keep every bit, separated by spaces.
  MINICNN_COLD attribute_list describe() const override { return {{"factor", listed(o_.factor)}, {"offset", listed(o_.offset)}}; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    if (x.rank() < 2) fail<shape_error>("scale wants an input of (n, c, ...), got ", x);
    const auto count = static_cast<index_t>(o_.factor.size());
    if (static_cast<index_t>(o_.offset.size()) != count)
      fail<option_error>("scale wants as many offsets as factors, got ", o_.offset.size(), " and ", count);
    if (count != 1 && x[1] != count) fail<shape_error>("scale has ", count, " factors, the input ", x[1], " channels");
    op_plan p;
    p.output = x;
    p.in_place = p.gradient_in_place = true;
    return p;
  }

  void forward(const frame<T>& f) const override {
    each_plane(f, [&](index_t c, index_t begin, index_t end) {
      const T a = of_channel(o_.factor, c), b = of_channel(o_.offset, c);
      for (index_t i = begin; i < end; ++i) f.output[i] = a * f.input()[i] + b;
    });
  }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>& dx = f.input_gradient();
    if (!dx.wanted()) return;
    each_plane(f, [&](index_t c, index_t begin, index_t end) {
      const T a = of_channel(o_.factor, c);
      for (index_t i = begin; i < end; ++i) {
        const T g = a * f.output_gradient[i];
        dx.data[i] = dx.add ? dx.data[i] + g : g;
      }
    });
  }

 private:
  static T of_channel(const std::vector<double>& values, index_t c) {
    return static_cast<T>(values.size() == 1 ? values[0] : values[static_cast<std::size_t>(c)]);
  }

  /// Calls `body(channel, begin, end)` for every channel of every image, shared among the threads.
  template <class F>
  static void each_plane(const frame<T>& f, const F& body) {
    const shape& dims = f.output.dims();
    const index_t area = dims.size_from(2), channels = dims[1];
    const index_t grain = (std::max)(kernels::elementwise_grain / (std::max)(area, index_t{1}), index_t{1});
    parallel_for(f.ctx.threads, dims[0] * channels, grain, [&](index_t begin, index_t end) {
      for (index_t plane = begin; plane < end; ++plane) body(plane % channels, plane * area, (plane + 1) * area);
    });
  }

  static std::string listed(const std::vector<double>& values) {
    std::string out;
    for (const double v : values) out.append(out.empty() ? "" : " ").append(to_text(v));
    return out;
  }

  scale_options o_;
};

/// factor[channel] * x + offset[channel]. Throws shape_error unless there is one factor a channel, or one in all.
template <class T>
MINICNN_COLD node<T> scale(node<T> x, scale_options o) {
  return x.owner->add(make_op<scale_op<T>>(o), {x}, o.name, "scale");
}

MINICNN_COMPILED_CLASS(scale_op);

}  // namespace minicnn::inline MINICNN_ABI
