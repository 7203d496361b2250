#pragma once
// One training run, from options to exit code.

#include <chrono>
#include <memory>
#include <minicnn/data/loader.hpp>
#include <minicnn/data/split.hpp>
#include <minicnn/report/epoch_table.hpp>
#include <minicnn/report/html.hpp>
#include <minicnn/train/ema.hpp>
#include <minicnn/train/hard_examples.hpp>
#include <minicnn/train/team.hpp>
#include <minicnn/train/time_limit.hpp>
#include <minicnn/train/trainer.hpp>
#include <string>
#include <vector>

#include "class_guard.hpp"
#include "rank_times.hpp"
#include "recipe.hpp"
#include "run_data.hpp"
#include "run_report.hpp"
#include "task_choice.hpp"
#include "weights.hpp"

namespace cli {

class event_log;
class run_folder;

struct train_options {
  std::string data, out;
  std::string labels;   ///< table of labels; empty: as the layouts have them
  std::string command;  ///< the whole command line, for the report and for resuming
  recipe_overrides overrides;
  int threads = 0;
  int workers = 1;
  double time_limit = 0;    ///< minutes; 0: none
  double save_every = -1;   ///< minutes; 0: at the end of epochs alone; below: 10 where several processes train, else 0
  double stall_limit = 10;  ///< minutes
  bool resume = false, overwrite = false, skip_bad = false, dry_run = false;
  bool quiet = false, no_color = false;
  std::string cache = "none";    ///< none or ram
  std::string overlap = "auto";  ///< on, off or auto: gradients are sent during backward
  int ranks_here = 1;            ///< processes of this training that share the machine's memory
  std::string tensorboard;       ///< folder of event files; empty: none
};

/// What --tensorboard without a folder stands for.
inline constexpr const char* events_beside = "(the run folder)";

class training {
 public:
  /// Opens the data, builds network and optimizer and prints what is about to be trained. Writes nothing. `ranks`: processes that
  /// train together, each with an object of its own, of which the first writes; null: this one alone.
  training(const train_options& o, recipe r, minicnn::team* ranks = nullptr);
  ~training();

  /// Trains, or with `dry_run` measures a few steps. Returns the exit code.
  int run();

 private:
  using network = minicnn::network<float>;
  using data_loader = minicnn::loader<float>;

  /// The processes that train together, or this one alone.
  minicnn::team& everyone() { return ranks_ == nullptr ? alone_ : *ranks_; }
  bool first_rank() const { return ranks_ == nullptr || ranks_->rank() == 0; }
  /// Does `work`; of several ranks all fail where one does.
  template <class F>
  void on_all_ranks(const F& work) {
    together(everyone(), work);
  }
  void open_run();
  void open_loaders();
  int train(minicnn::training_state begin);
  std::unique_ptr<minicnn::batch_source<float>> source(data_loader& pictures);
  int end_run(bool finished);
  void save_now_and_then();
  void take_initial_weights();
  void whiten();
  void take_teacher();
  std::vector<minicnn::state_tensor<float>> remembered() const;
  void look_at_pictures();
  void agree_on_call() const;
  void agree_on_recipe() const;
  void want_same_weights() const;
  void note_bad();
  int end_without_data(const std::string& reason, bool picture);
  [[noreturn]] void fail_without_data(const minicnn::file_error& e) const;
  model_info info() const;
  void look_ahead(std::vector<minicnn::size_step>& sizes, minicnn::time_limit_options& limit, minicnn::index_t batches,
                  bool plan);
  void share_costs(std::vector<minicnn::size_step>& sizes, minicnn::time_limit_options& limit, bool plan);
  minicnn::loader_options loader_options(bool training);
  minicnn::shape largest_batch() const;
  int shard_size() const { return (recipe_.batch_size + recipe_.shards - 1) / recipe_.shards; }
  /// Shards of the rank that has most.
  int shards_in_turn() const;
  minicnn::fit_options fit_options(const data_loader& train);
  void add_callbacks(minicnn::fit_options& f, std::vector<minicnn::size_step> sizes, const minicnn::time_limit_options& limit);
  std::vector<minicnn::size_step> sizes() const;
  int estimate(data_loader& train);
  void show(const minicnn::step_report& s);
  /// Tells people what goes on, unless they asked for quiet.
  [[gnu::format(printf, 2, 3)]] void note(const char* format, ...) const;
  void epoch_done(const minicnn::epoch_record& e, const minicnn::evaluation& v);
  bool out_of_patience() const;
  minicnn::training_report report(bool finished) const;
  void complete_gallery();
  void begin_to_replace();
  void save_position();
  void save_last();
  void save_config() const;
  void finish();
  void take_best_weights();
  minicnn::evaluation evaluate_validation(minicnn::session<float>& run, const minicnn::image_transform& view);
  void calibrate();
  void check_validation();
  std::vector<rank_step> steps_of_ranks() const;
  void tell_ranks() const;
  void check_warmup(minicnn::index_t total_steps) const;
  void choose_thresholds();
  void read_names();
  void open_pictures();

  train_options o_;
  recipe recipe_;
  minicnn::team_of_one alone_;
  minicnn::team* ranks_;
  minicnn::image_dataset data_;
  minicnn::data_split split_;
  run_data pictures_used_;
  minicnn::image_transform picture_;
  std::unique_ptr<network> net_;
  std::unique_ptr<minicnn::optimizer<float>> optimizer_;
  std::unique_ptr<minicnn::ema<float>> average_;  ///< null: none
  minicnn::task_info learned_;                    ///< what outputs mean
  std::unique_ptr<loaded_model> teacher_;         ///< null: none
  std::unique_ptr<minicnn::task<float>> task_;
  std::unique_ptr<minicnn::hard_examples<float>> hard_;  ///< null: whole batches
  std::vector<std::unique_ptr<minicnn::training_callback>> callbacks_;
  std::unique_ptr<run_report> pictures_;  ///< of the report
  std::unique_ptr<event_log> events_;     ///< for TensorBoard; null: none
  std::unique_ptr<run_folder> folder_;
  std::unique_ptr<data_loader> train_, validation_;                        ///< validation null: none
  std::vector<std::unique_ptr<class_guard>> guards_;                       ///< of both loaders, with --skip-bad
  std::vector<minicnn::bad_file> known_bad_train_, known_bad_validation_;  ///< with --skip-bad, as found at the start
  std::size_t bad_train_ = 0, bad_validation_ = 0;                         ///< pictures left out that have been named
  minicnn::training_state* state_ = nullptr;
  const minicnn::trainer<float>* trainer_ = nullptr;  ///< while it trains
  minicnn::progress_line progress_{stderr};
  bool header_shown_ = false;
  double saved_ = -1;  ///< seconds of the run at the last save, or the first step
  minicnn::index_t steps_an_epoch_ = 1;
  bool replacing_ = false;  // the old run is set aside
  bool replaced_ = false;   // and has gone
  bool listed_ = false;     // pictures.txt is written
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace cli
