#pragma once
// A layer of one's own, as a program would keep it: docs/adding-a-layer.md walks through it, custom_layer.cpp uses it.

#include <minicnn/graph/node.hpp>

#include <memory>
#include <string>
#include <utility>

namespace mine {

using namespace minicnn;

struct channel_scale_options {
  /// Initial value of every factor. Small values make a deep residual branch start as almost nothing.
  double init = 1.0;

  /// Node name; empty: scale1, scale2, ...
  std::string name = {};
};

/// y[n, c, i] = factor[c] * x[n, c, i]. Touvron et al., "Going deeper with image transformers", 2021, eq. 4 (LayerScale).
template <class T>
class channel_scale_op final : public op<T> {
 public:
  explicit channel_scale_op(channel_scale_options o) : o_(std::move(o)) {}

  std::string_view kind() const override { return "channel_scale"; }
  attribute_list describe() const override { return {}; }

  op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    if (x.rank() != 4) fail<shape_error>("channel_scale wants an input of (n, c, h, w), got ", x);
    op_plan p;
    p.output = x;
    p.parameters = {{"factor", {x[1]}, 1, 1, initializer::constant(o_.init), false}};
    p.backward_reads_input = true;
    p.in_place = p.gradient_in_place = true;
    return p;
  }

  void forward(const frame<T>& f) const override {
    const index_t channels = f.input().dim(1), pixels = f.input().dims().size_from(2);
    const T *x = f.input().data(), *factor = f.parameter(0).data();
    T* y = f.output.data();
    parallel_for(f.ctx.threads, f.output.dim(0) * channels, 1 + 32768 / pixels, [&](index_t begin, index_t end) {
      for (index_t plane = begin; plane < end; ++plane)
        for (index_t i = plane * pixels; i < (plane + 1) * pixels; ++i) y[i] = factor[plane % channels] * x[i];
    });
  }

  void backward(const frame<T>& f) const override {
    const index_t batch = f.input().dim(0), channels = f.input().dim(1), pixels = f.input().dims().size_from(2);
    const T *x = f.input().data(), *dy = f.output_gradient.data(), *factor = f.parameter(0).data();
    const gradient_target<T>&dx = f.input_gradient(), &dfactor = f.parameter_gradient(0);
    parallel_for(f.ctx.threads, channels, 1 + 32768 / (batch * pixels), [&](index_t begin, index_t end) {
      for (index_t c = begin; c < end; ++c) {
        T sum{};
        for (index_t n = 0; n < batch; ++n)
          for (index_t i = (n * channels + c) * pixels, stop = i + pixels; i < stop; ++i) {
            const T upstream = dy[i];  // read first: dx may be the same memory
            sum += upstream * x[i];
            if (dx.wanted()) dx.data[i] = factor[c] * upstream + (dx.add ? dx.data[i] : T{0});
          }
        if (dfactor.wanted()) dfactor.data[c] = sum + (dfactor.add ? dfactor.data[c] : T{0});
      }
    });
  }

 private:
  channel_scale_options o_;
};

/// A trained factor per channel of (n, c, h, w).
template <class T>
node<T> channel_scale(node<T> x, channel_scale_options o = {}) {
  std::string name = o.name;
  return x.owner->add(std::make_shared<channel_scale_op<T>>(std::move(o)), {x}, std::move(name), "scale");
}

}  // namespace mine
