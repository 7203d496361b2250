#pragma once
/// The task whose answer is any number of labels: each output is the logit of one.

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/train/average_precision.hpp"
#include "minicnn/train/loss.hpp"
#include "minicnn/train/task.hpp"

namespace minicnn::inline MINICNN_ABI {

struct multi_label_options {
  /// Factors of the loss where a label is there, as in PyTorch. Empty: 1; one number: for all labels; else one a label.
  std::vector<double> pos_weight = {};
  /// Probabilities from which labels are given, in the figures. Empty: 0.5; else one a label, as `choose_thresholds` gives.
  std::vector<double> thresholds = {};
};

/// Positives weighted so that each label's yes and no count alike: samples without it over samples with it (PyTorch's
/// pos_weight). `counts`: samples with each label, of `samples`. Throws option_error for a label that none or all have.
inline std::vector<double> balanced_pos_weight(std::span<const index_t> counts, index_t samples) {
  std::vector<double> weights;
  for (std::size_t k = 0; k < counts.size(); ++k) {
    if (counts[k] < 1 || counts[k] >= samples)
      fail<option_error>("label weights: ", counts[k], " of ", samples, " samples have label ", static_cast<index_t>(k),
                         "; wanted some with and some without");
    weights.push_back(static_cast<double>(samples - counts[k]) / static_cast<double>(counts[k]));
  }
  return weights;
}

/// Sigmoid outputs and binary cross-entropy. Batches have `targets` (n, labels) of 0 and 1. Figures: mAP (mean over labels of
/// their average precision), macro F1, micro F1, exact match; `evaluation::per_label`; accuracy is the share of right yes and no.
template <class T = float>
class multi_label : public task<T> {
 public:
  explicit multi_label(multi_label_options o = {}) : loss_({std::move(o.pos_weight)}), thresholds_(std::move(o.thresholds)) {
    for (const double t : thresholds_)
      if (!(t > 0 && t < 1)) fail<option_error>("multi-label: threshold ", t, ", wanted above 0 and below 1");
  }

  std::string_view kind() const override { return "multi-label"; }
  const std::vector<double>& thresholds() const { return thresholds_; }

  double loss(const view<const T>& y, const batch<T>& b, const view<T>& gradient, double scale) const override {
    detail::want_targets(kind(), y, b);
    return loss_.value(y, b.targets, gradient, scale);
  }
  double correct(const view<const T>& y, const batch<T>& b) const override {
    index_t right = 0;
    for (index_t i = 0; i < y.size(); ++i) right += (y[i] > T(0)) == (b.targets[i] > T(0));
    return static_cast<double>(right) / static_cast<double>(y.dims().size_from(1));
  }
  double uninformed_loss(index_t) const override { return loss_.options().pos_weight.empty() ? std::log(2.0) : evaluation::nan; }

  void measure(evaluation& e) const override {
    if (!thresholds_.empty() && static_cast<index_t>(thresholds_.size()) != e.columns)
      fail<option_error>("multi-label: ", thresholds_.size(), " thresholds for ", e.columns, " labels");
    label_counts all;
    double precisions = 0, f1 = 0;
    index_t measured = 0;
    for (index_t k = 0; k < e.columns; ++k) {
      const auto [scores, truth] = column(e, k);
      label_figures one;
      one.threshold = thresholds_.empty() ? 0.5 : thresholds_[static_cast<std::size_t>(k)];
      const label_counts counts = count(scores, truth, one.threshold);
      one.positives = counts.true_positives + counts.false_negatives;
      one.average_precision = finite(scores) ? average_precision(scores, truth) : evaluation::nan;
      one.precision = counts.precision(), one.recall = counts.recall(), one.f1 = counts.f1();
      if (one.positives > 0) precisions += one.average_precision, f1 += one.f1, measured += 1;
      all.true_positives += counts.true_positives;
      all.false_positives += counts.false_positives;
      all.false_negatives += counts.false_negatives;
      e.per_label.push_back(one);
    }
    const double labels = static_cast<double>(measured), entries = static_cast<double>(e.images * e.columns);
    e.accuracy = 1 - static_cast<double>(all.false_positives + all.false_negatives) / entries;
    // Labels that no sample has say nothing about the network.
    e.metrics.push_back({"mAP", measured > 0 ? precisions / labels : evaluation::nan});
    e.metrics.push_back({"macro F1", measured > 0 ? f1 / labels : evaluation::nan});
    e.metrics.push_back({"micro F1", all.f1()});
    e.metrics.push_back({"exact match", exact_match(e)});
    e.metrics.push_back({"accuracy", e.accuracy});
  }

  /// For each label the probability whose F1 on `e` is best; 0.5 for labels that no sample has.
  static std::vector<double> choose_thresholds(const evaluation& e) {
    std::vector<double> chosen;
    for (index_t k = 0; k < e.columns; ++k) {
      const auto [scores, truth] = column(e, k);
      const double t = best_f1_threshold(scores, truth, 0.5);
      chosen.push_back(std::clamp(t, 1e-6, 1 - 1e-6));
    }
    return chosen;
  }

 private:
  /// Probabilities and truth of label `k`.
  static std::pair<std::vector<double>, std::vector<char>> column(const evaluation& e, index_t k) {
    if (e.target_columns != e.columns) fail<shape_error>("multi-label: ", e.columns, " outputs, ", e.target_columns, " targets");
    std::pair<std::vector<double>, std::vector<char>> out;
    for (index_t i = 0; i < e.images; ++i) {
      const auto at = static_cast<std::size_t>(i * e.columns + k);
      out.first.push_back(sigmoid(e.outputs[at]));
      out.second.push_back(e.targets[at] > 0);
    }
    return out;
  }

  static bool finite(const std::vector<double>& scores) {
    return std::all_of(scores.begin(), scores.end(), [](double s) { return is_finite(s); });
  }

  static label_counts count(const std::vector<double>& scores, const std::vector<char>& truth, double threshold) {
    label_counts counts;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const bool given = scores[i] > threshold;
      counts.true_positives += given && truth[i];
      counts.false_positives += given && !truth[i];
      counts.false_negatives += !given && truth[i];
    }
    return counts;
  }

  /// Share of samples whose labels are all right.
  double exact_match(const evaluation& e) const {
    index_t right = 0;
    for (index_t i = 0; i < e.images; ++i) {
      bool all = true;
      for (index_t k = 0; k < e.columns; ++k) {
        const auto at = static_cast<std::size_t>(i * e.columns + k);
        const double threshold = thresholds_.empty() ? 0.5 : thresholds_[static_cast<std::size_t>(k)];
        all = all && (sigmoid(e.outputs[at]) > threshold) == (e.targets[at] > 0);
      }
      right += all;
    }
    return static_cast<double>(right) / static_cast<double>(e.images);
  }

  binary_cross_entropy<T> loss_;
  std::vector<double> thresholds_;
};

}  // namespace minicnn::inline MINICNN_ABI
