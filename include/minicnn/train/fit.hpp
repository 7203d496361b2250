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
/// the end), `size()` and `batches()`, and with `set_size(pixels)` where training goes through several sizes: minicnn::loader,
/// or your own.

#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "minicnn/train/clip.hpp"
#include "minicnn/train/diagnosis.hpp"
#include "minicnn/train/ema.hpp"
#include "minicnn/train/history.hpp"
#include "minicnn/train/loss.hpp"
#include "minicnn/train/metrics.hpp"
#include "minicnn/train/optimizer.hpp"
#include "minicnn/train/schedule.hpp"
#include "minicnn/train/size_schedule.hpp"

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

/// Where a run stands. With the weights, the optimizer's state, the averages if there are any, and the network's step counter
/// this is all that a run is.
struct fit_position {
  index_t epoch = 0;        ///< epochs finished
  index_t batch = 0;        ///< batches done in the epoch under way
  index_t step = 0;         ///< optimizer steps done
  index_t total_steps = 0;  ///< planned length of the schedule
  index_t skipped = 0;      ///< steps left out because a gradient was not finite
  index_t image_size = 0;   ///< of the epoch under way, where `fit_options::sizes` are given
  double loss_sum = 0;      ///< over the images of the epoch under way
  index_t right = 0, seen = 0;
  double seconds = 0;           ///< of training and validation so far
  double epoch_seconds = 0;     ///< of training in the epoch under way
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
  /// Image sizes by fraction of the run, or changing from epoch to epoch; a size lasts for whole epochs. Empty: the data's own.
  std::vector<size_step> sizes = {};
  index_t validate_every = 1;  ///< epochs; the last one is always validated
  /// When positive, training ends after so many epochs without a smaller validation loss.
  index_t patience = 0;
  /// When positive, the schedule's length is planned once, from the speed of the first 50 steps (or of the first tenth of the
  /// time) and the relative costs in `sizes`, so that training and validation end within this many seconds. The plan is part of
  /// the position.
  double time_limit = 0;
  bool may_lengthen = false;         ///< with a time limit: `epochs` is where planning begins, not an upper limit
  double validation_cost = 1.0 / 3;  ///< of an image, over training one at the first size; for planning
  /// Steps in a row that may be left out because gradients are not finite. One more ends the run with an error that names the
  /// first node whose value is NaN or infinite; the weights are then those before that step.
  index_t tolerated_skips = 0;
  std::function<void(const step_report&)> on_step = {};
  /// Told when the validation loss is the smallest so far, while the network holds the values that gave it (the averages, if
  /// there are any): the time to save them.
  std::function<void(const epoch_record&, const evaluation&)> on_best = {};
  /// Told after every epoch, after `on_best`; the network holds the trained values. An epoch without validation has an
  /// evaluation of 0 images and a record with NaN.
  std::function<void(const epoch_record&, const evaluation&, bool improved)> on_epoch = {};
  /// Told once if the mean loss of an epoch is that of guessing, with a diagnosis of several lines; not in the first
  /// `stuck_after` steps, in which many a run that ends well has not begun to learn.
  std::function<void(const std::string&)> on_stuck = {};
  index_t stuck_after = 200;
  /// Asked after every step; true ends the run at once, at a position that can be saved.
  std::function<bool()> stop = {};
};

/// The loop. `position` says where to begin and, afterwards, where the run stands. `validation` may be null: then every epoch
/// counts as the best so far.
template <class T, class Loss, class Train, class Validation>
class fitter {
 public:
  MINICNN_COLD fitter(network<T>& net, optimizer<T>& opt, const Loss& loss, Train& train, Validation* validation, fit_options o)
      : net_(net),
        optimizer_(opt),
        loss_(loss),
        train_(train),
        validation_(validation),
        options_(std::move(o)),
        space_(net.threads()) {
    if (options_.epochs < 1) fail<option_error>("fit: epochs is ", options_.epochs, ", wanted at least 1");
    if (options_.accumulate < 1) fail<option_error>("fit: accumulate is ", options_.accumulate, ", wanted at least 1");
    if (options_.validate_every < 1)
      fail<option_error>("fit: validate_every is ", options_.validate_every, ", wanted at least 1");
    if (train_.size() < 1) fail<option_error>("fit: there are no training images");
    check_sizes(options_.sizes);
    if constexpr (!resizable)
      if (options_.sizes.size() > 1 || (!options_.sizes.empty() && !options_.sizes[0].turns.empty()))
        fail<option_error>("fit: several sizes, but the data has no set_size()");
  }

  fit_position position;
  /// When set, takes in every step; validation and `on_best` see its averages. Must have been made for the same network.
  ema<T>* average = nullptr;

