#pragma once
/// Packed panels in bfloat16: rounding of float, and the layout that products of tile_bf16.hpp read.
///
/// Panels are packed in float and rounded in place (Winograd's are rounded as they are transformed, winograd.hpp). A product of
/// bfloat16 numbers loses by the rounding of its operands (2^-9 relative); products are exact in float, and sums are in float.

#include <cstdint>

#include "minicnn/kernels/product/pack.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Whether AVX512-BF16's instructions can be written as assembly in a body that gets its target from the wrapper it is inlined
/// into. clang checks operands against the body alone and refuses 64-byte ones; its builds multiply in float.
#if MINICNN_X86_VECTORS >= 64 && !defined(__clang__)
#define MINICNN_NATIVE_BF16 1
#else
#define MINICNN_NATIVE_BF16 0
#endif

/// Whether the processor multiplies bfloat16 numbers itself (vdpbf16ps); elsewhere they are multiplied as floats.
/// The two add the products of a pair in different ways, so their results differ by rounding.
inline bool native_bf16([[maybe_unused]] isa i) {
#if MINICNN_NATIVE_BF16
  static const bool has = __builtin_cpu_supports("avx512bf16") != 0;
  return i == isa::avx512 && has;
#else
  return false;
#endif
}

template <class V>
using word_vec = vec<std::uint32_t, V>;

/// Rounds to nearest, ties to even, and leaves the result in the upper half of each word; NaN stays NaN.
template <class V>
MINICNN_INLINE void round_lanes_to_bf16(word_vec<V>& bits) {
  const word_vec<V> rounded = bits + 0x7FFFU + ((bits >> 16) & 1U);
  bits = (bits & 0x7FFFFFFFU) > 0x7F800000U ? bits | 0x400000U : rounded;
}

#if MINICNN_NATIVE_BF16
template <class Halves, int... Lane>
MINICNN_INLINE void interleave_halves(Halves& x, std::integer_sequence<int, Lane...>) {
  x = __builtin_shufflevector(x, x, (Lane / 2 + Lane % 2 * static_cast<int>(sizeof...(Lane) / 2))...);
}
#endif

/// out = words of `low`, rounded, in the lower and `high` in the upper half, by the processor's own instruction: for
/// `native_bf16` only. Numbers below 2^-126 become 0.
template <class V>
MINICNN_INLINE void pair_native([[maybe_unused]] word_vec<V>& out, [[maybe_unused]] const vec<float, V>& low,
                                [[maybe_unused]] const vec<float, V>& high) {
#if MINICNN_NATIVE_BF16
  vec<std::uint16_t, V> halves;
  __asm__("vcvtne2ps2bf16 %1, %2, %0" : "=v"(halves) : "v"(low), "v"(high));
  interleave_halves(halves, std::make_integer_sequence<int, V::template lanes<std::uint16_t>>{});
  out = reinterpret_cast<word_vec<V>>(halves);
#endif
}

/// `dispatch` for kernels that need `native_bf16`.
template <class K, class... A>
void dispatch_native([[maybe_unused]] A... arguments) {
#if MINICNN_NATIVE_BF16
  run_avx512<K, A...>(arguments...);
#endif
}

/// Packs one panel of `depth` steps of `width` elements in place: steps k = 2 s and 2 s + 1 of line i become one 32-bit word at
/// [s * width + i], the first in its lower half. An odd last step is paired with zeros.
struct bf16_pairs_kernel {
  template <class V>
  MINICNN_INLINE static void run(index_t depth, index_t width, float* panel) {
    constexpr int lanes = V::template lanes<float>;
    auto* const words = reinterpret_cast<std::uint32_t*>(panel);
    for (index_t step = 0; 2 * step < depth; ++step) {
      std::uint32_t* const to = words + step * width;
      const std::uint32_t* const low = words + 2 * step * width;
      const std::uint32_t* const high = low + width;
      const bool pair = 2 * step + 1 < depth;
      // Vectors may run past the width, into places that the next steps write later and have been read, within the panel.
      const index_t padded = round_up(width, lanes);
      const bool loose = padded <= (step + 2) * width && (2 * step + 1) * width + padded <= depth * width;
      const index_t whole = loose ? width : width / lanes * lanes;
      index_t i = 0;
      for (; i < whole; i += lanes) {
        word_vec<V> a, b{}, both;
        load<V>(a, low + i);
        if (pair) load<V>(b, high + i);
        pair_native<V>(both, reinterpret_cast<vec<float, V>>(a), reinterpret_cast<vec<float, V>>(b));
        store<V>(to + i, both);
      }
      for (; i < width; ++i) {
        std::uint32_t halves[2] = {low[i], pair ? high[i] : 0U};
        for (std::uint32_t& x : halves) x = (x & 0x7FFFFFFFU) > 0x7F800000U ? x | 0x400000U : x + 0x7FFFU + ((x >> 16) & 1U);
        to[i] = halves[0] >> 16 | (halves[1] & 0xFFFF0000U);
      }
    }
  }
};

/// Rounds `count` numbers in place, which stay floats.
struct round_to_bf16_kernel {
  template <class V>
  MINICNN_INLINE static void run(index_t count, float* numbers) {
    constexpr int lanes = V::template lanes<float>;
    auto* const words = reinterpret_cast<std::uint32_t*>(numbers);
    for (index_t i = 0; i < count; i += lanes) {
      std::uint32_t part[lanes] = {};
      const index_t left = count - i;
      word_vec<V> bits;
      if (left < lanes) __builtin_memcpy(part, words + i, static_cast<std::size_t>(left) * sizeof(float));
      load<V>(bits, left < lanes ? part : words + i);
      round_lanes_to_bf16<V>(bits);
      bits &= 0xFFFF0000U;
      if (left < lanes)
        __builtin_memcpy(words + i, &bits, static_cast<std::size_t>(left) * sizeof(float));
      else
        store<V>(words + i, bits);
    }
  }
};

/// Rounds the `count` numbers of packed panels to bfloat16 in place; they stay floats.
inline void round_to_bf16(isa i, index_t count, float* panels) { dispatch<round_to_bf16_kernel>(i, count, panels); }

/// Packs `count` panels of `depth` steps of `width` elements, one behind the other, in place to pairs of steps. Requires
/// `native_bf16`. Numbers below 2^-126 become 0, but for a few at the end of a panel.
inline void pack_bf16_pairs(index_t count, index_t depth, index_t width, float* panels) {
  for (index_t p = 0; p < count; ++p) dispatch_native<bf16_pairs_kernel>(depth, width, panels + p * depth * width);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
