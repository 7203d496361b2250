#include "training.hpp"

#include <cinttypes>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <minicnn/core/printable.hpp>
#include <minicnn/graph/summary.hpp>
#include <minicnn/train/callbacks.hpp>
#include <minicnn/train/check_divergence.hpp>
#include <minicnn/train/mix.hpp>
#include <minicnn/train/parse_schedule.hpp>
#include <minicnn/train/parse_sizes.hpp>
#include <minicnn/train/size_schedule.hpp>
#include <new>

#include "commands.hpp"
#include "data_source.hpp"
#include "event_log.hpp"
#include "fine_tuning.hpp"
#include "inference.hpp"
#include "interrupt.hpp"
#include "messages.hpp"
#include "platform.hpp"
#include "resolve_model.hpp"
#include "run_folder.hpp"
#include "train_setup.hpp"

namespace cli {

using minicnn::fixed;
using minicnn::index_t;

namespace {

/// Names what a loader has left out since there were `told`.
void report_bad(const minicnn::loader<float>& data, std::size_t told, bool at_start) {
  const std::vector<minicnn::bad_file>& bad = data.bad_files();
  for (std::size_t i = told; i < bad.size(); ++i)
    std::fprintf(stderr, "skipped: %s\n", minicnn::printable(bad[i].path + ": " + bad[i].reason).c_str());
  if (at_start && !bad.empty())
    std::fprintf(stderr, "skipped %zu pictures that cannot be read; %" PRId64 " remain\n", bad.size(), data.size());
}

minicnn::ema_options averaging(const recipe& r) {
  return {.decay = r.ema, .every = (std::max)(r.lookahead, 1), .growth = r.ema_growth, .copy_back = r.lookahead > 0};
}

}  // namespace

training::~training() = default;

training::training(const train_options& o, recipe r, minicnn::team* ranks) : o_(o), recipe_(std::move(r)), ranks_(ranks) {
  agree_on_call();
  read_names();
  on_all_ranks([this] { open_pictures(); });
  pictures_used_ = run_data(data_, split_, o.resume ? o.out : "", everyone());
  recipe_.model.classes = static_cast<int>(output_names(data_).size());
  recipe_.model.channels = data_.channels;
  progress_.quiet(o.quiet);
  progress_.allow_color(!o.no_color);
  if (!o.quiet) print_counts(data_, split_);
  recipe_.weights = class_weights(recipe_, data_, split_);
  learned_ = info_of_task(recipe_, data_, split_);
  task_ = make_task(learned_, recipe_.label_smoothing, recipe_.weights);
  net_ = std::make_unique<network>(resolve_model(recipe_.model, o.threads, recipe_.seed));
  net_->bf16(recipe_.precision == "bf16");
  note("%s", minicnn::summary_table(minicnn::summarize(*net_), progress_.live() ? progress_.abilities().columns : 0).c_str());
  take_initial_weights();
  if (const std::string text = freeze_layers(*net_, recipe_); !text.empty()) note("%s\n", text.c_str());
  minicnn::session<float> planned(*net_);  // what does not fit into memory fails here
  minicnn::shape shard = largest_batch();
  shard.set(0, shard_size());
  planned.reserve(shard);
  optimizer_ = make_optimizer(recipe_, *net_);
  if (recipe_.ema > 0) average_ = std::make_unique<minicnn::ema<float>>(*net_, averaging(recipe_));
  note("memory: weights and gradients %.0f MiB, optimizer %.0f MiB, activations of a %s of %d: %.0f MiB\n",
       2.0 * static_cast<double>(net_->parameter_arena().size()) * sizeof(float) / 1048576,
       static_cast<double>(optimizer_->memory_bytes()) / 1048576, recipe_.shards > 1 ? "shard" : "batch", shard_size(),
       static_cast<double>(planned.memory_bytes()) / 1048576);
  look_at_pictures();
  whiten();
  take_teacher();
  if (recipe_.keep_hardest < 1)
    hard_ = std::make_unique<minicnn::hard_examples<float>>(
        static_cast<index_t>(data_.samples.size()), *task_,
        minicnn::hard_example_options{.keep = recipe_.keep_hardest, .from = recipe_.hardest_from, .to = recipe_.hardest_to});
}

std::vector<minicnn::state_tensor<float>> training::remembered() const {
  return hard_ ? hard_->state() : std::vector<minicnn::state_tensor<float>>{};
}

minicnn::loader_options training::loader_options(bool for_training) {
  minicnn::loader_options options;
  options.batch_size = for_training ? recipe_.batch_size : evaluation_batch_size;
  options.transform = for_training ? training_transform(recipe_, picture_, data_, split_, o_.threads, everyone()) : picture_;
  options.training = for_training;
  options.seed = recipe_.seed;
  options.workers = o_.workers;
  options.balance = for_training && recipe_.balance;
  if (recipe_.shuffle == "blocks") options.shuffle = minicnn::shuffle_mode::blocks;
  options.skip_bad = o_.skip_bad;
  options.known_bad = for_training ? known_bad_train_ : known_bad_validation_;
  options.on_read = [this](index_t done, index_t total) { progress_.update("reading pictures", done, total, ""); };
  if (o_.cache == "ram") {  // half of the memory, shared between ranks, and between the two loaders by their numbers of pictures
    const std::size_t mine = for_training ? split_.train.size() : split_.validation.size();
    const double share = static_cast<double>(mine) / static_cast<double>(split_.train.size() + split_.validation.size());
    options.preload = true;
    options.preload_threads = ranks_ == nullptr ? 0 : o_.threads;
    options.cache_bytes = static_cast<std::int64_t>(share * 0.5 / o_.ranks_here * memory_bytes());
  }
  return options;
}

/// The run's folder, which the first rank makes or puts in order before others read there.
void training::open_run() {
  on_all_ranks([&] {
    if (!first_rank()) return;
    const existing_run existing = o_.resume      ? existing_run::resume
                                  : o_.overwrite ? existing_run::overwrite
                                                 : existing_run::refuse;
    folder_ = std::make_unique<run_folder>(o_.out, existing);
  });
  if (!first_rank()) folder_ = std::make_unique<run_folder>(o_.out);
}

void training::open_loaders() {
  try {
    train_ = std::make_unique<data_loader>(data_, split_.train, loader_options(true));
    if (!split_.validation.empty()) validation_ = std::make_unique<data_loader>(data_, split_.validation, loader_options(false));
  } catch (const minicnn::file_error& e) {  // of pictures that --cache ram reads now
    fail_without_data(e);
  }
  progress_.clear();
  minicnn::sample_indices shown = split_.validation;
  if (validation_ != nullptr) shown = without_bad(std::move(shown), validation_->bad_files());
  if (!train_->bad_files().empty() || shown.size() != split_.validation.size())
    for (const std::string& text : class_warnings(data_, {without_bad(split_.train, train_->bad_files()), shown}))
      warn(o_.data + ": of what can be read: " + text);
  pictures_ = std::make_unique<run_report>(data_, split_.train, std::move(shown), picture_, train_->options().transform,
                                           recipe_.seed, learned_);
  note_bad();
}

int training::run() {
  agree_on_recipe();
  if (o_.dry_run) {
    data_loader steps(data_, split_.train, loader_options(true));
    return estimate(steps);
  }
  open_run();
  minicnn::training_state begin;
  on_all_ranks([&] {
    if (o_.resume) pictures_used_.want_same(o_.out);
    open_loaders();
    if (o_.resume) {
      folder_->load_last(*net_, *optimizer_, average_.get(), begin, to_json(recipe_), pictures_used_.text(), remembered());
      note("resuming after epoch %" PRId64 ", batch %" PRId64 "\n", begin.epoch, begin.batch);
    }
  });
  return train(std::move(begin));
}

int training::train(minicnn::training_state begin) {
  minicnn::fit_options how = fit_options(*train_);
  std::vector<minicnn::size_step> steps_in_size = sizes();
  minicnn::time_limit_options limit{.seconds = o_.time_limit * 60, .extend_to_time_limit = !o_.overrides.epochs};
  look_ahead(steps_in_size, limit, train_->batches(), o_.time_limit > 0 && !begin.time_planned);
  // Reading the folder and filling the cache are part of the time.
  begin.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  add_callbacks(how, std::move(steps_in_size), limit);
  auto batches = source(*train_);
  if (hard_) batches = hard_->source(std::move(batches));
  if (recipe_.mixup > 0 || recipe_.cutmix > 0)
    batches = minicnn::mix<float>(
        std::move(batches),
        {.mixup = recipe_.mixup, .cutmix = recipe_.cutmix, .classes = recipe_.model.classes, .seed = recipe_.seed});
  minicnn::trainer<float> steps(*net_, *optimizer_, hard_ ? hard_->task() : *task_, std::move(batches),
                                validation_ ? source(*validation_) : nullptr, std::move(how));
  steps.reserve(largest_batch());
  steps.state = std::move(begin);
  state_ = &steps.state, trainer_ = &steps;
  on_all_ranks([&] {
    if (o_.tensorboard.empty() || !first_rank()) return;
    events_ = std::make_unique<event_log>(o_.tensorboard, o_.out, o_.resume ? state_->step + 1 : -1, o_.overwrite);
  });
  catch_interrupts();
  bool finished = false;
  try {
    finished = steps.run();
  } catch (const std::bad_alloc&) {
    if (!steps.data_failed() || steps.state.step == 0) throw;
    return end_without_data("not enough memory", false);
  } catch (const minicnn::file_error& e) {
    if (!steps.data_failed()) throw;
    if (steps.state.step == 0) fail_without_data(e);
    return end_without_data(e.what(), !o_.skip_bad);
  } catch (const minicnn::error& e) {
    if (!steps.data_failed() || steps.state.step == 0) throw;
    return end_without_data(e.what(), ranks_ != nullptr && !o_.skip_bad);
  }
  return end_run(finished);
}

int training::end_run(bool finished) {
  progress_.clear();
  tell_ranks();
  want_same_weights();
  if (first_rank()) {
    begin_to_replace();
    save_position();
    // Behind what must not be lost: with millions of files it takes minutes, which a machine that is taken away may not give.
    if (!finished && pictures_used_.note_gone()) save_position();
  }
  release_interrupts();
  if (any_rank(everyone(), !finished || interrupted())) {
    std::fprintf(stderr, "interrupted; the run is saved. Go on with: %s%s\n", o_.command.c_str(), o_.resume ? "" : " --resume");
    return exit_interrupted;
  }
  finish();
  return exit_done;
}

/// Within long epochs: what a machine that goes away takes with it is no more than this. The run's seconds are the same on all
/// ranks.
void training::save_now_and_then() {
  const double minutes = o_.save_every >= 0 ? o_.save_every : ranks_ != nullptr ? 10 : 0;
  if (saved_ < 0) saved_ = state_->seconds;
  if (minutes <= 0 || state_->seconds - saved_ < 60 * minutes) return;
  saved_ = state_->seconds;
  want_same_weights();
  if (!first_rank()) return;
  progress_.clear();
  begin_to_replace();
  save_position();
}

/// Before weights are saved that were not compared at the end of an epoch.
void training::want_same_weights() const {
  if (ranks_ != nullptr) minicnn::want_same_weights(*ranks_, *net_, *state_);
}

/// Names pictures that have gone since the last time, and takes them out of the report.
void training::note_bad() {
  const std::size_t before = bad_train_ + bad_validation_;
  if (train_->bad_files().size() + (validation_ == nullptr ? 0 : validation_->bad_files().size()) == before) return;
  progress_.clear();
  for (const data_loader* loader : {train_.get(), validation_.get()}) {
    if (loader == nullptr) continue;
    std::size_t& told = loader == train_.get() ? bad_train_ : bad_validation_;
    if (o_.skip_bad) report_bad(*loader, told, state_ == nullptr);
    told = loader->bad_files().size();
    for (const minicnn::bad_file& b : loader->bad_files()) pictures_used_.leave_out(b);
  }
  if (validation_ != nullptr) pictures_->validation(without_bad(split_.validation, validation_->bad_files()));
}

/// A picture has gone, or there is no memory to read it: what was learned is kept.
int training::end_without_data(const std::string& reason, bool picture) {
  progress_.clear();
  note_bad();
  say(reason);
  want_same_weights();
  if (first_rank()) {
    begin_to_replace();
    save_position();
    if (pictures_used_.note_gone()) save_position();
  }
  std::fprintf(stderr, "the run is saved in %s, after epoch %" PRId64 " and %" PRId64 " batches. Go on with: %s%s%s\n",
               minicnn::printable(o_.out).c_str(), state_->epoch, state_->batch, o_.command.c_str(), o_.resume ? "" : " --resume",
               picture ? ", and with --skip-bad if the picture is gone for good (--resume --skip-bad)" : "");
  return exit_failed;
}

/// A picture cannot be read before anything was learned in this call.
void training::fail_without_data(const minicnn::file_error& e) const {
  const char* way = o_.resume ? "--resume --skip-bad goes on without it" : "--skip-bad leaves it out";
  minicnn::fail<minicnn::file_error>(e.what(), o_.skip_bad ? "" : minicnn::text_of("; ", way));
}

/// Says so where the run ends before its warm-up does.
void training::check_warmup(index_t total_steps) const {
  const double epochs = static_cast<double>(total_steps) / static_cast<double>(steps_an_epoch_);
  if (recipe_.warmup <= 0 || recipe_.warmup < epochs) return;
  warn(minicnn::text_of("--warmup ", recipe_.warmup, ": the run has ", epochs, " epochs, so the rate only rises to ",
                        minicnn::short_number(100 * epochs / recipe_.warmup), " % of --learning-rate ", recipe_.learning_rate,
                        " and nothing is left for --schedule"));
}

minicnn::fit_options training::fit_options(const data_loader& train) {
  minicnn::fit_options f;
  f.epochs = recipe_.epochs;
  const index_t steps = (train.batches() + recipe_.accumulate - 1) / recipe_.accumulate;
  steps_an_epoch_ = steps;
  if (o_.time_limit <= 0) check_warmup(recipe_.epochs * steps);  // else when the epochs are planned
  f.lr_schedule =
      minicnn::parse_schedule(recipe_.schedule, steps, static_cast<index_t>(recipe_.warmup * static_cast<double>(steps) + 0.5));
  f.accumulate = recipe_.accumulate;
  f.shards = recipe_.shards;
  f.ranks = ranks_;
  f.wire = recipe_.wire == "bf16" ? minicnn::wire_format::bf16 : minicnn::wire_format::fp32;
  f.overlap = o_.overlap == "on";
  f.clip_norm = recipe_.clip_norm;
  f.validate_every = recipe_.val_every;
  return f;
}

void training::add_callbacks(minicnn::fit_options& f, std::vector<minicnn::size_step> sizes,
                             const minicnn::time_limit_options& limit) {
  if (average_) f.callbacks.push_back(average_.get());
  if (hard_) f.callbacks.push_back(hard_.get());
  callbacks_.push_back(std::make_unique<minicnn::size_schedule>(std::move(sizes)));
  if (recipe_.whiten >= 0)
    callbacks_.push_back(std::make_unique<minicnn::freeze_after<float>>(*net_, first_convolution(*net_), recipe_.whiten));
  if (limit.seconds > 0) callbacks_.push_back(std::make_unique<minicnn::time_limit>(limit));
  callbacks_.push_back(std::make_unique<minicnn::lambda_callback>(minicnn::callback_functions{
      .on_step =
          [this](const minicnn::step_report& s) {
            note_bad();
            show(s);
            if (events_ && s.updated) events_->step(state_->step, s);
            if (s.updated) save_now_and_then();
          },
      .on_best =
          [this](const minicnn::epoch_record& e, const minicnn::evaluation& v) {
            if (!first_rank()) return;
            begin_to_replace();
            note_bad();
            folder_->save_best(*net_, info());
            pictures_->best(e, v, *net_);
          },
      .on_epoch = [this](const minicnn::epoch_record& e, const minicnn::evaluation& v) { epoch_done(e, v); },
      .finished = [this] { return out_of_patience(); },
      .stop = [] { return interrupted(); }}));
  callbacks_.push_back(std::make_unique<minicnn::check_divergence>([this](const std::string& text) {
    progress_.clear();
    std::fprintf(stderr, "%s", text.c_str());
  }));
  for (const auto& c : callbacks_) f.callbacks.push_back(c.get());
}

/// A resumed run knows its best epoch, so this needs no memory of its own. Only an epoch that was validated can end the run.
bool training::out_of_patience() const {
  const bool validated = (state_->epoch - state_->first_epoch) % recipe_.val_every == 0;
  return validated && recipe_.patience > 0 && !split_.validation.empty() &&
         state_->epoch - state_->best_epoch >= recipe_.patience;
}

minicnn::shape training::largest_batch() const {
  index_t largest = 0;
  for (const minicnn::size_step& s : sizes()) largest = (std::max)(largest, largest_size(s));
  if (largest == 0) largest = recipe_.model.image_size;
  return {recipe_.batch_size, recipe_.model.channels, largest, largest};
}

int training::shards_in_turn() const {
  const int ranks = ranks_ == nullptr ? 1 : static_cast<int>(ranks_->size());
  return (recipe_.shards + ranks - 1) / ranks;
}

/// A single size other than that of evaluation is a list of one.
std::vector<minicnn::size_step> training::sizes() const { return minicnn::parse_sizes(recipe_.sizes); }

void training::note(const char* format, ...) const {
  if (o_.quiet) return;
  va_list values;
  va_start(values, format);
  std::vfprintf(stderr, format, values);
  va_end(values);
}

void training::show(const minicnn::step_report& s) {
  progress_.update(
      minicnn::text_of("epoch ", s.epoch, "/", s.epochs), s.batch, s.batches,
      {"loss " + fixed(s.loss, 4), std::isfinite(s.accuracy) ? "acc " + fixed(100 * s.accuracy, 1) + "%" : std::string(),
       fixed(s.images_per_second, 1) + " img/s", "ETA " + minicnn::clock_text(s.seconds_left),
       fixed(peak_mebibytes(), 0) + " MiB"});
}

void training::epoch_done(const minicnn::epoch_record& e, const minicnn::evaluation& v) {
  saved_ = state_->seconds;
  if (!first_rank()) return;
  begin_to_replace();
  note_bad();
  save_position();
  if (events_) events_->epoch(state_->step, e, v);
  folder_->write_report(report(false));
  // What is told of is on disk: whoever reads this line may end the run.
  progress_.clear();
  const minicnn::epoch_table table(progress_.abilities());
  if (!header_shown_) {
    if (o_.time_limit > 0) check_warmup(state_->total_steps);
    note("%s\n", table.header().c_str());
  }
  header_shown_ = true;
  note("%s\n", table.row(e, e.epoch == state_->best_epoch).c_str());
}

}  // namespace cli
