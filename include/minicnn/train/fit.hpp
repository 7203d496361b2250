#pragma once
/// The training loop: forward, loss, backward, step, over epochs, with a position that can be saved and resumed exactly.
///
///     softmax_cross_entropy<float> loss;
///     sgd<float> optimizer(net, {.learning_rate = 0.05, .momentum = 0.9, .nesterov = true});
///     fit(net, optimizer, loss, train_data, val_data, {.epochs = 10, .rate = schedule::one_cycle()});
///
/// Auxiliary outputs count with the network's `loss_weights`; the figures reported are those of the first output.
///
/// Data is anything with `start_epoch(epoch, first_batch)`, `next()` (a pointer to a batch with `images` and `labels`, null at
/// the end), `images()` and `batches()`: minicnn::loader, or your own.

#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "minicnn/train/clip.hpp"
#include "minicnn/train/history.hpp"
#include "minicnn/train/loss.hpp"
#include "minicnn/train/metrics.hpp"
#include "minicnn/train/optimizer.hpp"
#include "minicnn/train/schedule.hpp"

namespace minicnn::inline MINICNN_ABI {

/// What a network says about a data set, in evaluation mode.
struct evaluation {
  index_t images = 0;
  double loss = 0;                              ///< mean cross-entropy, not clipped
  double accuracy = 0;                          ///< in [0, 1]
  std::vector<std::vector<index_t>> confusion;  ///< rows: true class
  std::vector<float> logits;                    ///< images x classes, in the data's order
  std::vector<std::int32_t> labels;
};

/// Predicts every image of `data` once. The result does not depend on the batch size beyond rounding, nor on threads.
template <class T, class Data>
evaluation evaluate(const network<T>& net, Data& data, workspace<T>& space) {
  evaluation out;
  const index_t classes = net.output_dims().size_from(1);
  out.confusion.assign(static_cast<std::size_t>(classes), std::vector<index_t>(static_cast<std::size_t>(classes), 0));
  const softmax_cross_entropy<T> loss;
  double sum = 0;
  index_t right = 0;
  data.start_epoch(0, 0);
  while (const auto* b = data.next()) {
    const view<const T> logits = net.predict(b->images, space);
    const index_t n = logits.dim(0);
    sum += loss.value(logits, b->labels) * static_cast<double>(n);
    for (index_t i = 0; i < n; ++i) {
      const T* row = logits.data() + i * classes;
      const auto best = static_cast<std::size_t>(std::max_element(row, row + classes) - row);
      const auto truth = static_cast<std::size_t>(b->labels[static_cast<std::size_t>(i)]);
      out.confusion[truth][best] += 1;
      right += best == truth;
    }
    for (index_t i = 0; i < n * classes; ++i) out.logits.push_back(static_cast<float>(logits[i]));
    out.labels.insert(out.labels.end(), b->labels.begin(), b->labels.end());
    out.images += n;
  }
  out.loss = out.images > 0 ? sum / static_cast<double>(out.images) : NAN;
  out.accuracy = out.images > 0 ? static_cast<double>(right) / static_cast<double>(out.images) : NAN;
  return out;
}

/// Where a run stands. With the weights, the optimizer's state and the network's step counter this is all that a run is.
struct fit_position {
  index_t epoch = 0;        ///< epochs finished
  index_t batch = 0;        ///< batches done in the epoch under way
  index_t step = 0;         ///< optimizer steps done
  index_t total_steps = 0;  ///< planned length of the schedule
  index_t skipped = 0;      ///< steps left out because a gradient was not finite
  double loss_sum = 0;      ///< over the images of the epoch under way
  index_t right = 0, seen = 0;
  double seconds = 0;           ///< of training and validation so far
  double best_loss = INFINITY;  ///< smallest validation loss
  index_t best_epoch = 0;
  std::vector<std::vector<index_t>> best_confusion;  ///< of validation in that epoch; rows: true class
  bool time_planned = false;                         ///< `total_steps` was chosen by the time limit
  std::vector<epoch_record> history;
};

/// What an observer is told after every batch.
struct step_report {
  index_t epoch = 1;  ///< under way, from 1
  index_t epochs = 0;
  index_t batch = 0, batches = 0;  ///< done, and in the epoch
  double loss = 0, accuracy = 0;   ///< means of the epoch so far
  double learning_rate = 0;
  double images_per_second = 0;
  double seconds_left = 0;  ///< of the run, estimated
};

struct fit_options {
  index_t epochs = 10;
  schedule rate = {};
  index_t accumulate = 1;  ///< batches whose gradients are summed before a step
  double clip_norm = 0;    ///< largest global gradient norm; 0: not clipped
  /// When positive, the schedule's length is planned once, from the speed of the first 50 steps (or of the
  /// first tenth of the time), so that training and
  /// validation end within this many seconds; `epochs` is then an upper limit. The plan is part of the position.
  double time_limit = 0;
  std::function<void(const step_report&)> on_step = {};
  /// Told after validation; `improved` when the validation loss is the smallest so far.
  std::function<void(const epoch_record&, const evaluation&, bool improved)> on_epoch = {};
  /// Asked after every step; true ends the run at once, at a position that can be saved.
  std::function<bool()> stop = {};
};

/// The loop. `position` says where to begin and, afterwards, where the run stands. `validation` may be null: then every epoch
/// counts as the best so far.
template <class T, class Loss, class Train, class Validation>
class fitter {
 public:
  fitter(network<T>& net, optimizer<T>& opt, const Loss& loss, Train& train, Validation* validation, fit_options o)
      : net_(net),
        optimizer_(opt),
        loss_(loss),
        train_(train),
        validation_(validation),
        options_(std::move(o)),
        space_(net.threads()) {
    if (options_.epochs < 1) fail<option_error>("fit: epochs is ", options_.epochs, ", wanted at least 1");
    if (options_.accumulate < 1) fail<option_error>("fit: accumulate is ", options_.accumulate, ", wanted at least 1");
    if (train_.size() < 1) fail<option_error>("fit: there are no training images");
  }

