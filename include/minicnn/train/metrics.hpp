#pragma once
/// What is measured over a data set: loss and accuracy as running means, the confusion matrix, and what probabilities are
/// worth (log loss, area under the ROC curve, calibration, temperature). Counters are integers, sums are in double.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "minicnn/core/tensor.hpp"
#include "minicnn/train/reductions.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Mean over samples of values that come as means of batches: a smaller last batch counts for less.
class running_mean {
 public:
  void add(double mean_of_batch, index_t samples) {
    sum_ += mean_of_batch * static_cast<double>(samples);
    count_ += samples;
  }
  /// 0 before the first sample.
  double value() const { return count_ == 0 ? 0.0 : sum_ / static_cast<double>(count_); }
  index_t count() const { return count_; }

 private:
  double sum_ = 0.0;
  index_t count_ = 0;
};

/// Index of the largest element (the first of equals); of NaN only if there is nothing else.
template <class T>
index_t arg_max(const view<const T>& row) {
  index_t best = 0;
  for (index_t k = 1; k < row.size(); ++k)
    if (!is_nan(row[k]) && (is_nan(row[best]) || row[k] > row[best])) best = k;
  return best;
}

/// The class that a row of logits (or probabilities) names. One column: 1 where the logit is above 0.
template <class T>
index_t predicted_class(const view<const T>& row) {
  return row.size() == 1 ? (row[0] > T(0) ? 1 : 0) : arg_max(row);
}

/// Counts by true and predicted class.
class confusion_matrix {
 public:
  explicit confusion_matrix(index_t classes) : classes_(classes), counts_(static_cast<std::size_t>(classes * classes), 0) {}

  index_t classes() const { return classes_; }

  /// Throws option_error for a class outside the matrix.
  void add(index_t truth, index_t predicted) {
    for (const index_t k : {truth, predicted})
      if (k < 0 || k >= classes_) fail<option_error>("confusion matrix: class ", k, " of ", classes_);
    counts_[static_cast<std::size_t>(truth * classes_ + predicted)] += 1;
  }
  /// A batch of logits (n, classes), or (n, 1) for two classes.
  template <class T>
  void add(const view<const T>& logits, std::span<const std::int32_t> labels) {
    if (logits.dims().rank() < 1 || logits.dim(0) != static_cast<index_t>(labels.size()))
      fail<shape_error>("confusion matrix: logits are ", logits.dims(), ", labels ", static_cast<index_t>(labels.size()));
    for (index_t i = 0; i < logits.dim(0); ++i) add(labels[static_cast<std::size_t>(i)], predicted_class(logits.at(i)));
  }

  index_t operator()(index_t truth, index_t predicted) const {
    return counts_[static_cast<std::size_t>(truth * classes_ + predicted)];
  }
  index_t total() const { return std::accumulate(counts_.begin(), counts_.end(), index_t{0}); }
  index_t correct() const {
    index_t sum = 0;
    for (index_t k = 0; k < classes_; ++k) sum += (*this)(k, k);
    return sum;
  }
  /// Share of right answers; 0 when nothing was counted, as all ratios below.
  double accuracy() const { return ratio(correct(), total()); }

  /// Samples of class k, and samples taken for class k.
  index_t truths(index_t k) const {
    index_t sum = 0;
    for (index_t j = 0; j < classes_; ++j) sum += (*this)(k, j);
    return sum;
  }
  index_t predictions(index_t k) const {
    index_t sum = 0;
    for (index_t j = 0; j < classes_; ++j) sum += (*this)(j, k);
    return sum;
  }
  double precision(index_t k) const { return ratio((*this)(k, k), predictions(k)); }
  double recall(index_t k) const { return ratio((*this)(k, k), truths(k)); }
  /// Harmonic mean of precision and recall.
  double f1(index_t k) const { return ratio(2 * (*this)(k, k), truths(k) + predictions(k)); }
  /// Mean recall over the classes that occur: accuracy that a majority class cannot carry.
  double balanced_accuracy() const {
    double sum = 0.0;
    index_t seen = 0;
    for (index_t k = 0; k < classes_; ++k)
      if (truths(k) > 0) sum += recall(k), seen += 1;
    return seen == 0 ? 0.0 : sum / static_cast<double>(seen);
  }

