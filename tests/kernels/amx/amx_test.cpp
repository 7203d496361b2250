#include <doctest/doctest.h>

#include "kernels/naive.hpp"
#include "minicnn/layers/convolution_method.hpp"

namespace {

using minicnn::context;
using minicnn::index_t;
using minicnn::isa;
using minicnn::kernels::conv_geometry;
namespace amx = minicnn::kernels::amx;

conv_geometry square(index_t channels, index_t size, index_t filters, index_t kernel, index_t pad, index_t dilation = 1) {
  return {channels, size, size, filters, kernel, kernel, 1, 1, dilation, dilation, pad, pad, pad, pad, 1};
}

/// A shape at random that is supported.
conv_geometry varied(minicnn::random_stream& s) {
  for (;;) {
    conv_geometry g;
    g.channels = 16 + s.below(60), g.filters = 16 + s.below(60);
    g.kernel_h = 1 + s.below(5), g.kernel_w = 1 + s.below(5);
    g.dilation_h = 1 + s.below(2), g.dilation_w = 1 + s.below(2);
    const index_t reach_h = (g.kernel_h - 1) * g.dilation_h, reach_w = (g.kernel_w - 1) * g.dilation_w;
    g.pad_top = s.below(reach_h + 1), g.pad_bottom = s.below(reach_h + 1);
    g.pad_left = s.below(reach_w + 1), g.pad_right = s.below(reach_w + 1);
    g.height = 1 + s.below(12), g.width = 1 + s.below(24);
    if (g.height + g.pad_top + g.pad_bottom > reach_h && g.width + g.pad_left + g.pad_right > reach_w && amx::is_supported(g))
      return g;
  }
}

TEST_CASE("windows of sixteen positions: which numbers of maps they have, across rows and images") {
  minicnn::random_stream s{minicnn::random_key(16)};
  for (int number = 0; number < 200; ++number) {
    const conv_geometry g = varied(s);
    const amx::position_space space(g);
    const index_t images = 1 + s.below(3), height = g.out_height(), width = g.out_width(), step = g.filters * height * width;
    CHECK(height <= space.rows);  // results have a position each
    CHECK(width <= space.columns);
    for (index_t p = -space.lead - 40; p < images * space.image() + 40; p += 1 + s.below(9)) {
      const amx::window w = amx::window_at(space, images, height, width, step, p);
      CHECK((w.lanes[0] & w.lanes[1]) == 0);
      index_t taken[2] = {0, 0};
      for (index_t lane = 0; lane < 16; ++lane) {
        const index_t at = p + lane, image = at / space.image(), row = at % space.image() / space.columns;
        const index_t column = at % space.columns;
        const bool real = at >= 0 && image < images && row < height && column < width;
        const int piece = (w.lanes[1] >> lane & 1U) != 0 ? 1 : 0;
        CHECK((((w.lanes[0] | w.lanes[1]) >> lane & 1U) != 0) == real);
        if (real) CHECK(w.from[piece] + taken[piece]++ == image * step + row * width + column);
      }
    }
  }
}

TEST_CASE("which convolutions are supported, and which method is chosen") {
  CHECK(amx::is_supported(square(16, 8, 16, 3, 1)));
  CHECK(amx::is_supported(square(64, 7, 64, 1, 0)));
  CHECK(amx::is_supported(square(64, 9, 64, 3, 0, 2)));
  CHECK_FALSE(amx::is_supported(square(15, 8, 16, 3, 1)));  // tiles would be half empty
  CHECK_FALSE(amx::is_supported(square(64, 3, 64, 1, 0)));  // three images in sixteen positions
  CHECK_FALSE(amx::is_supported(square(64, 8, 64, 3, 3)));  // more padding than a filter covers
  conv_geometry strided = square(64, 8, 64, 3, 1), grouped = strided;
  strided.stride_h = 2, grouped.groups = 2;
  CHECK_FALSE(amx::is_supported(strided));
  CHECK_FALSE(amx::is_supported(grouped));

  const conv_geometry g = square(64, 28, 64, 3, 1);
  const isa best = minicnn::detect_isa();
  CHECK((&minicnn::choose_convolution<float>({1, best}, 8, g) == &minicnn::winograd_convolution<float>));
  CHECK((&minicnn::choose_convolution<double>({1, best, true}, 8, g) == &minicnn::winograd_convolution<double>));
  CHECK((&minicnn::choose_convolution<float>({1, isa::baseline, true}, 8, g) == &minicnn::winograd_convolution<float>));
#if MINICNN_AMX
  if (!minicnn::kernels::has_amx(best)) return;
  CHECK((&minicnn::choose_convolution<float>({1, best, true}, 8, g) == &minicnn::amx_convolution));
  CHECK((&minicnn::choose_convolution<float>({1, best, true}, 8, strided) == &minicnn::direct_convolution<float>));
#endif
}

#if MINICNN_AMX

/// Numbers that bfloat16 has: products are exact, so results differ from the oracle's by the rounding of sums alone.
std::vector<float> random_bf16(index_t count, std::uint64_t seed) {
  std::vector<float> out = naive::random_values<float>(count, seed);
  minicnn::kernels::round_to_bf16(minicnn::detect_isa(), count, out.data());
  return out;
}

struct convolution {
  index_t batch;
  conv_geometry g;
  std::vector<float> x, w, bias, dy, before_x, before_w, before_y;