  fit_position position;

  /// Trains from `position` to the end. Returns false if `stop` ended it before.
  bool run() {
    const index_t steps_an_epoch = (train_.batches() + options_.accumulate - 1) / options_.accumulate;
    if (position.total_steps == 0) position.total_steps = options_.epochs * steps_an_epoch;
    for (const epoch_record& row : position.history) options_.rate.observe(row.val_loss);
    if (position.step > 0) rate_ = options_.rate.at(position.step - 1, position.total_steps) * optimizer_.learning_rate();
    start_ = clock::now();
    seconds_before_ = position.seconds;
    while (position.step < position.total_steps) {
      if (!run_epoch()) return false;
      finish_epoch();
    }
    return true;
  }

 private:
  using clock = std::chrono::steady_clock;

  double seconds() const { return seconds_before_ + std::chrono::duration<double>(clock::now() - start_).count(); }

  bool run_epoch() {
    train_.start_epoch(position.epoch, position.batch);
    const double began = seconds();
    const index_t seen_before = position.seen;
    index_t pending = 0;
    for (;;) {
      const auto* b = train_.next();
      if (b == nullptr) return true;
      const index_t window = (std::min)(options_.accumulate, train_.batches() - (position.batch - pending));
      net_.forward(b->images);
      const double l = losses(b->labels, 1.0 / static_cast<double>(window));
      count(l, b->labels);
      net_.backward(pending > 0);
      pending += 1;
      position.batch += 1;
      if (pending == window) {
        step();
        pending = 0;
      }
      position.seconds = seconds();
      plan_time();
      const double speed = static_cast<double>(position.seen - seen_before) / (position.seconds - began);
      images_per_second_ = speed;
      if (options_.on_step) report(speed);
      if (position.step >= position.total_steps) return true;
      if (pending == 0 && options_.stop && options_.stop()) return false;
    }
  }

  /// Writes the gradients of all outputs that the network's loss weights name; returns the first output's own loss, which
  /// compares with that of validation.
  double losses(std::span<const std::int32_t> labels, double gradient_scale) {
    double first = 0;
    for (int i = 0; i < net_.output_count(); ++i) {
      const double weight = net_.loss_weights()[static_cast<std::size_t>(i)];
      if (weight == 0) continue;
      const double value = loss_(net_, labels, i, weight, gradient_scale);
      if (i == 0) first = value / weight;
    }
    return first;
  }

