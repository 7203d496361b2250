#pragma once
/// What a score is worth for a label that a sample has or has not: average precision, and the threshold with the best F1.

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "minicnn/core/error.hpp"
#include "minicnn/core/shape.hpp"
#include "minicnn/train/reductions.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Counts of one label's yes and no against what is true.
struct label_counts {
  index_t true_positives = 0, false_positives = 0, false_negatives = 0;

  /// Of what is given, the share that is right; 0 where nothing is given, as below.
  double precision() const { return ratio(true_positives, true_positives + false_positives); }
  /// Of what is true, the share that is given.
  double recall() const { return ratio(true_positives, true_positives + false_negatives); }
  /// Harmonic mean of both.
  double f1() const { return ratio(2 * true_positives, 2 * true_positives + false_positives + false_negatives); }

 private:
  static double ratio(index_t part, index_t all) { return all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all); }
};

namespace detail {

/// Calls `at(score, true positives, false positives)` for every distinct score, from the highest: what is given when all samples
/// from that score on are taken. Returns the number of positives. Throws option_error for a score that is not finite.
template <class F>
index_t sweep_thresholds(std::span<const double> scores, const std::vector<char>& truth, const F& at) {
  if (scores.size() != truth.size())
    fail<shape_error>("average precision: ", static_cast<index_t>(scores.size()), " scores, ", static_cast<index_t>(truth.size()),
                      " labels");
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (!is_finite(scores[i])) fail<option_error>("average precision: score ", static_cast<index_t>(i), " is not finite");
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  index_t counts[2] = {0, 0};
  for (std::size_t i = 0; i < order.size();) {
    const double score = scores[order[i]];
    for (; i < order.size() && !(scores[order[i]] < score); ++i) counts[truth[order[i]] != 0] += 1;
    at(score, counts[1], counts[0]);
  }
  return counts[1];
}

}  // namespace detail

/// Sum over thresholds of precision times what recall grows by, without interpolation (scikit-learn's average_precision_score):
/// the area under the precision-recall curve. Ties count as one threshold. NaN without a positive sample.
inline double average_precision(std::span<const double> scores, const std::vector<char>& truth) {
  double sum = 0;
  index_t before = 0;
  const index_t positives = detail::sweep_thresholds(scores, truth, [&](double, index_t tp, index_t fp) {
    sum += static_cast<double>(tp - before) * static_cast<double>(tp) / static_cast<double>(tp + fp);
    before = tp;
  });
  return positives == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(positives);
}

/// The score from which taking samples gives the largest F1 (of equal ones the highest), halfway to the next lower score;
/// `otherwise` without a positive sample. Choose it on validation data, never on those it is judged on.
inline double best_f1_threshold(std::span<const double> scores, const std::vector<char>& truth, double otherwise) {
  index_t positives = 0;
  for (const char t : truth) positives += t != 0;
  double best = -1, chosen = otherwise, best_score = 0;
  bool open = false;  // the score below the chosen one is still to come
  detail::sweep_thresholds(scores, truth, [&](double score, index_t tp, index_t fp) {
    if (open) chosen = best_score + (score - best_score) / 2, open = false;
    const double f1 = label_counts{tp, fp, positives - tp}.f1();
    if (f1 > best) best = f1, best_score = chosen = score, open = true;
  });
  return positives == 0 ? otherwise : chosen;
}

}  // namespace minicnn::inline MINICNN_ABI
