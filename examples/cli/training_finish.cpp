// How a training ends: the gallery of its best epoch, temperature, clip and thresholds, the last report.

#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <minicnn/analysis/calibration.hpp>
#include <minicnn/core/printable.hpp>
#include <minicnn/io/checkpoint.hpp>
#include <minicnn/train/multi_label.hpp>

#include "data_source.hpp"
#include "event_log.hpp"
#include "inference.hpp"
#include "messages.hpp"
#include "run_folder.hpp"
#include "training.hpp"

namespace cli {

using minicnn::fixed;
using minicnn::index_t;

/// The network takes the best epoch's, on all ranks what the first one has on disk.
void training::take_best_weights() {
  on_all_ranks([&] {
    if (first_rank()) minicnn::load_weights(*net_, folder_->file("best.safetensors"));
  });
  for (const minicnn::view<float>& arena : {net_->parameter_arena(), net_->buffer_arena()})
    everyone().broadcast(arena.data(), arena.size() * static_cast<index_t>(sizeof(float)), 0);
}

/// Of all pictures, of which each rank predicts a part.
minicnn::evaluation training::evaluate_validation(minicnn::session<float>& run, const minicnn::image_transform& view) {
  minicnn::loader_options options = loader_options(false);
  options.transform = view;
  options.cache_bytes = 0;  // they are read once
  data_loader pictures(data_, split_.validation, options);
  progress_.clear();
  minicnn::evaluation e;
  if (ranks_ == nullptr) {
    e = minicnn::evaluate(run, pictures, *task_);
  } else {
    const auto dealt = minicnn::source_of<float>(pictures);
    dealt->deal({ranks_->rank(), ranks_->size()});
    e = minicnn::evaluate(run, *dealt, *task_, *ranks_, true);
  }
  if (o_.skip_bad) known_bad_validation_ = pictures.bad_files();
  return e;
}

/// At the end: the gallery shows the best epoch, whose weights the network may take now.
void training::complete_gallery() {
  if (split_.validation.empty() || state_->best_epoch == 0) return;
  if (!any_rank(everyone(), first_rank() && !pictures_->shows(state_->best_epoch))) return;
  take_best_weights();
  minicnn::session<float> run = minicnn::evaluation_session(*net_, *task_);
  const minicnn::evaluation e = evaluate_validation(run, picture_);
  pictures_->validation(without_bad(split_.validation, known_bad_validation_));
  if (first_rank()) pictures_->make_gallery(state_->best_epoch, e, *net_);
}

/// Chooses temperature and clip on the validation part, for the views that the recipe evaluates with, and writes them into
/// the best weights. The run is over: the network now takes these weights.
void training::calibrate() {
  constexpr std::size_t enough = 100;  // fewer pictures say too little
  if (!learned_.classifies()) return choose_thresholds();
  if (split_.validation.size() < enough) return;
  take_best_weights();
  const auto views = minicnn::test_views_named(recipe_.tta);
  const std::vector<double> weights = view_weights(views);
  std::vector<std::vector<float>> logits;
  std::vector<std::int32_t> labels;
  minicnn::session<float> run = minicnn::evaluation_session(*net_, *task_);
  for (const minicnn::image_transform& view : views_of(picture_, views)) {
    minicnn::evaluation e = evaluate_validation(run, view);
    logits.emplace_back(e.outputs.begin(), e.outputs.end());
    labels = std::move(e.labels);
  }
  if (!first_rank()) return;
  for (const std::vector<float>& view : logits)
    for (const float z : view)
      if (!std::isfinite(z)) {
        warn(folder_->file("best.safetensors") + ": some of its outputs are not finite; no temperature was fitted");
        return;
      }
  const auto classes = static_cast<index_t>(data_.classes.size());
  model_info best = info();
  best.temperature = minicnn::fit_view_temperature(logits, labels, classes, 0.5, 4.0, weights);
  if (classes == 2) {
    std::vector<double> second(labels.size(), 0.0);
    for (std::size_t v = 0; v < logits.size(); ++v) {
      const std::vector<double> logs = minicnn::log_softmax({logits[v].begin(), logits[v].end()}, classes, best.temperature);
      for (std::size_t i = 0; i < second.size(); ++i) second[i] += weights[v] * std::exp(logs[2 * i + 1]);
    }
    best.clip = minicnn::fit_clip(second, labels);
  }
  folder_->save_best(*net_, best);
  note("validation with test-time augmentation \"%s\": log loss %s, with temperature %s: %s; clip for submit: %s\n",
       recipe_.tta.c_str(), fixed(minicnn::mean_view_log_loss(logits, labels, classes, 1.0, weights), 4).c_str(),
       fixed(best.temperature, 3).c_str(),
       fixed(minicnn::mean_view_log_loss(logits, labels, classes, best.temperature, weights), 4).c_str(),
       minicnn::short_number(best.clip).c_str());
}

/// For several labels: thresholds with the best F1 on the validation part, for the best weights, which then have them.
void training::choose_thresholds() {
  if (recipe_.task != "multilabel" || split_.validation.empty()) return;
  take_best_weights();
  minicnn::session<float> run = minicnn::evaluation_session(*net_, *task_);
  const minicnn::evaluation e = evaluate_validation(run, picture_);
  if (!first_rank()) return;
  model_info best = info();
  best.task.thresholds = minicnn::multi_label<float>::choose_thresholds(e);
  folder_->save_best(*net_, best);
}

void training::finish() {
  complete_gallery();
  if (first_rank()) folder_->write_report(report(true));
  if (events_) events_->pictures(state_->step, report(true));
  on_all_ranks([&] {
    if (state_->best_epoch == 0)
      minicnn::fail(o_.out, ": no epoch had a finite validation loss; only last.safetensors was written");
  });
  calibrate();
  if (!first_rank()) return;
  const auto& history = state_->history;
  for (const minicnn::epoch_record& e : history)
    if (e.epoch == state_->best_epoch && !split_.validation.empty())
      learned_.classifies() ? note("best: epoch %" PRId64 ", validation accuracy %s %%, log loss %s\n", e.epoch,
                                   fixed(100 * e.val_accuracy, 2).c_str(), fixed(e.val_loss, 4).c_str())
                            : note("best: epoch %" PRId64 ", validation loss %s%s\n", e.epoch, fixed(e.val_loss, 4).c_str(),
                                   pictures_->figures_text().c_str());
  if (state_->skipped > 0)
    std::fprintf(stderr, "%" PRId64 " steps were left out because a gradient was not finite\n", state_->skipped);
  for (const char* name : {"best.safetensors", "report.html"})
    std::printf("%s\n", minicnn::printable(folder_->file(name)).c_str());
}

}  // namespace cli
