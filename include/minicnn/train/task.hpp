#pragma once
/// What a network is trained for: loss, figures and the value that decides which epoch is best, in one object that `fit` and
/// `evaluate` share. classification.hpp, multi_label.hpp, regression.hpp and ordinal.hpp have the usual ones; joint_task.hpp puts
/// several together for a network of several outputs. One of your own needs a loss:
///
///     class huber final : public task<float> {
///       double loss(const view<const float>& y, const batch<float>& b, const view<float>& gradient, double scale) const override
///       {
///         ...  // mean over the batch; where gradient.present(), its derivative times scale
///       }
///     };

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/core/batch.hpp"
#include "minicnn/graph/session.hpp"
#include "minicnn/train/evaluation.hpp"
#include "minicnn/train/reductions.hpp"

namespace minicnn::inline MINICNN_ABI {

/// All outputs of a network after forward, and where the losses write. `weights`: `network::loss_weights`.
template <class T>
struct network_outputs {
  std::span<const view<const T>> values;
  std::span<const view<T>> gradients;
  std::span<const double> weights;
};

/// Immutable while it trains; one object may serve several trainings.
template <class T = float>
class task {
 public:
  task() = default;
  task(const task&) = default;
  task& operator=(const task&) = default;
  virtual ~task() = default;

  /// "classification", "regression": its name in files and messages.
  virtual std::string_view kind() const { return "custom"; }

  /// Mean loss of one output `y` (n, ...) over the batch. `gradient`, where present, has its shape and gets the derivative of the
  /// mean times `scale`.
  virtual double loss(const view<const T>& y, const batch<T>& b, const view<T>& gradient, double scale) const = 0;

  /// The loss in evaluation, where it differs from that of training.
  virtual double evaluation_loss(const view<const T>& y, const batch<T>& b) const { return loss(y, b, {}, 1.0); }

  /// What the mean over the batch divides by: batches are averaged and accumulated with these weights.
  virtual double weight(const batch<T>& b) const { return static_cast<double>(b.size()); }

  /// Sum over the batch of 1 for a right answer: the accuracy shown while it trains. NaN: there is no such thing.
  virtual double correct(const view<const T>&, const batch<T>&) const { return evaluation::nan; }

  /// Puts figures into `e`, which holds outputs, labels, targets and loss of a whole data set.
  virtual void measure(evaluation&) const {}

  /// The loss of a network that knows nothing but how often what occurs, for `columns` outputs; NaN: not known.
  virtual double uninformed_loss(index_t) const { return evaluation::nan; }

  /// Which figure decides what is best, by its name among `evaluation::metrics`; unless set it is the loss.
  void best_by(std::string figure) { best_by_ = std::move(figure); }
  const std::string& best_by() const { return best_by_; }

  /// What decides which epoch is best: lower is better.
  double score(const evaluation& e) const {
    if (best_by_.empty() || best_by_ == "loss") return e.loss;
    const metric& m = e.figure(best_by_);
    return m.higher_is_better ? -m.value : m.value;
  }

  // ---- of tasks with several outputs

  /// How many outputs evaluation asks for.
  virtual int output_count() const { return 1; }

  /// Training: writes the gradients of all outputs, times `scale`, and returns the loss to be reported. Unless overridden, every
  /// output is a head for the same labels, counts with the network's weight, and the loss is that of the first.
  virtual double losses(const network_outputs<T>& o, const batch<T>& b, double scale) const {
    double first = 0;
    for (std::size_t i = 0; i < o.values.size(); ++i) {
      if (o.weights[i] == 0) continue;
      const double value = loss(o.values[i], b, o.gradients[i], o.weights[i] * scale);
      if (i == 0) first = value;
    }
    return first;
  }

