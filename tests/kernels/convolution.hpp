#pragma once
/// A convolution with random operands, and the check of a method's passes against the oracle: the tests of all methods.

#include <doctest/doctest.h>

#include "kernels/naive.hpp"
#include "minicnn/kernels/product/bf16_pack.hpp"
#include "minicnn/layers/convolution_method.hpp"

namespace naive {

using minicnn::isa;
using minicnn::kernels::conv_geometry;

inline std::string text(index_t batch, const conv_geometry& g) {
  return minicnn::text_of("batch ", batch, ", ", g.channels, "x", g.height, "x", g.width, " -> ", g.filters, ", kernel ",
                          g.kernel_h, "x", g.kernel_w, ", stride ", g.stride_h, "x", g.stride_w, ", dilation ", g.dilation_h, "x",
                          g.dilation_w, ", pad ", g.pad_top, ",", g.pad_bottom, ",", g.pad_left, ",", g.pad_right, ", groups ",
                          g.groups);
}

/// a, or a + b if `add`.
inline std::vector<double> sum(std::vector<double> a, const std::vector<double>& b, bool add) {
  for (std::size_t i = 0; add && i < a.size(); ++i) a[i] += b[i];
  return a;
}

template <class T>
struct convolution {
  const minicnn::convolution_method<T>& method;
  index_t batch;
  conv_geometry g;
  bool bf16 = false;
  std::vector<T> x, w, bias, dy, before_x, before_w, before_bias, before_y;

  convolution(const minicnn::convolution_method<T>& m, index_t n, const conv_geometry& geometry)
      : method(m),
        batch(n),
        g(geometry),
        x(random_values<T>(n * g.channels * g.height * g.width, 1)),
        w(random_values<T>(g.filters * g.group_channels() * g.taps(), 2)),
        bias(random_values<T>(g.filters, 3)),
        dy(random_values<T>(n * g.filters * g.out_height() * g.out_width(), 4)),
        before_x(random_values<T>(static_cast<index_t>(x.size()), 5)),
        before_w(random_values<T>(static_cast<index_t>(w.size()), 6)),
        before_bias(random_values<T>(g.filters, 7)),
        before_y(random_values<T>(static_cast<index_t>(dy.size()), 8)) {}

  /// Multiplies in bfloat16 numbers that bfloat16 has: products are exact, so only sums are rounded.
  void use_bf16() {
    bf16 = true;
    for (std::vector<T>* values : {&x, &w, &dy})
      minicnn::kernels::round_to_bf16(minicnn::detect_isa(), static_cast<index_t>(values->size()), values->data());
  }

  /// `add`: to `before_y`. `gap`: elements between the images of y, which must survive.
  std::vector<T> forward(isa i, int threads, bool with_bias, fused how, bool add = false, index_t gap = 0) const {
    guarded_scratch memory(method.forward_scratch_bytes(threads, batch + 1, g, false));
    minicnn::scratch work = memory.get();
    const index_t image = static_cast<index_t>(dy.size()) / batch, step = image + gap;
    std::vector<T> y(static_cast<std::size_t>(batch * step - gap), static_cast<T>(NAN));
    for (index_t n = 0; add && n < batch; ++n) std::copy_n(before_y.begin() + n * image, image, y.begin() + n * step);
    minicnn::kernels::conv_operands<T> o{.x = x.data(),
                                         .weight = w.data(),
                                         .bias = with_bias ? bias.data() : nullptr,
                                         .y = y.data(),
                                         .activation = activation<T>(how),
                                         .add = add,
                                         .y_image = gap == 0 ? 0 : step};
    method.forward({threads, i, bf16}, batch, g, o, work);
    CHECK(memory.intact());
    for (index_t at = 0; at < static_cast<index_t>(y.size()); ++at)
      if (at % step >= image) CHECK(std::isnan(y[static_cast<std::size_t>(at)]));
    for (index_t n = 1; n < batch; ++n) std::copy_n(y.begin() + n * step, image, y.begin() + n * image);
    y.resize(dy.size());
    if (!add && gap == 0) CHECK(packed(i, threads, o) == y);  // weights packed beforehand are the same weights
    return y;
  }

  std::vector<T> input_gradient(isa i, int threads, bool add) const {
    guarded_scratch memory(method.backward_input_scratch_bytes(threads, batch, g));
    minicnn::scratch work = memory.get();
    std::vector<T> dx = add ? before_x : std::vector<T>(x.size(), static_cast<T>(NAN));
    method.backward_input({threads, i, bf16}, batch, g, dy.data(), w.data(), dx.data(), add, work);
    CHECK(memory.intact());
    return dx;
  }

