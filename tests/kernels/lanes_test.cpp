#include "minicnn/kernels/lanes.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "kernels/naive.hpp"

using namespace minicnn;

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

}  // namespace

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