  convolution(index_t n, const conv_geometry& geometry)
      : batch(n),
        g(geometry),
        x(random_bf16(n * g.channels * g.height * g.width, 1)),
        w(random_bf16(g.filters * g.channels * g.taps(), 2)),
        bias(naive::random_values<float>(g.filters, 3)),
        dy(random_bf16(n * g.filters * g.out_height() * g.out_width(), 4)),
        before_x(naive::random_values<float>(static_cast<index_t>(x.size()), 5)),
        before_w(naive::random_values<float>(static_cast<index_t>(w.size()), 6)),
        before_y(naive::random_values<float>(static_cast<index_t>(dy.size()), 7)) {}

  static context with(int threads) { return {threads, isa::avx512, true}; }

  /// `gap`: elements between images of y, which must survive.
  std::vector<float> forward(int threads, bool with_bias, bool add, naive::fused how, index_t gap = 0) const {
    naive::guarded_scratch memory(amx::forward_scratch_bytes(threads, batch + 1, g));
    minicnn::scratch work = memory.get();
    const index_t image = static_cast<index_t>(dy.size()) / batch;
    std::vector<float> y(dy.size() + static_cast<std::size_t>((batch - 1) * gap), NAN);
    for (index_t n = 0; add && n < batch; ++n) std::copy_n(before_y.begin() + n * image, image, y.begin() + n * (image + gap));
    minicnn::kernels::conv_operands<float> o{.x = x.data(), .weight = w.data(), .y = y.data()};
    o.bias = with_bias ? bias.data() : nullptr;
    o.activation = naive::activation<float>(how);
    o.add = add;
    o.y_image = gap == 0 ? 0 : image + gap;
    amx::forward(with(threads), batch, g, o, work);
    CHECK(memory.intact());
    for (index_t n = 0; n + 1 < batch; ++n)
      for (index_t i = 0; i < gap; ++i) CHECK(std::isnan(y[static_cast<std::size_t>(n * (image + gap) + image + i)]));
    for (index_t n = 1; n < batch; ++n) std::copy_n(y.begin() + n * (image + gap), image, y.begin() + n * image);
    y.resize(dy.size());
    return y;
  }

  std::vector<float> forward_packed(int threads) const {
    std::vector<float> packed(static_cast<std::size_t>(amx::packed_weight_bytes(g)) / sizeof(float)), y(dy.size(), NAN);
    amx::prepack_weights(with(threads), g, w.data(), packed.data());
    naive::guarded_scratch memory(amx::forward_scratch_bytes(threads, batch, g, true));
    minicnn::scratch work = memory.get();
    amx::forward(with(threads), batch, g, {.x = x.data(), .weight = nullptr, .y = y.data(), .packed_weights = packed.data()},
                 work);
    CHECK(memory.intact());
    return y;
  }

  std::vector<float> input_gradient(int threads, bool add) const {
    naive::guarded_scratch memory(amx::backward_input_scratch_bytes(threads, batch, g));
    minicnn::scratch work = memory.get();
    std::vector<float> dx = add ? before_x : std::vector<float>(x.size(), NAN);
    amx::backward_input(with(threads), batch, g, dy.data(), w.data(), dx.data(), add, work);
    CHECK(memory.intact());
    return dx;
  }

