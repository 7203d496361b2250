#pragma once
/// Objects that are told what happens in a training run, and may change or end it.

#include <string>
#include <vector>

#include "minicnn/train/evaluation.hpp"
#include "minicnn/train/size_steps.hpp"
#include "minicnn/train/training_state.hpp"

namespace minicnn::inline MINICNN_ABI {

/// What is told after every batch.
struct step_report {
  index_t epoch = 1;  ///< under way, from 1
  index_t epochs = 0;
  index_t batch = 0, batches = 0;  ///< done, and in the epoch
  double loss = 0, accuracy = 0;   ///< means of the epoch so far; accuracy NaN where the task has none
  double learning_rate = 0;
  double images_per_second = 0;
  double seconds_left = 0;  ///< of the run, estimated
  bool updated =
      false;  ///< an optimizer step was made after this batch (not while gradients accumulate, nor where it was skipped)
};

/// A run under way, as callbacks see it.
class training_run {
 public:
  training_run() = default;
  training_run(const training_run&) = delete;
  training_run& operator=(const training_run&) = delete;
  virtual ~training_run() = default;

  training_state state;
  std::vector<size_step> sizes;  ///< that the run goes through, for estimates of time
  bool plan_pending = false;     ///< `state.total_steps` is still to be chosen

  virtual index_t epochs() const = 0;             ///< planned, those before this run included
  virtual index_t steps_per_epoch() const = 0;    ///< optimizer steps
  virtual index_t training_images() const = 0;    ///< of an epoch
  virtual index_t validation_images() const = 0;  ///< 0: no validation
  virtual index_t validate_every() const = 0;
  /// Whether the data has `set_size`, and calling it.
  virtual bool resizable() const = 0;
  virtual void resize(index_t pixels) = 0;
  /// The loss of a network that knows nothing; NaN where the task does not say it.
  virtual double uninformed_loss() const = 0;
  /// Lines about a loss that does not fall: diagnosis.hpp. After a batch.
  virtual std::string diagnose() = 0;
};

/// Override what is of interest. One object may be used in several runs, one after the other: `on_begin` is where it forgets the
/// one before. Callbacks are told in the order of `fit_options::callbacks`.
class training_callback {
 public:
  training_callback() = default;
  training_callback(const training_callback&) = default;
  training_callback& operator=(const training_callback&) = default;
  virtual ~training_callback() = default;

  /// Before the first step; `run.state.step` is above 0 where a run is resumed. `run` lives until `on_end`.
  virtual void on_begin(training_run&) {}
  /// Before the first batch of an epoch, or of what is left of it.
  virtual void on_epoch_begin(training_run&) {}
  /// After every batch.
  virtual void on_step(const step_report&) {}
  /// Around validation and `on_best`: where the network is to hold other values.
  virtual void on_validation_begin() {}
  virtual void on_validation_end() {}
  /// When the validation score is the smallest so far (without validation: after every epoch), while the network holds the values
  /// that gave it.
  virtual void on_best(const epoch_record&, const evaluation&) {}
  /// After every epoch and `on_best`; the network holds the trained values. An epoch without validation has an evaluation of 0
  /// images and a record with NaN.
  virtual void on_epoch(const epoch_record&, const evaluation&) {}
  /// Asked after every epoch; true: the run has reached its end.
  virtual bool finished() const { return false; }
  /// Asked after every step and epoch; true breaks the run off at a place where it can be saved and resumed.
  virtual bool stop() const { return false; }
  /// After the last step, also of a run that was broken off.
  virtual void on_end(training_run&) {}
};

}  // namespace minicnn::inline MINICNN_ABI
