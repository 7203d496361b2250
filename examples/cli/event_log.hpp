#pragma once
// What TensorBoard shows of a run.

#include <chrono>
#include <exception>
#include <memory>
#include <minicnn/formats/tensorboard.hpp>
#include <minicnn/report/html.hpp>
#include <minicnn/train/evaluation.hpp>
#include <minicnn/train/training_callback.hpp>
#include <string>
#include <vector>

namespace cli {

/// Counts in optimizer steps.
class event_log {
 public:
  /// An event file in `folder`, which other runs may share: events.txt in the run's own folder `run` lists the names of this
  /// run's event files. `resumed_at`: the step at which the run goes on; -1: it is a new one, whose `saved` removes those that
  /// are listed. `overwrite`: also any that minicnn wrote into `run`.
  /// Makes `folder` and the event file. Throws file_error where that cannot be, before anything is trained.
  event_log(std::string folder, std::string run, minicnn::index_t resumed_at, bool overwrite);

  /// Loss, as the mean of the epoch so far, and learning rate of a step. Written about once a second; what cannot be written
  /// ends the run at the next `saved`, when no step is lost by it.
  void step(minicnn::index_t step, const minicnn::step_report& s);

  /// To be called when the run has been saved: steps up to here are written, so that a resumed run goes on at the next one, and
  /// event files of the run that this one has replaced go. Throws file_error.
  void saved();

  /// The row of an epoch and all figures of its validation. Throws file_error.
  void epoch(minicnn::index_t step, const minicnn::epoch_record& row, const minicnn::evaluation& e);

  /// The report's pictures.
  void pictures(minicnn::index_t step, const minicnn::training_report& report);

 private:
  struct step_values {
    minicnn::index_t step;
    double loss, rate;
  };

  using clock = std::chrono::steady_clock;

  void write_steps();
  void remove_older();
  void picture(minicnn::index_t step, const std::string& name, const std::string& source);

  std::string folder_, run_;
  minicnn::index_t resumed_at_;
  bool overwrite_;
  bool removed_ = false;                               ///< older files
  std::unique_ptr<minicnn::tensorboard_writer> file_;  ///< of this run
  std::vector<std::string> older_;                     ///< names that events.txt had
  std::vector<step_values> steps_;                     ///< not written yet
  clock::time_point written_ = clock::now();
  std::exception_ptr failed_;  ///< why steps could not be written
};

}  // namespace cli
