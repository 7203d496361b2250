#include "training.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <minicnn/graph/summary.hpp>
#include <minicnn/io/utf8.hpp>

#include "commands.hpp"
#include "data_source.hpp"
#include "interrupt.hpp"
#include "named_model.hpp"
#include "run_folder.hpp"
#include "train_setup.hpp"

namespace cli {

using json = nlohmann::ordered_json;
using minicnn::fixed;
using minicnn::index_t;

namespace {

double peak_mebibytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void report_bad(const minicnn::loader<float>& data) {
  for (const minicnn::bad_file& b : data.bad_files()) std::fprintf(stderr, "skipped: %s: %s\n", b.path.c_str(), b.reason.c_str());
  if (!data.bad_files().empty())
    std::fprintf(stderr, "skipped %zu pictures that cannot be read; %" PRId64 " remain\n", data.bad_files().size(), data.size());
}

/// Right-aligned in a column.
std::string column(const std::string& text, std::size_t width) {
  return std::string(text.size() < width ? width - text.size() : 0, ' ') + text;
}

/// Nested members as "model.name".
void flatten_into(std::vector<std::pair<std::string, std::string>>& out, const std::string& prefix, const json& value) {
  for (const auto& [name, inner] : value.items()) {
    if (inner.is_object())
      flatten_into(out, prefix + name + ".", inner);
    else
      out.emplace_back(prefix + name, inner.is_string() ? inner.get<std::string>() : inner.dump());
  }
}

}  // namespace

training::~training() = default;

training::training(const train_options& o, recipe r)
    : o_(o), recipe_(std::move(r)), data_(open_data(o.data)), loss_({.label_smoothing = recipe_.label_smoothing}) {
  if (data_.classes.size() < 2) minicnn::fail(o.data, ": wanted pictures of at least 2 classes, found ", data_.classes.size());
  for (const std::string& name : data_.classes)
    if (minicnn::valid_utf8_prefix(name) != name.size()) minicnn::fail(o.data, ": the class name \"", name, "\" is not UTF-8");
  std::erase_if(data_.samples, [](const minicnn::sample& s) { return s.label < 0; });
  split_ = split_data(data_, recipe_.limit, recipe_.val_fraction, recipe_.seed);
  recipe_.model.classes = static_cast<int>(data_.classes.size());
  recipe_.model.channels = data_.channels;
  print_counts(data_, split_);
  net_ = std::make_unique<network>(make_named_model(recipe_.model, o.threads, recipe_.seed));
  std::fprintf(stderr, "%s", minicnn::summary_table(minicnn::summarize(*net_)).c_str());
  net_->reserve({recipe_.batch_size, recipe_.model.channels, recipe_.model.image_size, recipe_.model.image_size});
  optimizer_ = make_optimizer(recipe_, *net_);
  std::fprintf(stderr, "memory: weights and gradients %.0f MiB, optimizer %.0f MiB, activations of a batch of %d: %.0f MiB\n",
               2.0 * static_cast<double>(net_->parameter_arena().size()) * sizeof(float) / 1048576,
               static_cast<double>(optimizer_->memory_bytes()) / 1048576, recipe_.batch_size,
               static_cast<double>(net_->training_memory_bytes()) / 1048576);
  picture_ = evaluation_transform(recipe_, data_, split_, o.threads, o.skip_bad);
}

minicnn::loader_options training::loader_options(bool for_training) const {
  minicnn::loader_options options;
  options.batch_size = for_training ? recipe_.batch_size : evaluation_batch_size;
  options.transform = for_training ? training_transform(recipe_, picture_) : picture_;
  options.training = for_training;
  options.seed = recipe_.seed;
  options.workers = o_.workers;
  options.skip_bad = o_.skip_bad;
  if (o_.cache == "ram") {  // half of the memory, shared between the two loaders by their numbers of pictures
    const std::size_t mine = for_training ? split_.train.size() : split_.validation.size();
    const double share = static_cast<double>(mine) / static_cast<double>(split_.train.size() + split_.validation.size());
    options.cache_bytes = static_cast<std::int64_t>(share * 0.5 * static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                                                    static_cast<double>(sysconf(_SC_PAGESIZE)));
  }
  return options;
}

int training::run() {
  if (o_.dry_run) {
    data_loader train(data_, split_.train, loader_options(true));
    return estimate(train);
  }
  run_folder folder(o_.out, o_.resume ? existing_run::resume : o_.overwrite ? existing_run::overwrite : existing_run::refuse);
  folder_ = &folder;
  data_loader train(data_, split_.train, loader_options(true));
  report_bad(train);
  std::unique_ptr<data_loader> validation;
  if (!split_.validation.empty()) {
    validation = std::make_unique<data_loader>(data_, split_.validation, loader_options(false));
    report_bad(*validation);
  }

  loop steps(*net_, *optimizer_, loss_, train, validation.get(), fit_options(train));
  position_ = &steps.position;
  if (o_.resume) {
    folder.load_last(*net_, *optimizer_, *position_, to_json(recipe_), describe_data(data_, split_));
    std::fprintf(stderr, "resuming after epoch %" PRId64 ", batch %" PRId64 "\n", position_->epoch, position_->batch);
  }
  if (!o_.overwrite) save_config();
  catch_interrupts();
  const bool finished = steps.run();
  progress_.clear();
  replace_old_run();
  save_last();
  save_config();
  if (!finished) {
    std::fprintf(stderr, "interrupted; the run is saved. Go on with: %s%s\n", o_.command.c_str(), o_.resume ? "" : " --resume");
    return exit_interrupted;
  }
  finish();
  return exit_done;
}

weights_info training::info() const {
  return {recipe_.model, data_.classes, picture_, recipe_.seed, recipe_.val_fraction, recipe_.limit, "none", 1.0};
}

minicnn::fit_options training::fit_options(const data_loader& train) {
  minicnn::fit_options f;
  f.epochs = recipe_.epochs;
  const index_t steps = (train.batches() + recipe_.accumulate - 1) / recipe_.accumulate;
  f.rate =
      minicnn::parse_schedule(recipe_.schedule, steps, static_cast<index_t>(recipe_.warmup * static_cast<double>(steps) + 0.5));
  f.accumulate = recipe_.accumulate;
  f.clip_norm = recipe_.clip_norm;
  f.time_limit = o_.time_limit * 60;
  f.on_step = [this](const minicnn::step_report& s) { show(s); };
  f.on_epoch = [this](const minicnn::epoch_record& e, const minicnn::evaluation& v, bool improved) {
    epoch_done(e, v, improved);
  };
  f.stop = [] { return interrupted(); };
  return f;
}

void training::show(const minicnn::step_report& s) {
  const std::string label = minicnn::text_of("epoch ", s.epoch, "/", s.epochs);
  progress_.update(label, s.batch, s.batches,
                   minicnn::text_of(" loss ", fixed(s.loss, 4), "  acc ", fixed(100 * s.accuracy, 1), "%  ",
                                    fixed(s.images_per_second, 1), " img/s  ETA ", minicnn::clock_text(s.seconds_left)));
}

void training::epoch_done(const minicnn::epoch_record& e, const minicnn::evaluation&, bool improved) {
  progress_.clear();
  if (!header_shown_) std::fprintf(stderr, "epoch  train loss  train acc  val loss  val acc  learning rate    img/s     time\n");
  header_shown_ = true;
  replace_old_run();
  const std::string row = column(minicnn::to_text(e.epoch), 5) + column(fixed(e.train_loss, 4), 12) +
                          column(fixed(100 * e.train_accuracy, 2) + "%", 11) + column(fixed(e.val_loss, 4), 10) +
                          column(fixed(100 * e.val_accuracy, 2) + "%", 9) + column(minicnn::short_number(e.learning_rate), 15) +
                          column(fixed(e.images_per_second, 1), 9) + column(minicnn::clock_text(e.seconds), 9);
  std::fprintf(stderr, "%s%s\n", row.c_str(), improved ? "  *" : "");
  if (improved) folder_->save_best(*net_, info());
  folder_->write_history(position_->history);
  save_last();
  save_config();
  folder_->write_report(report(false));
}

minicnn::training_report training::report(bool finished) const {
  minicnn::training_report r;
  r.title = recipe_.model.name + " on " + o_.data;
  r.history = position_->history;
  r.classes = data_.classes;
  r.confusion = position_->best_confusion;
  r.best_epoch = position_->best_epoch;
  r.finished = finished;
  flatten_into(r.settings, "", to_json(recipe_));
  r.settings.emplace_back("parameters", minicnn::grouped(net_->parameter_count()));
  r.settings.emplace_back("training images", minicnn::to_text(split_.train.size()));
  r.settings.emplace_back("validation images", minicnn::to_text(split_.validation.size()));
  r.settings.emplace_back("threads", minicnn::to_text(net_->threads()));
  r.settings.emplace_back("instruction set", std::string(minicnn::name_of(net_->ctx().instruction_set)));
  r.command = o_.command;
  return r;
}

/// With --overwrite: the old run goes only when there is something to put in its place.
void training::replace_old_run() {
  if (o_.overwrite && !replaced_) folder_->clear();
  replaced_ = true;
}

void training::save_last() const {
  folder_->save_last(*net_, *optimizer_, info(), *position_, to_json(recipe_), describe_data(data_, split_));
}

/// Everything about the run that must stay out of the weights files.
void training::save_config() const {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  folder_->write_config({{"command", o_.command},
                         {"data", o_.data},
                         {"recipe", to_json(recipe_)},
                         {"threads", net_->threads()},
                         {"workers", o_.workers},
                         {"instruction_set", minicnn::name_of(net_->ctx().instruction_set)},
                         {"host", host},
                         {"version", minicnn::version_string},
                         {"time_limit_minutes", o_.time_limit},
                         {"epochs_done", position_->epoch},
                         {"steps", position_->step},
                         {"total_steps", position_->total_steps},
                         {"steps_skipped", position_->skipped},
                         {"seconds", position_->seconds},
                         {"peak_rss_mib", peak_mebibytes()}});
}

void training::finish() {
  folder_->write_report(report(true));
  if (position_->best_epoch == 0)
    minicnn::fail(o_.out, ": no epoch had a finite validation loss; only last.safetensors was written");
  const auto& history = position_->history;
  for (const minicnn::epoch_record& e : history)
    if (e.epoch == position_->best_epoch && !split_.validation.empty())
      std::fprintf(stderr, "best: epoch %" PRId64 ", validation accuracy %s %%, log loss %s\n", e.epoch,
                   fixed(100 * e.val_accuracy, 2).c_str(), fixed(e.val_loss, 4).c_str());
  if (position_->skipped > 0)
    std::fprintf(stderr, "%" PRId64 " steps were left out because a gradient was not finite\n", position_->skipped);
  std::printf("%s\n%s\n", folder_->file("best.safetensors").c_str(), folder_->file("report.html").c_str());
}

int training::estimate(data_loader& train) {
  minicnn::fit_options f = fit_options(train);
  f.on_epoch = nullptr;  // writes nothing
  const index_t batches = (std::min)(train.batches(), index_t{6});
  double first = 0, seconds = 0;
  f.on_step = [&](const minicnn::step_report& s) { (s.batch == 1 ? first : seconds) = position_->seconds; };
  f.stop = [&] { return position_->batch >= batches; };
  loop steps(*net_, *optimizer_, loss_, train, nullptr, std::move(f));
  position_ = &steps.position;
  steps.run();
  const double a_step = batches > 1 ? (seconds - first) / static_cast<double>(batches - 1) : first;
  std::fprintf(stderr, "plan: %d epochs of %" PRId64 " batches, about %.1f minutes an epoch without validation (%.0f images/s)\n",
               recipe_.epochs, train.batches(), a_step * static_cast<double>(train.batches()) / 60,
               static_cast<double>(recipe_.batch_size) / a_step);
  return exit_done;
}

}  // namespace cli
