#include "run_folder.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <minicnn/files/file.hpp>
#include <minicnn/files/text_lines.hpp>
#include <minicnn/model/training_file.hpp>
#include <string_view>
#include <utility>

#include "curves_png.hpp"
#include "import_weights.hpp"
#include "messages.hpp"
#include "platform.hpp"

namespace cli {

using minicnn::fail;
using minicnn::file_error;
using minicnn::json;
using minicnn::option_error;
namespace fs = std::filesystem;

namespace {
constexpr const char* run_files[] = {"config.json", "results.csv",      "results.jsonl",    "report.html", "curves.svg",
                                     "curves.png",  "best.safetensors", "last.safetensors", "pictures.txt"};
constexpr const char* replaced = ".replaced";         // the older run while the new one has nothing whole yet
constexpr const char* dropped = ".replaced-dropped";  // the same when it is no longer needed: one rename decides

/// True if `name` is a temporary file ("best.safetensors.tmp-PID-N") of one of the run's files and its process is gone. Our own
/// number was another process's then: it is asked before we write anything.
bool stale_temporary(std::string_view name) {
  for (const std::string_view run_file : run_files) {
    if (!name.starts_with(run_file) || !name.substr(run_file.size()).starts_with(".tmp-")) continue;
    const std::string_view rest = name.substr(run_file.size() + 5);
    int process = 0;
    const auto [end, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), process);
    if (problem != std::errc() || end == rest.data() + rest.size() || *end != '-' || process <= 0) continue;
    return process == minicnn::detail::posix::process_id() || !process_runs(process);
  }
  return false;
}
}  // namespace

bool is_saved(const std::string& folder) {
  std::error_code problem;
  return fs::exists(system_path(folder + "/last.safetensors"), problem);
}

bool is_run_file(std::string_view name) {
  return std::find(std::begin(run_files), std::end(run_files), name) != std::end(run_files);
}

run_folder::run_folder(std::string path, existing_run existing) : path_(std::move(path)) {
  std::error_code problem;
  check_files();
  const bool resumable = fs::exists(system_path(file("last.safetensors")), problem) ||
                         fs::exists(system_path(file(replaced) + "/last.safetensors"), problem);
  if (existing == existing_run::refuse && holds_run())
    fail<option_error>(path_, ": holds a run already",
                       resumable ? "; --resume goes on with it, --overwrite begins anew"
                                 : ", without last.safetensors to go on from; --overwrite begins anew");
  if (existing == existing_run::resume && !resumable)
    fail<option_error>(path_, ": nothing to resume: no last.safetensors; ",
                       holds_run() ? "--overwrite begins anew" : "without --resume a run begins here");
  fs::create_directories(system_path(path_), problem);
  if (problem) fail<file_error>(path_, ": cannot be made: ", why_missing(path_, problem.message()));
  lock();
  restore_old_run();
  remove_stale_files();
}

/// A pipe or a device under a file's name would be found out after an epoch, when it is written to. Links count as what they
/// lead to.
void run_folder::check_files() const {
  const auto check = [&](const std::string& name, fs::file_type wanted) {
    std::error_code problem;
    const fs::file_type is = fs::status(system_path(file(name)), problem).type();
    if (is == wanted || is == fs::file_type::not_found || is == fs::file_type::none) return;
    const char* what = is == fs::file_type::fifo        ? "a pipe (FIFO)"
                       : is == fs::file_type::directory ? "a folder"
                       : is == fs::file_type::socket    ? "a socket"
                       : is == fs::file_type::regular   ? "a file"
                                                        : "a device";
    fail<file_error>(file(name), ": is ", what, ", wanted a ", wanted == fs::file_type::regular ? "file" : "folder",
                     ": no run can be kept beside it; remove it, or name another --out");
  };
  for (const char* name : run_files) check(name, fs::file_type::regular);
  check(".lock", fs::file_type::regular);
  for (const char* name : {replaced, dropped}) {
    check(name, fs::file_type::directory);
    check_aside(name);
  }
}

/// What a run sets aside is removed with its folder: nothing else may lie there.
void run_folder::check_aside(const std::string& name) const {
  std::error_code problem;
  for (fs::directory_iterator entry(system_path(file(name)), problem), end; !problem && entry != end; entry.increment(problem)) {
    const std::string inner = path_text(entry->path().filename());
    if (!is_run_file(inner))
      fail<option_error>(file(name), ": holds ", inner, ", which no run wrote and which would be removed; move it elsewhere");
  }
}

/// Whether anything would be lost. config.json by itself is what is left of a run that ended before its first weights.
bool run_folder::holds_run() const {
  std::error_code problem;
  for (const char* name : run_files)
    if (std::string_view(name) != "config.json" && fs::exists(system_path(file(name)), problem)) return true;
  if (!fs::exists(system_path(file("config.json")), problem))
    return !fs::is_empty(system_path(file(replaced)), problem) && !problem;
  try {
    const json config = minicnn::parse_json(minicnn::read_utf8(file("config.json")));
    return !(config.has("recipe") && config.has("command"));
  } catch (const std::exception&) {
    return true;  // not ours
  }
}

