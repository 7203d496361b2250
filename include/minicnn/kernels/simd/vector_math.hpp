#pragma once
/// The exponential and its relatives on vectors, to a few units in the last place, for float and double.

#include <cstdint>
#include <type_traits>

#include "minicnn/kernels/simd/dispatch.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// exp(x) = 2^n (1 + q): n = round(x / ln 2), q = exp(r) - 1 for the rest r in [-ln 2 / 2, ln 2 / 2].
/// Constants of Cephes (Moshier, 1989): ln 2 in two parts, so that r keeps all its bits; Taylor's coefficients for q.
template <class T>
struct exp_constants;

template <>
struct exp_constants<float> {
  using whole = std::int32_t;
  static constexpr float lowest = -87.0F, highest = 88.0F;
  static constexpr float ln2_high = 0.693359375F, ln2_low = -2.12194440e-4F;
  static constexpr int bias = 127, mantissa_bits = 23, degree = 7;
};

template <>
struct exp_constants<double> {
  using whole = std::int64_t;
  static constexpr double lowest = -708.0, highest = 709.0;
  static constexpr double ln2_high = 6.93145751953125e-1, ln2_low = 1.42860682030941723212e-6;
  static constexpr int bias = 1023, mantissa_bits = 52, degree = 13;
};

template <class V, class T>
MINICNN_INLINE void exp_parts(vec<T, V>& power, vec<T, V>& q, const vec<T, V>& argument) {
  using c = exp_constants<T>;
  using whole = vec<typename c::whole, V>;
  const vec<T, V> least = c::lowest - vec<T, V>{}, most = c::highest - vec<T, V>{};
  vec<T, V> x = argument < least ? least : argument;
  x = x > most ? most : x;
  // n + bias is above 0, so that rounding to zero rounds down.
  const whole biased = __builtin_convertvector(x * T(1.44269504088896340736) + (T(c::bias) + T(0.5)), whole);
  const vec<T, V> steps = __builtin_convertvector(biased, vec<T, V>) - T(c::bias);
  const vec<T, V> r = (x - steps * c::ln2_high) - steps * c::ln2_low;
  constexpr T inverse_factorial[] = {T(1.0),
                                     T(1.0),
                                     T(1.0 / 2),
                                     T(1.0 / 6),
                                     T(1.0 / 24),
                                     T(1.0 / 120),
                                     T(1.0 / 720),
                                     T(1.0 / 5040),
                                     T(1.0 / 40320),
                                     T(1.0 / 362880),
                                     T(1.0 / 3628800),
                                     T(1.0 / 39916800),
                                     T(1.0 / 479001600),
                                     T(1.0 / 6227020800)};
  vec<T, V> sum = inverse_factorial[c::degree] + vec<T, V>{};
  MINICNN_UNROLL
  for (int k = c::degree - 1; k >= 1; --k) sum = sum * r + inverse_factorial[k];
  q = sum * r;
  power = (vec<T, V>)(biased << c::mantissa_bits);
}

/// exp(x) within [-87, 88] (float) or [-708, 709] (double); x outside counts as the nearer end. NaN stays NaN.
template <class V, class T>
MINICNN_INLINE void vector_exp(vec<T, V>& out, const vec<T, V>& x) {
  vec<T, V> power, q;
  exp_parts<V, T>(power, q, x);
  out = power * (q + T{1});  // not power * q + power: at the low end power * q would be denormal and count as 0
}

/// exp(x) - 1 without loss of digits near 0.
template <class V, class T>
MINICNN_INLINE void vector_expm1(vec<T, V>& out, const vec<T, V>& x) {
  vec<T, V> power, q;
  exp_parts<V, T>(power, q, x);
  out = power * q + (power - T{1});
}

/// 1 / (1 + exp(-x))
template <class V, class T>
MINICNN_INLINE void vector_sigmoid(vec<T, V>& out, const vec<T, V>& x) {
  vec<T, V> e;
  vector_exp<V, T>(e, -x);
  out = T{1} / (T{1} + e);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
