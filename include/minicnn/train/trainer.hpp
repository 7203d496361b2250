#pragma once
/// The training loop: forward, loss, backward, step, over epochs, with a state that can be saved and resumed exactly. `fit` of
/// fit.hpp is a trainer that runs to its end.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/train/batch_source.hpp"
#include "minicnn/train/clip.hpp"
#include "minicnn/train/diagnosis.hpp"
#include "minicnn/train/optimizer.hpp"
#include "minicnn/train/schedule.hpp"
#include "minicnn/train/sharded_batch.hpp"
#include "minicnn/train/shared_evaluation.hpp"
#include "minicnn/train/task.hpp"
#include "minicnn/train/training_callback.hpp"

namespace minicnn::inline MINICNN_ABI {

struct fit_options {
  index_t epochs = 10;        ///< of this call; a network that was trained before counts on from there
  schedule lr_schedule = {};  ///< over this call's steps, times the optimizer's learning rate
  index_t accumulate = 1;     ///< batches whose gradients make one step, each image counting alike
  /// Parts of a batch that are computed one after the other, or by several processes, each with batch statistics of its own;
  /// running ones move by the mean. The result depends on this number, and not on how many processes share the work.
  index_t shards = 1;
  team* ranks = nullptr;  ///< processes that train together, at most `shards`; must outlive the run; null: this one alone
  /// How gradients are sent between processes. bf16 halves the bytes where each has a shard of its own, and rounds with any
  /// number.
  wire_format wire = wire_format::fp32;
  bool overlap = false;           ///< they are sent while backward computes more; same bits, pays where the network is slow
  double clip_norm = 0;           ///< largest global gradient norm; 0: not clipped
  index_t validate_every = 1;     ///< epochs; the last one is always validated
  index_t max_skipped_steps = 0;  ///< in a row, because gradients are not finite; one more ends the run with an error that says
                                  ///< where the first NaN or infinity arose; the weights are then those before that step
  std::vector<training_callback*> callbacks = {};  ///< must outlive the run
};

/// `net`, `opt`, the task and the data must outlive it.
template <class T = float>
class trainer final : public training_run {
 public:
  template <batch_data Train>
  trainer(network<T>& net, optimizer<T>& opt, const task<T>& what, Train& train, fit_options o = {})
      : trainer(net, opt, what, source_of<T>(train), nullptr, std::move(o)) {}
  template <batch_data Train, batch_data Validation>
  trainer(network<T>& net, optimizer<T>& opt, const task<T>& what, Train& train, Validation& validation, fit_options o = {})
      : trainer(net, opt, what, source_of<T>(train), source_of<T>(validation), std::move(o)) {}
  /// `validation` may be null: then every epoch counts as the best so far.
  MINICNN_COLD trainer(network<T>& net, optimizer<T>& opt, const task<T>& what, std::unique_ptr<batch_source<T>> train,
                       std::unique_ptr<batch_source<T>> validation, fit_options o);

  /// Plans memory for batches of up to `input[0]` and this image size; else the first batches do.
  void reserve(const shape& input) { sharded_ ? sharded_->reserve(input) : session_.reserve(input); }

  /// Trains from `state` to the end, and leaves it there. `state` begins where the network's training ended, and is that of an
  /// earlier run where one is to be resumed. Returns false if a callback broke the run off. Throws error where values are not
  /// finite.
  bool run();

  /// Whether `run` ended because the data threw. `state` is then that of the last step, and can be saved.
  bool data_failed() const { return data_failed_; }

  /// What `run` has taken each rank, without its latest batch; empty where batches are whole.
  std::vector<rank_time> rank_times() const { return sharded_ ? sharded_->rank_times() : std::vector<rank_time>(); }

  index_t epochs() const override { return state.first_epoch + (state.total_steps + steps_per_epoch() - 1) / steps_per_epoch(); }
  index_t steps_per_epoch() const override { return (train_->batches() + options_.accumulate - 1) / options_.accumulate; }
  index_t training_images() const override { return train_->size(); }
  index_t validation_images() const override { return validation_ == nullptr ? 0 : validation_->size(); }
  index_t validate_every() const override { return options_.validate_every; }
  bool resizable() const override { return train_->resizable(); }
  void resize(index_t pixels) override { train_->set_size(pixels); }
  double uninformed_loss() const override { return task_.uninformed_loss(net_.output_dims().size_from(1)); }
  MINICNN_COLD std::string diagnose() override {
    return batch_.size() > 0 ? diagnose_stuck(net_, batch_) : "";  // a small last batch may be another rank's
  }

 private:
  using clock = std::chrono::steady_clock;

  /// What is counted of the epoch under way, as of the last step.
  struct mark {
    index_t batch, seen;
    double loss_sum, weight_sum, correct;
  };
  mark here() const { return {state.batch, state.seen, state.loss_sum, state.weight_sum, state.correct}; }