void run_folder::keep_old_run() const {
  std::error_code problem;
  const fs::path aside = system_path(file(replaced));
  fs::create_directory(aside, problem);
  if (problem) fail<file_error>(path_text(aside), ": cannot be made: ", problem.message());
  for (const char* name : run_files) {
    const fs::path from = system_path(file(name)), to = aside / name;
    if (!fs::exists(fs::symlink_status(from, problem))) continue;
    // A second name for the same file; where the file system has none, a move. A link is moved: writing would go through it.
    if (!fs::is_symlink(from, problem)) fs::create_hard_link(from, to, problem);
    if (problem || fs::is_symlink(from)) fs::rename(from, to, problem);
    if (problem) fail<file_error>(path_text(from), ": cannot be set aside: ", problem.message());
  }
}

void run_folder::drop_old_run() const {
  std::error_code problem;
  for (const char* name : run_files) {
    std::error_code none;
    const fs::path now = system_path(file(name));
    if (fs::equivalent(now, system_path(file(replaced)) / name, none)) fs::remove(now, problem);
  }
  fs::rename(system_path(file(replaced)), system_path(file(dropped)), problem);
  fs::remove_all(system_path(file(dropped)), problem);
}

/// A process that ended between `keep_old_run` and `drop_old_run` leaves the older run as it was.
void run_folder::restore_old_run() const {
  std::error_code problem;
  fs::remove_all(system_path(file(dropped)), problem);
  if (!fs::is_directory(system_path(file(replaced)), problem)) return;
  for (const char* name : run_files) {
    const fs::path kept = system_path(file(replaced) + "/" + name);
    if (!fs::exists(fs::symlink_status(kept, problem))) continue;
    fs::rename(kept, system_path(file(name)), problem);
    if (problem) fail<file_error>(path_text(kept), ": cannot be put back: ", problem.message());
  }
  fs::remove_all(system_path(file(replaced)), problem);
}

/// A process that is killed while it writes leaves its temporary file.
void run_folder::remove_stale_files() const {
  std::error_code problem;
  std::vector<fs::path> stale;
  for (fs::directory_iterator entry(system_path(path_), problem), end; !problem && entry != end; entry.increment(problem))
    if (stale_temporary(path_text(entry->path().filename()))) stale.push_back(entry->path());
  for (const fs::path& p : stale) fs::remove(p, problem);
}

run_folder::~run_folder() {
  if (lock_ >= 0) release_file(lock_);
}

void run_folder::lock() {
  lock_ = hold_file(file(".lock"));
  if (lock_ < 0) fail<option_error>(path_, ": another process is training in this folder");
}

void run_folder::write_config(const json& config) const {
  minicnn::write_file(file("config.json"), minicnn::write_json(config, {.indent = 2, .tolerant = true}) + "\n");
}

void run_folder::write_history(const std::vector<minicnn::epoch_record>& history) const {
  minicnn::write_file(file("results.csv"), minicnn::history_csv(history));
  std::string lines;
  for (const minicnn::epoch_record& e : history)  // what is not a number, as figures without validation, is null
    lines += minicnn::write_json(json{{"epoch", e.epoch},
                                      {"train_loss", e.train_loss},
                                      {"train_accuracy", e.train_accuracy},
                                      {"val_loss", e.val_loss},
                                      {"val_accuracy", e.val_accuracy},
                                      {"learning_rate", e.learning_rate},
                                      {"images_per_second", e.images_per_second},
                                      {"seconds", e.seconds}},
                                 {.tolerant = true}) +
             "\n";
  minicnn::write_file(file("results.jsonl"), lines);
}

void run_folder::write_report(const minicnn::training_report& report) const {
  minicnn::write_file(file("report.html"), minicnn::report_html(report));
  if (report.history.empty()) return;
  minicnn::write_file(file("curves.svg"), minicnn::curves_svg(report.history, report.best_epoch, report.title));
  const encoded_picture png = png_file(curves_picture(report.history, report.best_epoch, report.title));
  minicnn::write_file(file("curves.png"), {reinterpret_cast<const char*>(png.data()), png.size()});
}

void run_folder::write_pictures(const std::string& list) const {
  if (!list.empty()) minicnn::write_file(file("pictures.txt"), list);
}

void run_folder::save_best(const minicnn::network<float>& net, const model_info& info) const {
  minicnn::save_model(net, info, file("best.safetensors"));
}

void run_folder::save_last(const minicnn::network<float>& net, minicnn::optimizer<float>& optimizer, minicnn::ema<float>* average,
                           const model_info& info, const minicnn::training_state& p, const json& recipe_text,
                           const json& data_text, const state_tensors& more) const {
  minicnn::save_training(file("last.safetensors"), net, optimizer, average, p, info, recipe_text, data_text, more);
}

