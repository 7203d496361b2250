#pragma once
/// Whether probabilities mean what they say, and the one number that makes them: a temperature (Guo et al., "On calibration
/// of modern neural networks", ICML 2017).

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "minicnn/core/tensor.hpp"
#include "minicnn/train/reductions.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Throws option_error naming the first of (n, columns) values that is not finite: what follows from it means nothing.
template <class T>
void check_finite(const char* what, const T* values, index_t n, index_t columns) {
  for (index_t i = 0; i < n * columns; ++i)
    if (!is_finite(values[i])) fail<option_error>(what, ": sample ", i / columns, ": value ", i % columns, " is not finite");
}

}  // namespace detail

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

/// From probabilities (n, classes); throws shape_error or option_error where labels do not fit, option_error for
/// values that are not finite. All 0 for n = 0.
template <class T>
calibration calibrate(const view<const T>& probabilities, std::span<const std::int32_t> labels, int bins = 15) {
  if (probabilities.dims().rank() < 1 || probabilities.dim(0) != static_cast<index_t>(labels.size()))
    fail<shape_error>("calibration: probabilities are ", probabilities.dims(), ", labels ", static_cast<index_t>(labels.size()));
  if (bins < 1) fail<option_error>("calibration: ", bins, " bins");
  calibration result;
  result.bins.resize(static_cast<std::size_t>(bins));
  const index_t n = probabilities.dim(0), classes = probabilities.dims().size_from(1);
  detail::check_finite("calibration", probabilities.data(), n, classes);
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
/// Throws option_error for logits that are not finite.
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
  detail::check_finite("temperature", logits.data(), n, columns);
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

/// Log loss of probabilities that are averaged over several views of each image: mean over images of
/// -log(mean over views of softmax(logits / temperature)[label]). `views`: one (n, classes) array a view; `weights`: what each
/// counts in the mean, with a sum of 1, empty for all alike. Throws option_error for logits that are not finite and temperatures
/// that are not above 0.
inline double mean_view_log_loss(std::span<const std::vector<float>> views, std::span<const std::int32_t> labels, index_t classes,
                                 double temperature, std::span<const double> weights = {}) {
  if (!weights.empty() && weights.size() != views.size())
    fail<shape_error>("log loss: ", weights.size(), " weights for ", views.size(), " views");
  if (!(temperature > 0.0 && is_finite(temperature)))
    fail<option_error>("temperature: ", temperature, ", wanted a number above 0");
  for (const std::vector<float>& logits : views)
    detail::check_finite("log loss", logits.data(), static_cast<index_t>(labels.size()), classes);
  double loss = 0.0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    double top = -std::numeric_limits<double>::infinity();
    std::vector<double> logs;
    for (const std::vector<float>& logits : views) {
      const float* z = logits.data() + static_cast<index_t>(i) * classes;
      const double most = static_cast<double>(*std::max_element(z, z + classes));
      double sum = 0.0;
      for (index_t k = 0; k < classes; ++k) sum += std::exp((static_cast<double>(z[k]) - most) / temperature);
      logs.push_back((static_cast<double>(z[labels[i]]) - most) / temperature - std::log(sum));
      top = (std::max)(top, logs.back());
    }
    double mean = 0.0;
    for (std::size_t v = 0; v < logs.size(); ++v)
      mean += std::exp(logs[v] - top) * (weights.empty() ? 1.0 / static_cast<double>(logs.size()) : weights[v]);
    loss -= top + std::log(mean);
  }
  return labels.empty() ? 0.0 : loss / static_cast<double>(labels.size());
}

/// The temperature in [low, high] of least `mean_view_log_loss`, by golden sections of its logarithm. With few images a wide
/// range lets chance decide (all answers right: `low`), so it is narrow. 1 without images.
inline double fit_view_temperature(std::span<const std::vector<float>> views, std::span<const std::int32_t> labels,
                                   index_t classes, double low = 0.5, double high = 4.0, std::span<const double> weights = {}) {
  for (const std::vector<float>& logits : views)
    if (static_cast<index_t>(logits.size()) != static_cast<index_t>(labels.size()) * classes)
      fail<shape_error>("temperature: ", logits.size(), " logits for ", labels.size(), " labels and ", classes, " classes");
  if (!(low > 0.0 && low <= high && is_finite(high)))
    fail<option_error>("temperature: between ", low, " and ", high, ", wanted 0 < low <= high");
  if (labels.empty() || views.empty()) return 1.0;
  const auto loss = [&](double log_temperature) {
    return mean_view_log_loss(views, labels, classes, std::exp(log_temperature), weights);
  };
  constexpr double golden = 0.6180339887498949;
  double a = std::log(low), b = std::log(high);
  double left = b - golden * (b - a), right = a + golden * (b - a);
  double at_left = loss(left), at_right = loss(right);
  for (int i = 0; i < 40; ++i) {
    if (at_left < at_right) {
      b = right, right = left, at_right = at_left;
      left = b - golden * (b - a), at_left = loss(left);
    } else {
      a = left, left = right, at_left = at_right;
      right = a + golden * (b - a), at_right = loss(right);
    }
  }
  return std::exp(0.5 * (a + b));
}

/// How far from 0 and 1 to keep probabilities of the second of two classes so that the log loss on these samples is least. The
/// answer lies between 1 / (2 n + 2), since n samples cannot tell rarer mistakes from impossible ones, and 0.05.
inline double fit_clip(std::span<const double> probabilities, std::span<const std::int32_t> labels) {
  if (probabilities.size() != labels.size())
    fail<shape_error>("clip: ", probabilities.size(), " probabilities, ", labels.size(), " labels");
  detail::check_finite("clip", probabilities.data(), static_cast<index_t>(probabilities.size()), 1);
  const double least = (std::min)(0.05, 0.5 / static_cast<double>(labels.size() + 1));
  double best = least, best_loss = std::numeric_limits<double>::infinity();
  constexpr int steps = 60;
  for (int i = 0; i <= steps; ++i) {
    const double clip = least * std::pow(0.05 / least, static_cast<double>(i) / steps);
    double loss = 0.0;
    for (std::size_t j = 0; j < labels.size(); ++j) {
      const double p = std::clamp(probabilities[j], clip, 1 - clip);
      loss -= std::log(labels[j] == 1 ? p : 1 - p);
    }
    if (loss < best_loss) best = clip, best_loss = loss;
  }
  return best;
}

}  // namespace minicnn::inline MINICNN_ABI
