#pragma once
/// Do two networks differ? Both have judged the same pictures, so each picture is its own control: what counts are the pictures
/// on which they disagree, and the differences of their losses picture by picture.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "minicnn/core/random.hpp"

namespace minicnn::inline MINICNN_ABI {

/// McNemar's exact test (McNemar, Psychometrika 1947, with the binomial distribution in place of chi squared): the chance that
/// two equally good networks, of `only_first + only_second` pictures that one alone gets right, share them at least as unevenly.
/// Two-sided; 1 when they never disagree.
inline double mcnemar_exact(index_t only_first, index_t only_second) {
  if (only_first < 0 || only_second < 0)
    fail<option_error>("mcnemar: counts ", only_first, " and ", only_second, " must not be negative");
  const index_t n = only_first + only_second, few = (std::min)(only_first, only_second);
  // Half of the sum over k <= few of n over k, times two: each term from the one before, on a logarithmic scale.
  const auto size = static_cast<double>(n);
  double log_term = -size * std::log(2.0), sum = 0;
  for (index_t k = 0; k <= few; ++k) {
    sum += std::exp(log_term);
    log_term += std::log(static_cast<double>(n - k)) - std::log(static_cast<double>(k + 1));
  }
  return (std::min)(1.0, 2 * sum);
}

/// A mean with an interval around it.
struct mean_interval {
  double mean = 0, low = 0, high = 0;
  /// Whether 0 lies outside.
  bool clear() const { return low > 0 || high < 0; }
};

/// The mean of `values` and its percentile bootstrap interval (Efron and Tibshirani, "An introduction to the bootstrap", 1993,
/// chapter 13): `resamples` times as many values are drawn with replacement and averaged, and the middle `confidence` of those
/// means kept. No assumption about the distribution, which log losses, with their few large values, would not keep. Equal seeds
/// give equal bits. Throws option_error without values, or for options outside their range.
inline mean_interval bootstrap_mean(std::span<const double> values, double confidence = 0.95, index_t resamples = 2000,
                                    std::uint64_t seed = 0) {
  const auto count = static_cast<index_t>(values.size());
  if (count < 1) fail<option_error>("bootstrap: no values");
  if (!(confidence > 0 && confidence < 1)) fail<option_error>("bootstrap: confidence ", confidence, ", wanted between 0 and 1");
  if (resamples < 20) fail<option_error>("bootstrap: ", resamples, " resamples, wanted at least 20");
  const auto size = static_cast<double>(count);
  double sum = 0;
  for (const double v : values) sum += v;
  std::vector<double> means;
  const random_key key = random_key(seed).of(0x626F6F74ULL);
  for (index_t r = 0; r < resamples; ++r) {
    random_stream random(key.of(static_cast<std::uint64_t>(r)));
    double drawn = 0;
    for (index_t i = 0; i < count; ++i) drawn += values[static_cast<std::size_t>(random.below(count))];
    means.push_back(drawn / size);
  }
  std::sort(means.begin(), means.end());
  const auto at = [&](double share) {
    const auto place = static_cast<index_t>(std::floor(share * static_cast<double>(resamples)));
    return means[static_cast<std::size_t>(std::clamp(place, index_t{0}, resamples - 1))];
  };
  const double tail = (1 - confidence) / 2;
  return {sum / size, at(tail), at(1 - tail)};
}

/// What a network made of labelled pictures: for each whether its answer is right, and the loss -log P(true class).
struct judged_pictures {
  std::vector<char> right;
  std::vector<double> losses;
};

/// Two networks on the same pictures.
struct paired_comparison {
  index_t images = 0;
  index_t both = 0, only_first = 0, only_second = 0, neither = 0;  ///< pictures by who is right
  double p_value = 1;                                              ///< of `mcnemar_exact`
  mean_interval loss_difference;                                   ///< first less second; below 0: the first has the smaller loss
};

/// Compares picture by picture. Throws option_error if the lists differ in length or are empty.
inline paired_comparison compare_paired(const judged_pictures& first, const judged_pictures& second) {
  const std::size_t count = first.right.size();
  if (count == 0 || second.right.size() != count || first.losses.size() != count || second.losses.size() != count)
    fail<option_error>("paired test: ", count, " and ", second.right.size(), " pictures, wanted as many and at least one");
  paired_comparison out;
  std::vector<double> differences;
  for (std::size_t i = 0; i < count; ++i) {
    const bool a = first.right[i] != 0, b = second.right[i] != 0;
    (a ? b ? out.both : out.only_first : b ? out.only_second : out.neither) += 1;
    differences.push_back(first.losses[i] - second.losses[i]);
  }
  out.images = static_cast<index_t>(count);
  out.p_value = mcnemar_exact(out.only_first, out.only_second);
  out.loss_difference = bootstrap_mean(differences);
  return out;
}

}  // namespace minicnn::inline MINICNN_ABI