  /// Weights and then biases.
  std::vector<float> weight_gradient(int threads, bool add, bool with_bias) const {
    naive::guarded_scratch memory(amx::backward_weight_scratch_bytes(threads, batch, g));
    minicnn::scratch work = memory.get();
    std::vector<float> dw = add ? before_w : std::vector<float>(w.size(), NAN);
    std::vector<float> dbias = add ? bias : std::vector<float>(bias.size(), NAN);
    amx::backward_weight(with(threads), batch, g,
                         {.x = x.data(),
                          .dy = dy.data(),
                          .dweight = dw.data(),
                          .add_weight = add,
                          .dbias = with_bias ? dbias.data() : nullptr,
                          .add_bias = add},
                         work);
    CHECK(memory.intact());
    if (with_bias) dw.insert(dw.end(), dbias.begin(), dbias.end());
    return dw;
  }
};

std::vector<double> sum(std::vector<double> a, const std::vector<float>& b, bool add) {
  for (std::size_t i = 0; add && i < b.size(); ++i) a[i] += static_cast<double>(b[i]);
  return a;
}

void check(index_t batch, const conv_geometry& g) {
  INFO("batch ", batch, ", ", g.channels, "x", g.height, "x", g.width, " -> ", g.filters, ", kernel ", g.kernel_h, "x",
       g.kernel_w, ", dilation ", g.dilation_h, "x", g.dilation_w, ", pad ", g.pad_top, ",", g.pad_bottom, ",", g.pad_left, ",",
       g.pad_right);
  REQUIRE(amx::is_supported(g));
  const convolution c(batch, g);
  const auto x = naive::widened(c.x), w = naive::widened(c.w);
  const auto gradients = naive::conv_backward(batch, g, x, w, naive::widened(c.dy));
  const index_t taps = g.channels * g.taps(), positions = batch * g.out_height() * g.out_width();
  const auto plain = c.forward(1, false, false, naive::fused::nothing);
  CHECK(naive::worst_error(plain, naive::conv_forward(batch, g, x, w, {}, false)) < naive::rounding<float>(taps));
  CHECK(c.forward(2, false, false, naive::fused::nothing) == plain);
  CHECK(c.forward(3, false, false, naive::fused::nothing, 37) == plain);
  CHECK(c.forward_packed(2) == plain);
  const auto y = c.forward(1, true, true, naive::fused::nothing);
  CHECK(naive::worst_error(y, sum(naive::conv_forward(batch, g, x, w, naive::widened(c.bias), false), c.before_y, true)) <
        naive::rounding<float>(taps));
  for (const naive::fused how : {naive::fused::relu, naive::fused::clip, naive::fused::square})
    CHECK(c.forward(2, true, true, how) == naive::activated(how, y));
  for (const bool flag : {false, true}) {
    const auto dx = c.input_gradient(1, flag), dw = c.weight_gradient(1, flag, flag);
    CHECK(naive::worst_error(dx, sum(gradients.dx, c.before_x, flag)) < naive::rounding<float>(g.filters * g.taps()));
    auto want = sum(gradients.dw, c.before_w, flag);
    const auto want_bias = sum(gradients.dbias, c.bias, flag);
    if (flag) want.insert(want.end(), want_bias.begin(), want_bias.end());
    CHECK(naive::worst_error(dw, want) < naive::rounding<float>(positions));
    CHECK(c.input_gradient(3, flag) == dx);
    CHECK(c.weight_gradient(3, flag, flag) == dw);
  }
}

TEST_CASE("convolutions of random shapes, and as networks have them") {
  if (!minicnn::kernels::has_amx(minicnn::detect_isa())) {
    MESSAGE("left out: this processor has no AMX, or the system keeps it back");
    return;
  }
  minicnn::random_stream s{minicnn::random_key(2026)};
  for (int number = 0; number < 25; ++number) check(1 + s.below(5), varied(s));
  check(2, square(96, 14, 64, 5, 2));
  check(3, square(64, 4, 70, 3, 1));                              // small maps: a third of positions are zeros
  check(1, square(40, 16, 33, 3, 1));                             // a block of filters of which one is real
  check(2, square(64, 14, 128, 1, 0));                            // no taps to move by
  check(3, {20, 250, 250, 17, 3, 1, 1, 1, 1, 1, 2, 0, 0, 0, 1});  // more than are copied at a time: groups of 2 images, and of 1
  check(2, {48, 17, 17, 64, 1, 7, 1, 1, 1, 1, 0, 0, 3, 3, 1});    // Inception's
  check(1, square(32, 20, 32, 7, 3));                             // 49 taps: more than a vector
  check(2, square(16, 4, 16, 4, 0));                              // one result an image
}

TEST_CASE("what is not a number stays where it is") {
  if (!minicnn::kernels::has_amx(minicnn::detect_isa())) return;
  const conv_geometry g = square(20, 6, 18, 3, 1);
  convolution c(2, g);
  const auto before = c.forward(1, false, false, naive::fused::nothing);
  c.x[7] = NAN;  // row 1, column 1 of channel 0 of the first image
  const auto y = c.forward(1, false, false, naive::fused::nothing);
  for (index_t i = 0; i < static_cast<index_t>(y.size()); ++i) {
    const bool reached = i < 18 * 36 && i % 36 / 6 <= 2 && i % 6 <= 2;
    CHECK(std::isnan(y[static_cast<std::size_t>(i)]) == reached);
    if (!reached) CHECK(y[static_cast<std::size_t>(i)] == before[static_cast<std::size_t>(i)]);
  }
}

#endif

}  // namespace
