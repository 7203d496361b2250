#pragma once
/// Whether probabilities mean what they say, and the one number that makes them: a temperature (Guo et al., "On calibration
/// of modern neural networks", ICML 2017).

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "minicnn/core/tensor.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Samples whose confidence (the largest probability) lies in one bin.
struct calibration_bin {
  index_t count = 0;
  double confidence = 0.0;  ///< mean; 0 when empty
  double accuracy = 0.0;    ///< share of right answers; 0 when empty
};

struct calibration {
  std::vector<calibration_bin> bins;  ///< of equal width over [0, 1]
  double expected_error = 0.0;        ///< ECE: mean of |accuracy - confidence|, bins weighted by count (Guo et al., eq. 3)
  double brier = 0.0;                 ///< mean over samples of the sum over classes of (p - target)^2 (Brier, 1950)
};

/// From probabilities (n, classes); throws shape_error or option_error where labels do not fit. All 0 for n = 0.
template <class T>
calibration calibrate(const view<const T>& probabilities, std::span<const std::int32_t> labels, int bins = 15) {
  if (probabilities.dims().rank() < 1 || probabilities.dim(0) != static_cast<index_t>(labels.size()))
    fail<shape_error>("calibration: probabilities are ", probabilities.dims(), ", labels ", static_cast<index_t>(labels.size()));
  if (bins < 1) fail<option_error>("calibration: ", bins, " bins");
  calibration result;
  result.bins.resize(static_cast<std::size_t>(bins));
  const index_t n = probabilities.dim(0), classes = probabilities.dims().size_from(1);
  for (index_t i = 0; i < n; ++i) {
    const T* p = probabilities.data() + i * classes;
    const index_t label = labels[static_cast<std::size_t>(i)];
    if (label < 0 || label >= classes)
      fail<option_error>("calibration: sample ", i, " has label ", label, " of ", classes, " classes");
    const index_t top = std::max_element(p, p + classes) - p;
    const double confidence = static_cast<double>(p[top]);
    const auto bin = static_cast<std::size_t>(std::clamp(confidence * bins, 0.0, static_cast<double>(bins - 1)));
    result.bins[bin].count += 1;
    result.bins[bin].confidence += confidence;
    result.bins[bin].accuracy += top == label ? 1.0 : 0.0;
    for (index_t k = 0; k < classes; ++k) {
      const double gap = static_cast<double>(p[k]) - (k == label ? 1.0 : 0.0);
      result.brier += gap * gap / static_cast<double>(n);
    }
  }
  for (calibration_bin& b : result.bins) {
    if (b.count == 0) continue;
    b.confidence /= static_cast<double>(b.count);
    b.accuracy /= static_cast<double>(b.count);
    result.expected_error += std::abs(b.accuracy - b.confidence) * static_cast<double>(b.count) / static_cast<double>(n);
  }
  return result;
}

namespace detail {

/// Mean log loss of softmax(scale * logits), and its derivative by `scale`. It is convex in `scale`.
template <class T>
std::pair<double, double> scaled_log_loss(const view<const T>& logits, std::span<const std::int32_t> labels, double scale) {
  const index_t n = logits.dim(0), classes = logits.dims().size_from(1);
  double loss = 0.0, slope = 0.0;
  for (index_t i = 0; i < n; ++i) {
    const T* z = logits.data() + i * classes;
    const double top = static_cast<double>(*std::max_element(z, z + classes));
    double sum = 0.0, mean = 0.0;
    for (index_t k = 0; k < classes; ++k) {
      const double below = static_cast<double>(z[k]) - top, e = std::exp(scale * below);
      sum += e;
      mean += e * below;
    }
    const double truth = static_cast<double>(z[labels[static_cast<std::size_t>(i)]]) - top;
    loss += std::log(sum) - scale * truth;
    slope += mean / sum - truth;
  }
  return {loss / static_cast<double>(n), slope / static_cast<double>(n)};
}

}  // namespace detail

/// The temperature t in [0.1, 10000] for which softmax(logits / t) has the least log loss on these samples (of a validation
/// set): above 1 if the network is too sure of itself. The loss is convex in 1 / t, so its slope is bisected and a single
/// wrong certainty cannot lead it astray. All answers right: 0.1. One column: sigmoid instead of softmax. 1 for n = 0.
template <class T>
double fit_temperature(const view<const T>& logits, std::span<const std::int32_t> labels) {
  if (logits.dims().rank() < 1 || logits.dim(0) != static_cast<index_t>(labels.size()))
    fail<shape_error>("temperature: logits are ", logits.dims(), ", labels ", static_cast<index_t>(labels.size()));
  const index_t n = logits.dim(0), columns = logits.dims().size_from(1), classes = (std::max)(columns, index_t{2});
  for (index_t i = 0; i < n; ++i)
    if (labels[static_cast<std::size_t>(i)] < 0 || labels[static_cast<std::size_t>(i)] >= classes)
      fail<option_error>("temperature: sample ", i, " has label ", labels[static_cast<std::size_t>(i)], " of ", classes,
                         " classes");
  if (n == 0) return 1.0;
  if (columns == 1) {  // sigmoid(z) is the softmax of (0, z)
    tensor<T> pairs({n, 2});
    for (index_t i = 0; i < n; ++i) pairs[2 * i + 1] = logits[i];
    return fit_temperature<T>(pairs, labels);
  }
  double low = std::log(1e-4), high = std::log(10.0);  // of the scale 1 / t; its logarithm is bisected
  for (int i = 0; i < 60; ++i) {
    const double middle = 0.5 * (low + high);
    (detail::scaled_log_loss(logits, labels, std::exp(middle)).second > 0.0 ? high : low) = middle;
  }
  return std::exp(-0.5 * (low + high));
}

}  // namespace minicnn::inline MINICNN_ABI
