#pragma once
/// How parameters get their initial values.

#include <cmath>

#include "minicnn/core/random.hpp"
#include "minicnn/core/tensor.hpp"

namespace minicnn::inline MINICNN_ABI {

/// A distribution for initial values. `fan_in` and `fan_out` count the connections of one unit, kernel area included: for a
/// convolution 96x3x11x11 fan_in is 363.
struct initializer {
  enum class distribution { constant, normal, truncated_normal, uniform };
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

  /// Standard deviation for these fans (of the uncut distribution, for truncated_normal).
  double deviation(index_t fan_in, index_t fan_out) const {
    if (kind == distribution::constant) return 0.0;
    if (scale == scaling::none) return kind == distribution::uniform ? value / std::sqrt(3.0) : value;
    const double in = static_cast<double>(fan_in), out = static_cast<double>(fan_out);
    return std::sqrt(value / (scale == scaling::fan_in ? in : (in + out) / 2.0));
  }
};

/// Fills `values`; the same key gives the same values.
template <class T>
void initialize(const view<T>& values, const initializer& how, index_t fan_in, index_t fan_out, random_key key) {
  random_stream random(key);
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
      case initializer::distribution::uniform:
        x = static_cast<T>(deviation * std::sqrt(3.0) * random.uniform(-1.0, 1.0));
        break;
    }
  }
}

}  // namespace minicnn::inline MINICNN_ABI
