#pragma once
/// The receiver operating characteristic of scores for one class against the rest.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "minicnn/core/tensor.hpp"
#include "minicnn/train/reductions.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Calling everything from `threshold` on positive finds the share `true_positives` of what is, and takes in the share
/// `false_positives` of what is not.
struct roc_point {
  double false_positives = 0;
  double true_positives = 0;
  double threshold = 0;
};

/// From (0, 0), with an infinite threshold, to (1, 1); a point for each different score, those on a straight line between
/// their neighbours left out. `positive` is the label that counts. Empty if only one kind occurs, or a score is not finite.
inline std::vector<roc_point> roc_curve(std::span<const double> scores, std::span<const std::int32_t> labels,
                                        std::int32_t positive = 1) {
  if (scores.size() != labels.size()) fail<shape_error>("ROC: ", scores.size(), " scores, ", labels.size(), " labels");
  double positives = 0, negatives = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!is_finite(scores[i])) return {};
    (labels[i] == positive ? positives : negatives) += 1;
  }
  if (positives == 0 || negatives == 0) return {};
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });

  std::vector<roc_point> curve{{0, 0, INFINITY}};
  double right = 0, wrong = 0;
  for (std::size_t i = 0; i < order.size();) {
    const double score = scores[order[i]];
    for (; i < order.size() && !(scores[order[i]] < score); ++i) (labels[order[i]] == positive ? right : wrong) += 1;
    const roc_point next{wrong / negatives, right / positives, score};
    const bool level = curve.size() > 1 && curve.back().true_positives == next.true_positives &&
                       curve[curve.size() - 2].true_positives == next.true_positives;
    const bool steep = curve.size() > 1 && curve.back().false_positives == next.false_positives &&
                       curve[curve.size() - 2].false_positives == next.false_positives;
    if (level || steep)
      curve.back() = next;
    else
      curve.push_back(next);
  }
  return curve;
}

}  // namespace minicnn::inline MINICNN_ABI