  void begin();
  bool run_epoch();
  bool run_sharded_epoch();
  const batch<T>* next_batch(const mark& last_step);
  void step(double gradient_scale);
  void prepare_ranks();
  [[noreturn]] void give_up();
  void report(bool updated);
  void finish_epoch();
  evaluation validate(epoch_record& row);

  double seconds() const { return seconds_before_ + std::chrono::duration<double>(clock::now() - start_).count(); }

  /// Epochs without validation say nothing.
  void observe(double loss) {
    if (validation_ == nullptr || !is_nan(loss)) options_.lr_schedule.observe(loss);
  }

  template <class F>
  bool any(const F& says) const {
    return std::any_of(options_.callbacks.begin(), options_.callbacks.end(), says);
  }
  bool on_any_rank(bool here) const { return options_.ranks == nullptr ? here : any_rank(*options_.ranks, here); }
  bool finished() const {
    return on_any_rank(any([](const training_callback* c) { return c->finished(); }));
  }
  bool stopped() const {
    return on_any_rank(any([](const training_callback* c) { return c->stop(); }));
  }
  /// Rank 0's clock, for what all must agree on.
  double agreed_seconds() const {
    double now = seconds();
    if (options_.ranks != nullptr) options_.ranks->broadcast(&now, sizeof now, 0);
    return now;
  }

