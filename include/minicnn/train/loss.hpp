#pragma once
/// Losses. They take logits (what the last dense layer gives), return the mean over the batch and write its gradient.
///
///     softmax_cross_entropy<float> loss;
///     run.forward(images);
///     double l = loss(run, labels);                                   // one output
///     double l = loss(run, {{0, 1.0}, {1, 0.3}, {2, 0.3}}, labels);   // GoogLeNet: auxiliary heads count 0.3
///     run.backward();
///
/// Everything is computed in double, sample after sample, so the value does not depend on threads or vector width, and no
/// finite logit overflows. NaN in a logit gives a loss of NaN.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

#include "minicnn/graph/session.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Probabilities of each row of `logits` (n, classes); `out` has the same shape and may be the same memory.
template <class T>
void softmax(const view<const T>& logits, const view<T>& out) {
  if (!(logits.dims() == out.dims()) || logits.dims().rank() < 1)
    fail<shape_error>("softmax: logits are ", logits.dims(), ", the output is ", out.dims());
  const index_t classes = logits.dims().size_from(1);
  for (index_t i = 0; i < logits.dim(0); ++i) {
    const T* z = logits.data() + i * classes;
    T* p = out.data() + i * classes;
    double top = classes > 0 ? static_cast<double>(z[0]) : 0.0, sum = 0.0;
    for (index_t k = 1; k < classes; ++k) top = (std::max)(top, static_cast<double>(z[k]));
    for (index_t k = 0; k < classes; ++k) sum += std::exp(static_cast<double>(z[k]) - top);
    for (index_t k = 0; k < classes; ++k) p[k] = static_cast<T>(std::exp(static_cast<double>(z[k]) - top) / sum);
  }
}

/// 1 / (1 + exp(-z)), never overflowing.
inline double sigmoid(double z) {
  const double e = std::exp(-std::abs(z));
  return z >= 0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}

/// The same for every element; `out` may be the same memory.
template <class T>
void sigmoid(const view<const T>& logits, const view<T>& out) {
  if (!(logits.dims() == out.dims())) fail<shape_error>("sigmoid: logits are ", logits.dims(), ", the output is ", out.dims());
  for (index_t i = 0; i < logits.size(); ++i) out[i] = static_cast<T>(sigmoid(static_cast<double>(logits[i])));
}

/// An output of a network and the factor that its loss counts with.
struct weighted_output {
  int output = 0;
  double weight = 1.0;
};

namespace detail {

/// Throws unless there is a sample, and `each` labels for every sample.
inline void check_batch(const shape& logits, index_t labels, index_t each, const shape& gradient, bool has_gradient) {
  if (logits.rank() < 1 || logits[0] < 1 || logits[0] * each != labels || logits.size() == 0)
    fail<shape_error>("loss: logits are ", logits, ", labels ", labels);
  if (has_gradient && !(gradient == logits)) fail<shape_error>("loss: logits are ", logits, ", their gradient is ", gradient);
}

[[noreturn]] inline void fail_label(index_t sample, std::int32_t label, index_t classes) {
  fail<option_error>("loss: sample ", sample, " has label ", label, ", but there are ", classes, " classes (labels 0 to ",
                     classes - 1, ")");
}

/// What the losses share: calling them on a network's outputs.
template <class Loss, class T>
class network_loss {
 public:
  /// Mean loss of one output times `weight`; writes `run.output_gradient(output)`. `gradient_scale` multiplies the gradient
  /// but not the value: 1/k when gradients of k batches are accumulated.
  double operator()(session<T>& run, std::span<const std::int32_t> labels, int output = 0, double weight = 1.0,
                    double gradient_scale = 1.0) const {
    return weight * static_cast<const Loss&>(*this).value(run.output(output), labels, run.output_gradient(output),
                                                          weight * gradient_scale);
  }

