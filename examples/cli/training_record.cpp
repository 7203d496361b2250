// What a training writes: its weights, place, configuration and report.

#include <algorithm>
#include <minicnn/graph/summary.hpp>

#include "data_source.hpp"
#include "event_log.hpp"
#include "messages.hpp"
#include "path_json.hpp"
#include "platform.hpp"
#include "run_folder.hpp"
#include "train_setup.hpp"
#include "training.hpp"

namespace cli {

model_info training::info() const {
  model_info info{recipe_.model, output_names(data_), picture_, recipe_.seed, recipe_.val_fraction, recipe_.limit, recipe_.tta};
  info.fold = recipe_.fold, info.folds = recipe_.folds;
  info.task = learned_;
  return info;
}

std::vector<rank_step> training::steps_of_ranks() const {
  if (ranks_ == nullptr) return {};
  return rank_steps(*ranks_, recipe_.shards, trainer_->rank_times());
}

/// At the end: how the ranks have got along with each other.
void training::tell_ranks() const {
  const std::vector<rank_step> all = steps_of_ranks();
  if (!first_rank() || all.empty()) return;
  const auto range = [&](double rank_step::*seconds) {
    const auto [least, most] = std::minmax_element(
        all.begin(), all.end(), [&](const rank_step& a, const rank_step& b) { return a.*seconds < b.*seconds; });
    return minicnn::fixed((*least).*seconds, 3) + " to " + minicnn::fixed((*most).*seconds, 3);
  };
  note("ranks compute %s s a step and wait %s s; report.html has each\n", range(&rank_step::computing).c_str(),
       range(&rank_step::waiting).c_str());
  if (const std::string text = slow_rank(all); !text.empty()) warn(text);
}

minicnn::training_report training::report(bool finished) const {
  minicnn::training_report r;
  r.title = minicnn::model_title(recipe_.model) + " on " + o_.data;
  r.history = state_->history;
  r.classes = output_names(data_);
  r.confusion = state_->best_confusion;
  r.best_epoch = state_->best_epoch;
  r.finished = finished;
  r.settings = flat_members(to_json(recipe_));
  r.settings.emplace_back("parameters", minicnn::grouped(net_->parameter_count()));
  r.data = count_rows(data_, split_);
  r.machine = describe_machine(*net_);
  for (const rank_step& s : steps_of_ranks()) r.machine.emplace_back(s.name, text_of_step(s));
  pictures_->fill(r);
  r.command = o_.command;
  return r;
}

/// With --overwrite: the old run is kept until weights, place and configuration of this one are on disk.
void training::begin_to_replace() {
  if (!o_.overwrite || replacing_ || replaced_) return;
  folder_->keep_old_run();
  replacing_ = true;
}

void training::save_position() {
  save_last();
  if (!listed_) folder_->write_pictures(pictures_used_.list());
  listed_ = true;
  if (!state_->history.empty()) folder_->write_history(state_->history);
  save_config();
  if (replacing_) folder_->drop_old_run();
  replacing_ = false;
  replaced_ = true;
  if (events_) events_->saved();
}

void training::save_last() {
  folder_->save_last(*net_, *optimizer_, average_.get(), info(), *state_, to_json(recipe_), pictures_used_.text(), remembered());
}

/// Everything about the run that must stay out of the weights files.
void training::save_config() const {
  minicnn::json::array times;
  for (const rank_step& s : steps_of_ranks())
    times.push_back({{"rank", s.name}, {"shards", s.shards}, {"computing", s.computing}, {"waiting", s.waiting}});
  minicnn::json config{{"command", o_.command},
                       {"data", o_.data},
                       {"labels", o_.labels},
                       {"init_from", o_.overrides.init_from.value_or("")},
                       {"recipe", to_json(recipe_)},
                       {"threads", net_->threads()},
                       {"workers", o_.workers},
                       {"ranks", ranks_ == nullptr ? 1 : static_cast<int>(ranks_->size())},
                       {"instruction_set", minicnn::name_of(net_->ctx().instruction_set)},
                       {"host", host_name()},
                       {"version", minicnn::version_string},
                       {"time_limit_minutes", o_.time_limit},
                       {"epochs_done", state_->epoch},
                       {"steps", state_->step},
                       {"total_steps", state_->total_steps},
                       {"steps_skipped", state_->skipped},
                       {"seconds", state_->seconds},
                       {"epoch_seconds", state_->epoch_seconds},
                       {"peak_rss_mib", peak_mebibytes()}};
  if (!times.empty()) config.set("rank_seconds_a_step", times);
  folder_->write_config(config);
}

}  // namespace cli
