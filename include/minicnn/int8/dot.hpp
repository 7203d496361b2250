#pragma once
/// The inner step of products of 8-bit numbers: four unsigned bytes times four signed ones, added to a 32-bit lane, by
/// AVX512-VNNI, by AVX2's vpmaddwd on halves widened to 16 bits, or by plain vectors. All are exact, so all give the same bits.

#include <cstdint>

#include "minicnn/int8/bytes.hpp"

namespace minicnn::inline MINICNN_ABI::int8 {

/// Whether products run by vpdpbusd.
inline bool has_vnni([[maybe_unused]] isa i) {
#if MINICNN_INT8_ASSEMBLY
  static const bool has = __builtin_cpu_supports("avx512vnni") != 0;
  return i == isa::avx512 && has;
#else
  return false;
#endif
}

/// The instruction set whose kernels multiply on a processor with `i`: those of AVX-512 want VNNI.
inline isa product_isa(isa i) { return i == isa::avx512 && !has_vnni(i) ? isa::avx2 : i; }

/// sum += x[0] w[0] + ... + x[3] w[3] in every lane: unsigned bytes of `x`, signed ones of `w`. vpmaddubsw, which multiplies
/// bytes directly on AVX2, saturates, and would give other sums.
template <class V>
MINICNN_INLINE void dot4(vec<std::int32_t, V>& sum, const vec<std::int32_t, V>& x, const vec<std::int32_t, V>& w) {
#if MINICNN_INT8_ASSEMBLY
  if constexpr (V::bytes == 64) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return;
  }
#endif
  using halves = vec<std::int16_t, V>;
  using words = vec<std::int32_t, V>;
  const halves xe = (halves)(x & 0x00FF00FF), xo = (halves)((x >> 8) & 0x00FF00FF);
  const halves we = (halves)((halves)w << 8) >> 8, wo = (halves)w >> 8;
#if MINICNN_INT8_ASSEMBLY
  if constexpr (V::bytes == 32) {
    words even, odd;
    __asm__("vpmaddwd %2, %1, %0" : "=x"(even) : "x"(xe), "x"(we));
    __asm__("vpmaddwd %2, %1, %0" : "=x"(odd) : "x"(xo), "x"(wo));
    sum += even + odd;
    return;
  }
#endif
  const words even = (words)halves(xe * we), odd = (words)halves(xo * wo);  // at most 255 * 128, so 16 bits hold them
  sum += ((even << 16) >> 16) + (even >> 16) + ((odd << 16) >> 16) + (odd >> 16);
}

}  // namespace minicnn::inline MINICNN_ABI::int8