  /// Weights and then biases.
  std::vector<T> weight_gradient(isa i, int threads, bool add_weight, bool with_bias, bool add_bias) const {
    guarded_scratch memory(method.backward_weight_scratch_bytes(threads, batch, g));
    minicnn::scratch work = memory.get();
    std::vector<T> dw = add_weight ? before_w : std::vector<T>(w.size(), static_cast<T>(NAN));
    std::vector<T> dbias = add_bias ? before_bias : std::vector<T>(bias.size(), static_cast<T>(NAN));
    method.backward_weight({threads, i, bf16}, batch, g,
                           {.x = x.data(),
                            .dy = dy.data(),
                            .dweight = dw.data(),
                            .add_weight = add_weight,
                            .dbias = with_bias ? dbias.data() : nullptr,
                            .add_bias = add_bias},
                           work);
    CHECK(memory.intact());
    if (with_bias) dw.insert(dw.end(), dbias.begin(), dbias.end());
    return dw;
  }

 private:
  std::vector<T> packed(isa i, int threads, minicnn::kernels::conv_operands<T> o) const {
    guarded_scratch memory(method.forward_scratch_bytes(threads, batch, g, true));
    minicnn::scratch work = memory.get();
    std::vector<T> prepared(static_cast<std::size_t>(method.packed_weight_bytes(g)) / sizeof(T));
    method.prepack_weights({threads, i, bf16}, g, w.data(), prepared.data());
    std::vector<T> y(dy.size(), static_cast<T>(NAN));
    o.weight = nullptr, o.packed_weights = prepared.data(), o.y = y.data();
    method.forward({threads, i, bf16}, batch, g, o, work);
    CHECK(memory.intact());
    return y;
  }
};

/// All passes against the oracle on each of `isas`: errors below `magnified` times what rounding allows. The same bits for any
/// number of threads.
template <class T>
void check_convolution(const convolution<T>& c, const std::vector<isa>& isas = all_isas(), double magnified = 1) {
  const conv_geometry& g = c.g;
  INFO(text(c.batch, g));
  const auto x = widened(c.x), w = widened(c.w);
  const auto gradients = conv_backward(c.batch, g, x, w, widened(c.dy));
  const index_t taps = g.group_channels() * g.taps(), back_taps = g.group_filters() * g.taps();
  const index_t positions = c.batch * g.out_height() * g.out_width();
  for (const isa i : isas) {
    INFO("isa ", std::string(minicnn::name_of(i)));
    for (const bool flag : {false, true}) {
      const fused how = flag ? fused::relu : fused::nothing;
      const auto y = c.forward(i, 1, !flag, how);
      CHECK(worst_error(y, conv_forward(c.batch, g, x, w, flag ? std::vector<double>{} : widened(c.bias), flag)) <
            magnified * rounding<T>(taps));
      const auto dx = c.input_gradient(i, 1, flag);
      CHECK(worst_error(dx, sum(gradients.dx, widened(c.before_x), flag)) < magnified * rounding<T>(back_taps));
      const auto dw = c.weight_gradient(i, 1, flag, true, !flag);
      auto want = sum(gradients.dw, widened(c.before_w), flag);
      const auto want_bias = sum(gradients.dbias, widened(c.before_bias), !flag);
      want.insert(want.end(), want_bias.begin(), want_bias.end());
      CHECK(worst_error(dw, want) < magnified * rounding<T>(positions));
      if (i != minicnn::detect_isa()) continue;
      for (const int threads : {2, 3}) {
        CHECK(c.forward(i, threads, !flag, how) == y);
        CHECK(c.input_gradient(i, threads, flag) == dx);
        CHECK(c.weight_gradient(i, threads, flag, true, !flag) == dw);
      }
    }
    CHECK(c.weight_gradient(i, 1, false, false, false).size() == c.w.size());
    const auto plain = c.forward(i, 1, true, fused::nothing), added = c.forward(i, 1, true, fused::nothing, true);
    CHECK(worst_error(added, sum(conv_forward(c.batch, g, x, w, widened(c.bias), false), widened(c.before_y), true)) <
          magnified * rounding<T>(taps));
    for (const fused how : {fused::clip, fused::square}) {
      CHECK(c.forward(i, 1, true, how) == activated(how, plain));
      CHECK(c.forward(i, 2, true, how, true, 37) == activated(how, added));
    }
  }
}

}  // namespace naive
