#pragma once
/// How parameters get their initial values.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

#include "minicnn/core/random.hpp"
#include "minicnn/core/tensor.hpp"

namespace minicnn::inline MINICNN_ABI {

/// A distribution for initial values. `fan_in` and `fan_out` count the connections of one unit, kernel area included: for a
/// convolution 96x3x11x11 fan_in is 363.
struct initializer {
  enum class distribution { constant, normal, truncated_normal, uniform, dirac, orthogonal };
  enum class scaling { none, fan_in, fan_average };

  distribution kind = distribution::normal;
  /// constant: the value. scaling none: the standard deviation (before any cut), or half the width of the uniform range.
  /// Otherwise the gain: variance = gain / fan.
  double value = 2.0;
  scaling scale = scaling::fan_in;

  /// N(0, 2 / fan_in): He et al., "Delving deep into rectifiers", ICCV 2015, eq. 10. For layers followed by ReLU.
  static initializer he() { return {}; }
  /// U(-a, a) with variance 2 / fan_in.
  static initializer he_uniform() { return {distribution::uniform, 2.0, scaling::fan_in}; }
  /// U(-a, a) with variance 2 / (fan_in + fan_out): Glorot and Bengio, AISTATS 2010, eq. 16.
  static initializer glorot() { return {distribution::uniform, 1.0, scaling::fan_average}; }
  /// N(0, 2 / (fan_in + fan_out)).
  static initializer glorot_normal() { return {distribution::normal, 1.0, scaling::fan_average}; }
  /// N(0, 1 / fan_in): LeCun et al., "Efficient BackProp", 1998, section 4.6.
  static initializer lecun() { return {distribution::normal, 1.0, scaling::fan_in}; }
  /// N(0, deviation^2).
  static initializer normal(double deviation) { return {distribution::normal, deviation, scaling::none}; }
  /// N(0, deviation^2), redrawn beyond two deviations, as TensorFlow's truncated_normal.
  static initializer truncated_normal(double deviation) { return {distribution::truncated_normal, deviation, scaling::none}; }
  /// U(-limit, limit).
  static initializer uniform(double limit) { return {distribution::uniform, limit, scaling::none}; }
  static initializer constant(double value) { return {distribution::constant, value, scaling::none}; }

  /// U(-a, a) with a = 1 / sqrt(fan_in): PyTorch's default for convolutions and dense layers.
  static initializer torch_default() { return {distribution::uniform, 1.0 / 3, scaling::fan_in}; }
  /// Filters that pass a channel on: filter i is 1 at its centre for channel i and 0 else, as PyTorch's `dirac_` on the first
  /// filters, one an input channel; further filters and dense layers are as `torch_default`. Zagoruyko and Komodakis,
  /// "DiracNets", 2017.
  static initializer dirac() { return {distribution::dirac, 1.0 / 3, scaling::fan_in}; }
  /// Filters as rows (or columns, where they are more than a filter has values) of length `gain`, at right angles to each other:
  /// Saxe, McClelland and Ganguli, ICLR 2014. Takes time and memory with the square of the shorter side.
  static initializer orthogonal(double gain = 1.0) { return {distribution::orthogonal, gain, scaling::none}; }

  /// Standard deviation for these fans (of the uncut distribution, for truncated_normal; of further filters, for dirac).
  double deviation(index_t fan_in, index_t fan_out) const {
    if (kind == distribution::constant) return 0.0;
    if (scale == scaling::none) return kind == distribution::uniform ? value / std::sqrt(3.0) : value;
    const double in = static_cast<double>(fan_in), out = static_cast<double>(fan_out);
    return std::sqrt(value / (scale == scaling::fan_in ? in : (in + out) / 2.0));
  }
};

namespace detail {

/// Gram-Schmidt, each vector twice, on normal numbers: the Q of a QR decomposition whose R has a positive diagonal.
template <class T>
MINICNN_COLD void initialize_orthogonal(const view<T>& values, double gain, random_stream& random) {
  const index_t rows = values.dim(0), columns = values.size() / (std::max)(rows, index_t{1});
  const auto count = static_cast<std::size_t>((std::min)(rows, columns)),
             length = static_cast<std::size_t>((std::max)(rows, columns));
  std::vector<double> q(count * length);
  for (double& x : q) x = random.normal();
  for (std::size_t i = 0; i < count; ++i) {
    double* a = q.data() + i * length;
    for (std::size_t j = 0; j < 2 * i; ++j) {
      const double* b = q.data() + j % i * length;
      const double along = std::inner_product(a, a + length, b, 0.0);
      for (std::size_t k = 0; k < length; ++k) a[k] -= along * b[k];
    }
    const double norm = std::sqrt(std::inner_product(a, a + length, a, 0.0));
    for (std::size_t k = 0; k < length; ++k) a[k] /= norm;
  }
  for (index_t i = 0; i < rows; ++i)
    for (index_t k = 0; k < columns; ++k) {
      const auto row = static_cast<std::size_t>(i), column = static_cast<std::size_t>(k);
      values[i * columns + k] = static_cast<T>(gain * (rows <= columns ? q[row * length + column] : q[column * length + row]));
    }
}

/// 1 at the centre of filter i for channel i.
template <class T>
void set_dirac(const view<T>& values) {
  if (values.dims().rank() < 3) return;
  const index_t filter = values.dims().size_from(1), taps = values.dims().size_from(2), channels = filter / taps;
  const index_t columns = values.dims().rank() > 3 ? values.dim(3) : 1;
  const index_t centre = taps / columns / 2 * columns + columns / 2;
  for (index_t i = 0; i < (std::min)(values.dim(0), channels); ++i) {
    std::fill_n(values.data() + i * filter, filter, T{0});
    values[i * filter + i * taps + centre] = T{1};
  }
}

}  // namespace detail

/// Fills `values`; the same key gives the same values.
template <class T>
void initialize(const view<T>& values, const initializer& how, index_t fan_in, index_t fan_out, random_key key) {
  random_stream random(key);
  if (how.kind == initializer::distribution::orthogonal) return detail::initialize_orthogonal(values, how.value, random);
  const double deviation = how.deviation(fan_in, fan_out);
  for (T& x : values) {
    switch (how.kind) {
      case initializer::distribution::constant:
        x = static_cast<T>(how.value);
        break;
      case initializer::distribution::normal:
        x = static_cast<T>(deviation * random.normal());
        break;
      case initializer::distribution::truncated_normal:
        x = static_cast<T>(deviation * random.truncated_normal());
        break;
      case initializer::distribution::orthogonal:
      case initializer::distribution::dirac:
      case initializer::distribution::uniform:
        x = static_cast<T>(deviation * std::sqrt(3.0) * random.uniform(-1.0, 1.0));
        break;
    }
  }
  if (how.kind == initializer::distribution::dirac) detail::set_dirac(values);
}

}  // namespace minicnn::inline MINICNN_ABI
