#pragma once
/// The two 16-bit floating-point formats: IEEE 754 binary16 (5 exponent bits, 10 fraction bits) and bfloat16 (the upper
/// half of a binary32). Storage only: widen to float to compute.
///
/// Narrowing rounds to nearest, ties to even, from float and from double alike (a double is rounded once, not twice).
/// Values too large become infinity, subnormals are kept, NaN stays NaN (made quiet, sign and upper payload bits kept).
/// Float conversions are done on bits alone, so they do not depend on the thread's denormal setting.

#include <bit>
#include <cstdint>

#include "minicnn/core/std_gaps.hpp"

namespace minicnn::inline MINICNN_ABI {

/// The bits of an IEEE 754 binary16 number.
struct float16 {
  std::uint16_t bits = 0;
  bool operator==(const float16&) const = default;  // equal bits: -0 is not +0, a NaN equals itself
};

/// The bits of a bfloat16 number.
struct bfloat16 {
  std::uint16_t bits = 0;
  bool operator==(const bfloat16&) const = default;
};

namespace detail {

/// Shifts right by 1 to 31 bits, rounding to nearest, ties to even.
inline std::uint32_t shift_right_nearest_even(std::uint32_t value, int shift) {
  const std::uint32_t half = std::uint32_t{1} << (shift - 1);
  const std::uint32_t odd = (value >> shift) & 1U;
  return (value + (half - 1U) + odd) >> shift;
}

/// A double as float, rounded to odd: when it is not exact, the neighbour whose last bit is 1. Rounding that again to a
/// format at least two bits shorter gives what rounding the double once would have given (Boldo and Melquiond, 2008).
inline float narrow_to_odd(double value) {
  const float nearest = static_cast<float>(value);
  const double back = static_cast<double>(nearest);
  std::uint32_t bits = detail::bit_cast<std::uint32_t>(nearest);
  if (back == value || value != value || (bits & 1U) != 0) return nearest;
  const double size = value < 0 ? -value : value, back_size = value < 0 ? -back : back;
  bits = size > back_size ? bits + 1U : bits - 1U;
  return detail::bit_cast<float>(bits);
}

}  // namespace detail

inline bfloat16 to_bfloat16(float value) {
  const std::uint32_t bits = detail::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return {static_cast<std::uint16_t>((bits >> 16) | 0x40U)};
  // The carry of a rounded-up fraction runs into the exponent, and from the largest number into infinity, as it should.
  return {static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16)};
}

inline float16 to_float16(float value) {
  const std::uint32_t bits = detail::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  const std::uint32_t size = bits & 0x7FFFFFFFU;
  std::uint32_t out = 0;
  if (size > 0x7F800000U) {
    out = 0x7E00U | ((size >> 13) & 0x3FFU);
  } else if (size >= 0x47800000U) {  // 2^16 and above, infinity included
    out = 0x7C00U;
  } else if (size >= 0x38800000U) {  // 2^-14, the smallest normal number; the exponent's bias goes from 127 to 15
    out = detail::shift_right_nearest_even(size - (std::uint32_t{127 - 15} << 23), 13);
  } else if (size >= 0x33000000U) {  // 2^-25: a subnormal result (the tie at 2^-25 itself goes to zero)
    const int exponent = static_cast<int>(size >> 23);
    const std::uint32_t fraction = (size & 0x7FFFFFU) | 0x800000U;
    out = detail::shift_right_nearest_even(fraction, 126 - exponent);
  }
  return {static_cast<std::uint16_t>(sign | out)};
}

inline bfloat16 to_bfloat16(double value) { return to_bfloat16(detail::narrow_to_odd(value)); }
inline float16 to_float16(double value) { return to_float16(detail::narrow_to_odd(value)); }

/// Exact.
inline float to_float(bfloat16 value) { return detail::bit_cast<float>(std::uint32_t{value.bits} << 16); }

/// Exact; a signalling NaN becomes quiet.
inline float to_float(float16 value) {
  const std::uint32_t sign = (std::uint32_t{value.bits} & 0x8000U) << 16;
  const std::uint32_t exponent = (std::uint32_t{value.bits} >> 10) & 0x1FU;
  const std::uint32_t fraction = std::uint32_t{value.bits} & 0x3FFU;
  std::uint32_t size = 0;
  if (exponent == 31) {
    size = 0x7F800000U | (fraction << 13) | (fraction != 0 ? 0x400000U : 0U);
  } else if (exponent != 0) {
    size = ((exponent + (127 - 15)) << 23) | (fraction << 13);
  } else if (fraction != 0) {  // subnormal: fraction * 2^-24, shifted until the leading one is implicit
    const int shift = std::countl_zero(fraction) - 21;
    size = (static_cast<std::uint32_t>(127 - 14 - shift) << 23) | (((fraction << shift) & 0x3FFU) << 13);
  }
  return detail::bit_cast<float>(sign | size);
}

}  // namespace minicnn::inline MINICNN_ABI
