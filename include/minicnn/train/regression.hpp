#pragma once
/// The task whose answer is one or several real numbers.

#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/train/task.hpp"

namespace minicnn::inline MINICNN_ABI {

/// What targets are scaled by: the network learns (target - mean) / std.
struct target_scaling {
  std::vector<double> mean = {}, std = {};  ///< one a target; empty: targets as they are
};

/// Mean and standard deviation (of the population) of each column of `targets`, rows of `columns` numbers. A column without
/// variation gets std 1. Take them from the training data alone.
inline target_scaling standardize(std::span<const double> targets, index_t columns) {
  const index_t rows = columns > 0 ? static_cast<index_t>(targets.size()) / columns : 0;
  if (rows < 1 || rows * columns != static_cast<index_t>(targets.size()))
    fail<shape_error>("standardize: ", static_cast<index_t>(targets.size()), " numbers are no rows of ", columns);
  target_scaling out;
  for (index_t k = 0; k < columns; ++k) {
    double sum = 0, squares = 0;
    for (index_t i = 0; i < rows; ++i) sum += targets[static_cast<std::size_t>(i * columns + k)];
    const double mean = sum / static_cast<double>(rows);
    for (index_t i = 0; i < rows; ++i) {
      const double gap = targets[static_cast<std::size_t>(i * columns + k)] - mean;
      squares += gap * gap;
    }
    const double std = std::sqrt(squares / static_cast<double>(rows));
    out.mean.push_back(mean);
    out.std.push_back(std > 0 ? std : 1.0);
  }
  return out;
}

/// Mean squared error over all targets, of scaled ones where there is a scaling. Batches have `targets` (n, outputs) in their own
/// units; figures are in those too: MSE, RMSE, MAE and R2, the last three also one a target (`evaluation::per_target`).
template <class T = float>
class regression : public task<T> {
 public:
  explicit regression(target_scaling scaling = {}) : scaling_(std::move(scaling)) {
    if (scaling_.mean.size() != scaling_.std.size())
      fail<option_error>("regression: ", scaling_.mean.size(), " means, ", scaling_.std.size(), " deviations");
    for (const double s : scaling_.std)
      if (!(s > 0 && is_finite(s))) fail<option_error>("regression: deviation ", s, " of a target, wanted above 0");
  }

  std::string_view kind() const override { return "regression"; }
  const target_scaling& scaling() const { return scaling_; }

  double loss(const view<const T>& y, const batch<T>& b, const view<T>& gradient, double scale) const override {
    detail::want_targets(kind(), y, b);
    const index_t columns = y.dims().size_from(1);
    check(columns);
    const double count = static_cast<double>(y.size());
    double sum = 0;
    for (index_t i = 0; i < y.size(); ++i) {
      const double gap = static_cast<double>(y[i]) - scaled(static_cast<double>(b.targets[i]), i % columns);
      sum += gap * gap;
      if (gradient.present()) gradient[i] = static_cast<T>(2.0 * gap * scale / count);
    }
    return sum / count;
  }

  /// What an output of the network means, in the target's units.
  double value(double output, index_t target) const {
    return scaling_.mean.empty()
               ? output
               : scaling_.mean[static_cast<std::size_t>(target)] + scaling_.std[static_cast<std::size_t>(target)] * output;
  }

  void measure(evaluation& e) const override {
    if (e.target_columns != e.columns) fail<shape_error>("regression: ", e.columns, " outputs, ", e.target_columns, " targets");
    check(e.columns);
    double squares = 0, absolute = 0, r2 = 0;
    for (index_t k = 0; k < e.columns; ++k) {
      const target_figures one = figures(e, k);
      squares += one.rmse * one.rmse / static_cast<double>(e.columns);
      absolute += one.mae / static_cast<double>(e.columns);
      r2 += one.r2 / static_cast<double>(e.columns);
      e.per_target.push_back(one);
    }
    e.metrics.push_back({"MSE", squares, false});
    e.metrics.push_back({"RMSE", std::sqrt(squares), false});
    e.metrics.push_back({"MAE", absolute, false});
    e.metrics.push_back({"R2", r2});
  }

 private:
  void check(index_t columns) const {
    if (!scaling_.mean.empty() && static_cast<index_t>(scaling_.mean.size()) != columns)
      fail<option_error>("regression: scaling of ", scaling_.mean.size(), " targets, outputs are ", columns);
  }

  double scaled(double target, index_t k) const {
    if (scaling_.mean.empty()) return target;
    return (target - scaling_.mean[static_cast<std::size_t>(k)]) / scaling_.std[static_cast<std::size_t>(k)];
  }

  target_figures figures(const evaluation& e, index_t k) const {
    const double count = static_cast<double>(e.images);
    const auto at = [&](index_t i) { return static_cast<std::size_t>(i * e.columns + k); };
    double sum = 0, squares = 0, absolute = 0, deviation = 0;
    for (index_t i = 0; i < e.images; ++i) sum += e.targets[at(i)];
    for (index_t i = 0; i < e.images; ++i) {
      const double gap = value(e.outputs[at(i)], k) - e.targets[at(i)], from_mean = e.targets[at(i)] - sum / count;
      squares += gap * gap;
      absolute += std::abs(gap);
      deviation += from_mean * from_mean;
    }
    return {std::sqrt(squares / count), absolute / count, deviation > 0 ? 1 - squares / deviation : evaluation::nan};
  }

  target_scaling scaling_;
};

}  // namespace minicnn::inline MINICNN_ABI
