// How long a training will take: told before it begins, and by --dry-run.

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <minicnn/train/callbacks.hpp>
#include <minicnn/train/size_schedule.hpp>

#include "commands.hpp"
#include "data_source.hpp"
#include "eta.hpp"
#include "training.hpp"

namespace cli {

using minicnn::index_t;

/// All ranks plan with what the first has measured.
void training::share_costs(std::vector<minicnn::size_step>& sizes, minicnn::time_limit_options& limit, bool plan) {
  if (ranks_ == nullptr || !plan) return;
  for (minicnn::size_step& s : sizes) ranks_->broadcast(&s.cost, sizeof s.cost, 0);
  ranks_->broadcast(&limit.validation_cost, sizeof limit.validation_cost, 0);
}

/// Tells how long an epoch will take. For the `plan` of a time limit also: what a step costs at each size, and what validation
/// costs, over a step at the first size.
void training::look_ahead(std::vector<minicnn::size_step>& sizes, minicnn::time_limit_options& limit, index_t batches,
                          bool plan) {
  if (o_.quiet && !plan) return;
  if (!first_rank()) return share_costs(sizes, limit, plan);
  const index_t first_size = sizes.empty() ? picture_.size : size_in_epoch(sizes.front(), 0);
  double first = 0, validation = 0;  // seconds of a step, of a prediction for one image
  if (plan) {
    recipe shard = recipe_;
    shard.batch_size = shard_size();
    trial_steps trial(shard, o_.threads, *task_);
    first = trial.step(first_size);
    validation = trial.prediction(evaluation_batch_size, picture_.size) / evaluation_batch_size;
    for (minicnn::size_step& s : sizes) {
      const auto turns = static_cast<index_t>(s.turns.size() + 1);
      s.cost = 0;
      for (index_t turn = 0; turn < turns; ++turn)
        s.cost +=
            (turn == 0 && &s == &sizes.front() ? 1.0 : trial.step(size_in_epoch(s, turn)) / first) / static_cast<double>(turns);
    }
    first *= shards_in_turn();
    limit.validation_cost = validation / (first / recipe_.batch_size);
    share_costs(sizes, limit, plan);
  } else {
    constexpr double enough = 0.5;
    const int count = (std::min)(evaluation_batch_size, shard_size());
    first = seconds_a_step(*net_, *optimizer_, *task_, shard_size(), first_size, enough) * shards_in_turn();
    validation = seconds_a_prediction(*net_, count, picture_.size, enough) / count;
  }
  if (o_.quiet) return;
  const double training_pictures = static_cast<double>(batches) * recipe_.batch_size;
  const double validated = static_cast<double>(split_.validation.size()) / recipe_.val_every;
  const double reading = seconds_a_picture(data_, split_.train, picture_, o_.cache == "ram");
  const int threads = minicnn::resolve_threads(o_.threads), processors = minicnn::resolve_threads(0);
  const double seconds =
      epoch_seconds({first * static_cast<double>(batches), reading * training_pictures}, threads, o_.workers, processors) +
      epoch_seconds({validation * validated, reading * validated}, threads, o_.workers, processors);
  note("estimate: %s an epoch%s; a step of %d images takes %s s, reading a picture %s ms\n", minicnn::clock_text(seconds).c_str(),
       sizes.size() > 1 || (!sizes.empty() && !sizes.front().turns.empty())
           ? minicnn::text_of(" at ", first_size, " pixels").c_str()
           : "",
       recipe_.batch_size, minicnn::short_number(first).c_str(), minicnn::short_number(1000 * reading).c_str());
}

int training::estimate(data_loader& train) {
  minicnn::fit_options f = fit_options(train);
  const index_t batches = (std::min)(train.batches(), index_t{6});
  const minicnn::training_state* state = nullptr;
  double first = 0, seconds = 0;
  minicnn::size_schedule sizes_of_run(sizes());
  minicnn::lambda_callback watch(
      {.on_step = [&](const minicnn::step_report& s) { (s.batch == 1 ? first : seconds) = state->seconds; },
       .stop = [&] { return state->batch >= batches; }});
  f.callbacks = {&sizes_of_run, &watch};
  minicnn::trainer<float> steps(*net_, *optimizer_, *task_, train, std::move(f));
  state = &steps.state;
  steps.run();  // at the first size; writes nothing
  const double a_step = batches > 1 ? (seconds - first) / static_cast<double>(batches - 1) : first;
  std::fprintf(stderr, "plan: %d epochs of %" PRId64 " batches, about %.1f minutes an epoch without validation (%.0f images/s)\n",
               recipe_.epochs, train.batches(), a_step * static_cast<double>(train.batches()) / 60,
               static_cast<double>(recipe_.batch_size) / a_step);
  return exit_done;
}

}  // namespace cli
