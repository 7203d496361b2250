#pragma once
/// Winograd's minimal filtering on 6 x 6 tiles: the transforms, on vectors of tiles or of channels.
///
/// F(m x m, k x k) with m + k - 1 = 6 (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2015, section 4)
/// computes m x m outputs of a k x k filter from a 6 x 6 patch d of the input and the filter w as
///     Y = At [ (G w Gt) * (Bt d B) ] A,      * elementwise,
/// 36 multiplications instead of m * m * k * k: 144 for F(4 x 4, 3 x 3), 100 for F(2 x 2, 5 x 5). Both are polynomial
/// products evaluated at 0, a, -a, b, -b and infinity, so they share Bt; G and At are made for k and m. Any points will do.
/// The usual 1 and 2 magnify rounding more than points close to 1 whose product is 1, so that powers grow one way as much as
/// they shrink the other (Barabasz et al., "Error analysis and improving the accuracy of Winograd convolution", 2020):
/// a = 2/3 and b = 3/2 halve the error.
///
/// Everything here works on whole vectors: lane l belongs to line l, which is a tile, a channel or a filter.

#include <utility>

#include "minicnn/kernels/product/pack.hpp"

namespace minicnn::inline MINICNN_ABI::kernels::winograd {

/// Side of a tile, and the products each takes.
inline constexpr int side = 6, tile_elements = side * side;

/// Outputs along a side of a tile for a filter of `kernel` taps.
constexpr int outputs_of(index_t kernel) { return static_cast<int>(side + 1 - kernel); }

/// The points a and b, their powers, and what Lagrange's interpolation divides by at +-a and +-b; at 0 it is a^2 b^2 = 1.
template <class T>
struct evaluation {
  static constexpr T a = T{2} / T{3}, a2 = a * a, a3 = a2 * a, a4 = a2 * a2;
  static constexpr T b = T{3} / T{2}, b2 = b * b, b3 = b2 * b, b4 = b2 * b2;
  static constexpr T share_a = 1 / (2 * a2 * (a2 - b2)), share_b = 1 / (2 * b2 * (b2 - a2));
};

/// out = Bt in: six values of a patch. Row p of Bt holds the coefficients of x (x^2 - a^2) (x^2 - b^2) without the factor that is
/// zero at p; that of infinity holds all of them.
template <class T, class Vector>
MINICNN_INLINE void transform_patch(Vector (&x)[side]) {
  using at = evaluation<T>;
  const Vector even_a = x[4] - at::b2 * x[2], odd_a = x[3] - at::b2 * x[1], even_b = x[4] - at::a2 * x[2],
               odd_b = x[3] - at::a2 * x[1];
  x[0] = x[0] + x[4] - (at::a2 + at::b2) * x[2];
  x[5] = x[1] + x[5] - (at::a2 + at::b2) * x[3];
  x[1] = even_a + at::a * odd_a;
  x[2] = even_a - at::a * odd_a;
  x[3] = even_b + at::b * odd_b;
  x[4] = even_b - at::b * odd_b;
}

/// out = At in: the outputs of six products.
template <class T, int Outputs, class Vector>
MINICNN_INLINE void transform_products(const Vector (&x)[side], Vector (&y)[Outputs]) {
  using at = evaluation<T>;
  const Vector even_a = x[1] + x[2], odd_a = x[1] - x[2], even_b = x[3] + x[4], odd_b = x[3] - x[4];
  y[0] = x[0] + even_a + even_b;
  if constexpr (Outputs == 2) {
    y[1] = at::a * odd_a + at::b * odd_b + x[5];
  } else {
    static_assert(Outputs == 4);
    y[1] = at::a * odd_a + at::b * odd_b;
    y[2] = at::a2 * even_a + at::b2 * even_b;
    y[3] = at::a3 * odd_a + at::b3 * odd_b + x[5];
  }
}

/// out = A in, the transpose of `transform_products`: what the gradient of the outputs is to the products.
template <class T, int Outputs, class Vector>
MINICNN_INLINE void transform_gradient(const Vector (&g)[Outputs], Vector (&x)[side]) {
  using at = evaluation<T>;
  Vector even_a = g[0], odd_a = at::a * g[1], even_b = g[0], odd_b = at::b * g[1];
  if constexpr (Outputs == 4) {
    even_a += at::a2 * g[2];
    odd_a += at::a3 * g[3];
    even_b += at::b2 * g[2];
    odd_b += at::b3 * g[3];
  } else {
    static_assert(Outputs == 2);
  }
  x[0] = g[0];
  x[1] = even_a + odd_a;
  x[2] = even_a - odd_a;
  x[3] = even_b + odd_b;
  x[4] = even_b - odd_b;
  x[5] = g[Outputs - 1];
}

/// out = G in: a row or column of a filter.
template <class T, int Taps, class Vector>
MINICNN_INLINE void transform_filter(const Vector (&w)[Taps], Vector (&u)[side]) {
  using at = evaluation<T>;
  Vector even_a = w[0] + at::a2 * w[2], odd_a = at::a * w[1], even_b = w[0] + at::b2 * w[2], odd_b = at::b * w[1];
  if constexpr (Taps == 5) {
    even_a += at::a4 * w[4];
    odd_a += at::a3 * w[3];
    even_b += at::b4 * w[4];
    odd_b += at::b3 * w[3];
  } else {
    static_assert(Taps == 3);
  }
  u[0] = w[0];
  u[1] = at::share_a * (even_a + odd_a);
  u[2] = at::share_a * (even_a - odd_a);
  u[3] = at::share_b * (even_b + odd_b);
  u[4] = at::share_b * (even_b - odd_b);
  u[5] = w[Taps - 1];
}

/// out = Gt in, the transpose of `transform_filter`: the gradient of a row or column of a filter.
template <class T, int Taps, class Vector>
MINICNN_INLINE void transform_filter_gradient(const Vector (&u)[side], Vector (&w)[Taps]) {
  using at = evaluation<T>;
  const Vector even_a = at::share_a * (u[1] + u[2]), odd_a = at::share_a * (u[1] - u[2]), even_b = at::share_b * (u[3] + u[4]),
               odd_b = at::share_b * (u[3] - u[4]);
  w[0] = u[0] + even_a + even_b;
  w[1] = at::a * odd_a + at::b * odd_b;
  w[2] = at::a2 * even_a + at::b2 * even_b;
  if constexpr (Taps == 5) {
    w[3] = at::a3 * odd_a + at::b3 * odd_b;
    w[4] = at::a4 * even_a + at::b4 * even_b + u[5];
  } else {
    static_assert(Taps == 3);
    w[2] += u[5];
  }
}

template <class T, int Lanes>
using lanes_of = typename vector_type<T, Lanes* static_cast<int>(sizeof(T))>::type;

template <class A, class B, int... Lane>
MINICNN_INLINE void join_halves(A& out, const B& low, const B& high, std::integer_sequence<int, Lane...>) {
  out = __builtin_shufflevector(low, high, Lane...);
}

/// Lanes [p * Part, (p + 1) * Part) of `out` are from[line[p * Part]] and what follows it.
template <int Lanes, int Part, class T>
MINICNN_INLINE void load_parts(lanes_of<T, Lanes>& out, const T* from, const index_t* line) {
  if constexpr (Lanes == Part) {
    out = *reinterpret_cast<const typename vector_type<T, Lanes* static_cast<int>(sizeof(T))>::unaligned*>(from + line[0]);
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
      if ((i & Step) == 0) exchange_lanes<Step>(rows[i], rows[i + Step], std::make_integer_sequence<int, Lanes>{});
    exchange_rows<2 * Step>(rows, lanes);
  }
}

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
    for (int r = 0; r < width; ++r) load_parts<lanes, width, T>(rows[r], from + first, line + r);
    exchange_rows<1>(rows, std::integral_constant<int, lanes>{});
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
    interleave(x[0], x[2], each);
    interleave(x[1], x[3], each);
    interleave(x[0], x[1], each);
    interleave(x[2], x[3], each);
    store<V>(to, x[0]);
    store<V>(to + lanes, x[1]);
    store<V>(to + 2 * lanes, x[2]);
    store<V>(to + 3 * lanes, x[3]);
  } else {
    static_assert(Count == 2);
    interleave(x[0], x[1], each);
    store<V>(to, x[0]);
    store<V>(to + lanes, x[1]);
  }
}

}  // namespace minicnn::inline MINICNN_ABI::kernels::winograd