namespace {

/// Without what may differ: pictures that the run does without, and what older runs do not say.
void check_same(const minicnn::safetensors_file& from, const char* key, json now) {
  json before = minicnn::read_training_entry(from, key);
  if (!before.is_object()) fail<file_error>(from.path(), ": metadata \"", key, "\": wanted an object");
  if (before.has("gradient_decay")) {  // what files of early versions call weight_decay
    before["decoupled_weight_decay"] = before.value_or("weight_decay", 0.0);
    before["weight_decay"] = before.at("gradient_decay");
    before.erase("gradient_decay");
  }
  before.erase("left_out");
  now.erase("left_out");
  // Numbers that say something to nobody: what they stand for is told when all else is the same.
  constexpr std::pair<const char*, const char*> hashes[] = {
      {"names", "pictures: there are as many, but some have other names"},
      {"labels", "labels: the pictures have the same names, but some are of other classes"},
      {"sizes", "pictures: their names are the same, their sizes in bytes are not, or the numbers to be predicted"}};
  json others = before, other_now = now;
  for (const auto& [name, text] : hashes) others.erase(name), other_now.erase(name);
  minicnn::check_same_training(from, key, others, other_now);
  for (const auto& [name, text] : hashes)
    if (before.has(name) && now.has(name) && !(before.at(name) == now.at(name)))
      fail<option_error>(from.path(), ": the run was made with other ", text);
}

double usable_seconds(double seconds) { return std::isfinite(seconds) && seconds >= 0 ? seconds : 0; }

}  // namespace

/// Why best.safetensors is not what the run, whose last weights are `last`, wrote; or nothing.
std::string run_folder::fault_of_best(const minicnn::safetensors_file& last) const {
  const std::string path = file("best.safetensors");
  std::error_code problem;
  if (!fs::exists(system_path(path), problem)) return "is missing";
  try {
    const auto best = minicnn::safetensors_file::open(path);
    for (const char* key : {"model", "classes"}) {
      const std::string *here = best.find_metadata(key), *wanted = last.find_metadata(key);
      if (here == nullptr || wanted == nullptr || *here != *wanted)
        return minicnn::text_of("is not this run's: another \"", key, "\" than last.safetensors");
    }
  } catch (const minicnn::error& e) {
    return "cannot be used (" + std::string(e.what()) + ")";
  }
  return "";
}

void run_folder::load_last(minicnn::network<float>& net, minicnn::optimizer<float>& optimizer, minicnn::ema<float>* average,
                           minicnn::training_state& p, const json& recipe_text, const json& data_text,
                           const state_tensors& more) const {
  const auto from = open_training(file("last.safetensors"));
  check_same(from, "data", data_text);  // parts of the recipe may follow the data
  check_same(from, "recipe", recipe_text);
  p = minicnn::load_training(from, net, optimizer, average, more);
  load_times(p);
  const std::string fault = p.best_epoch > 0 ? fault_of_best(from) : "";
  if (!fault.empty() && json(p.epoch) == recipe_text.at("epochs"))
    fail<file_error>(file("best.safetensors"), ": ", fault, "; the run is complete and writes no other: put it back, or use ",
                     file("last.safetensors"));
  if (!fault.empty()) {
    warn(file("best.safetensors") + ": " + fault + "; the next epoch that is validated counts as the best so far");
    p.best_epoch = 0;
    p.best_score = INFINITY;
  }
}

/// Times and speeds are in the files beside, which the run can do without.
void run_folder::load_times(minicnn::training_state& p) const {
  if (p.epoch > 0) {
    try {
      const auto rows = minicnn::parse_history_csv(minicnn::read_utf8(file("results.csv")), file("results.csv"));
      if (p.history.empty()) p.history = rows;  // of an older version
      for (minicnn::epoch_record& e : p.history)
        for (const minicnn::epoch_record& row : rows)
          if (row.epoch == e.epoch)
            e.images_per_second = usable_seconds(row.images_per_second), e.seconds = usable_seconds(row.seconds);
      if (static_cast<minicnn::index_t>(rows.size()) < p.epoch)
        warn(minicnn::text_of(file("results.csv"), ": has ", rows.size(), " epochs of ", p.epoch,
                              "; times of the others are lost, it is written anew"));
    } catch (const file_error& e) {
      warn(std::string(e.what()) + "; the times of the epochs so far are lost, results.csv is written anew");
    }
  }
  // A kill between the two files may leave one row too many.
  while (!p.history.empty() && p.history.back().epoch > p.epoch) p.history.pop_back();
  if (!p.history.empty()) p.seconds = p.history.back().seconds;
  std::string text;
  try {
    text = minicnn::read_utf8(file("config.json"));
  } catch (const minicnn::error& e) {
    warn(std::string(e.what()) + "; config.json is written anew");
    return;
  }
  try {
    const json config = minicnn::parse_json(text);
    (void)config.as_object();
    p.seconds = usable_seconds(config.value_or("seconds", p.seconds));
    p.epoch_seconds = usable_seconds(config.value_or("epoch_seconds", 0.0));
  } catch (const minicnn::error&) {
    warn(file("config.json") + ": is no configuration of a run; it is written anew");
  }
}

}  // namespace cli
