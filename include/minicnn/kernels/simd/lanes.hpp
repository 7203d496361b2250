#pragma once
/// Vector helpers for kernel bodies: strided loads, loads and stores of fewer elements than a vector has, sums of lanes.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "minicnn/kernels/simd/dispatch.hpp"
#include "minicnn/kernels/simd/fused_activation.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// The signed integer as large as `T`: what comparisons of vectors of `T` have in their lanes.
template <class T>
using lane_int = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

template <int First, class V, class T, std::size_t... I>
MINICNN_INLINE void take_alternate(vec<T, V>& out, const vec<T, V>& low, const vec<T, V>& high, std::index_sequence<I...>) {
  if constexpr (sizeof(out) == 32 && sizeof(T) == 4) {  // two steps of one instruction each, where g++ makes three
    const vec<T, V> halves =
        __builtin_shufflevector(low, high, First, 2 + First, 8 + First, 10 + First, 4 + First, 6 + First, 12 + First, 14 + First);
    out = __builtin_shufflevector(halves, halves, 0, 1, 4, 5, 2, 3, 6, 7);
  } else {
    out = __builtin_shufflevector(low, high, static_cast<int>(2 * I + First)...);
  }
}

/// a, b = a[0], b[0], a[1], b[1], ...: the first half of these, and the second.
template <class Vector, int... Lane>
MINICNN_INLINE void interleave(Vector& a, Vector& b, std::integer_sequence<int, Lane...>) {
  constexpr int lanes = sizeof...(Lane);
  const Vector low = __builtin_shufflevector(a, b, (Lane / 2 + Lane % 2 * lanes)...);
  b = __builtin_shufflevector(a, b, (lanes / 2 + Lane / 2 + Lane % 2 * lanes)...);
  a = low;
}

/// `even[i] = from[2 * i]`, `odd[i] = from[2 * i + 1]`.
template <class V, class T>
MINICNN_INLINE void load_pairs(vec<T, V>& even, vec<T, V>& odd, const T* from) {
  constexpr int lanes = V::template lanes<T>;
  constexpr auto each = std::make_index_sequence<static_cast<std::size_t>(lanes)>{};
  vec<T, V> low, high;
  load<V>(low, from);
  load<V>(high, from + lanes);
  take_alternate<0, V, T>(even, low, high, each);
  take_alternate<1, V, T>(odd, low, high, each);
}

/// `out[i] = from[i * Stride]`, for a stride of 1 or 2. Touches `lanes * Stride` elements.
template <int Stride, class V, class T>
MINICNN_INLINE void load_strided(vec<T, V>& out, const T* from) {
  static_assert(Stride == 1 || Stride == 2);
  if constexpr (Stride == 1) {
    load<V>(out, from);
  } else {
    vec<T, V> odd;
    load_pairs<V>(out, odd, from);
  }
}

/// Loads `count` elements, fewer than a vector; the other lanes become `rest`.
template <class V, class T>
MINICNN_INLINE void load_part(vec<T, V>& out, const T* from, index_t count, T rest = T{}) {
  T lanes[V::template lanes<T>];
  for (T& lane : lanes) lane = rest;
  std::memcpy(lanes, from, static_cast<std::size_t>(count) * sizeof(T));
  load<V>(out, lanes);
}

/// Stores the first `count` lanes.
template <class V, class T>
MINICNN_INLINE void store_part(T* to, const vec<T, V>& value, index_t count) {
  std::memcpy(to, &value, static_cast<std::size_t>(count) * sizeof(T));
}

/// to[i] = (or += if `add`) from[i], then the bounds of `activation`, for i < count, by vectors of `Lanes`, halves of them and so
/// on; touches nothing else.
template <int Lanes, class T>
MINICNN_INLINE void copy_run(T* to, const T* from, index_t count, bool add, const fused_activation<T>& activation = {}) {
  using loose = typename vector_type<T, Lanes* static_cast<int>(sizeof(T))>::unaligned;
  for (; count >= Lanes; count -= Lanes, to += Lanes, from += Lanes) {
    loose& place = *reinterpret_cast<loose*>(to);
    const loose& value = *reinterpret_cast<const loose*>(from);
    typename vector_type<T, Lanes* static_cast<int>(sizeof(T))>::type sum = add ? place + value : value;
    activation.template bound<simd<Lanes* static_cast<int>(sizeof(T))>>(sum);
    place = sum;
  }
  if constexpr (Lanes > 2) {
    if (count > 0) copy_run<Lanes / 2>(to, from, count, add, activation);
  } else {
    if (count == 0) return;
    *to = activation.bound(add ? *to + *from : *from);
  }
}

/// Sum of the lanes, in pairs: the order depends on the vector's width alone.
template <class V, class T>
MINICNN_INLINE T sum_of_lanes(const vec<T, V>& value) {
  T lanes[V::template lanes<T>];
  store<V>(lanes, value);
  for (int half = V::template lanes<T> / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
