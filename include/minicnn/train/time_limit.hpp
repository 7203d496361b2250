#pragma once
/// A training run that ends in time.

#include <algorithm>

#include "minicnn/train/training_callback.hpp"

namespace minicnn::inline MINICNN_ABI {

struct time_limit_options {
  double seconds = 0;                 ///< of training and validation together; above 0
  bool extend_to_time_limit = false;  ///< the epochs of `fit` are where planning begins, not an upper limit
  double validation_cost = 1.0 / 3;   ///< of an image, over training one at the first size
};

/// Plans the schedule's length once, from the speed of the first 50 steps (or of the first tenth of the time) and the relative
/// costs in the run's sizes, so that training and validation end within the limit. The plan is part of the run's state.
class time_limit final : public training_callback {
 public:
  explicit time_limit(time_limit_options o) : options_(o) {
    if (!(o.seconds > 0)) fail<option_error>("time limit: ", o.seconds, " seconds, wanted above 0");
  }

  void on_begin(training_run& run) override {
    run_ = &run;
    run.plan_pending = !run.state.time_planned;
    counted_step_ = run.state.step;
    measured_steps_ = 0;
    measured_seconds_ = 0;
  }
  void on_epoch_begin(training_run& run) override { before_ = run.state.seconds; }
  void on_step(const step_report&) override {
    measured_seconds_ += run_->state.seconds - before_;
    before_ = run_->state.seconds;
    if (!run_->plan_pending || run_->state.step == counted_step_) return;
    counted_step_ = run_->state.step;
    plan();
  }

 private:
  MINICNN_COLD void plan() {
    constexpr index_t wanted = 50, warm_up = 5;  // the first steps of a process plan memory and touch it
    training_state& s = run_->state;
    measured_steps_ += 1;
    if (measured_steps_ == warm_up) measured_seconds_ = 0;
    const bool warm = measured_steps_ >= warm_up, late = s.seconds >= options_.seconds / 10;
    const index_t used = warm ? measured_steps_ - warm_up : measured_steps_;
    if (used < 2 || (!late && measured_steps_ < wanted)) return;
    s.time_planned = true;
    run_->plan_pending = false;
    const double a_step = measured_seconds_ / static_cast<double>(used);
    const double per_epoch = static_cast<double>(run_->steps_per_epoch());
    const double validation = static_cast<double>(run_->validation_images()) * options_.validation_cost * a_step * per_epoch /
                              static_cast<double>(run_->training_images());
    // Three more validations for what comes after the last epoch, 2 % for saving.
    const double left = options_.seconds - s.seconds - 3 * validation;
    const double each =
        1.02 * a_step * work_until(run_->sizes, 1.0) + validation / (per_epoch * static_cast<double>(run_->validate_every()));
    const index_t steps = s.step + (std::max)(static_cast<index_t>(left / each), index_t{1});
    s.total_steps = options_.extend_to_time_limit ? steps : (std::min)(s.total_steps, steps);
  }

  time_limit_options options_;
  training_run* run_ = nullptr;
  index_t measured_steps_ = 0, counted_step_ = 0;
  double measured_seconds_ = 0, before_ = 0;
};

}  // namespace minicnn::inline MINICNN_ABI