 private:
  static double ratio(index_t part, index_t all) { return all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all); }

  index_t classes_;
  std::vector<index_t> counts_;
};

/// -log of the probability given to the true class, which is first clipped to [clip, 1 - clip] as Kaggle does (in double:
/// in float 1 - 1e-15 is 1, and the loss of a wrong certainty infinite). Throws option_error for a probability that is not
/// finite, and for a clip outside [0, 0.5].
inline double log_loss(double probability_of_truth, double clip = 1e-15) {
  if (!is_finite(probability_of_truth)) fail<option_error>("log loss: a probability is not finite");
  if (!(clip >= 0.0 && clip <= 0.5)) fail<option_error>("log loss: clip is ", clip, ", wanted 0 to 0.5");
  return -std::log(std::clamp(probability_of_truth, clip, 1.0 - clip));
}

/// Mean log loss of P(label = 1).
inline double log_loss(std::span<const double> probabilities, std::span<const std::int32_t> labels, double clip = 1e-15) {
  if (probabilities.size() != labels.size())
    fail<shape_error>("log loss: ", static_cast<index_t>(probabilities.size()), " probabilities, ",
                      static_cast<index_t>(labels.size()), " labels");
  double sum = 0.0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!is_finite(probabilities[i]) || !(clip >= 0.0 && clip <= 0.5))
      fail<option_error>("log loss: sample ", i, ": probability ", probabilities[i], ", clip ", clip);
    const double p = std::clamp(probabilities[i], clip, 1.0 - clip);
    sum -= labels[i] == 1 ? std::log(p) : std::log1p(-p);
  }
  return labels.empty() ? 0.0 : sum / static_cast<double>(labels.size());
}

/// Mean log loss of probabilities (n, classes).
template <class T>
double log_loss(const view<const T>& probabilities, std::span<const std::int32_t> labels, double clip = 1e-15) {
  if (probabilities.dims().rank() < 1 || probabilities.dim(0) != static_cast<index_t>(labels.size()))
    fail<shape_error>("log loss: probabilities are ", probabilities.dims(), ", labels ", static_cast<index_t>(labels.size()));
  const index_t classes = probabilities.dims().size_from(1);
  double sum = 0.0;
  for (index_t i = 0; i < probabilities.dim(0); ++i) {
    const index_t label = labels[static_cast<std::size_t>(i)];
    if (label < 0 || label >= classes)
      fail<option_error>("log loss: sample ", i, " has label ", label, " of ", classes, " classes");
    sum += log_loss(static_cast<double>(probabilities[i * classes + label]), clip);
  }
  return labels.empty() ? 0.0 : sum / static_cast<double>(labels.size());
}

/// Area under the ROC curve of scores for label 1: the chance that a sample of class 1 scores above one of class 0, ties
/// counting half (Mann and Whitney's U). NaN if only one class occurs. Throws option_error for a score that is not
/// finite.
inline double area_under_curve(std::span<const double> scores, std::span<const std::int32_t> labels) {
  if (scores.size() != labels.size())
    fail<shape_error>("area under the curve: ", static_cast<index_t>(scores.size()), " scores, ",
                      static_cast<index_t>(labels.size()), " labels");
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (!is_finite(scores[i])) fail<option_error>("area under the curve: score ", static_cast<index_t>(i), " is not finite");
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double pairs = 0.0, positives = 0.0, negatives = 0.0;
  for (std::size_t i = 0; i < order.size();) {
    double tied[2] = {0.0, 0.0};
    const double score = scores[order[i]];
    for (; i < order.size() && !(scores[order[i]] > score); ++i) tied[labels[order[i]] == 1] += 1.0;
    pairs += tied[1] * (negatives + 0.5 * tied[0]);
    negatives += tied[0];
    positives += tied[1];
  }
  if (!(positives > 0.0 && negatives > 0.0)) return std::numeric_limits<double>::quiet_NaN();
  return pairs / (positives * negatives);
}

}  // namespace minicnn::inline MINICNN_ABI