  /// Weighted sum over several outputs with the same labels.
  double operator()(session<T>& run, std::span<const weighted_output> outputs, std::span<const std::int32_t> labels,
                    double gradient_scale = 1.0) const {
    double sum = 0.0;
    for (const weighted_output& o : outputs) sum += (*this)(run, labels, o.output, o.weight, gradient_scale);
    return sum;
  }
  double operator()(session<T>& run, std::initializer_list<weighted_output> outputs, std::span<const std::int32_t> labels,
                    double gradient_scale = 1.0) const {
    return (*this)(run, std::span<const weighted_output>(outputs.begin(), outputs.size()), labels, gradient_scale);
  }
};

}  // namespace detail

struct cross_entropy_options {
  double label_smoothing = 0.0;  ///< in [0, 1): the target is (1 - s) * one-hot + s / classes (Szegedy et al., CVPR 2016, 7)
  std::vector<double> class_weights = {};  ///< empty: all 1. With weights the mean is weighted, as in PyTorch
};

/// -log softmax(logits)[label].
template <class T = float>
class softmax_cross_entropy : public detail::network_loss<softmax_cross_entropy<T>, T> {
 public:
  explicit softmax_cross_entropy(cross_entropy_options o = {}) : options_(std::move(o)) {
    if (!(options_.label_smoothing >= 0.0 && options_.label_smoothing < 1.0))
      fail<option_error>("loss: label_smoothing is ", options_.label_smoothing, ", wanted 0 to below 1");
    for (const double w : options_.class_weights)
      if (w != 0.0 && !(w >= 1e-15 && w <= 1e15))
        fail<option_error>("loss: a class weight is ", w, ", wanted 0, or 1e-15 to 1e15");
  }

  const cross_entropy_options& options() const { return options_; }

  /// The same with probabilities of the classes (n, classes) in place of labels, each row of sum 1, which label smoothing smooths
  /// as it does labels. With class weights the mean is weighted by what the weights are on average over a row.
  double value(const view<const T>& logits, const view<const T>& labels, const view<T>& gradient = {},
               double gradient_scale = 1.0) const {
    if (!(labels.dims() == logits.dims()) || logits.dims().rank() < 1 || logits.size() == 0 ||
        (gradient.present() && !(gradient.dims() == logits.dims())))
      fail<shape_error>("loss: logits are ", logits.dims(), ", soft labels ", labels.dims());
    const index_t n = logits.dim(0), classes = logits.dims().size_from(1);
    const double total = total_weight(labels);
    if (total <= 0.0) fail<option_error>("loss: the classes in this batch all have weight 0");
    double sum = 0.0;
    for (index_t i = 0; i < n; ++i) {
      const T* t = labels.data() + i * classes;
      T* g = gradient.present() ? gradient.data() + i * classes : nullptr;
      const double smooth = options_.label_smoothing / static_cast<double>(classes), keep = 1.0 - options_.label_smoothing;
      sum += soft_sample(
          logits.data() + i * classes, classes,
          [&](index_t k) { return (keep * static_cast<double>(t[k]) + smooth) * weight(k); }, g, gradient_scale / total);
    }
    return sum / total;
  }

  /// What that mean divides by.
  double total_weight(const view<const T>& labels) const {
    const index_t classes = labels.dims().size_from(1), weights = static_cast<index_t>(options_.class_weights.size());
    if (weights == 0) return static_cast<double>(labels.dim(0));
    if (weights != classes) fail<option_error>("loss: ", weights, " class weights for ", classes, " classes");
    double total = 0.0;
    for (index_t i = 0; i < labels.size(); ++i) total += static_cast<double>(labels[i]) * weight(i % classes);
    return total;
  }

  /// What the mean over samples with these labels divides by: their number, or with class weights the sum of those.
  double total_weight(std::span<const std::int32_t> labels) const {
    if (options_.class_weights.empty()) return static_cast<double>(labels.size());
    return total_weight(labels, static_cast<index_t>(options_.class_weights.size()));
  }