  /// Evaluation: adds a batch to `e`, its loss, outputs, labels and targets.
  virtual void observe(evaluation& e, std::span<const view<const T>> outputs, const batch<T>& b) const {
    const view<const T>& y = outputs[0];
    e.images += b.size();
    e.columns = y.dims().size_from(1);
    for (const T v : y) e.outputs.push_back(static_cast<double>(v));
    e.labels.insert(e.labels.end(), b.labels.begin(), b.labels.end());
    if (b.targets.present()) {
      e.target_columns = b.targets.dims().size_from(1);
      for (const T v : b.targets) e.targets.push_back(static_cast<double>(v));
    }
    const double count = weight(b);
    e.loss_sum += evaluation_loss(y, b) * count;
    e.weight_sum += count;
  }

  /// The end of an evaluation: loss, figures and score from what was added.
  void finish(evaluation& e) const {
    if (e.weight_sum > 0) e.loss = e.loss_sum / e.weight_sum;
    if (e.images > 0) measure(e), e.score = score(e);
  }

 private:
  std::string best_by_;
};

/// Collects a network's outputs; without allocating after the first time.
template <class T>
class output_table {
 public:
  network_outputs<T> of(session<T>& run) {
    const auto count = static_cast<std::size_t>(run.net().output_count());
    values_.resize(count), gradients_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      values_[i] = run.output(static_cast<int>(i));
      gradients_[i] = run.output_gradient(static_cast<int>(i));
    }
    return {values_, gradients_, run.net().loss_weights()};
  }

 private:
  std::vector<view<const T>> values_;
  std::vector<view<T>> gradients_;
};

namespace detail {

/// Throws unless the batch has a class number for every image.
template <class T>
void want_labels(std::string_view kind, const batch<T>& b) {
  if (static_cast<index_t>(b.labels.size()) != b.size())
    fail<shape_error>(kind, ": ", b.size(), " images have ", static_cast<index_t>(b.labels.size()), " class labels");
}

/// Throws unless the batch has as many targets as the network has outputs.
template <class T>
void want_targets(std::string_view kind, const view<const T>& y, const batch<T>& b) {
  if (!b.targets.present())
    fail<shape_error>(kind, ": the data has no targets (data with class labels alone is a classification)");
  if (!(b.targets.dims() == shape{y.dim(0), y.dims().size_from(1)}))
    fail<shape_error>(kind, ": outputs are ", y.dims(), ", targets ", b.targets.dims());
}

}  // namespace detail

/// A session for `evaluate` and prediction of a task: retains the values of all outputs that the task reads.
template <class T>
MINICNN_COLD session<T> evaluation_session(const network<T>& net, const task<T>& what) {
  if (what.output_count() > net.output_count())
    fail<option_error>(what.kind(), ": wanted ", what.output_count(), " outputs, the network has ", net.output_count());
  std::vector<std::string> names;
  for (int i = 1; i < what.output_count(); ++i)
    names.push_back(net.nodes()[static_cast<std::size_t>(net.topology().outputs[static_cast<std::size_t>(i)])].name);
  return session<T>(net, {.retain = std::move(names)});
}

/// Predicts every image of `data` once, in evaluation mode, and measures what `what` measures. `data` is what `fit` takes. The
/// result does not depend on the batch size beyond rounding, nor on threads. `run` comes from `evaluation_session`.
template <class T, class Data>
evaluation evaluate(session<T>& run, Data& data, const task<T>& what) {
  const network<T>& net = run.net();
  evaluation e;
  std::vector<view<const T>> outputs(static_cast<std::size_t>(what.output_count()));
  data.start_epoch(0, 0);
  while (const auto* next = data.next()) {
    const batch<T> b = as_batch<T>(*next);
    outputs[0] = run.predict(b.images);
    for (std::size_t i = 1; i < outputs.size(); ++i)
      outputs[i] = run.value(net.nodes()[static_cast<std::size_t>(net.topology().outputs[i])].name);
    what.observe(e, outputs, b);
  }
  what.finish(e);
  return e;
}

/// The same in a session of its own.
template <class T, class Data>
evaluation evaluate(const network<T>& net, Data& data, const task<T>& what) {
  session<T> run = evaluation_session(net, what);
  return evaluate(run, data, what);
}

}  // namespace minicnn::inline MINICNN_ABI
