// Bytes to real numbers and back, sums, maps and pooling of bytes: by hand, by definition, on every instruction set.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/naive.hpp"
#include "minicnn/int8/pool.hpp"

using namespace minicnn;
using int8::extents;
using naive::at;

namespace {

std::vector<std::uint8_t> random_bytes(index_t count, std::uint64_t seed) {
  random_stream random{random_key(seed)};
  std::vector<std::uint8_t> out(at(count));
  for (auto& x : out) x = static_cast<std::uint8_t>(random.below(256));
  out.shrink_to_fit();
  return out;
}

/// Calls `body(ctx)` on every instruction set, with one thread and three.
template <class F>
void everywhere(const F& body) {
  for (const isa set : naive::all_isas())
    for (const int threads : {1, 3}) {
      CAPTURE(name_of(set));
      CAPTURE(threads);
      context ctx;
      ctx.threads = threads, ctx.instruction_set = set;
      body(ctx);
    }
}

}  // namespace

TEST_CASE("quantize: halves go to the even byte, what lies outside to the ends") {
  const std::vector<float> x{0, 0.5F, 1.5F, 2.5F, -0.5F, 100, 300, -300};  // one channel
  everywhere([&](const context& ctx) {
    std::vector<std::uint8_t> y(8 * 4, 9);
    int8::quantize(ctx, extents({1, 1, 2, 4}), x.data(), {1, 10}, y.data());
    std::vector<int> first;
    for (std::size_t i = 0; i < 8; ++i) {
      first.push_back(y[4 * i]);
      CHECK(y[4 * i + 3] == 0);
    }
    CHECK(first == std::vector<int>{10, 10, 12, 12, 10, 110, 255, 0});
  });
}

TEST_CASE("quantize and dequantize: channel last and back, any number of channels and pixels") {
  for (const shape& dims : {shape{2, 3, 5, 7}, shape{1, 5, 1, 1}, shape{3, 17, 4, 4}, shape{4, 6}}) {
    CAPTURE(dims.text());
    const extents e(dims);
    std::vector<float> x = naive::random_values<float>(dims.size(), 3);
    everywhere([&](const context& ctx) {
      std::vector<std::uint8_t> y(at(e.bytes()));
      std::vector<float> back(at(dims.size()));
      int8::quantize(ctx, e, x.data(), {1.0F / 64, 128}, y.data());
      int8::dequantize(ctx, e, y.data(), {1.0F / 64, 128}, back.data());
      index_t wrong = 0;
      for (index_t n = 0; n < e.images; ++n)
        for (index_t c = 0; c < e.channels; ++c)
          for (index_t p = 0; p < e.pixels; ++p) {
            const index_t i = (n * e.channels + c) * e.pixels + p;
            const int wanted = static_cast<int>(std::nearbyint(x[at(i)] * 64)) + 128;
            wrong += y[at((n * e.pixels + p) * e.stored() + c)] != wanted;
            wrong += back[at(i)] != static_cast<float>(wanted - 128) / 64;
          }
      CHECK(wrong == 0);
    });
  }
}

TEST_CASE("sums and maps of channels") {
  for (const index_t channels : {4, 20, 68}) {
    const extents e({2, channels, 3, 3});
    const auto a = random_bytes(e.bytes(), 1), b = random_bytes(e.bytes(), 2);
    std::vector<float> factors(at(int8::channel_list(channels))), constants = factors;
    for (index_t c = 0; c < channels; ++c) factors[at(c)] = 0.1F * static_cast<float>(c % 9) - 0.4F, constants[at(c)] = 60.25F;
    everywhere([&](const context& ctx) {
      std::vector<std::uint8_t> y(at(e.bytes()));
      const auto run = [&](int8::byte_source first, int8::byte_source second) {
        kernels::dispatch<int8::combine_kernel>(ctx.instruction_set, first, second, e.stored(), e.images * e.pixels, e.stored(),
                                                5.0F, 200.0F, y.data());
      };
      const auto bounded = [](float v) { return static_cast<int>(std::nearbyint(std::fmin(std::fmax(v, 5.0F), 200.0F))); };
      index_t wrong = 0;
      run({a.data(), nullptr, nullptr, 0.3F, 20}, {b.data(), nullptr, nullptr, 0.7F, -3});
      for (std::size_t i = 0; i < y.size(); ++i) {
        volatile float first = static_cast<float>(a[i]) * 0.3F, second = static_cast<float>(b[i]) * 0.7F;
        first = first + 20;
        second = second - 3;
        wrong += y[i] != bounded(first + second);
      }
      CHECK(wrong == 0);
      run({a.data(), factors.data(), constants.data()}, {});
      for (std::size_t i = 0; i < y.size(); ++i) {
        const std::size_t c = i % at(channels);
        volatile float first = static_cast<float>(a[i]) * factors[c];
        wrong += y[i] != bounded(first + constants[c]);
      }
      CHECK(wrong == 0);
    });
  }
}

TEST_CASE("pooling of bytes: maxima and means of windows, padding and bins") {
  const kernels::pool_geometry window{{7, 4, 3, 2, 1, 1}, {6, 3, 3, 2, 1, 1}};
  const kernels::pool_geometry bins{kernels::pool_axis::bins(7, 3), kernels::pool_axis::bins(6, 1)};
  for (const index_t channels : {1, 20, 68})
    for (const kernels::pool_geometry& g : {window, bins})
      for (const bool padding : {false, true}) {
        const extents e({2, channels, 7, 6});
        const auto x = random_bytes(e.bytes(), 8);
        everywhere([&](const context& ctx) {
          std::vector<std::uint8_t> most(at(2 * g.out_size() * e.stored())), mean = most;
          int8::max_pool(ctx, e, g, x.data(), most.data());
          int8::avg_pool(ctx, e, g, padding, x.data(), {0.5F, 30}, {0.2F, 40}, mean.data());
          index_t wrong = 0;
          for (index_t i = 0; i < 2 * g.out_size() * e.stored(); ++i) {
            const index_t c = i % e.stored(), o = i / e.stored() % g.out_size(), n = i / e.stored() / g.out_size();
            const index_t oy = o / g.columns.out, ox = o % g.columns.out;
            int top = 0, sum = 0;
            for (index_t r = g.rows.begin(oy); r < g.rows.end(oy); ++r)
              for (index_t q = g.columns.begin(ox); q < g.columns.end(ox); ++q) {
                const int cell = x[at(((n * 7 + r) * 6 + q) * e.stored() + c)];
                top = (std::max)(top, cell), sum += cell - 30;
              }
            const index_t cells = g.rows.cells(oy, padding) * g.columns.cells(ox, padding);
            volatile float value = static_cast<float>(sum) * (0.5F / 0.2F / static_cast<float>(cells));
            value = std::fmin(std::fmax(value + 40, 0.0F), 255.0F);
            wrong += most[at(i)] != top;
            wrong += mean[at(i)] != static_cast<int>(std::nearbyint(value));
          }
          CHECK(wrong == 0);
        });
      }
}
