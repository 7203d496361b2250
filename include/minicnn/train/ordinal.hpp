#pragma once
/// The task whose classes have an order: ratings, grades, ages.

#include <cmath>
#include <cstdint>
#include <string_view>

#include "minicnn/train/classification.hpp"

namespace minicnn::inline MINICNN_ABI {

/// `classes` ranks by `classes` - 1 outputs: output k is the logit of "rank above k" (Frank and Hall, "A simple approach to
/// ordinal classification", ECML 2001; Niu et al., CVPR 2016). The loss is the mean over samples of the sum over outputs of their
/// binary cross-entropy, the rank answered how many outputs are above 0. Figures: those of a classification, and the mean
/// absolute error in ranks.
template <class T = float>
class ordinal : public task<T> {
 public:
  std::string_view kind() const override { return "ordinal"; }

  double loss(const view<const T>& y, const batch<T>& b, const view<T>& gradient, double scale) const override {
    detail::want_labels(kind(), b);
    const index_t outputs = y.dims().size_from(1);
    detail::check_batch(y.dims(), static_cast<index_t>(b.labels.size()), 1, gradient.dims(), gradient.present());
    const double count = static_cast<double>(b.size());
    double sum = 0;
    for (index_t i = 0; i < b.size(); ++i) {
      const index_t rank = b.labels[static_cast<std::size_t>(i)];
      if (rank < 0 || rank > outputs) detail::fail_label(i, static_cast<std::int32_t>(rank), outputs + 1);
      for (index_t k = 0; k < outputs; ++k) {
        const double sign = rank > k ? 1.0 : -1.0, z = sign * static_cast<double>(y[i * outputs + k]);
        sum += (std::max)(-z, 0.0) + std::log1p(std::exp(-std::abs(z)));
        if (gradient.present()) gradient[i * outputs + k] = static_cast<T>(-sign * sigmoid(-z) * scale / count);
      }
    }
    return sum / count;
  }

  double correct(const view<const T>& y, const batch<T>& b) const override {
    return detail::count_correct(y, b.labels, [](const view<const T>& row) { return rank_of(row); });
  }
  void measure(evaluation& e) const override {
    detail::measure_classes(e, e.columns + 1, [](const view<const double>& row) { return rank_of(row); });
    double error = 0;
    for (std::size_t truth = 0; truth < e.confusion.size(); ++truth)
      for (std::size_t given = 0; given < e.confusion.size(); ++given)
        error +=
            static_cast<double>(e.confusion[truth][given]) * std::abs(static_cast<double>(truth) - static_cast<double>(given));
    e.metrics.push_back({"MAE", error / static_cast<double>(e.images), false});
  }
  double uninformed_loss(index_t columns) const override { return static_cast<double>(columns) * std::log(2.0); }

  /// The rank that a row of outputs names.
  template <class U>
  static index_t rank_of(const view<const U>& row) {
    index_t rank = 0;
    for (const U z : row) rank += z > U(0);
    return rank;
  }
};

}  // namespace minicnn::inline MINICNN_ABI