  /// Trains from `position` to the end. Returns false if `stop` ended it before. Throws error where values are not finite.
  bool run() {
    if (position.total_steps == 0) position.total_steps = options_.epochs * steps_an_epoch();
    for (const epoch_record& row : position.history) observe(row.val_loss);
    if (position.step > 0) rate_ = options_.rate.at(position.step - 1, position.total_steps) * optimizer_.learning_rate();
    start_ = clock::now();
    seconds_before_ = position.seconds;
    data_failed_ = false;
    // An epoch whose steps are done may still lack its validation.
    while ((position.step < position.total_steps || position.batch > 0) && !out_of_patience()) {
      if (!run_epoch()) return false;
      finish_epoch();
    }
    return true;
  }

  /// Whether `run` ended because the data threw. The position is then that of the last step, and can be saved.
  bool data_failed() const { return data_failed_; }

 private:
  using clock = std::chrono::steady_clock;
  static constexpr bool resizable = requires(Train & data) { data.set_size(index_t{1}); };

  double seconds() const { return seconds_before_ + std::chrono::duration<double>(clock::now() - start_).count(); }
  index_t steps_an_epoch() const { return (train_.batches() + options_.accumulate - 1) / options_.accumulate; }

  bool out_of_patience() const {
    return options_.patience > 0 && validation_ != nullptr && position.epoch - position.best_epoch >= options_.patience;
  }

  /// Epochs without validation say nothing.
  void observe(double loss) {
    if (validation_ == nullptr || !is_nan(loss)) options_.rate.observe(loss);
  }

  /// The size for the epoch that begins or goes on. Until a time limit has been turned into a plan it is the first one.
  MINICNN_COLD void choose_size() {
    if (options_.sizes.empty()) return;
    const bool planned = options_.time_limit <= 0 || position.time_planned;
    const double progress = planned ? static_cast<double>(position.step) / static_cast<double>(position.total_steps) : 0.0;
    const size_step& now = size_at(options_.sizes, progress);
    if (position.batch == 0) position.image_size = planned ? size_in_epoch(now, position.epoch) : now.size;
    if constexpr (resizable) train_.set_size(position.image_size);
  }

  /// What is counted of the epoch under way, as of the last step.
  struct mark {
    index_t batch, right, seen;
    double loss_sum;
  };
  mark here() const { return {position.batch, position.right, position.seen, position.loss_sum}; }

  const auto* next_batch(const mark& last_step) {
    try {
      return train_.next();
    } catch (...) {
      position.batch = last_step.batch, position.right = last_step.right, position.seen = last_step.seen;
      position.loss_sum = last_step.loss_sum;
      data_failed_ = true;
      throw;
    }
  }

  evaluation validate_now() {
    try {
      return evaluate(net_, *validation_, space_);
    } catch (...) {
      data_failed_ = true;
      throw;
    }
  }

