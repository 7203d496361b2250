#pragma once
/// The normal distribution function on vectors, to a few units in the last place of the larger of the value and 0.01.

#include "minicnn/kernels/simd/vector_math.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// With z = |x| / sqrt(2) and t = 1 / (1 + z / 2): erfc(z) = exp(-z^2) * t * P(slope * t - offset). The polynomials P, lowest
/// power first, interpolate at Chebyshev's nodes, computed with 50 digits, up to z = 10 (relative error 5e-9) and z = 27 (2e-17);
/// beyond that the exponential is as good as 0.
template <class T>
struct normal_constants;

template <>
struct normal_constants<float> {
  static constexpr float slope = 2.4F, offset = 1.4F;
  static constexpr float p[] = {0.572011975785F,    0.326222497161F,    0.102029780243F,   0.0059628676417F,
                                -0.00615409553607F, -6.19836096643e-4F, 5.95961776307e-4F, 4.92241648913e-6F,
                                -6.57538075843e-5F, 6.57248341739e-6F,  5.10992500552e-6F};
};

template <>
struct normal_constants<double> {
  static constexpr double slope = 2.148148148148148148, offset = 1.148148148148148148;
  static constexpr double p[] = {
      0.53515689580732509226,    0.33805844228750977017,    0.12411975947371666854,    0.012194828795726938295,
      -0.0088347241621473341885, -0.0017940039986320445821, 0.0011092739739572556066,  1.4280305627277120732e-4,
      -1.8505424356437984225e-4, 1.4460427682682990552e-5,  2.7705827320022868812e-5,  -1.056063746948085329e-5,
      -1.7374944561073827462e-6, 2.6793006345124909045e-6,  -6.9691790106183363417e-7, -2.637167711264648567e-7,
      2.6977213653180057299e-7,  -7.3952440329573414923e-8, -2.7951552519858106429e-8, 3.6842755052552281974e-8,
      -9.7527647251389502143e-9, -6.8369765514009850105e-9, 4.1223454195100570727e-9,  5.0115597875798683486e-10,
      -5.2386304614257701711e-10};
};

/// below = the probability of less than x, bell = exp(-x^2 / 2).
template <class V, class T>
MINICNN_INLINE void vector_normal(vec<T, V>& below, vec<T, V>& bell, const vec<T, V>& x) {
  using c = normal_constants<T>;
  const vec<T, V> half_z = (x < T{0} ? -x : x) * T(0.35355339059327376220);
  const vec<T, V> t = T{1} / (T{1} + half_z);
  const vec<T, V> u = c::slope * t - c::offset;
  constexpr int terms = static_cast<int>(sizeof(c::p) / sizeof(T));
  vec<T, V> p = c::p[terms - 1] + vec<T, V>{};
  for (int k = terms - 2; k >= 0; --k) p = p * u + c::p[k];
  vector_exp<V, T>(bell, T(-0.5) * x * x);
  const vec<T, V> tail = T(0.5) * t * p * bell;
  below = x < T{0} ? tail : T{1} - tail;
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
