#pragma once
// A run's folder: config.json, results.csv, results.jsonl, report.html, curves.svg, curves.png, best.safetensors,
// last.safetensors, pictures.txt; events.txt is event_log's.

#include <minicnn/io/json.hpp>
#include <minicnn/report/html.hpp>
#include <minicnn/train/ema.hpp>
#include <minicnn/train/optimizer.hpp>
#include <minicnn/train/training_state.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "paths.hpp"
#include "recipe.hpp"
#include "weights.hpp"

namespace cli {

/// Whether a run keeps a file of this name.
bool is_run_file(std::string_view name);

/// Whether a folder holds a run that can be gone on with.
bool is_saved(const std::string& folder);

/// How `train` treats a folder that holds a run.
enum class existing_run { refuse, resume, overwrite };

class run_folder {
 public:
  /// Makes the folder, or takes an existing one as `existing` says. Throws option_error for an existing run that is neither to
  /// be resumed nor overwritten, and if another process is training there (a lock that ends with the process); file_error if
  /// something else than a file is called as one of a run's. What a process that was killed has left there is put in order.
  run_folder(std::string path, existing_run existing);
  /// A folder that another process has opened so: to read from.
  explicit run_folder(std::string path) : path_(std::move(path)) {}
  ~run_folder();
  run_folder(const run_folder&) = delete;
  run_folder& operator=(const run_folder&) = delete;

  /// Before the first file of a new run: the older run's files stay under their names until new ones take them, and are kept in
  /// `.replaced/` besides.
  void keep_old_run() const;

  /// When the new run's first files are whole: the older run goes. A run that ends before comes here too late: whoever opens the
  /// folder next puts the older run back.
  void drop_old_run() const;

  std::string file(const std::string& name) const { return joined(path_, name); }
  const std::string& path() const { return path_; }

  /// Each is written to a temporary name and renamed. The history goes to results.csv and, an object a line, to results.jsonl.
  void write_config(const minicnn::json& config) const;
  void write_history(const std::vector<minicnn::epoch_record>& history) const;
  void write_report(const minicnn::training_report& report) const;
  /// `list` of `run_data`; an empty one is not written.
  void write_pictures(const std::string& list) const;

  /// Weights alone, with everything that evaluate and predict need.
  void save_best(const minicnn::network<float>& net, const model_info& info) const;

  /// What a run remembers besides.
  using state_tensors = std::vector<minicnn::state_tensor<float>>;

  /// Weights, optimizer state, averages (null: none), position and what is remembered besides. `recipe_text` and `data_text` say
  /// what the run was made with and from.
  void save_last(const minicnn::network<float>& net, minicnn::optimizer<float>& optimizer, minicnn::ema<float>* average,
                 const model_info& info, const minicnn::training_state& position, const minicnn::json& recipe_text,
                 const minicnn::json& data_text, const state_tensors& more) const;

  /// Puts network, optimizer, averages and position where `save_last` left them. Times come from results.csv and config.json;
  /// where those are missing or damaged a warning says so. Throws file_error if the recipe or the data differ, naming what
  /// differs.
  void load_last(minicnn::network<float>& net, minicnn::optimizer<float>& optimizer, minicnn::ema<float>* average,
                 minicnn::training_state& position, const minicnn::json& recipe_text, const minicnn::json& data_text,
                 const state_tensors& more) const;

 private:
  void check_files() const;
  void lock();
  bool holds_run() const;
  void check_aside(const std::string& name) const;
  std::string fault_of_best(const minicnn::safetensors_file& last) const;
  void load_times(minicnn::training_state& state) const;
  void restore_old_run() const;
  void remove_stale_files() const;

  std::string path_;
  int lock_ = -1;
};

}  // namespace cli