  network<T>& net_;
  optimizer<T>& optimizer_;
  const task<T>& task_;
  std::unique_ptr<batch_source<T>> train_, validation_;
  fit_options options_;
  session<T> session_, validation_session_;
  output_table<T> outputs_;
  team_of_one alone_;
  std::unique_ptr<sharded_batch<T>> sharded_;  // null: whole batches on one process
  bool validation_is_dealt_ = false;
  batch<T> batch_;  // the latest, or what this rank has of it
  clock::time_point start_{};
  double seconds_before_ = 0;
  double rate_ = 0;
  index_t skipped_in_a_row_ = 0;
  bool data_failed_ = false;
};

template <class T>
trainer<T>::trainer(network<T>& net, optimizer<T>& opt, const task<T>& what, std::unique_ptr<batch_source<T>> train,
                    std::unique_ptr<batch_source<T>> validation, fit_options o)
    : net_(net),
      optimizer_(opt),
      task_(what),
      train_(std::move(train)),
      validation_(std::move(validation)),
      options_(std::move(o)),
      session_(net),
      validation_session_(evaluation_session(net, what)) {
  if (options_.epochs < 1) fail<option_error>("fit: epochs is ", options_.epochs, ", wanted at least 1");
  if (options_.accumulate < 1) fail<option_error>("fit: accumulate is ", options_.accumulate, ", wanted at least 1");
  if (options_.validate_every < 1) fail<option_error>("fit: validate_every is ", options_.validate_every, ", wanted at least 1");
  if (any([](const training_callback* c) { return c == nullptr; })) fail<option_error>("fit: a callback is null");
  if (train_->size() < 1) fail<option_error>("fit: there are no training images");
  if (options_.shards < 1 || options_.shards > team::most_ranks)
    fail<option_error>("fit: shards is ", options_.shards, ", wanted 1 to ", team::most_ranks);
  if (options_.shards > 1 && options_.accumulate > 1)
    fail<option_error>("fit: accumulate is ", options_.accumulate, " and shards ", options_.shards, ": batches of ",
                       options_.accumulate, " times as many images in ", options_.accumulate * options_.shards,
                       " shards do the same");
  state.first_epoch = state.epoch = net_.epochs();
  if (options_.shards > 1 || options_.ranks != nullptr) prepare_ranks();
}

template <class T>
MINICNN_COLD void trainer<T>::prepare_ranks() {
  team& ranks = options_.ranks != nullptr ? *options_.ranks : alone_;
  if (ranks.size() > options_.shards)
    fail<option_error>("fit: ", ranks.size(), " processes and shards ", options_.shards, ": wanted at least a shard each");
  if (options_.shards > 1)
    sharded_ = std::make_unique<sharded_batch<T>>(net_, session_, task_, ranks,
                                                  shard_options{options_.shards, options_.wire, options_.overlap});
  if (options_.ranks == nullptr) return;
  const deal_of_rank mine{ranks.rank(), ranks.size(), options_.shards};
  train_->deal(mine);
  if (validation_ != nullptr) validation_is_dealt_ = validation_->deal(mine);
}

template <class T>
void trainer<T>::begin() {
  if (state.total_steps == 0) state.total_steps = options_.epochs * steps_per_epoch();
  for (const epoch_record& row : state.history) observe(row.val_loss);
  if (state.step > 0) rate_ = options_.lr_schedule.at(state.step - 1, state.total_steps) * optimizer_.learning_rate();
  net_.epochs(state.epoch);
  start_ = clock::now();
  seconds_before_ = state.seconds;
  if (options_.ranks != nullptr) {
    want_same(*options_.ranks, "the run",
              text_of(options_.shards, " shards", options_.wire == wire_format::bf16 ? " in bf16" : "",
                      options_.overlap ? " with overlap" : "", ", ", train_->size(), " images in ", train_->batches(),
                      " batches, ", validation_images(), " of validation, ", state.total_steps, " steps from ", state.step));
    want_same_weights(*options_.ranks, net_, state);
    state.seconds = agreed_seconds();
    options_.ranks->begin_steps();
  }
  plan_pending = false;
  for (training_callback* c : options_.callbacks) c->on_begin(*this);
}

template <class T>
bool trainer<T>::run() {
  begin();
  bool whole = true;
  // An epoch whose steps are done may still lack its validation.
  while (whole && (state.step < state.total_steps || state.batch > 0) && !finished()) {
    whole = sharded_ ? run_sharded_epoch() : run_epoch();
    if (!whole) break;
    finish_epoch();
    whole = state.step >= state.total_steps || finished() || !stopped();
  }
  for (training_callback* c : options_.callbacks) c->on_end(*this);
  return whole;
}

template <class T>
const batch<T>* trainer<T>::next_batch(const mark& last_step) {
  try {
    return train_->next();
  } catch (...) {
    state.batch = last_step.batch, state.seen = last_step.seen;
    state.loss_sum = last_step.loss_sum, state.weight_sum = last_step.weight_sum, state.correct = last_step.correct;
    data_failed_ = true;
    throw;
  }
}

/// Gradients of an accumulated batch are scaled as if all of its batches weighed what the first does; the step corrects what a
/// smaller last one leaves to be corrected.
template <class T>
bool trainer<T>::run_epoch() {
  if (state.step >= state.total_steps) return true;
  for (training_callback* c : options_.callbacks) c->on_epoch_begin(*this);
  train_->start_epoch(state.epoch, state.batch);
  const double began = seconds(), before = state.epoch_seconds;
  index_t pending = 0;
  double expected = 0, pending_weight = 0;
  mark last_step = here();
  while (const batch<T>* next = next_batch(last_step)) {
    batch_ = *next;
    const double weight = task_.weight(batch_);
    if (pending == 0) {
      expected = weight * static_cast<double>((std::min)(options_.accumulate, train_->batches() - state.batch));
      pending_weight = 0;
    }
    session_.forward(batch_.images);
    const network_outputs<T> outputs = outputs_.of(session_);
    const double loss = task_.losses(outputs, batch_, weight / expected);
    state.loss_sum += loss * weight;
    state.weight_sum += weight;
    state.correct += task_.correct(outputs.values[0], batch_);
    state.seen += batch_.size();
    session_.backward(pending > 0);
    pending += 1;
    pending_weight += weight;
    state.batch += 1;
    const index_t skipped = state.skipped;
    const bool stepped = pending == options_.accumulate || state.batch == train_->batches();
    if (stepped) {
      step(expected / pending_weight);
      pending = 0;
      last_step = here();
    }
    state.seconds = seconds();
    state.epoch_seconds = before + state.seconds - began;
    if (!options_.callbacks.empty()) report(stepped && state.skipped == skipped);
    if (state.step >= state.total_steps) return true;
    if (pending == 0 && stopped()) return false;
  }
  return true;
}

/// The same by shards, each scaled as if images weighed 1.
template <class T>
bool trainer<T>::run_sharded_epoch() {
  if (state.step >= state.total_steps) return true;
  for (training_callback* c : options_.callbacks) c->on_epoch_begin(*this);
  train_->start_epoch(state.epoch, state.batch);
  const double began = seconds(), before = state.epoch_seconds;
  for (;;) {
    batch_figures sums;
    try {
      sums = sharded_->run([&] { return train_->next(); }, seconds(), batch_);
    } catch (...) {
      data_failed_ = sharded_->data_failed();
      throw;
    }
    if (sums.images == 0) return true;
    state.loss_sum += sums.loss, state.weight_sum += sums.weight, state.correct += sums.correct;
    state.seen += sums.images;
    state.batch += 1;
    const index_t skipped = state.skipped;
    step(static_cast<double>(sums.images) / sums.weight);
    state.seconds = options_.ranks == nullptr ? seconds() : sums.seconds;
    state.epoch_seconds = before + seconds() - began;
    if (!options_.callbacks.empty()) report(state.skipped == skipped);
    if (state.step >= state.total_steps) return true;
    if (stopped()) return false;
  }
}

template <class T>
void trainer<T>::step(double gradient_scale) {
  const double factor = options_.lr_schedule.at(state.step, state.total_steps);
  rate_ = factor * optimizer_.learning_rate();
  // Measured even when nothing is clipped: a step with a gradient that is NaN or infinite would destroy the weights.
  if (optimizer_.step(factor, clip_gradients(net_, options_.clip_norm, gradient_scale))) {
    skipped_in_a_row_ = 0;
  } else {
    state.skipped += 1;
    skipped_in_a_row_ += 1;
    if (skipped_in_a_row_ > options_.max_skipped_steps) give_up();
  }
  state.step += 1;
}

template <class T>
MINICNN_COLD void trainer<T>::give_up() {
  std::string where = batch_.size() > 0 ? first_non_finite(net_, batch_, task_) : "";
  if (options_.ranks != nullptr) {
    const std::vector<std::string> all = gather_bytes(*options_.ranks, where);
    for (std::size_t r = all.size(); r-- > 0;)
      if (!all[r].empty()) where = options_.ranks->name(static_cast<index_t>(r)) + ", " + all[r];
  }
  if (where.empty()) where = "an earlier batch of the accumulated ones, or a sum of gradients that overflows";
  const std::string text = text_of("training stopped in epoch ", state.epoch + 1, ", batch ", state.batch, " at rate ", rate_,
                                   ": gradients are not finite. First seen in ", where);
  if (options_.ranks != nullptr) throw team_failure(text);
  fail(text);
}

template <class T>
MINICNN_COLD void trainer<T>::report(bool updated) {
  const double total = static_cast<double>(state.total_steps), done = static_cast<double>(state.step);
  const double worked = work_until(sizes, done / total), work = work_until(sizes, 1.0);
  const double left = done > 0 ? state.seconds * (work / worked - 1) : 0;
  const double seen = static_cast<double>(state.seen);
  const step_report s{state.epoch + 1,
                      epochs(),
                      state.batch,
                      train_->batches(),
                      state.loss_sum / state.weight_sum,
                      state.correct / seen,
                      rate_,
                      seen / state.epoch_seconds,
                      left,
                      updated};
  for (training_callback* c : options_.callbacks) c->on_step(s);
}

template <class T>
MINICNN_COLD void trainer<T>::finish_epoch() {
  const double seen = static_cast<double>(state.seen);
  epoch_record row{state.epoch + 1,
                   state.loss_sum / state.weight_sum,
                   state.correct / seen,
                   NAN,
                   NAN,
                   rate_,
                   state.epoch_seconds > 0 ? seen / state.epoch_seconds : 0.0,
                   0.0};
  if (options_.ranks != nullptr) want_same_weights(*options_.ranks, net_, state);
  const evaluation e = validate(row);
  if (validation_ == nullptr) options_.lr_schedule.observe(NAN);
  for (training_callback* c : options_.callbacks) c->on_epoch(row, e);
}

/// Validates where it is time to, ends the epoch in `state`, and tells of a best one, while callbacks have put their values into
/// the network.
template <class T>
MINICNN_COLD evaluation trainer<T>::validate(epoch_record& row) {
  struct scope {
    explicit scope(const std::vector<training_callback*>& all) : callbacks(all) {
      for (training_callback* c : callbacks) c->on_validation_begin();
    }
    ~scope() {
      for (training_callback* c : callbacks) c->on_validation_end();
    }
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    const std::vector<training_callback*>& callbacks;
  };
  const scope values(options_.callbacks);
  const bool last = state.step >= state.total_steps;
  evaluation e;
  bool improved = validation_ == nullptr;
  if (validation_ != nullptr && (last || (row.epoch - state.first_epoch) % options_.validate_every == 0)) {
    data_failed_ = true;  // if it throws
    e = options_.ranks == nullptr ? evaluate(validation_session_, *validation_, task_)
                                  : evaluate(validation_session_, *validation_, task_, *options_.ranks, validation_is_dealt_);
    data_failed_ = false;
    row.val_loss = e.loss, row.val_accuracy = e.accuracy;
    improved = e.score < state.best_score;
    observe(e.loss);
  }
  row.seconds = state.seconds = agreed_seconds();
  state.epoch = row.epoch;
  net_.epochs(state.epoch);
  state.history.push_back(row);
  state.batch = state.seen = 0;
  state.loss_sum = state.weight_sum = state.correct = state.epoch_seconds = 0;
  if (improved) {
    if (e.images > 0) state.best_score = e.score;
    state.best_epoch = row.epoch, state.best_confusion = e.confusion;
    for (training_callback* c : options_.callbacks) c->on_best(row, e);
  }
  return e;
}

MINICNN_COMPILED_CLASS(trainer);

}  // namespace minicnn::inline MINICNN_ABI
