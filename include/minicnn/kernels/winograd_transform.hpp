#pragma once
/// Winograd's minimal filtering on 6 x 6 tiles: the transforms, on vectors of tiles or of channels.
///
/// F(m x m, k x k) with m + k - 1 = 6 (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015, section 4)
/// computes m x m outputs of a k x k filter from a 6 x 6 patch d of the input and the filter w as
///     Y = At [ (G w Gt) * (Bt d B) ] A,      * elementwise,
/// 36 multiplications instead of m * m * k * k: 144 for F(4 x 4, 3 x 3), 100 for F(2 x 2, 5 x 5). Both are polynomial
/// products evaluated at 0, 1, -1, 2, -2 and infinity, so they share Bt; G and At are made for k and m.
///
/// Everything here works on whole vectors: lane l belongs to line l, which is a tile, a channel or a filter.

#include <utility>

#include "minicnn/kernels/pack.hpp"

namespace minicnn::inline MINICNN_ABI {
namespace winograd {

/// Side of a tile, and the products each takes.
inline constexpr int side = 6, points = side * side;

/// Outputs along a side of a tile for a filter of `kernel` taps.
constexpr int outputs_of(index_t kernel) { return static_cast<int>(side + 1 - kernel); }

/// out = Bt in: six values of a patch.
template <class Vector>
MINICNN_INLINE void transform_patch(Vector (&x)[side]) {
  const Vector even = x[4] - 4 * x[2], odd = x[3] - 4 * x[1], close = x[4] - x[2], wide = 2 * (x[3] - x[1]);
  x[0] = 4 * x[0] - 5 * x[2] + x[4];
  x[5] = 4 * x[1] - 5 * x[3] + x[5];
  x[1] = even + odd;
  x[2] = even - odd;
  x[3] = close + wide;
  x[4] = close - wide;
}

/// out = At in: the outputs of six products.
template <int Outputs, class Vector>
MINICNN_INLINE void transform_products(const Vector (&x)[side], Vector (&y)[Outputs]) {
  const Vector even1 = x[1] + x[2], odd1 = x[1] - x[2], even2 = x[3] + x[4], odd2 = x[3] - x[4];
  y[0] = x[0] + even1 + even2;
  if constexpr (Outputs == 2) {
    y[1] = odd1 + 2 * odd2 + x[5];
  } else {
    static_assert(Outputs == 4);
    y[1] = odd1 + 2 * odd2;
    y[2] = even1 + 4 * even2;
    y[3] = odd1 + 8 * odd2 + x[5];
  }
}

/// out = A in, the transpose of `transform_products`: what the gradient of the outputs is to the products.
template <int Outputs, class Vector>
MINICNN_INLINE void transform_gradient(const Vector (&g)[Outputs], Vector (&x)[side]) {
  if constexpr (Outputs == 2) {
    x[1] = g[0] + g[1];
    x[2] = g[0] - g[1];
    x[3] = g[0] + 2 * g[1];
    x[4] = g[0] - 2 * g[1];
  } else {
    static_assert(Outputs == 4);
    const Vector even1 = g[0] + g[2], odd1 = g[1] + g[3], even2 = g[0] + 4 * g[2], odd2 = 2 * g[1] + 8 * g[3];
    x[1] = even1 + odd1;
    x[2] = even1 - odd1;
    x[3] = even2 + odd2;
    x[4] = even2 - odd2;
  }
  x[0] = g[0];
  x[5] = g[Outputs - 1];
}

/// out = G in: a row or column of a filter.
template <class T, int Taps, class Vector>
MINICNN_INLINE void transform_filter(const Vector (&w)[Taps], Vector (&u)[side]) {
  constexpr T sixth = T{1} / T{6}, part = T{1} / T{24};
  Vector even1 = w[0] + w[2], odd1 = w[1], even2 = w[0] + 4 * w[2], odd2 = 2 * w[1];
  if constexpr (Taps == 5) {
    even1 += w[4];
    odd1 += w[3];
    even2 += 16 * w[4];
    odd2 += 8 * w[3];
  } else {
    static_assert(Taps == 3);
  }
  u[0] = T{0.25} * w[0];
  u[1] = -sixth * (even1 + odd1);
  u[2] = -sixth * (even1 - odd1);
  u[3] = part * (even2 + odd2);
  u[4] = part * (even2 - odd2);
  u[5] = w[Taps - 1];
}

/// out = Gt in, the transpose of `transform_filter`: the gradient of a row or column of a filter.
template <class T, int Taps, class Vector>
MINICNN_INLINE void transform_filter_gradient(const Vector (&u)[side], Vector (&w)[Taps]) {
  constexpr T sixth = T{1} / T{6}, part = T{1} / T{24};
  const Vector even1 = -sixth * (u[1] + u[2]), odd1 = -sixth * (u[1] - u[2]), even2 = part * (u[3] + u[4]),
               odd2 = part * (u[3] - u[4]);
  w[0] = T{0.25} * u[0] + even1 + even2;
  w[1] = odd1 + 2 * odd2;
  w[2] = even1 + 4 * even2;
  if constexpr (Taps == 5) {
    w[3] = odd1 + 8 * odd2;
    w[4] = even1 + 16 * even2 + u[5];
  } else {
    static_assert(Taps == 3);
    w[2] += u[5];
  }
}

namespace detail {

template <class T, int Lanes>
using lanes_of = typename minicnn::detail::vector_type<T, Lanes* static_cast<int>(sizeof(T))>::type;

template <class A, class B, int... Lane>
MINICNN_INLINE void join_halves(A& out, const B& low, const B& high, std::integer_sequence<int, Lane...>) {
  out = __builtin_shufflevector(low, high, Lane...);
}

/// Lanes [p * Part, (p + 1) * Part) of `out` are from[line[p * Part]] and what follows it.
template <int Lanes, int Part, class T>
MINICNN_INLINE void load_parts(lanes_of<T, Lanes>& out, const T* from, const index_t* line) {
  if constexpr (Lanes == Part) {
    out = *reinterpret_cast<const typename minicnn::detail::vector_type<T, Lanes* static_cast<int>(sizeof(T))>::unaligned*>(
        from + line[0]);
  } else {
    lanes_of<T, Lanes / 2> low, high;
    load_parts<Lanes / 2, Part, T>(low, from, line);
    load_parts<Lanes / 2, Part, T>(high, from, line + Lanes / 2);
    join_halves(out, low, high, std::make_integer_sequence<int, Lanes>{});
  }
}

template <int Step, int Rows, class Vector, int Lanes>
MINICNN_INLINE void exchange_rows(Vector (&rows)[Rows], std::integral_constant<int, Lanes> lanes) {
  if constexpr (Step < Rows) {
    MINICNN_UNROLL
    for (int i = 0; i < Rows; ++i)
      if ((i & Step) == 0)
        minicnn::detail::exchange_lanes<Step>(rows[i], rows[i + Step], std::make_integer_sequence<int, Lanes>{});
    exchange_rows<2 * Step>(rows, lanes);
  }
}

template <class Vector, int... Lane>
MINICNN_INLINE void interleave(Vector& a, Vector& b, std::integer_sequence<int, Lane...>) {
  constexpr int lanes = sizeof...(Lane);
  const Vector low = __builtin_shufflevector(a, b, (Lane / 2 + Lane % 2 * lanes)...);
  b = __builtin_shufflevector(a, b, (lanes / 2 + Lane / 2 + Lane % 2 * lanes)...);
  a = low;
}

}  // namespace detail

/// Elements that `load_row` reads from each line for `Count` wanted ones.
template <int Count>
inline constexpr int row_reads = Count <= 2   ? 2
                                 : Count <= 4 ? 4
                                              : 8;

/// Lane l of x[j] = from[line[l] + j] for j < Count: a transposition in registers. Reads `row_reads<Count>` elements a line.
template <class V, int Count, class T>
MINICNN_INLINE void load_row(vec<T, V> (&x)[Count], const T* from, const index_t* line) {
  constexpr int lanes = V::template lanes<T>, reads = row_reads<Count>, width = reads < lanes ? reads : lanes;
  MINICNN_UNROLL
  for (int first = 0; first < Count; first += width) {
    vec<T, V> rows[width];
    MINICNN_UNROLL
    for (int r = 0; r < width; ++r) detail::load_parts<lanes, width, T>(rows[r], from + first, line + r);
    detail::exchange_rows<1>(rows, std::integral_constant<int, lanes>{});
    MINICNN_UNROLL
    for (int r = 0; r < width; ++r)
      if (first + r < Count) x[first + r] = rows[r];
  }
}

/// to[l * Count + j] = lane l of x[j]: rows of neighbouring tiles become one stretch of outputs.
template <class V, int Count, class T>
MINICNN_INLINE void store_interleaved(T* to, vec<T, V> (&x)[Count]) {
  constexpr int lanes = V::template lanes<T>;
  constexpr auto each = std::make_integer_sequence<int, lanes>{};
  if constexpr (Count == 4) {
    detail::interleave(x[0], x[2], each);
    detail::interleave(x[1], x[3], each);
    detail::interleave(x[0], x[1], each);
    detail::interleave(x[2], x[3], each);
    store<V>(to, x[0]);
    store<V>(to + lanes, x[1]);
    store<V>(to + 2 * lanes, x[2]);
    store<V>(to + 3 * lanes, x[3]);
  } else {
    static_assert(Count == 2);
    detail::interleave(x[0], x[1], each);
    store<V>(to, x[0]);
    store<V>(to + lanes, x[1]);
  }
}

}  // namespace winograd
}  // namespace minicnn::inline MINICNN_ABI