  void count(double loss, std::span<const std::int32_t> labels) {
    const view<const T> logits = net_.output();
    const index_t classes = logits.dims().size_from(1);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const T* row = logits.data() + static_cast<index_t>(i) * classes;
      position.right += std::max_element(row, row + classes) - row == labels[i];
    }
    position.loss_sum += loss * static_cast<double>(labels.size());
    position.seen += static_cast<index_t>(labels.size());
  }

  void step() {
    const double factor = options_.rate.at(position.step, position.total_steps);
    rate_ = factor * optimizer_.learning_rate();
    // Measured even when nothing is clipped: a step with a gradient that is NaN or infinite would destroy the weights.
    const gradient_clip clip = clip_gradients(net_, options_.clip_norm);
    if (!optimizer_.step(factor, clip)) position.skipped += 1;
    position.step += 1;
  }

  /// Chooses the schedule's length after 50 steps, or after a tenth of the limit where steps are slow.
  void plan_time() {
    constexpr index_t measured = 50;
    if (options_.time_limit <= 0 || position.time_planned || position.step < 2) return;
    if (position.step < measured && position.seconds < options_.time_limit / 10) return;
    position.time_planned = true;
    const double a_step = position.seconds / static_cast<double>(position.step);
    // Validation costs about a third of training per image.
    const double share =
        static_cast<double>(validation_ == nullptr ? 0 : validation_->size()) / static_cast<double>(train_.size()) / 3;
    const double steps = options_.time_limit / (a_step * (1 + share) * 1.02);
    position.total_steps = (std::min)(position.total_steps, (std::max)(static_cast<index_t>(steps), position.step + 1));
  }

  void report(double speed) {
    const index_t done = position.step, total = position.total_steps;
    const double left = done > 0 ? position.seconds / static_cast<double>(done) * static_cast<double>(total - done) : 0;
    const index_t steps_an_epoch = (train_.batches() + options_.accumulate - 1) / options_.accumulate;
    options_.on_step({position.epoch + 1, (total + steps_an_epoch - 1) / steps_an_epoch, position.batch, train_.batches(),
                      position.loss_sum / static_cast<double>(position.seen),
                      static_cast<double>(position.right) / static_cast<double>(position.seen), rate_, speed, left});
  }

  void finish_epoch() {
    const evaluation e = validation_ != nullptr ? evaluate(net_, *validation_, space_) : evaluation{0, NAN, NAN, {}, {}, {}};
    position.epoch += 1;
    position.seconds = seconds();
    const double seen = static_cast<double>(position.seen);
    position.history.push_back({position.epoch, position.loss_sum / seen, static_cast<double>(position.right) / seen, e.loss,
                                e.accuracy, rate_, images_per_second_, position.seconds});
    position.batch = position.right = position.seen = 0;
    position.loss_sum = 0;
    options_.rate.observe(e.loss);
    const bool improved = e.images == 0 || e.loss < position.best_loss;
    if (improved) position.best_loss = e.loss, position.best_epoch = position.epoch, position.best_confusion = e.confusion;
    if (options_.on_epoch) options_.on_epoch(position.history.back(), e, improved);
  }

  network<T>& net_;
  optimizer<T>& optimizer_;
  const Loss& loss_;
  Train& train_;
  Validation* validation_;
  fit_options options_;
  workspace<T> space_;
  clock::time_point start_{};
  double seconds_before_ = 0;
  double rate_ = 0;
  double images_per_second_ = 0;
};

/// Trains `net` and returns the epochs' figures.
template <class T, class Loss, class Train, class Validation>
std::vector<epoch_record> fit(network<T>& net, optimizer<T>& opt, const Loss& loss, Train& train, Validation& validation,
                              fit_options o = {}) {
  fitter<T, Loss, Train, Validation> loop(net, opt, loss, train, &validation, std::move(o));
  loop.run();
  return loop.position.history;
}

}  // namespace minicnn::inline MINICNN_ABI
