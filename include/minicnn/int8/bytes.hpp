#pragma once
/// Bytes as vectors of numbers and back, by steps that every instruction set rounds alike.

#include <cstddef>
#include <cstdint>

#include "minicnn/kernels/simd/dispatch.hpp"

namespace minicnn::inline MINICNN_ABI::int8 {

using kernels::load;
using kernels::simd;
using kernels::store;
using kernels::vec;

/// Assembly in a body that gets its target from the wrapper it is inlined into: clang checks its operands against the body alone.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define MINICNN_INT8_ASSEMBLY 1
#else
#define MINICNN_INT8_ASSEMBLY 0
#endif

/// Keeps a product of floats from becoming part of a fused multiply-add, which rounds otherwise: instruction sets with and
/// without must agree.
template <class Vector>
MINICNN_INLINE void rounded_product([[maybe_unused]] Vector& product) {
#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__)
  typedef float part __attribute__((vector_size(16)));  // clang knows no wider register here
  auto* const parts = reinterpret_cast<part*>(&product);
  for (std::size_t i = 0; i < sizeof(Vector) / 16; ++i) __asm__("" : "+x"(parts[i]));
#else
  __asm__("" : "+v"(product));
#endif
#elif defined(__aarch64__)
  __asm__("" : "+w"(product));
#endif
}

/// The nearest integer, halves to the even one, of numbers between -2^22 and 2^22.
template <class V>
MINICNN_INLINE void nearest(vec<std::int32_t, V>& out, const vec<float, V>& x) {
  out = (vec<std::int32_t, V>)(vec<float, V>)(x + 12582912.0F) - 0x4B400000;  // 1.5 * 2^23: the last bit is worth 1
}

/// The nearest integers within [low, high]; a value that is no number becomes the least.
template <class V>
MINICNN_INLINE void bounded_bytes(vec<std::int32_t, V>& out, const vec<float, V>& x, float low, float high) {
  const vec<float, V> least = vec<float, V>{} + low, most = vec<float, V>{} + high;
  vec<float, V> value = x > least ? x : least;
  value = value < most ? value : most;
  nearest<V>(out, value);
}

/// `count` bytes, at most a lane each, as numbers; the lanes behind become 0.
template <class V>
MINICNN_INLINE void load_bytes(vec<std::int32_t, V>& out, const std::uint8_t* from, index_t count) {
  constexpr int lanes = V::template lanes<std::int32_t>;
  typedef std::uint8_t bytes __attribute__((vector_size(lanes), aligned(1), may_alias));
  if (count >= lanes) {
#if MINICNN_INT8_ASSEMBLY  // g++ 12 converts byte by byte
    if constexpr (V::bytes > 16) {
      __asm__("vpmovzxbd %1, %0" : "=v"(out) : "m"(*reinterpret_cast<const bytes*>(from)));
      return;
    }
#endif
    out = __builtin_convertvector(*reinterpret_cast<const bytes*>(from), vec<std::int32_t, V>);
    return;
  }
  std::uint8_t part[lanes] = {};
  for (index_t i = 0; i < count; ++i) part[i] = from[i];
  out = __builtin_convertvector(*reinterpret_cast<const bytes*>(part), vec<std::int32_t, V>);
}
template <class V>
MINICNN_INLINE void load_bytes(vec<float, V>& out, const std::uint8_t* from, index_t count) {
  vec<std::int32_t, V> whole;
  load_bytes<V>(whole, from, count);
  out = __builtin_convertvector(whole, vec<float, V>);
}

/// Stores the first `count` lanes, at most all, of numbers from 0 to 255.
template <class V>
MINICNN_INLINE void store_bytes(std::uint8_t* to, const vec<std::int32_t, V>& value, index_t count) {
  constexpr int lanes = V::template lanes<std::int32_t>;
  typedef std::uint8_t bytes __attribute__((vector_size(lanes), aligned(1), may_alias));
  if (count >= lanes) {
#if MINICNN_INT8_ASSEMBLY
    if constexpr (V::bytes == 64) {
      __asm__("vpmovdb %1, %0" : "=m"(*reinterpret_cast<bytes*>(to)) : "v"(value));
      return;
    }
    if constexpr (V::bytes == 32) {
      const auto all = reinterpret_cast<const vec<std::uint8_t, simd<32>>&>(value);
      *reinterpret_cast<bytes*>(to) = __builtin_shufflevector(all, all, 0, 4, 8, 12, 16, 20, 24, 28);
      return;
    }
#endif
    *reinterpret_cast<bytes*>(to) = __builtin_convertvector(value, bytes);
    return;
  }
  for (index_t i = 0; i < count; ++i) to[i] = static_cast<std::uint8_t>(value[i]);
}

}  // namespace minicnn::inline MINICNN_ABI::int8
