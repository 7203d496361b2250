#include "kernels/convolution.hpp"

namespace {

using minicnn::index_t;
using minicnn::isa;
using minicnn::kernels::conv_geometry;
using naive::sum;

/// What Winograd's sums and differences cost: the transforms of F(4 x 4, 3 x 3) and F(2 x 2, 5 x 5) magnify rounding by about ten
/// (Barabasz et al., 2020, "Error analysis and improving the accuracy of Winograd convolution").
constexpr double magnified = 16;

template <class T>
void check(index_t batch, const conv_geometry& g) {
  REQUIRE(minicnn::kernels::winograd::is_supported(g));
  naive::check_convolution(naive::convolution<T>(minicnn::winograd_convolution<T>, batch, g), naive::all_isas(), magnified);
}

conv_geometry square(index_t channels, index_t size, index_t filters, index_t kernel, index_t pad, index_t groups = 1) {
  return {channels, size, size, filters, kernel, kernel, 1, 1, 1, 1, pad, pad, pad, pad, groups};
}

/// Odd shapes drawn at random.
conv_geometry varied(minicnn::random_stream& s) {
  conv_geometry g;
  g.groups = s.chance(0.3) ? 1 + s.below(3) : 1;
  g.channels = g.groups * (1 + s.below(36));
  g.filters = g.groups * (1 + s.below(20));
  g.kernel_h = g.kernel_w = s.chance(0.5) ? 3 : 5;
  g.pad_top = s.below(g.kernel_h), g.pad_bottom = s.below(g.kernel_h);
  g.pad_left = s.below(g.kernel_h), g.pad_right = s.below(g.kernel_h);
  g.height = g.kernel_h + s.below(12);
  g.width = g.kernel_h + s.below(24);
  return g;
}

/// Root mean square of the error, relative to that of the values.
double relative_error(const std::vector<float>& got, const std::vector<double>& want) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    error += (static_cast<double>(got[i]) - want[i]) * (static_cast<double>(got[i]) - want[i]);
    size += want[i] * want[i];
  }
  return std::sqrt(error / size);
}

}  // namespace

TEST_CASE_TEMPLATE("Winograd convolutions of random shapes", T, float, double) {
  minicnn::random_stream s{minicnn::random_key(2015)};
  for (int number = 0; number < 12; ++number) check<T>(1 + s.below(4), varied(s));
}

TEST_CASE_TEMPLATE("Winograd convolutions as networks have them", T, float, double) {
  check<T>(3, square(20, 27, 35, 5, 2));    // AlexNet's second layer
  check<T>(3, square(36, 13, 33, 3, 1));    // maps of 13 x 13
  check<T>(2, square(8, 8, 16, 3, 1));      // whole tiles
  check<T>(1, square(1, 3, 1, 3, 0));       // one output
  check<T>(2, square(24, 9, 12, 5, 2, 2));  // groups
  check<T>(2, square(300, 4, 20, 3, 1));    // the summed dimension in two chunks
  check<T>(70, square(17, 11, 9, 3, 1));    // several chunks of tiles, all steps by one thread
  check<T>(3, square(16, 40, 16, 3, 1));    // slices of tiles, half a panel of channels
}

TEST_CASE("Winograd: chunks, slices and groups of images") {
  check<float>(200, square(400, 2, 12, 5, 2));  // several chunks of tiles, each step by all threads
  check<float>(200, square(284, 2, 16, 5, 2));  // slices of several chunks
  check<float>(7, square(8, 200, 2, 3, 1));     // more images than are copied at a time
  check<float>(195, square(300, 4, 3, 3, 1));   // the same, with few tiles left for the last
  check<float>(8, square(64, 8, 64, 3, 1));     // fewer tiles than slices would take
  check<float>(1, square(64, 14, 64, 3, 1));    // and fewer than three threads would
}

