#pragma once
/// A task's gradient beside central differences of its loss.

#include <algorithm>
#include <cmath>

#include "minicnn/train/task.hpp"

namespace numeric_gradient {

/// The largest difference, over all outputs, at twice the gradient's scale.
inline double difference(const minicnn::task<double>& what, const minicnn::tensor<double>& y, const minicnn::batch<double>& b) {
  minicnn::tensor<double> gradient(y.dims(), std::nan("")), moved = y;
  what.loss(y, b, gradient, 2.0);
  constexpr double step = 1e-6;
  double worst = 0;
  for (minicnn::index_t i = 0; i < y.size(); ++i) {
    moved[i] = y[i] + step;
    const double above = what.loss(moved, b, {}, 1.0);
    moved[i] = y[i] - step;
    const double below = what.loss(moved, b, {}, 1.0);
    moved[i] = y[i];
    const double gap = std::abs(gradient[i] - 2 * (above - below) / (2 * step));
    if (!(gap <= worst)) worst = gap;
  }
  return worst;
}

}  // namespace numeric_gradient
