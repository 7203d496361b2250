#pragma once
// What TensorBoard shows of a run.

#include <memory>
#include <minicnn/formats/tensorboard.hpp>
#include <minicnn/report/html.hpp>
#include <minicnn/train/evaluation.hpp>
#include <minicnn/train/training_callback.hpp>
#include <string>
#include <vector>

namespace cli {

/// Counts in optimizer steps. Nothing is written before the first epoch ends, so that an older run is not touched before that.
class event_log {
 public:
  /// An event file in `folder`. `resumed_at`: the step at which the run goes on; -1: it is a new one. `replace`: event files of
  /// earlier runs of minicnn in the folder go.
  event_log(std::string folder, minicnn::index_t resumed_at, bool replace)
      : folder_(std::move(folder)), resumed_at_(resumed_at), replace_(replace) {}

  /// Loss, as the mean of the epoch so far, and learning rate of a step.
  void step(minicnn::index_t step, const minicnn::step_report& s) { steps_.push_back({step, s.loss, s.learning_rate}); }

  /// The row of an epoch and all figures of its validation. Throws file_error.
  void epoch(minicnn::index_t step, const minicnn::epoch_record& row, const minicnn::evaluation& e);

  /// The report's pictures.
  void pictures(minicnn::index_t step, const minicnn::training_report& report);

 private:
  struct step_values {
    minicnn::index_t step;
    double loss, rate;
  };

  void open();
  void picture(minicnn::index_t step, const std::string& name, const std::string& source);

  std::string folder_;
  minicnn::index_t resumed_at_;
  bool replace_;
  std::unique_ptr<minicnn::tensorboard_writer> file_;  ///< null: not begun
  std::vector<step_values> steps_;                     ///< since the last epoch
};

}  // namespace cli
