#pragma once
// What the report of a run shows beside its curves: mistakes with Grad-CAM, augmented pictures, filters.

#include <minicnn/data/loader.hpp>
#include <minicnn/data/transform.hpp>
#include <minicnn/model/task_info.hpp>
#include <minicnn/report/html.hpp>
#include <minicnn/train/fit.hpp>
#include <string>

namespace cli {

class run_report {
 public:
  /// `validation` in the order in which it is evaluated. What is referred to must outlive it.
  run_report(const minicnn::image_dataset& data, minicnn::sample_indices training, minicnn::sample_indices validation,
             const minicnn::image_transform& evaluation_picture, const minicnn::image_transform& training_picture,
             std::uint64_t seed, minicnn::task_info learned);

  /// Other validation pictures than before: some have gone.
  void validation(minicnn::sample_indices pictures) { validation_ = std::move(pictures); }

  /// A new best epoch, of whose values `net` is full. The first one's gallery is made at once, a later one's if all galleries
  /// so far, this one included, stay within a thirtieth of the run's time; training goes on as if nothing had been.
  void best(const minicnn::epoch_record& row, const minicnn::evaluation& e, minicnn::network<float>& net);

  /// Whether `epoch` is the one that the gallery shows, with the evaluation that belongs to it.
  bool shows(minicnn::index_t epoch) const { return gallery_epoch_ == epoch && evaluated_epoch_ == epoch; }

  /// Makes the gallery of `epoch`, of whose values `net` is full.
  void make_gallery(minicnn::index_t epoch, const minicnn::evaluation& e, minicnn::network<float>& net);

  /// ", mAP 0.8123, ..." of the best epoch; empty for classes.
  std::string figures_text() const;

  /// Puts what there is into the report of a run whose best epoch is `r.best_epoch`.
  void fill(minicnn::training_report& r) const;

 private:
  void remember(minicnn::index_t epoch, const minicnn::evaluation& e);
  void remember_targets(const minicnn::evaluation& e);
  void choose_mistakes(const minicnn::evaluation& e);
  void draw_mistakes(minicnn::network<float>& net);
  void draw_augmented();

  /// A validation picture for the gallery.
  struct choice {
    minicnn::index_t sample = 0, truth = 0, named = 0;
    double probability = 0;  ///< of the class that the network names
  };

  const minicnn::image_dataset& data_;
  minicnn::sample_indices training_, validation_;
  minicnn::image_transform evaluation_picture_, training_picture_;
  std::uint64_t seed_;
  minicnn::task_info learned_;
  minicnn::index_t evaluated_epoch_ = 0, gallery_epoch_ = 0;
  double gallery_seconds_ = 0;            ///< spent so far
  double last_gallery_ = 0;               ///< seconds that the last one took
  std::vector<minicnn::metric> figures_;  ///< of tasks without classes, as the two below
  std::vector<minicnn::label_figures> per_label_;
  std::vector<minicnn::target_plot> targets_;
  std::vector<float> logits_;
  std::vector<std::int32_t> labels_;
  bool any_wrong_ = true;
  std::vector<choice> choices_;
  std::vector<minicnn::report_picture> mistakes_, augmented_;
  std::string filters_, filters_note_;
};

/// The processor's name and what else a speed depends on.
std::vector<std::pair<std::string, std::string>> describe_machine(const minicnn::network<float>& net);

}  // namespace cli