  bool run_epoch() {
    if (position.step >= position.total_steps) return true;
    choose_size();
    train_.start_epoch(position.epoch, position.batch);
    const double began = seconds(), before = position.epoch_seconds;
    double before_batch = began;
    index_t pending = 0;
    mark last_step = here();
    for (;;) {
      const auto* b = next_batch(last_step);
      if (b == nullptr) return true;
      const index_t window = (std::min)(options_.accumulate, train_.batches() - (position.batch - pending));
      net_.forward(b->images);
      const double l = losses(b->labels, 1.0 / static_cast<double>(window));
      count(l, b->labels);
      net_.backward(pending > 0);
      pending += 1;
      position.batch += 1;
      if (pending == window) {
        step(b->images, b->labels);
        pending = 0;
        last_step = here();
      }
      const double now = seconds();
      measured_seconds_ += now - before_batch;
      before_batch = position.seconds = now;
      position.epoch_seconds = before + now - began;
      plan_time();
      if (options_.on_step) report();
      if (position.batch == train_.batches()) look_for_trouble(b->images, b->labels);
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

  void step(const view<const T>& images, std::span<const std::int32_t> labels) {
    const double factor = options_.rate.at(position.step, position.total_steps);
    rate_ = factor * optimizer_.learning_rate();
    // Measured even when nothing is clipped: a step with a gradient that is NaN or infinite would destroy the weights.
    const gradient_clip clip = clip_gradients(net_, options_.clip_norm);
    if (optimizer_.step(factor, clip)) {
      skipped_in_a_row_ = 0;
      if (average != nullptr) average->update();
    } else {
      position.skipped += 1;
      skipped_in_a_row_ += 1;
      if (skipped_in_a_row_ > options_.tolerated_skips) give_up(images, labels);
    }
    position.step += 1;
  }

  [[noreturn]] MINICNN_COLD void give_up(const view<const T>& images, std::span<const std::int32_t> labels) {
    std::string where = first_non_finite(net_, images, labels, loss_);
    if (where.empty()) where = "an earlier batch of the accumulated ones, or a sum of gradients that overflows";
    fail("training stopped in epoch ", position.epoch + 1, ", batch ", position.batch, " at rate ", rate_,
         ": gradients are not finite. First seen in ", where);
  }

  /// At the end of an epoch, while its last batch is at hand.
  MINICNN_COLD void look_for_trouble(const view<const T>& images, std::span<const std::int32_t> labels) {
    const double guessing = std::log(static_cast<double>(net_.output_dims().size_from(1)));
    const double mean = position.loss_sum / static_cast<double>(position.seen);
    if (!options_.on_stuck || told_stuck_ || position.step < options_.stuck_after) return;
    if (!(guessing > 0) || mean < 0.985 * guessing) return;
    told_stuck_ = true;
    options_.on_stuck(text_of("the mean loss of epoch ", position.epoch + 1, " is ", detail::short_text(mean),
                              ", that of guessing ", detail::short_text(guessing), "\n") +
                      diagnose_stuck(net_, images, labels));
  }

  /// Chooses the schedule's length after 50 steps, or after a tenth of the limit where steps are slow.
  MINICNN_COLD void plan_time() {
    constexpr index_t wanted = 50, warm_up = 5;  // the first steps of a process plan memory and touch it
    if (options_.time_limit <= 0 || position.time_planned || position.step == counted_step_) return;
    counted_step_ = position.step;
    measured_steps_ += 1;
    if (measured_steps_ == warm_up) measured_seconds_ = 0;
    const bool warm = measured_steps_ >= warm_up, late = position.seconds >= options_.time_limit / 10;
    const index_t used = warm ? measured_steps_ - warm_up : measured_steps_;
    if (used < 2 || (!late && measured_steps_ < wanted)) return;
    position.time_planned = true;
    const double a_step = measured_seconds_ / static_cast<double>(used);
    const double per_epoch = static_cast<double>(steps_an_epoch());
    const double validation = static_cast<double>(validation_ == nullptr ? 0 : validation_->size()) * options_.validation_cost *
                              a_step * per_epoch / static_cast<double>(train_.size());
    // Three more validations for what comes after the last epoch, 2 % for saving.
    const double left = options_.time_limit - position.seconds - 3 * validation;
    const double each =
        1.02 * a_step * work_until(options_.sizes, 1.0) + validation / (per_epoch * static_cast<double>(options_.validate_every));
    const index_t steps = position.step + (std::max)(static_cast<index_t>(left / each), index_t{1});
    position.total_steps = options_.may_lengthen ? steps : (std::min)(position.total_steps, steps);
  }

  MINICNN_COLD void report() {
    const double total = static_cast<double>(position.total_steps), done = static_cast<double>(position.step);
    const double worked = work_until(options_.sizes, done / total), work = work_until(options_.sizes, 1.0);
    const double left = done > 0 ? position.seconds * (work / worked - 1) : 0;
    const double seen = static_cast<double>(position.seen);
    options_.on_step({position.epoch + 1, (position.total_steps + steps_an_epoch() - 1) / steps_an_epoch(), position.batch,
                      train_.batches(), position.loss_sum / seen, static_cast<double>(position.right) / seen, rate_,
                      seen / position.epoch_seconds, left});
  }

  MINICNN_COLD void finish_epoch() {
    const index_t epoch = position.epoch + 1;
    const bool last = position.step >= position.total_steps;
    const bool validate = validation_ != nullptr && (last || epoch % options_.validate_every == 0);
    const double seen = static_cast<double>(position.seen);
    epoch_record row{epoch,
                     position.loss_sum / seen,
                     static_cast<double>(position.right) / seen,
                     NAN,
                     NAN,
                     rate_,
                     position.epoch_seconds > 0 ? seen / position.epoch_seconds : 0.0,
                     0.0};
    evaluation e{0, NAN, NAN, {}, {}, {}};
    bool improved = validation_ == nullptr;
    {
      std::optional<typename ema<T>::usage> averaged;
      if (average != nullptr) averaged.emplace(*average);
      if (validate) {
        e = validate_now();
        row.val_loss = e.loss, row.val_accuracy = e.accuracy;
        improved = e.loss < position.best_loss;
        observe(e.loss);
      }
      row.seconds = position.seconds = seconds();
      position.epoch = epoch;
      position.history.push_back(row);
      position.batch = position.right = position.seen = 0;
      position.loss_sum = position.epoch_seconds = 0;
      if (improved) {
        position.best_loss = validate ? e.loss : position.best_loss;
        position.best_epoch = epoch, position.best_confusion = e.confusion;
        if (options_.on_best) options_.on_best(row, e);
      }
    }
    if (validation_ == nullptr) options_.rate.observe(NAN);
    if (options_.on_epoch) options_.on_epoch(row, e, improved);
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
  index_t skipped_in_a_row_ = 0;
  bool told_stuck_ = false;
  bool data_failed_ = false;
  index_t measured_steps_ = 0, counted_step_ = 0;  // for the time limit
  double measured_seconds_ = 0;
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
