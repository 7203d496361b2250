#include <doctest/doctest.h>

#include <limits>

#include "minicnn/train/reductions.hpp"
#include "train/toy_network.hpp"

using namespace minicnn;

TEST_CASE_TEMPLATE("F64 NaN and infinity are told by their bits", T, float, double) {
  using limits = std::numeric_limits<T>;
  for (const T x : {T(0), T(-1), limits::max(), limits::lowest(), limits::denorm_min()}) CHECK(is_finite(x));
  for (const T x : {limits::infinity(), -limits::infinity(), limits::quiet_NaN(), -limits::quiet_NaN()}) CHECK(!is_finite(x));
  for (const T x : {limits::quiet_NaN(), -limits::quiet_NaN(), limits::signaling_NaN()}) CHECK(is_nan(x));
  for (const T x : {T(0), limits::max(), limits::infinity(), -limits::infinity()}) CHECK(!is_nan(x));
}

TEST_CASE_TEMPLATE("sums and counts over any length and start, on every instruction set", T, float, double) {
  for (const isa set : toy::instruction_sets())
    for (const index_t n : {0, 1, 15, 16, 17, 63, 1000, 5000})
      for (const index_t start : {0, 1, 3}) {
        tensor<T> x({n + start + 1}, T(1000));
        for (index_t i = 0; i < n; ++i) x[start + i] = static_cast<T>(i % 7 - 3);
        double want = 0.0;
        for (index_t i = 0; i < n; ++i) want += static_cast<double>((i % 7 - 3) * (i % 7 - 3));
        const view<const T> part(x.data() + start, {n});
        CHECK(sum_of_squares(part, {2, set}).value == want);
        CHECK(non_finite_count(part, {1, set}) == 0);
        for (index_t i = 0; i < n; i += 5) x[start + i] = std::numeric_limits<T>::quiet_NaN();
        CHECK(non_finite_count(part, {2, set}) == (n + 4) / 5);
      }
}
