#pragma once
/// The image sizes of a training run: those of size_steps.hpp as a callback.
///
///     size_schedule sizes(parse_sizes("128:0,160:0.6,192:0.85"));
///     fit(net, optimizer, task, train, validation, {.epochs = 40, .callbacks = {&sizes}});

#include <utility>
#include <vector>

#include "minicnn/train/training_callback.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Gives the training data the size of each epoch; a size lasts for whole epochs. Wants data with `set_size` where there are
/// several. Until a `time_limit` has been turned into a plan the size is the first one.
class size_schedule final : public training_callback {
 public:
  explicit size_schedule(std::vector<size_step> sizes) : sizes_(std::move(sizes)) { check_sizes(sizes_); }

  const std::vector<size_step>& sizes() const { return sizes_; }

  void on_begin(training_run& run) override {
    const bool several = sizes_.size() > 1 || (!sizes_.empty() && !sizes_[0].turns.empty());
    if (several && !run.resizable()) fail<option_error>("fit: several sizes, but the data has no set_size()");
    run.sizes = sizes_;
  }
  void on_epoch_begin(training_run& run) override {
    if (sizes_.empty()) return;
    training_state& s = run.state;
    const double progress = run.plan_pending ? 0.0 : static_cast<double>(s.step) / static_cast<double>(s.total_steps);
    const size_step& now = size_at(sizes_, progress);
    if (s.batch == 0) s.image_size = run.plan_pending ? now.size : size_in_epoch(now, s.epoch);
    if (run.resizable()) run.resize(s.image_size);
  }

 private:
  std::vector<size_step> sizes_;
};

}  // namespace minicnn::inline MINICNN_ABI