  /// Mean loss of `logits` (n, classes). `gradient`, if present, gets the derivative of the mean times `gradient_scale`.
  /// Throws option_error for a label outside the classes, shape_error for counts that do not fit, before writing anything.
  double value(const view<const T>& logits, std::span<const std::int32_t> labels, const view<T>& gradient = {},
               double gradient_scale = 1.0) const {
    detail::check_batch(logits.dims(), static_cast<index_t>(labels.size()), 1, gradient.dims(), gradient.present());
    const index_t n = logits.dim(0), classes = logits.dims().size_from(1);
    const double total = total_weight(labels, classes);
    if (total <= 0.0) fail<option_error>("loss: the classes in this batch all have weight 0");
    double sum = 0.0;
    for (index_t i = 0; i < n; ++i) {
      const T* z = logits.data() + i * classes;
      T* g = gradient.present() ? gradient.data() + i * classes : nullptr;
      sum += sample(z, classes, labels[static_cast<std::size_t>(i)], g, gradient_scale / total);
    }
    return sum / total;
  }

 private:
  double weight(index_t k) const {
    return options_.class_weights.empty() ? 1.0 : options_.class_weights[static_cast<std::size_t>(k)];
  }

  /// Sum of the weights of the labels' classes: what the mean divides by.
  double total_weight(std::span<const std::int32_t> labels, index_t classes) const {
    const index_t weights = static_cast<index_t>(options_.class_weights.size());
    if (weights != 0 && weights != classes) fail<option_error>("loss: ", weights, " class weights for ", classes, " classes");
    double total = 0.0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      if (labels[i] < 0 || labels[i] >= classes) detail::fail_label(static_cast<index_t>(i), labels[i], classes);
      total += weight(labels[i]);
    }
    return total;
  }

  double sample(const T* z, index_t classes, index_t label, T* g, double scale) const {
    const double smooth = options_.label_smoothing / static_cast<double>(classes);
    const double hard = (1.0 - options_.label_smoothing) * weight(label);
    return soft_sample(
        z, classes, [&](index_t k) { return smooth * weight(k) + (k == label ? hard : 0.0); }, g, scale);
  }

  /// Loss of one sample, sum of a[k] * (log sum exp(z) - z[k]) with a = weight * target; its gradient is
  /// softmax(z) * sum(a) - a.
  template <class Target>
  static double soft_sample(const T* z, index_t classes, const Target& a, T* g, double scale) {
    double top = static_cast<double>(z[0]), exponentials = 0.0, loss = 0.0, all = 0.0;
    for (index_t k = 1; k < classes; ++k) top = (std::max)(top, static_cast<double>(z[k]));
    for (index_t k = 0; k < classes; ++k) exponentials += std::exp(static_cast<double>(z[k]) - top);
    const double rest = std::log(exponentials);
    for (index_t k = 0; k < classes; ++k)
      if (const double share = a(k); share != 0.0) loss += share * (rest + (top - static_cast<double>(z[k]))), all += share;
    if (g != nullptr)
      for (index_t k = 0; k < classes; ++k)
        g[k] = static_cast<T>(scale * (all * std::exp(static_cast<double>(z[k]) - top) / exponentials - a(k)));
    return loss;
  }

  cross_entropy_options options_;
};

struct binary_cross_entropy_options {
  /// Factors of the loss where the label is 1, as in PyTorch (the mean is over all elements regardless). Empty: 1; one number:
  /// for all columns; else one a column.
  std::vector<double> pos_weight = {};
};

/// -log sigmoid(z) for label 1, -log(1 - sigmoid(z)) for label 0.
template <class T = float>
class binary_cross_entropy : public detail::network_loss<binary_cross_entropy<T>, T> {
 public:
  explicit binary_cross_entropy(binary_cross_entropy_options o = {}) : options_(std::move(o)) {
    for (const double w : options_.pos_weight)
      if (!(w >= 0.0 && w <= 1e15)) fail<option_error>("loss: a pos_weight is ", w, ", wanted 0 to 1e15");
  }

  const binary_cross_entropy_options& options() const { return options_; }

  /// Mean loss of `logits` (n), (n, 1), or (n, k) with k independent labels a sample in row-major order; otherwise as
  /// `softmax_cross_entropy::value`.
  double value(const view<const T>& logits, std::span<const std::int32_t> labels, const view<T>& gradient = {},
               double gradient_scale = 1.0) const {
    return mean(logits, labels, gradient, gradient_scale);
  }

