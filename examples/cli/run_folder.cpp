#include "run_folder.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <minicnn/files/file.hpp>
#include <minicnn/io/checkpoint.hpp>
#include <string_view>

#include "curves_png.hpp"
#include "messages.hpp"

namespace cli {

using json = nlohmann::ordered_json;
using minicnn::fail;
using minicnn::file_error;
using minicnn::option_error;
namespace fs = std::filesystem;

namespace {
constexpr const char* run_files[] = {"config.json", "results.csv",      "report.html",     "curves.svg",
                                     "curves.png",  "best.safetensors", "last.safetensors"};
constexpr const char* replaced = ".replaced";         // the older run while the new one has nothing whole yet
constexpr const char* dropped = ".replaced-dropped";  // the same when it is no longer needed: one rename decides

/// True if `name` is a temporary file ("best.safetensors.tmp-PID-N") of one of the run's files and its process is gone. Our own
/// number was another process's then: it is asked before we write anything.
bool stale_temporary(std::string_view name) {
  for (const std::string_view run_file : run_files) {
    if (!name.starts_with(run_file) || !name.substr(run_file.size()).starts_with(".tmp-")) continue;
    const std::string_view rest = name.substr(run_file.size() + 5);
    pid_t process = 0;
    const auto [end, problem] = std::from_chars(rest.data(), rest.data() + rest.size(), process);
    if (problem != std::errc() || end == rest.data() + rest.size() || *end != '-' || process <= 0) continue;
    return process == getpid() || (kill(process, 0) != 0 && errno == ESRCH);
  }
  return false;
}
}  // namespace

run_folder::run_folder(std::string path, existing_run existing) : path_(std::move(path)) {
  std::error_code problem;
  if (existing == existing_run::refuse && holds_run())
    fail<option_error>(path_, ": holds a run already; --resume goes on with it, --overwrite begins anew");
  if (existing == existing_run::resume && !fs::exists(file("last.safetensors"), problem) &&
      !fs::exists(file(replaced) + "/last.safetensors", problem))
    fail<option_error>(path_, ": nothing to resume: no last.safetensors; without --resume a run begins here");
  fs::create_directories(path_, problem);
  if (problem) fail<file_error>(path_, ": cannot be made: ", problem.message());
  lock();
  restore_old_run();
  remove_stale_files();
}

/// Whether anything would be lost. config.json by itself is what is left of a run that ended before its first weights.
bool run_folder::holds_run() const {
  std::error_code problem;
  for (const char* name : run_files)
    if (std::string_view(name) != "config.json" && fs::exists(file(name), problem)) return true;
  if (!fs::exists(file("config.json"), problem)) return fs::exists(file(replaced), problem);
  try {
    const json config = json::parse(minicnn::read_file(file("config.json")));
    return !(config.is_object() && config.contains("recipe") && config.contains("command"));
  } catch (const std::exception&) {
    return true;  // not ours
  }
}

void run_folder::keep_old_run() const {
  std::error_code problem;
  const std::string aside = file(replaced);
  fs::create_directory(aside, problem);
  if (problem) fail<file_error>(aside, ": cannot be made: ", problem.message());
  for (const char* name : run_files) {
    const fs::path from = file(name), to = aside + "/" + name;
    if (!fs::exists(fs::symlink_status(from, problem))) continue;
    // A second name for the same file; where the file system has none, a move. A link is moved: writing would go through it.
    if (!fs::is_symlink(from, problem)) fs::create_hard_link(from, to, problem);
    if (problem || fs::is_symlink(from)) fs::rename(from, to, problem);
    if (problem) fail<file_error>(from.string(), ": cannot be set aside: ", problem.message());
  }
}

void run_folder::drop_old_run() const {
  std::error_code problem;
  for (const char* name : run_files) {
    std::error_code none;
    if (fs::equivalent(file(name), file(replaced) + "/" + name, none)) fs::remove(file(name), problem);
  }
  fs::rename(file(replaced), file(dropped), problem);
  fs::remove_all(file(dropped), problem);
}

/// A process that ended between `keep_old_run` and `drop_old_run` leaves the older run as it was.
void run_folder::restore_old_run() const {
  std::error_code problem;
  fs::remove_all(file(dropped), problem);
  if (!fs::is_directory(file(replaced), problem)) return;
  for (const char* name : run_files) {
    const std::string kept = file(replaced) + "/" + name;
    if (!fs::exists(fs::symlink_status(kept, problem))) continue;
    fs::rename(kept, file(name), problem);
    if (problem) fail<file_error>(kept, ": cannot be put back: ", problem.message());
  }
  fs::remove_all(file(replaced), problem);
}

/// A process that is killed while it writes leaves its temporary file.
void run_folder::remove_stale_files() const {
  std::error_code problem;
  std::vector<fs::path> stale;
  for (fs::directory_iterator entry(path_, problem), end; !problem && entry != end; entry.increment(problem))
    if (stale_temporary(entry->path().filename().string())) stale.push_back(entry->path());
  for (const fs::path& p : stale) fs::remove(p, problem);
}

run_folder::~run_folder() {
  if (lock_ >= 0) close(lock_);
}

void run_folder::lock() {
  lock_ = open(file(".lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
  if (lock_ < 0) fail<file_error>(file(".lock"), ": ", std::strerror(errno));
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0) fail<option_error>(path_, ": another process is training in this folder");
}

void run_folder::write_config(const json& config) const {
  minicnn::write_file(file("config.json"), config.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

void run_folder::write_history(const std::vector<minicnn::epoch_record>& history) const {
  minicnn::write_file(file("results.csv"), minicnn::history_csv(history));
}

void run_folder::write_report(const minicnn::training_report& report) const {
  minicnn::write_file(file("report.html"), minicnn::report_html(report));
  if (report.history.empty()) return;
  minicnn::write_file(file("curves.svg"), minicnn::curves_svg(report.history, report.best_epoch, report.title));
  const encoded_picture png = png_file(curves_picture(report.history, report.best_epoch, report.title));
  minicnn::write_file(file("curves.png"), {reinterpret_cast<const char*>(png.data()), png.size()});
}

void run_folder::save_best(const minicnn::network<float>& net, const weights_info& info) const {
  minicnn::save_weights(net, file("best.safetensors"), to_metadata(info));
}

namespace {

/// The averages of parameters and buffers, tensor by tensor; nothing without them.
std::vector<minicnn::optimizer<float>::state_view> averages(const minicnn::network<float>& net, minicnn::ema<float>* average) {
  std::vector<minicnn::optimizer<float>::state_view> all;
  if (average == nullptr) return all;
  for (const auto& p : net.parameters())
    all.push_back({"ema." + p.name, {average->parameter_averages().data() + p.offset, p.dims}});
  for (const auto& b : net.buffers()) all.push_back({"ema." + b.name, {average->buffer_averages().data() + b.offset, b.dims}});
  return all;
}

/// JSON has no NaN.
json number(double value) { return std::isfinite(value) ? json(value) : json(); }

}  // namespace

void run_folder::save_last(const minicnn::network<float>& net, minicnn::optimizer<float>& optimizer, minicnn::ema<float>* average,
                           const weights_info& info, const minicnn::training_state& p, const json& recipe_text,
                           const json& data_text) const {
  minicnn::safetensors_writer out;
  for (const auto& [key, value] : to_metadata(info)) out.metadata(key, value);
  // No seconds, speeds or paths: equal seeds give equal bytes.
  json history = json::array();
  for (const minicnn::epoch_record& e : p.history)
    history.push_back({e.epoch, number(e.train_loss), number(e.train_accuracy), number(e.val_loss), number(e.val_accuracy),
                       number(e.learning_rate)});
  const json position = {{"epoch", p.epoch},
                         {"batch", p.batch},
                         {"step", p.step},
                         {"total_steps", p.total_steps},
                         {"skipped", p.skipped},
                         {"image_size", p.image_size},
                         {"loss_sum", p.loss_sum},
                         {"right", p.correct},
                         {"seen", p.seen},
                         {"loss_weight", p.weight_sum},
                         {"best_loss", std::isfinite(p.best_score) ? json(p.best_score) : json()},
                         {"best_epoch", p.best_epoch},
                         {"best_confusion", p.best_confusion},
                         {"time_planned", p.time_planned},
                         {"history", history},
                         {"network_step", net.step()},
                         {"optimizer_steps", optimizer.steps()},
                         {"averaged_steps", average != nullptr ? average->updates() : 0}};
  out.metadata("position", position.dump());
  out.metadata("recipe", recipe_text.dump());
  out.metadata("data", data_text.dump());
  minicnn::add_weights(out, net);
  for (const auto& s : optimizer.state())
    out.add(std::string(minicnn::training_prefix) + s.name, minicnn::view<const float>(s.data));
  for (const auto& a : averages(net, average))
    out.add(std::string(minicnn::training_prefix) + a.name, minicnn::view<const float>(a.data));
  out.write(file("last.safetensors"));
}

namespace {

json metadata_json(const minicnn::safetensors_file& from, const char* key) {
  const std::string* text = from.find_metadata(key);
  if (text == nullptr) fail<file_error>(from.path(), ": no metadata \"", key, "\": cannot be resumed");
  try {
    return json::parse(*text);
  } catch (const json::exception& e) {
    fail<file_error>(from.path(), ": metadata \"", key, "\": ", e.what());
  }
}

/// Without what may differ: pictures that the run does without, and what older runs do not say.
void check_same(const minicnn::safetensors_file& from, const char* key, json now) {
  json before = metadata_json(from, key);
  if (!before.is_object()) fail<file_error>(from.path(), ": metadata \"", key, "\": wanted an object");
  if (before.contains("gradient_decay")) {  // what files of early versions call weight_decay
    before["decoupled_weight_decay"] = before.value("weight_decay", json(0.0));
    before["weight_decay"] = before["gradient_decay"];
    before.erase("gradient_decay");
  }
  before.erase("left_out");
  now.erase("left_out");
  if (!before.contains("sizes")) now.erase("sizes");
  const auto text = [](const json& value) { return value.dump(-1, ' ', true, json::error_handler_t::replace); };
  for (const auto& [name, value] : now.items()) {
    if (before.contains(name) && before.at(name) == value) continue;
    if (name == "sizes")
      fail<option_error>(from.path(),
                         ": the run was made with other pictures: their names are the same, their sizes in bytes are not");
    fail<option_error>(from.path(), ": the run was made with ", key, ".", name, " = ",
                       before.contains(name) ? text(before.at(name)) : "nothing", ", this call says ", text(value));
  }
  for (const auto& [name, value] : before.items())
    if (!now.contains(name))
      fail<option_error>(from.path(), ": the run was made with ", key, ".", name, " = ", text(value), ", this call says nothing");
}

/// The epochs that last.safetensors records, without their times; none in older runs.
std::vector<minicnn::epoch_record> recorded_history(const json& position) {
  const auto value = [](const json& v) { return v.is_null() ? std::nan("") : v.get<double>(); };
  std::vector<minicnn::epoch_record> out;
  for (const json& row : position.value("history", json::array()))
    out.push_back({row.at(0).get<minicnn::index_t>(), value(row.at(1)), value(row.at(2)), value(row.at(3)), value(row.at(4)),
                   value(row.at(5)), 0, 0});
  return out;
}

double usable_seconds(double seconds) { return std::isfinite(seconds) && seconds >= 0 ? seconds : 0; }

}  // namespace

void run_folder::load_last(minicnn::network<float>& net, minicnn::optimizer<float>& optimizer, minicnn::ema<float>* average,
                           minicnn::training_state& p, const json& recipe_text, const json& data_text) const {
  const auto from = minicnn::safetensors_file::open(file("last.safetensors"));
  check_same(from, "data", data_text);  // parts of the recipe may follow the data
  check_same(from, "recipe", recipe_text);
  const json position = metadata_json(from, "position");
  minicnn::load_weights(net, from);
  for (auto& s : optimizer.state()) from.read(std::string(minicnn::training_prefix) + s.name, s.data);
  for (auto& a : averages(net, average)) from.read(std::string(minicnn::training_prefix) + a.name, a.data);
  try {
    position.at("epoch").get_to(p.epoch);
    position.at("batch").get_to(p.batch);
    position.at("step").get_to(p.step);
    position.at("total_steps").get_to(p.total_steps);
    position.at("skipped").get_to(p.skipped);
    position.at("image_size").get_to(p.image_size);
    position.at("loss_sum").get_to(p.loss_sum);
    position.at("right").get_to(p.correct);
    position.at("seen").get_to(p.seen);
    p.weight_sum = position.value("loss_weight", static_cast<double>(p.seen));  // early versions: every image weighs 1
    if (!position.at("best_loss").is_null()) position.at("best_loss").get_to(p.best_score);
    position.at("best_epoch").get_to(p.best_epoch);
    position.at("best_confusion").get_to(p.best_confusion);
    position.at("time_planned").get_to(p.time_planned);
    net.step(position.at("network_step").get<std::uint64_t>());
    optimizer.steps(position.at("optimizer_steps").get<minicnn::index_t>());
    if (average != nullptr) average->updates(position.at("averaged_steps").get<minicnn::index_t>());
    p.history = recorded_history(position);
  } catch (const json::exception& e) {
    fail<file_error>(from.path(), ": metadata \"position\": ", e.what());
  }
  load_times(p);
  std::error_code problem;
  if (p.best_epoch > 0 && !fs::exists(file("best.safetensors"), problem)) {
    warn(file("best.safetensors") + ": is missing; the next epoch that is validated counts as the best so far");
    p.best_epoch = 0;
    p.best_score = INFINITY;
  }
}

/// Times and speeds are in the files beside, which the run can do without.
void run_folder::load_times(minicnn::training_state& p) const {
  if (p.epoch > 0) {
    try {
      const auto rows = minicnn::parse_history_csv(minicnn::read_file(file("results.csv")), file("results.csv"));
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
  try {
    const json config = json::parse(minicnn::read_file(file("config.json")));
    p.seconds = usable_seconds(config.value("seconds", p.seconds));
    p.epoch_seconds = usable_seconds(config.value("epoch_seconds", 0.0));
  } catch (const json::exception&) {
    warn(file("config.json") + ": is no configuration of a run; it is written anew");
  } catch (const minicnn::error& e) {
    warn(std::string(e.what()) + "; config.json is written anew");
  }
}

}  // namespace cli
