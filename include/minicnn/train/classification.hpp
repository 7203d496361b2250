#pragma once
/// Tasks whose answer is one class of several.

#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "minicnn/train/loss.hpp"
#include "minicnn/train/metrics.hpp"
#include "minicnn/train/task.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Weights of classes that occur `counts` times, so that all count alike in the loss: n / (classes * count), scikit-learn's
/// "balanced". Their mean over samples is 1. Throws option_error for a class without samples.
inline std::vector<double> balanced_class_weights(std::span<const index_t> counts) {
  double total = 0;
  for (const index_t n : counts) total += static_cast<double>(n);
  std::vector<double> weights;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    if (counts[k] < 1) fail<option_error>("class weights: class ", static_cast<index_t>(k), " has no samples to be balanced by");
    weights.push_back(total / (static_cast<double>(counts.size()) * static_cast<double>(counts[k])));
  }
  return weights;
}

namespace detail {

/// Fills confusion, accuracy and what follows from them; `classes_of` says what is answered for a row of outputs.
template <class F>
void measure_classes(evaluation& e, index_t classes, const F& class_of) {
  confusion_matrix counts(classes);
  for (std::size_t i = 0; i < e.labels.size(); ++i)
    counts.add(e.labels[i], class_of(view<const double>(e.outputs.data() + static_cast<index_t>(i) * e.columns, {e.columns})));
  e.confusion.assign(static_cast<std::size_t>(classes), {});
  double f1 = 0;
  for (index_t k = 0; k < classes; ++k) {
    for (index_t j = 0; j < classes; ++j) e.confusion[static_cast<std::size_t>(k)].push_back(counts(k, j));
    f1 += counts.f1(k) / static_cast<double>(classes);
  }
  e.accuracy = counts.accuracy();
  e.metrics.push_back({"accuracy", e.accuracy});
  e.metrics.push_back({"balanced accuracy", counts.balanced_accuracy()});
  e.metrics.push_back({"macro F1", f1});
}

template <class T, class F>
double count_correct(const view<const T>& y, std::span<const std::int32_t> labels, const F& class_of) {
  index_t right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) right += class_of(y.at(static_cast<index_t>(i))) == labels[i];
  return static_cast<double>(right);
}

}  // namespace detail

/// One class of as many as the network has outputs, by softmax cross-entropy. Labels are smoothed in training alone, where they
/// may be soft; class weights count in both.
template <class T = float>
class classification : public task<T> {
 public:
  explicit classification(cross_entropy_options o = {}) : loss_(o), plain_({0.0, std::move(o.class_weights)}) {}

  std::string_view kind() const override { return "classification"; }
  const cross_entropy_options& options() const { return loss_.options(); }

  double loss(const view<const T>& y, const batch<T>& b, const view<T>& gradient, double scale) const override {
    if (b.soft_labels.present()) return loss_.value(y, b.soft_labels, gradient, scale);
    detail::want_labels(kind(), b);
    return loss_.value(y, b.labels, gradient, scale);
  }
  double evaluation_loss(const view<const T>& y, const batch<T>& b) const override {
    detail::want_labels(kind(), b);
    return weight(b) > 0 ? plain_.value(y, b.labels) : 0.0;
  }
  double weight(const batch<T>& b) const override {
    return b.soft_labels.present() ? plain_.total_weight(b.soft_labels) : plain_.total_weight(b.labels);
  }
  double correct(const view<const T>& y, const batch<T>& b) const override {
    return detail::count_correct(y, b.labels, [](const view<const T>& row) { return arg_max(row); });
  }
  void measure(evaluation& e) const override {
    detail::measure_classes(e, e.columns, [](const view<const double>& row) { return arg_max(row); });
  }
  double uninformed_loss(index_t columns) const override { return std::log(static_cast<double>(columns)); }

 private:
  softmax_cross_entropy<T> loss_, plain_;
};

/// One of two classes by one logit: class 1 where it is above 0. Binary cross-entropy; `pos_weight` is that of class 1.
template <class T = float>
class binary_classification : public task<T> {
 public:
  explicit binary_classification(binary_cross_entropy_options o = {}) : loss_(std::move(o)) {
    if (loss_.options().pos_weight.size() > 1)
      fail<option_error>("binary classification: ", loss_.options().pos_weight.size(), " values of pos_weight, wanted one");
  }

  std::string_view kind() const override { return "binary"; }

  double loss(const view<const T>& y, const batch<T>& b, const view<T>& gradient, double scale) const override {
    detail::want_labels(kind(), b);
    return loss_.value(y, b.labels, gradient, scale);
  }
  double correct(const view<const T>& y, const batch<T>& b) const override {
    return detail::count_correct(y, b.labels, [](const view<const T>& row) { return predicted_class(row); });
  }
  void measure(evaluation& e) const override {
    detail::measure_classes(e, 2, [](const view<const double>& row) { return predicted_class(row); });
    bool finite = true;
    for (const double z : e.outputs) finite = finite && is_finite(z);
    e.metrics.push_back({"AUC", finite ? area_under_curve(e.outputs, e.labels) : evaluation::nan});
  }
  double uninformed_loss(index_t) const override { return loss_.options().pos_weight.empty() ? std::log(2.0) : evaluation::nan; }

 private:
  binary_cross_entropy<T> loss_;
};

}  // namespace minicnn::inline MINICNN_ABI