  /// The same with labels of 0 and 1 as numbers of the network's type.
  double value(const view<const T>& logits, const view<const T>& labels, const view<T>& gradient = {},
               double gradient_scale = 1.0) const {
    return mean(logits, std::span<const T>(labels.data(), static_cast<std::size_t>(labels.size())), gradient, gradient_scale);
  }

 private:
  template <class Label>
  double mean(const view<const T>& logits, std::span<const Label> labels, const view<T>& gradient, double gradient_scale) const {
    const index_t columns = logits.dims().rank() < 1 ? 0 : logits.dims().size_from(1);
    detail::check_batch(logits.dims(), static_cast<index_t>(labels.size()), columns, gradient.dims(), gradient.present());
    const index_t weights = static_cast<index_t>(options_.pos_weight.size());
    if (weights > 1 && weights != columns)
      fail<option_error>("loss: ", weights, " values of pos_weight for ", columns, " columns");
    for (std::size_t i = 0; i < labels.size(); ++i) check_label(static_cast<index_t>(i) / columns, labels[i]);
    const double count = static_cast<double>(labels.size());
    double sum = 0.0;
    for (index_t i = 0; i < logits.size(); ++i) {
      // By symmetry label 0 with logit z costs what label 1 with logit -z costs: log(1 + exp(-z)).
      const bool positive = labels[static_cast<std::size_t>(i)] > Label(0);
      const double factor = positive ? weight(i % columns) : 1.0, sign = positive ? 1.0 : -1.0;
      const double z = sign * static_cast<double>(logits[i]);
      sum += factor * ((std::max)(-z, 0.0) + std::log1p(std::exp(-std::abs(z))));
      if (gradient.present()) gradient[i] = static_cast<T>(-sign * factor * sigmoid(-z) * gradient_scale / count);
    }
    return sum / count;
  }

  static void check_label(index_t sample, std::int32_t label) {
    if (label != 0 && label != 1) detail::fail_label(sample, label, 2);
  }
  static void check_label(index_t sample, T label) {
    if (!(label >= T(0) && label <= T(0)) && !(label >= T(1) && label <= T(1)))
      fail<option_error>("loss: sample ", sample, " has label ", label, ", wanted 0 or 1");
  }

  double weight(index_t column) const {
    const auto& w = options_.pos_weight;
    return w.empty() ? 1.0 : w[w.size() == 1 ? 0 : static_cast<std::size_t>(column)];
  }

  binary_cross_entropy_options options_;
};

/// Mean over all elements of (prediction - target)^2, for regression.
template <class T = float>
class mean_squared_error {
 public:
  double value(const view<const T>& predictions, const view<const T>& targets, const view<T>& gradient = {},
               double gradient_scale = 1.0) const {
    if (!(predictions.dims() == targets.dims()) || predictions.size() == 0)
      fail<shape_error>("loss: predictions are ", predictions.dims(), ", targets ", targets.dims());
    if (gradient.present() && !(gradient.dims() == predictions.dims()))
      fail<shape_error>("loss: predictions are ", predictions.dims(), ", their gradient is ", gradient.dims());
    const double count = static_cast<double>(predictions.size());
    double sum = 0.0;
    for (index_t i = 0; i < predictions.size(); ++i) {
      const double gap = static_cast<double>(predictions[i]) - static_cast<double>(targets[i]);
      sum += gap * gap;
      if (gradient.present()) gradient[i] = static_cast<T>(2.0 * gap * gradient_scale / count);
    }
    return sum / count;
  }

  double operator()(session<T>& run, const view<const T>& targets, int output = 0, double weight = 1.0,
                    double gradient_scale = 1.0) const {
    return weight * value(run.output(output), targets, run.output_gradient(output), weight * gradient_scale);
  }
};

MINICNN_COMPILED_CLASS(softmax_cross_entropy);
MINICNN_COMPILED_CLASS(binary_cross_entropy);
MINICNN_COMPILED_CLASS(mean_squared_error);

}  // namespace minicnn::inline MINICNN_ABI
