#pragma once
/// The usual callbacks, and a training run in a few lines.
///
///     folder_data data("pictures", {.image_size = 96});
///     keep_best<float> best(net);
///     early_stopping enough({.patience = 3});
///     fit(net, data, {.epochs = 20, .callbacks = {&best, &enough}});
///     best.restore();
///
/// Others: `ema` (averaged weights), `size_schedule`, `time_limit`, `check_divergence`.

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/train/fit.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Functions for `lambda_callback`; those that are empty are not called. See `training_callback`.
struct callback_functions {
  std::function<void(const step_report&)> on_step = {};
  std::function<void(const epoch_record&, const evaluation&)> on_best = {};
  std::function<void(const epoch_record&, const evaluation&)> on_epoch = {};
  std::function<bool()> finished = {};
  std::function<bool()> stop = {};
};

/// A callback made of functions:
///
///     lambda_callback rows({.on_epoch = [](const epoch_record& e, const evaluation&) { print(e); }});
class lambda_callback final : public training_callback {
 public:
  explicit lambda_callback(callback_functions functions) : f_(std::move(functions)) {}
  void on_step(const step_report& s) override {
    if (f_.on_step) f_.on_step(s);
  }
  void on_best(const epoch_record& row, const evaluation& e) override {
    if (f_.on_best) f_.on_best(row, e);
  }
  void on_epoch(const epoch_record& row, const evaluation& e) override {
    if (f_.on_epoch) f_.on_epoch(row, e);
  }
  bool finished() const override { return f_.finished && f_.finished(); }
  bool stop() const override { return f_.stop && f_.stop(); }

 private:
  callback_functions f_;
};

struct early_stopping_options {
  index_t patience = 3;     ///< validated epochs without improvement after which training ends
  double least_change = 0;  ///< smaller gains do not count
  /// What is watched, lower is better; empty: the task's score (the validation loss unless `task::best_by` says otherwise).
  std::function<double(const epoch_record&, const evaluation&)> metric = {};
};

/// Ends training after the epoch in which a metric has no longer improved for long enough.
class early_stopping final : public training_callback {
 public:
  explicit early_stopping(early_stopping_options o = {}) : options_(std::move(o)) {
    if (options_.patience < 1) fail<option_error>("early stopping: patience ", options_.patience, ", wanted at least 1");
  }
  /// A run that is resumed goes on from its best epoch (where `metric` is given, from that with the best score).
  void on_begin(training_run& run) override {
    best_ = run.state.best_score, best_epoch_ = run.state.best_epoch, waited_ = 0;
    for (const epoch_record& row : run.state.history) waited_ += row.epoch > best_epoch_ && !is_nan(row.val_loss);
  }
  void on_epoch(const epoch_record& row, const evaluation& e) override {
    if (e.images == 0) return;
    const double value = options_.metric ? options_.metric(row, e) : e.score;
    if (is_finite(value) && value < best_ - options_.least_change)
      best_ = value, best_epoch_ = row.epoch, waited_ = 0;
    else
      waited_ += 1;
  }
  bool finished() const override { return waited_ >= options_.patience; }
  /// 0: none.
  index_t best_epoch() const { return best_epoch_; }

 private:
  early_stopping_options options_;
  double best_ = std::numeric_limits<double>::infinity();
  index_t best_epoch_ = 0, waited_ = 0;
};

/// Keeps a copy of the best epoch's weights and buffers in memory, of the latest run that it was given to.
template <class T>
class keep_best final : public training_callback {
 public:
  explicit keep_best(network<T>& net) : net_(net) {}
  void on_begin(training_run&) override { epoch_ = 0; }
  void on_best(const epoch_record& row, const evaluation&) override {
    epoch_ = row.epoch;
    const auto copy = [](const view<T>& from, std::vector<T>& to) { to.assign(from.begin(), from.end()); };
    copy(net_->parameter_arena(), parameters_);
    copy(net_->buffer_arena(), buffers_);
  }
  /// Puts them back into the network. Throws error if there was no best epoch.
  void restore() const {
    if (epoch_ == 0) fail("keep_best: no epoch has ended");
    std::copy(parameters_.begin(), parameters_.end(), net_->parameter_arena().begin());
    std::copy(buffers_.begin(), buffers_.end(), net_->buffer_arena().begin());
  }
  index_t epoch() const { return epoch_; }

 private:
  network_ref<T> net_;
  std::vector<T> parameters_, buffers_;
  index_t epoch_ = 0;
};

/// Fixes what `name` says (`network::freeze`) once this run has trained it for so many epochs; from 0 on. A run that is resumed
/// later than that begins so.
template <class T>
class freeze_after final : public training_callback {
 public:
  freeze_after(network<T>& net, std::string name, index_t epochs) : net_(net), name_(std::move(name)), epochs_(epochs) {
    if (epochs < 0) fail<option_error>("freeze_after: epochs is ", epochs, ", wanted 0 or more");
  }
  void on_begin(training_run&) override { done_ = false; }
  void on_epoch_begin(training_run& run) override {
    if (done_ || run.state.epoch - run.state.first_epoch < epochs_) return;
    net_->freeze(name_);
    done_ = true;
  }

 private:
  network_ref<T> net_;
  std::string name_;
  index_t epochs_;
  bool done_ = false;
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

}  // namespace minicnn::inline MINICNN_ABI
