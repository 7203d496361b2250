#pragma once
/// Sums over whole arenas that have the same bits for any number of threads, and tests for NaN and infinity that hold
/// under -Ofast, where the compiler takes `x != x` to be false.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "minicnn/core/context.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/core/std_gaps.hpp"
#include "minicnn/core/tensor.hpp"
#include "minicnn/kernels/simd/dispatch.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// The integer of the size of `T`, and the bits of its exponent: all set in NaN and infinity, and only there.
template <class T>
struct float_bits {
  using integer = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  static constexpr integer exponent =
      static_cast<integer>(sizeof(T) == 4 ? std::int64_t{0x7F800000} : std::int64_t{0x7FF0000000000000});
};

}  // namespace detail

/// False for NaN and infinity; looks at the bits.
template <class T>
requires std::is_floating_point_v<T>
bool is_finite(T value) {
  using bits = detail::float_bits<T>;
  return (detail::bit_cast<typename bits::integer>(value) & bits::exponent) != bits::exponent;
}

/// True for NaN; looks at the bits.
template <class T>
requires std::is_floating_point_v<T>
bool is_nan(T value) {
  using bits = detail::float_bits<T>;
  using integer = typename bits::integer;
  return (detail::bit_cast<integer>(value) & (std::numeric_limits<integer>::max)()) > bits::exponent;
}

/// The sum of squares of some numbers, and how many of them are NaN or infinite.
struct square_sum {
  double value = 0.0;
  index_t non_finite = 0;
};

/// Adds the squares of `n` elements to `result`. Eight sums in double, element i going to sum i mod 8, whatever the
/// vectors' width: for float, whose squares are exact in double, every instruction set gives the same bits.
template <class T>
struct square_sum_kernel {
  template <class V>
  MINICNN_INLINE static void run(const T* x, index_t n, square_sum* result) {
    using bits = detail::float_bits<T>;
    using integer = typename bits::integer;
    constexpr int lanes = V::template lanes<T>, wide = V::template lanes<double>, sums = 8 / wide;
    using narrow = typename kernels::vector_type<T, wide* static_cast<int>(sizeof(T))>::unaligned;
    constexpr index_t unit = alignment / static_cast<index_t>(sizeof(T));
    kernels::vec<double, V> sum[sums] = {};
    kernels::vec<integer, V> bad = {};
    T tail[unit] = {};
    const index_t whole = n / unit * unit;
    for (index_t i = 0; i < n; i += unit) {
      const T* p = x + i;
      __builtin_prefetch(p + 2048 / sizeof(T));
      if (i == whole) {
        for (index_t k = 0; k < n - whole; ++k) tail[k] = p[k];
        p = tail;
      }
#pragma GCC unroll 16
      for (int k = 0; k < unit; k += lanes) {
        kernels::vec<integer, V> word;
        kernels::load<V>(word, reinterpret_cast<const integer*>(p + k));
        bad -= (word & bits::exponent) == bits::exponent;
      }
#pragma GCC unroll 16
      for (int k = 0; k < unit; k += wide) {
        const kernels::vec<double, V> d =
            __builtin_convertvector(*reinterpret_cast<const narrow*>(p + k), kernels::vec<double, V>);
        sum[k / wide % sums] += d * d;
      }
    }
    double total = 0;
    for (int k = 0; k < 8; ++k) total += sum[k / wide][k % wide];
    result->value += total;
    for (int k = 0; k < lanes; ++k) result->non_finite += bad[k];
  }
};

namespace detail {

/// `part(begin, end, result)` over up to 256 pieces of [0, units), cut by `units` alone, added in order. No allocation.
template <class F>
square_sum reduce_pieces(int threads, index_t units, index_t grain, const F& part) {
  constexpr index_t pieces = 256;
  std::array<square_sum, pieces> results{};
  const index_t step = (std::max)((units + pieces - 1) / pieces, index_t{1});
  parallel_for(units <= grain ? 1 : threads, (units + step - 1) / step, 1, [&](index_t begin, index_t end) {
    for (index_t k = begin; k < end; ++k) part(k * step, (std::min)((k + 1) * step, units), results[static_cast<std::size_t>(k)]);
  });
  square_sum all;
  for (const square_sum& r : results) all.value += r.value, all.non_finite += r.non_finite;
  return all;
}

}  // namespace detail

/// Sum of squares in double, and the count of NaN and infinity. If that count is not 0 the sum means nothing.
template <class T>
square_sum sum_of_squares(const view<const T>& x, const context& ctx = {}) {
  constexpr index_t unit = alignment / static_cast<index_t>(sizeof(T));
  const index_t n = x.size();
  return detail::reduce_pieces(
      ctx.threads, (n + unit - 1) / unit, index_t{1} << 12, [&](index_t begin, index_t end, square_sum& result) {
        const index_t first = begin * unit, last = (std::min)(end * unit, n);
        kernels::dispatch<square_sum_kernel<T>>(ctx.instruction_set, x.data() + first, last - first, &result);
      });
}

/// How many elements are NaN or infinite.
template <class T>
index_t non_finite_count(const view<const T>& x, const context& ctx = {}) {
  return sum_of_squares(x, ctx).non_finite;
}

}  // namespace minicnn::inline MINICNN_ABI
