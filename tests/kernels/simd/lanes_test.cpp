#include "minicnn/kernels/simd/lanes.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "kernels/naive.hpp"
#include "minicnn/core/context.hpp"
#include "minicnn/core/parallel.hpp"

using namespace minicnn;
using namespace minicnn::kernels;

namespace {

/// Runs every helper and writes what comes out, vector after vector.
struct helpers_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const T* in, T* out, int* lanes_used) {
    constexpr int lanes = V::template lanes<T>;
    *lanes_used = lanes;
    vec<T, V> even, odd;
    load_pairs<V>(even, odd, in);
    store<V>(out, even);
    store<V>(out + lanes, odd);
    load_strided<1, V>(even, in + 1);
    store<V>(out + 2 * lanes, even);
    load_strided<2, V>(even, in + 1);
    store<V>(out + 3 * lanes, even);
    load_part<V, T>(even, in, lanes - 1, T{-1});
    store<V>(out + 4 * lanes, even);
    store_part<V, T>(out + 5 * lanes, even, 1);
    out[5 * lanes + 1] = sum_of_lanes<V, T>(even);
  }
};

// What docs/adding-a-kernel.md quotes.

/// x[i] /= 2.
struct halve_kernel {
  template <class V>
  MINICNN_INLINE static void run(float* x, index_t n) {
    constexpr int lanes = V::template lanes<float>;
    index_t i = 0;
    for (; i + lanes <= n; i += lanes) {
      vec<float, V> v;
      load<V>(v, x + i);
      store<V>(x + i, vec<float, V>(v * 0.5F));
    }
    for (; i < n; ++i) x[i] *= 0.5F;
  }
};

/// Every thread has a piece of at least 4096 numbers.
void halve(const context& ctx, float* x, index_t n) {
  parallel_for(ctx.threads, n, 4096,
               [&](index_t begin, index_t end) { dispatch<halve_kernel>(ctx.instruction_set, x + begin, end - begin); });
}

}  // namespace

TEST_CASE("halve: every instruction set, one thread and more, whole vectors and the rest") {
  for (const isa set : naive::all_isas())
    for (const int threads : {1, 3})
      for (const index_t n : {0, 1, 15, 16, 17, 10007}) {
        CAPTURE(name_of(set));
        CAPTURE(threads);
        CAPTURE(n);
        // One number before and one behind, which must stay as they are.
        std::vector<float> x = naive::random_values<float>(n + 2, 1), wanted = x;
        for (index_t i = 1; i <= n; ++i) wanted[static_cast<std::size_t>(i)] /= 2;
        halve({threads, set}, x.data() + 1, n);
        CHECK(x == wanted);
      }
}

TEST_CASE_TEMPLATE("lanes: strided loads, parts and sums", T, float, double) {
  std::vector<T> in(40);
  for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<T>(i * i);
  for (isa set : naive::all_isas()) {
    std::vector<T> out(6 * 16, T{-7});
    int lanes = 0;
    dispatch<helpers_kernel>(set, static_cast<const T*>(in.data()), out.data(), &lanes);
    REQUIRE(lanes == (set == isa::avx512 ? 64 : set == isa::avx2 ? 32 : 16) / static_cast<int>(sizeof(T)));
    const auto at = [&](int vector, int lane) { return out[static_cast<std::size_t>(vector * lanes + lane)]; };
    T sum{-1};
    for (int i = 0; i < lanes; ++i) {
      CHECK(at(0, i) == static_cast<T>(4 * i * i));
      CHECK(at(1, i) == static_cast<T>((2 * i + 1) * (2 * i + 1)));
      CHECK(at(2, i) == static_cast<T>((i + 1) * (i + 1)));
      CHECK(at(3, i) == static_cast<T>((2 * i + 1) * (2 * i + 1)));
      CHECK(at(4, i) == (i == lanes - 1 ? T{-1} : static_cast<T>(i * i)));
      if (i < lanes - 1) sum += static_cast<T>(i * i);
    }
    CHECK(at(5, 0) == T{0});
    CHECK(at(5, 1) == sum);
  }
}
