#pragma once
/// A look at whether a run learns at all.

#include <functional>
#include <string>
#include <utility>

#include "minicnn/train/diagnosis.hpp"
#include "minicnn/train/training_callback.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Calls `tell` once a run if the mean loss of an epoch is no better than that of a network that knows nothing (or worse), with a
/// diagnosis of several lines; not in the first `after_steps`, in which many a run that ends well has not begun to learn. Says
/// nothing about tasks that do not know that loss (`task::uninformed_loss`).
class check_divergence final : public training_callback {
 public:
  explicit check_divergence(std::function<void(const std::string&)> tell, index_t after_steps = 200)
      : tell_(std::move(tell)), after_steps_(after_steps) {}

  void on_begin(training_run& run) override { run_ = &run, told_ = false; }
  MINICNN_COLD void on_step(const step_report& s) override {
    if (told_ || s.batch < s.batches || run_->state.step < after_steps_) return;
    const double guessing = run_->uninformed_loss();
    if (!(guessing > 0) || s.loss < 0.985 * guessing) return;
    told_ = true;
    tell_(text_of("the mean loss of epoch ", s.epoch, " is ", detail::short_text(s.loss), ", that of guessing ",
                  detail::short_text(guessing), "\n") +
          run_->diagnose());
  }

 private:
  std::function<void(const std::string&)> tell_;
  index_t after_steps_;
  training_run* run_ = nullptr;
  bool told_ = false;
};

}  // namespace minicnn::inline MINICNN_ABI