TEST_CASE_TEMPLATE("Winograd: maps of any height have planes, multiples of 1 KiB too", T, float, double) {
  for (index_t kernel : {3, 5})
    for (index_t height = kernel; height < 1100; ++height) {
      const conv_geometry g{1, height, 8, 1, kernel, kernel, 1, 1, 1, 1, 1, 1, 1, 1, 1};
      const minicnn::kernels::winograd::weight_plan<T> plan(1, g);  // did not end with 256 rows of float, 128 of double
      for (const auto& planes : {plan.in, plan.out}) {
        const index_t beyond = planes.channel_size() * static_cast<index_t>(sizeof(T)) % 1024;
        CHECK((beyond >= 64 && beyond < 960));
        CHECK(planes.rows <= height + 9);
      }
    }
  check<T>(1, {2, 256, 5, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  check<T>(1, {2, 250, 5, 3, 5, 5, 1, 1, 1, 1, 2, 2, 2, 2, 1});
}

TEST_CASE("Winograd: the scratch for a batch and threads is_supported smaller ones") {
  for (const auto& g : {square(16, 32, 16, 3, 1), square(64, 14, 64, 3, 1), square(96, 13, 64, 5, 2), square(300, 4, 20, 3, 1)})
    for (int threads : {1, 2, 5})
      for (index_t batch = 1; batch < 140; ++batch) {
        const auto grows = [&](auto bytes) {
          return bytes(threads, batch) <= bytes(threads, batch + 1) && bytes(threads, batch) <= bytes(threads + 1, batch);
        };
        CHECK(grows([&](int t, index_t n) { return minicnn::kernels::winograd::forward_scratch_bytes<float>(t, n, g); }));
        CHECK(grows([&](int t, index_t n) { return minicnn::kernels::winograd::backward_input_scratch_bytes<float>(t, n, g); }));
        CHECK(grows([&](int t, index_t n) { return minicnn::kernels::winograd::backward_weight_scratch_bytes<float>(t, n, g); }));
      }
}

TEST_CASE("the error of Winograd in float stays near 1e-6 of the values, as docs/benchmarks.md says") {
  for (const auto& g : {square(96, 14, 64, 5, 2), square(256, 8, 64, 3, 1)}) {
    const naive::convolution<float> c(minicnn::winograd_convolution<float>, 2, g);
    const auto x = naive::widened(c.x), w = naive::widened(c.w), dy = naive::widened(c.dy);
    const auto gradients = naive::conv_backward(2, g, x, w, dy);
    const isa i = minicnn::detect_isa();
    CHECK(relative_error(c.forward(i, 2, false, naive::fused::nothing), naive::conv_forward(2, g, x, w, {}, false)) < 2e-6);
    CHECK(relative_error(c.input_gradient(i, 2, false), gradients.dx) < 2e-6);
    CHECK(relative_error(c.weight_gradient(i, 2, false, false, false), gradients.dw) < 2e-6);
  }
}

TEST_CASE(
    "in bf16 the tile_elements are rounded: errors below 2 % of the values, whatever the shape, and the same for any threads") {
  minicnn::random_stream s{minicnn::random_key(2020)};
  std::vector<std::pair<index_t, conv_geometry>> cases{{2, square(96, 14, 64, 5, 2)}, {2, square(256, 8, 64, 3, 1)},
                                                       {3, square(37, 13, 33, 3, 1)}, {2, square(301, 4, 20, 3, 1)},
                                                       {2, square(601, 4, 20, 3, 1)}, {3, square(64, 20, 64, 3, 1)},
                                                       {71, square(17, 11, 9, 3, 1)}, {2, square(24, 9, 12, 5, 2, 2)}};
  for (int number = 0; number < 12; ++number) cases.emplace_back(1 + s.below(4), varied(s));
  for (const auto& one : cases) {
    const index_t batch = one.first;
    const conv_geometry& g = one.second;
    INFO("batch ", batch, ", ", g.channels, "x", g.height, "x", g.width, " -> ", g.filters, ", kernel ", g.kernel_h);
    naive::convolution<float> c(minicnn::winograd_convolution<float>, batch, g);
    const auto x = naive::widened(c.x), w = naive::widened(c.w), dy = naive::widened(c.dy);
    const auto gradients = naive::conv_backward(batch, g, x, w, dy);
    const auto want = naive::conv_forward(batch, g, x, w, naive::widened(c.bias), false);
    for (isa i : naive::all_isas()) {
      INFO("isa ", std::string(minicnn::name_of(i)));
      c.bf16 = false;
      const auto exact = c.forward(i, 1, true, naive::fused::nothing);
      c.bf16 = true;
      const auto y = c.forward(i, 1, true, naive::fused::nothing), dx = c.input_gradient(i, 1, false),
                 dw = c.weight_gradient(i, 1, false, false, false);
      // Without the instruction nothing would be gained, so nothing is rounded.
      if (!minicnn::kernels::native_bf16(i)) CHECK(y == exact);
      const double bound = minicnn::kernels::native_bf16(i) ? 0.02 : 1e-5;
      CHECK(relative_error(y, want) < bound);
      CHECK(relative_error(dx, gradients.dx) < bound);
      CHECK(relative_error(dw, gradients.dw) < bound);
      if (!minicnn::kernels::native_bf16(i)) continue;
      CHECK(y != exact);
      for (int threads : {2, 3}) {
        CHECK(c.forward(i, threads, true, naive::fused::nothing) == y);
        CHECK(c.input_gradient(i, threads, false) == dx);
        CHECK(c.weight_gradient(i, threads, false, false, false) == dw);
      }
      const auto added = c.input_gradient(i, 2, true), added_weights = c.weight_gradient(i, 2, true, false, false);
      CHECK(relative_error(added, sum(gradients.dx, naive::widened(c.before_x), true)) < bound);
      CHECK(relative_error(added_weights, sum(gradients.dw, naive::widened(c.before_w), true)) < bound);
      CHECK(relative_error(c.forward(i, 2, true, naive::fused::relu),
                           naive::conv_forward(batch, g, x, w, naive::widened(c.bias), true)) < bound);
    }
  }
}

TEST_CASE("which convolutions Winograd supports, and where it is profitable") {
  using minicnn::kernels::winograd::is_profitable;
  using minicnn::kernels::winograd::is_supported;
  CHECK(is_supported(square(4, 9, 4, 3, 1)));
  CHECK(is_supported(square(4, 9, 4, 5, 4)));
  CHECK_FALSE(is_supported(square(4, 9, 4, 1, 0)));
  CHECK_FALSE(is_supported(square(4, 9, 4, 7, 3)));
  CHECK_FALSE(is_supported(square(4, 9, 4, 3, 3)));  // more padding than a filter covers
  conv_geometry strided = square(4, 9, 4, 3, 1);
  strided.stride_w = 2;
  CHECK_FALSE(is_supported(strided));
  CHECK(is_profitable(64, square(96, 27, 256, 5, 2)));
  CHECK(is_profitable(64, square(384, 13, 384, 3, 1)));
  CHECK_FALSE(is_profitable(1, square(384, 13, 384, 3, 1)));       // transforming the filters would cost more than it saves
  CHECK(is_profitable(1, square(384, 13, 384, 3, 1), true));       // unless that has been done
  CHECK_FALSE(is_profitable(1, square(512, 7, 512, 3, 1), true));  // four tiles do not pay for reading four times as many weights
  CHECK_FALSE(is_profitable(64, square(3, 27, 256, 5, 2)));
}
