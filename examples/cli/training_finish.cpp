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

/// At the end: the gallery shows the best epoch, whose weights the network may take now.
void training::complete_gallery() {
  if (split_.validation.empty() || state_->best_epoch == 0 || pictures_->shows(state_->best_epoch)) return;
  minicnn::load_weights(*net_, folder_->file("best.safetensors"));
  minicnn::loader_options options = loader_options(false);
  options.cache_bytes = 0;
  data_loader validation(data_, split_.validation, options);
  const minicnn::evaluation e = minicnn::evaluate(*net_, validation, *task_);
  pictures_->validation(without_bad(split_.validation, validation.bad_files()));
  pictures_->make_gallery(state_->best_epoch, e, *net_);
}

/// Chooses temperature and clip on the validation part, for the views that the recipe evaluates with, and writes them into
/// the best weights. The run is over: the network now takes these weights.
void training::calibrate() {
  constexpr std::size_t enough = 100;  // fewer pictures say too little
  if (!learned_.classifies()) return choose_thresholds();
  if (split_.validation.size() < enough) return;
  const std::string path = folder_->file("best.safetensors");
  minicnn::load_weights(*net_, path);
  const auto views = minicnn::test_views_named(recipe_.tta);
  const std::vector<double> weights = view_weights(views);
  std::vector<std::vector<float>> logits;
  std::vector<std::int32_t> labels;
  minicnn::session<float> run = minicnn::evaluation_session(*net_, *task_);
  minicnn::loader_options options = loader_options(false);
  for (const minicnn::image_transform& view : views_of(picture_, views)) {
    options.transform = view;
    data_loader pictures(data_, split_.validation, options);
    progress_.clear();
    minicnn::evaluation e = minicnn::evaluate(run, pictures, *task_);
    logits.emplace_back(e.outputs.begin(), e.outputs.end());
    labels = std::move(e.labels);
  }
  for (const std::vector<float>& view : logits)
    for (const float z : view)
      if (!std::isfinite(z)) {
        warn(path + ": some of its outputs are not finite; no temperature was fitted");
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
  minicnn::load_weights(*net_, folder_->file("best.safetensors"));
  data_loader pictures(data_, split_.validation, loader_options(false));
  progress_.clear();
  model_info best = info();
  best.task.thresholds = minicnn::multi_label<float>::choose_thresholds(minicnn::evaluate(*net_, pictures, *task_));
  folder_->save_best(*net_, best);
}

void training::finish() {
  complete_gallery();
  folder_->write_report(report(true));
  if (events_) events_->pictures(state_->step, report(true));
  if (state_->best_epoch == 0)
    minicnn::fail(o_.out, ": no epoch had a finite validation loss; only last.safetensors was written");
  calibrate();
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
