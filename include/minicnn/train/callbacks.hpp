#pragma once
/// What may happen around the steps of `fit`: observers as objects, and a training run in a few lines.
///
///     folder_data data("pictures", {.image_size = 96});
///     keep_best<float> best(net);
///     early_stopping enough({.patience = 3});
///     fit(net, data, {.epochs = 20, .callbacks = {&best, &enough}});
///     best.restore();

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/train/fit.hpp"
#include "minicnn/train/sgd.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Is told what happens and may end the run. Override what is of interest.
class training_callback {
 public:
  virtual ~training_callback() = default;

  /// After every batch.
  virtual void on_step(const step_report&) {}
  /// When the validation loss is the smallest so far (without validation: after every epoch), while the network holds the
  /// values that gave it.
  virtual void on_best(const epoch_record&, const evaluation&) {}
  /// After every epoch, after `on_best`. An epoch without validation has an evaluation of 0 images.
  virtual void on_epoch(const epoch_record&, const evaluation&) {}
  /// Asked after every step; true ends the run before the next one.
  virtual bool stop() const { return false; }
};

/// `o` with callbacks that are told after what `o` already has, in their order. They must outlive the run.
inline fit_options with_callbacks(fit_options o, std::vector<training_callback*> callbacks) {
  if (callbacks.empty()) return o;
  for (const training_callback* c : callbacks)
    if (c == nullptr) fail<option_error>("callbacks: one of them is null");
  o.on_step = [before = std::move(o.on_step), callbacks](const step_report& s) {
    if (before) before(s);
    for (training_callback* c : callbacks) c->on_step(s);
  };
  o.on_best = [before = std::move(o.on_best), callbacks](const epoch_record& row, const evaluation& e) {
    if (before) before(row, e);
    for (training_callback* c : callbacks) c->on_best(row, e);
  };
  o.on_epoch = [before = std::move(o.on_epoch), callbacks](const epoch_record& row, const evaluation& e, bool improved) {
    if (before) before(row, e, improved);
    for (training_callback* c : callbacks) c->on_epoch(row, e);
  };
  o.stop = [before = std::move(o.stop), callbacks = std::move(callbacks)] {
    if (before && before()) return true;
    for (const training_callback* c : callbacks)
      if (c->stop()) return true;
    return false;
  };
  return o;
}

struct early_stopping_options {
  index_t patience = 3;     ///< validated epochs without improvement after which training ends
  double least_change = 0;  ///< smaller gains do not count
  /// What is watched, lower is better; empty: the validation loss.
  std::function<double(const epoch_record&, const evaluation&)> metric = {};
};

/// Ends training when a metric no longer improves. (`fit_options::patience` does the same for the validation loss alone.) The run
/// ends after the first step that follows the epoch.
class early_stopping final : public training_callback {
 public:
  explicit early_stopping(early_stopping_options o = {}) : options_(std::move(o)) {
    if (options_.patience < 1) fail<option_error>("early stopping: patience ", options_.patience, ", wanted at least 1");
  }
  void on_epoch(const epoch_record& row, const evaluation& e) override {
    if (e.images == 0) return;
    const double value = options_.metric ? options_.metric(row, e) : row.val_loss;
    if (is_finite(value) && value < best_ - options_.least_change)
      best_ = value, best_epoch_ = row.epoch, waited_ = 0;
    else
      waited_ += 1;
  }
  bool stop() const override { return waited_ >= options_.patience; }
  index_t best_epoch() const { return best_epoch_; }

 private:
  early_stopping_options options_;
  double best_ = (std::numeric_limits<double>::max)();
  index_t best_epoch_ = 0, waited_ = 0;
};

/// Keeps a copy of the best epoch's weights and buffers in memory.
template <class T>
class keep_best final : public training_callback {
 public:
  /// `net` must outlive it.
  explicit keep_best(network<T>& net) : net_(net) {}
  void on_best(const epoch_record& row, const evaluation&) override {
    epoch_ = row.epoch;
    const auto copy = [](const view<T>& from, std::vector<T>& to) { to.assign(from.begin(), from.end()); };
    copy(net_.parameter_arena(), parameters_);
    copy(net_.buffer_arena(), buffers_);
  }
  /// Puts them back into the network. Throws error if there was no best epoch.
  void restore() const {
    if (epoch_ == 0) fail("keep_best: no epoch has ended");
    std::copy(parameters_.begin(), parameters_.end(), net_.parameter_arena().begin());
    std::copy(buffers_.begin(), buffers_.end(), net_.buffer_arena().begin());
  }
  index_t epoch() const { return epoch_; }

 private:
  network<T>& net_;
  std::vector<T> parameters_, buffers_;
  index_t epoch_ = 0;
};

/// Calls `save` at the best epochs, or every so many epochs: with `save_weights` of io/checkpoint.hpp it writes files.
class checkpoint final : public training_callback {
 public:
  using saver = std::function<void(const epoch_record&)>;
  /// `every`: 0 saves the best epochs, while the network holds the values that gave the loss; n saves every n epochs.
  explicit checkpoint(saver save, index_t every = 0) : save_(std::move(save)), every_(every) {
    if (!save_ || every < 0) fail<option_error>("checkpoint: wanted something to call, and every so many epochs, not ", every);
  }
  void on_best(const epoch_record& row, const evaluation&) override {
    if (every_ == 0) save_(row);
  }
  void on_epoch(const epoch_record& row, const evaluation&) override {
    if (every_ > 0 && row.epoch % every_ == 0) save_(row);
  }

 private:
  saver save_;
  index_t every_;
};

/// A training run with the usual choices: SGD with Nesterov momentum, one cycle, softmax cross-entropy.
struct training_options {
  index_t epochs = 10;
  double learning_rate = 0.02;  ///< peak of the cycle
  double momentum = 0.9;
  double weight_decay = 5e-4;  ///< of weights, as PyTorch's SGD has it
  double label_smoothing = 0;
  double clip_norm = 5;  ///< 0: not clipped
  schedule rate = one_cycle_schedule{};
  std::vector<training_callback*> callbacks = {};
};

/// Trains `net` on `data.train`, validates on `data.validation` (`folder_data`, or any struct of two loaders) and returns the
/// epochs' figures. The longer form of `fit` takes any optimizer and loss.
template <class T, class Data>
std::vector<epoch_record> fit(network<T>& net, Data& data, training_options o = {}) {
  sgd<T> optimizer(
      net, {.learning_rate = o.learning_rate, .momentum = o.momentum, .nesterov = o.momentum > 0, .weight_decay = o.weight_decay});
  const softmax_cross_entropy<T> loss({.label_smoothing = o.label_smoothing});
  fit_options loop;
  loop.epochs = o.epochs;
  loop.rate = std::move(o.rate);
  loop.clip_norm = o.clip_norm;
  return fit(net, optimizer, loss, data.train, data.validation, with_callbacks(std::move(loop), std::move(o.callbacks)));
}

}  // namespace minicnn::inline MINICNN_ABI
