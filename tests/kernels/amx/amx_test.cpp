#include "kernels/convolution.hpp"

namespace {

using minicnn::index_t;
using minicnn::isa;
using minicnn::kernels::conv_geometry;
namespace amx = minicnn::kernels::amx;

conv_geometry square(index_t channels, index_t size, index_t filters, index_t kernel, index_t pad, index_t dilation = 1,
                     index_t stride = 1) {
  return {channels, size, size, filters, kernel, kernel, stride, stride, dilation, dilation, pad, pad, pad, pad, 1};
}

/// A shape at random that is supported.
conv_geometry varied(minicnn::random_stream& s) {
  for (;;) {
    conv_geometry g;
    g.channels = 16 + s.below(60), g.filters = 16 + s.below(60);
    g.kernel_h = 1 + s.below(5), g.kernel_w = 1 + s.below(5);
    g.dilation_h = 1 + s.below(2), g.dilation_w = 1 + s.below(2);
    if (s.below(2) == 0) g.stride_h = 1 + s.below(3), g.stride_w = 1 + s.below(3);
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
    const amx::position_space space = amx::input_maps(g).space;
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
  CHECK(amx::is_supported(square(64, 8, 64, 3, 1, 1, 2)));
  CHECK(amx::is_supported(square(64, 6, 64, 1, 0, 1, 2)));  // nine results an image, in eighteen positions
  conv_geometry grouped = square(64, 8, 64, 3, 1);
  grouped.groups = 2;
  CHECK_FALSE(amx::is_supported(grouped));

  const conv_geometry g = square(64, 28, 64, 3, 1);
  const isa best = minicnn::detect_isa();
  CHECK((&minicnn::choose_convolution<float>({1, best}, 8, g) == &minicnn::winograd_convolution<float>));
  CHECK((&minicnn::choose_convolution<double>({1, best, true}, 8, g) == &minicnn::winograd_convolution<double>));
  CHECK((&minicnn::choose_convolution<float>({1, isa::baseline, true}, 8, g) == &minicnn::winograd_convolution<float>));
#if MINICNN_AMX
  if (!minicnn::kernels::has_amx(best)) return;
  CHECK((&minicnn::choose_convolution<float>({1, best, true}, 8, g) == &minicnn::amx_convolution));
  CHECK((&minicnn::choose_convolution<float>({1, best, true}, 8, square(64, 33, 64, 3, 12, 12)) == &minicnn::amx_convolution));
  // Three quarters of the positions are zeros.
  CHECK((&minicnn::choose_convolution<float>({1, best, true}, 8, square(64, 33, 64, 3, 36, 36)) ==
         &minicnn::direct_convolution<float>));
  CHECK((&minicnn::choose_convolution<float>({1, best, true}, 8, square(64, 28, 64, 3, 1, 1, 2)) == &minicnn::amx_convolution));
  CHECK((&minicnn::choose_convolution<float>({1, best, true}, 8, square(64, 28, 64, 1, 0, 1, 2)) ==
         &minicnn::direct_convolution<float>));
  CHECK((&minicnn::choose_convolution<float>({1, best, true}, 8, grouped) == &minicnn::direct_convolution<float>));
#endif
}

#if MINICNN_AMX

naive::convolution<float> with_operands(index_t batch, const conv_geometry& g) {
  REQUIRE(amx::is_supported(g));
  naive::convolution<float> c(minicnn::amx_convolution, batch, g);
  c.use_bf16();
  return c;
}

void check(index_t batch, const conv_geometry& g) { naive::check_convolution(with_operands(batch, g), {isa::avx512}); }

TEST_CASE("convolutions of random shapes, and as networks have them") {
  if (!minicnn::kernels::has_amx(minicnn::detect_isa())) {
    MESSAGE("left out: this processor has no AMX, or the system keeps it back");
    return;
  }
  minicnn::random_stream s{minicnn::random_key(2026)};
  for (int number = 0; number < 25; ++number) check(1 + s.below(4), varied(s));
  check(2, square(96, 14, 64, 5, 2));
  check(3, square(64, 4, 70, 3, 1));                              // small maps: a third of positions are zeros
  check(1, square(40, 16, 33, 3, 1));                             // a block of filters of which one is real
  check(2, square(64, 14, 128, 1, 0));                            // no taps to move by
  check(3, {40, 170, 170, 17, 3, 1, 1, 1, 1, 1, 2, 0, 0, 0, 1});  // two blocks of channels, groups of 2 images and of 1
  check(3, {16, 250, 130, 16, 3, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1});  // the same in the gradient of weights
  check(2, {48, 17, 17, 64, 1, 7, 1, 1, 1, 1, 0, 0, 3, 3, 1});    // Inception's
  check(1, square(32, 20, 32, 7, 3));                             // 49 taps: more than a vector
  check(2, square(16, 4, 16, 4, 0));                              // one result an image
  check(3, square(40, 24, 80, 3, 1, 1, 2));                       // ResNet's, and what stands beside them
  check(3, square(40, 24, 80, 1, 0, 1, 2));
  check(5, square(40, 6, 33, 3, 1, 1, 2));
  check(5, square(40, 6, 33, 1, 0, 1, 2));
  check(2, square(20, 17, 24, 2, 0, 1, 3));  // phases without taps
  check(2, square(20, 15, 24, 3, 0, 1, 2));  // the last row and column are read once
  check(2, square(20, 16, 24, 3, 0, 1, 2));  // and not at all
  check(1, {32, 19, 23, 32, 5, 3, 2, 1, 1, 2, 2, 1, 0, 2, 1});
  check(7, square(36, 100, 17, 3, 1, 1, 2));  // groups of images, the last one smaller
}

TEST_CASE("more images than are converted at a time, the last group smaller") {
  using minicnn::kernels::amx::weight_gradient_plan;
  CHECK(amx::convolution_plan(3, {40, 170, 170, 17, 3, 1, 1, 1, 1, 1, 2, 0, 0, 0, 1}).images == 2);
  CHECK(weight_gradient_plan(3, {16, 250, 130, 16, 3, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1}).images == 2);
  const conv_geometry strided = square(36, 100, 17, 3, 1, 1, 2);
  CHECK(amx::convolution_plan(7, strided).images == 2);
  CHECK(weight_gradient_plan(7, strided).images == 2);
  CHECK(amx::input_gradient_plan(7, strided).images == 5);
}

TEST_CASE("the plan for a batch and threads suffices for smaller ones") {
  minicnn::random_stream s{minicnn::random_key(7)};
  for (int number = 0; number < 30; ++number) {
    const conv_geometry g = varied(s);
    for (const int threads : {1, 3})
      for (index_t batch = 1; batch < 140; batch += 1 + s.below(5)) {
        for (const bool prepacked : {false, true}) {
          const index_t bytes = amx::forward_scratch_bytes(threads, batch, g, prepacked);
          CHECK(bytes <= amx::forward_scratch_bytes(threads, batch + 1, g, prepacked));
          CHECK(bytes <= amx::forward_scratch_bytes(threads + 1, batch, g, prepacked));
        }
        CHECK(amx::backward_input_scratch_bytes(threads, batch, g) <= amx::backward_input_scratch_bytes(threads, batch + 1, g));
        CHECK(amx::backward_weight_scratch_bytes(threads, batch, g) <= amx::backward_weight_scratch_bytes(threads, batch + 1, g));
      }
  }
}

TEST_CASE("what is not a number stays where it is") {
  if (!minicnn::kernels::has_amx(minicnn::detect_isa())) return;
  const conv_geometry g = square(20, 6, 18, 3, 1);
  naive::convolution<float> c = with_operands(2, g);
  const auto before = c.forward(isa::avx512, 1, false, naive::fused::nothing);
  c.x[7] = NAN;  // row 1, column 1 of channel 0 of the first image
  const auto y = c.forward(isa::avx512, 1, false, naive::fused::nothing, false, 1);  // with a gap: no comparison with itself
  for (index_t i = 0; i < static_cast<index_t>(y.size()); ++i) {
    const bool reached = i < 18 * 36 && i % 36 / 6 <= 2 && i % 6 <= 2;
    CHECK(std::isnan(y[static_cast<std::size_t>(i)]) == reached);
    if (!reached) CHECK(y[static_cast<std::size_t>(i)] == before[static_cast<std::size_t>(i)]);
  }
}

#endif

}  // namespace
