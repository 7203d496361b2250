#include "minicnn/kernels/elementwise/elementwise.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <vector>

#include "minicnn/core/random.hpp"

using namespace minicnn;
using namespace minicnn::kernels;

namespace {

template <class T>
std::vector<T> random_values(index_t count, std::uint64_t seed) {
  random_stream random{random_key(seed)};
  std::vector<T> values;
  for (index_t i = 0; i < count; ++i) values.push_back(static_cast<T>(random.uniform(-2.0, 2.0)));
  return values;
}

std::vector<isa> instruction_sets() {
  std::vector<isa> found;
  for (isa i : {isa::baseline, isa::avx2, isa::avx512})
    if (i <= detect_isa()) found.push_back(i);
  return found;
}

/// Calls `body(context)` for every instruction set and 1, 2 and 3 threads.
template <class F>
void everywhere(const F& body) {
  for (isa i : instruction_sets())
    for (int threads : {1, 2, 3}) {
      CAPTURE(name_of(i));
      CAPTURE(threads);
      body(context{threads, i});
    }
}

/// x = bound(x), a vector at a time.
struct bound_kernel {
  template <class V>
  MINICNN_INLINE static void run(const fused_activation<float>* bounds, float* x, index_t n) {
    for (index_t i = 0; i < n; i += V::template lanes<float>) {
      vec<float, V> v;
      load<V>(v, static_cast<const float*>(x + i));
      bounds->template bound<V>(v);
      store<V>(x + i, v);
    }
  }
};

}  // namespace

TEST_CASE_TEMPLATE("every loop agrees with its definition for every length, at an odd address", T, float, double) {
  for (index_t n : {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 64, 100, 70001}) {
    CAPTURE(n);
    // One element before and behind must stay as they are.
    const std::vector<T> a = random_values<T>(n + 2, 1), b = random_values<T>(n + 2, 2), before = random_values<T>(n + 2, 3);
    everywhere([&](const context& ctx) {
      const auto check = [&](auto&& call, auto&& definition) {
        std::vector<T> y = before, wanted = before;
        call(y.data() + 1);
        for (std::size_t i = 1; i <= static_cast<std::size_t>(n); ++i) wanted[i] = definition(a[i], b[i], before[i]);
        CHECK(y == wanted);
      };
      const T *x = a.data() + 1, *z = b.data() + 1;
      check([&](T* y) { relu_forward(ctx, x, y, n); }, [](T p, T, T) { return p > 0 ? p : T{0}; });
      check([&](T* y) { relu_backward(ctx, x, z, y, n); }, [](T p, T q, T) { return p > 0 ? q : T{0}; });
      check([&](T* y) { relu_backward(ctx, x, z, y, n, true); }, [](T p, T q, T r) { return (p > 0 ? q : T{0}) + r; });
      check([&](T* y) { add_elements(ctx, x, z, {}, y, n); }, [](T p, T q, T) { return p + q; });
      check([&](T* y) { add_elements(ctx, x, z, kernels::fused_activation<T>::relu(), y, n); },
            [](T p, T q, T) { return p + q > 0 ? p + q : T{0}; });
      check([&](T* y) { scale_elements(ctx, T{3}, x, y, n); }, [](T p, T, T) { return 3 * p; });
      check([&](T* y) { scale_elements(ctx, T{4}, x, y, n, true); }, [](T p, T, T r) { return 4 * p + r; });
      check([&](T* y) { accumulate_elements(ctx, x, y, n); }, [](T p, T, T r) { return p + r; });
      check([&](T* y) { copy_elements(ctx, x, y, n); }, [](T p, T, T) { return p; });
      check([&](T* y) { copy_or_add(ctx, x, y, n, true); }, [](T p, T, T r) { return p + r; });
    });
  }
}

TEST_CASE_TEMPLATE("results may take an operand's place", T, float, double) {
  const std::vector<T> a = random_values<T>(101, 1), b = random_values<T>(101, 2);
  everywhere([&](const context& ctx) {
    std::vector<T> y = a;
    relu_forward(ctx, y.data(), y.data(), 101);
    std::vector<T> dy = b;
    relu_backward(ctx, y.data(), dy.data(), dy.data(), 101);
    std::vector<T> sum = b;
    add_elements(ctx, a.data(), sum.data(), {}, sum.data(), 101);
    for (std::size_t i = 0; i < a.size(); ++i) {
      CHECK(y[i] == (a[i] > 0 ? a[i] : T{0}));
      CHECK(dy[i] == (a[i] > 0 ? b[i] : T{0}));
      CHECK(sum[i] == a[i] + b[i]);
    }
  });
}

TEST_CASE("bounds of vectors are those of single numbers to the bit, for NaN, infinities and both zeros") {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const float values[] = {nan, -infinity, -7, -1e-40F, -0.0F, 0, 1e-40F, 6, 7, infinity};
  everywhere([&](const context& ctx) {
    for (const float low : values)
      for (const float high : values) {
        if (!(low <= high)) continue;
        const auto bounds = fused_activation<float>::clip(low, high);
        float x[16] = {};
        std::copy(std::begin(values), std::end(values), x);
        dispatch<bound_kernel>(ctx.instruction_set, &bounds, static_cast<float*>(x), index_t{16});
        for (std::size_t i = 0; i < std::size(values); ++i) {
          CAPTURE(low);
          CAPTURE(high);
          CAPTURE(values[i]);
          CHECK(std::bit_cast<std::uint32_t>(x[i]) == std::bit_cast<std::uint32_t>(bounds.bound(values[i])));
        }
      }
  });
}

TEST_CASE("ReLU keeps NaN and infinity, and has no gradient at 0") {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const float x[] = {nan, -infinity, infinity, 0.0F, -0.0F, -2e-38F, 2e-38F};
  everywhere([&](const context& ctx) {
    float y[7], dx[7];
    const float dy[] = {1, 1, 1, 1, 1, 1, 1};
    relu_forward(ctx, x, y, 7);
    CHECK(std::isnan(y[0]));
    CHECK(y[1] == 0.0F);
    CHECK(y[2] == infinity);
    CHECK(y[3] == 0.0F);
    CHECK(y[4] == 0.0F);
    CHECK(y[5] == 0.0F);
    CHECK(y[6] == 2e-38F);
    relu_backward(ctx, y, dy, dx, 7);
    CHECK(dx[2] == 1.0F);
    CHECK(dx[3] == 0.0F);
    CHECK(dx[4] == 0.0F);
    CHECK(dx[6] == 1.0F);
  });
}

TEST_CASE_TEMPLATE("sums over rows", T, float, double) {
  for (index_t rows : {1, 2, 5, 128})
    for (index_t columns : {1, 3, 16, 63, 64, 65, 300, 4099}) {
      CAPTURE(rows);
      CAPTURE(columns);
      const std::vector<T> x = random_values<T>(rows * columns, 1), before = random_values<T>(columns, 2);
      everywhere([&](const context& ctx) {
        std::vector<T> y(static_cast<std::size_t>(columns), std::numeric_limits<T>::quiet_NaN()), added = before;
        column_sums(ctx, x.data(), rows, columns, y.data());
        column_sums(ctx, x.data(), rows, columns, added.data(), true);
        bool right = true;
        for (std::size_t j = 0; j < y.size(); ++j) {
          T sum{};
          for (std::size_t i = 0; i < static_cast<std::size_t>(rows); ++i) sum += x[i * y.size() + j];
          right = right && y[j] == sum && added[j] == before[j] + sum;  // one order of the sum, so equal bits
        }
        CHECK(right);
      });
    }
}

TEST_CASE_TEMPLATE("sums over all images and pixels of a channel", T, float, double) {
  for (index_t pixels : {1, 5, 16, 169}) {
    CAPTURE(pixels);
    const index_t batch = 3, channels = 7;
    const std::vector<T> x = random_values<T>(batch * channels * pixels, 1), before = random_values<T>(channels, 2);
    everywhere([&](const context& ctx) {
      std::vector<T> y(static_cast<std::size_t>(channels), std::numeric_limits<T>::quiet_NaN()), added = before;
      channel_sums(ctx, x.data(), batch, channels, pixels, y.data());
      channel_sums(ctx, x.data(), batch, channels, pixels, added.data(), true);
      const double tolerance = 1000.0 * static_cast<double>(std::numeric_limits<T>::epsilon());
      for (index_t c = 0; c < channels; ++c) {
        double sum = 0;
        for (index_t n = 0; n < batch; ++n)
          for (index_t i = 0; i < pixels; ++i)
            sum += static_cast<double>(x[static_cast<std::size_t>((n * channels + c) * pixels + i)]);
        const auto at = static_cast<std::size_t>(c);
        CHECK(std::abs(static_cast<double>(y[at]) - sum) <= tolerance);
        CHECK(std::abs(static_cast<double>(added[at] - before[at]) - sum) <= tolerance);
      }
    });
  }
}
