#include "event_log.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <minicnn/core/error.hpp>
#include <minicnn/data/image_format.hpp>
#include <minicnn/files/file.hpp>
#include <span>
#include <string_view>

#include "paths.hpp"

namespace cli {

using minicnn::index_t;
namespace fs = std::filesystem;

namespace {

/// The bytes of "data:image/png;base64,...": as data_uri made them.
std::string bytes_of(std::string_view source) {
  source.remove_prefix((std::min)(source.size(), source.find(',') + 1));
  static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t held = 0;
  int bits = 0;
  for (const char c : source) {
    const std::size_t value = digits.find(c);
    if (value == digits.npos) break;  // padding
    held = held << 6 | static_cast<std::uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out += static_cast<char>(held >> bits & 0xFF);
  }
  return out;
}

/// A figure's name as a part of a chart's.
std::string tag_of(std::string name) {
  for (char& c : name)
    if (c == ' ') c = '_';
  return name;
}

bool is_event_file(std::string_view name) {
  return name.starts_with("events.out.tfevents.") && name.ends_with(minicnn::tensorboard_writer::ending);
}

}  // namespace

event_log::event_log(std::string folder, std::string run, index_t resumed_at, bool overwrite)
    : folder_(std::move(folder)), run_(std::move(run)), resumed_at_(resumed_at), overwrite_(overwrite) {
  std::error_code failed;
  fs::create_directories(system_path(folder_), failed);
  if (failed || !fs::is_directory(system_path(folder_), failed))
    minicnn::fail<minicnn::file_error>("--tensorboard ", folder_,
                                       ": cannot make this folder: ", failed ? failed.message() : "a file is called so");
  const std::string list = joined(run_, "events.txt");
  std::ifstream before(system_path(list));
  for (std::string name; std::getline(before, name);) older_.push_back(name);
  file_ = std::make_unique<minicnn::tensorboard_writer>(folder_, resumed_at_);
  // Before any step: the file of a run that is killed is known to be its own.
  std::string names;
  for (const std::string& name : older_) names += name + "\n";
  minicnn::write_file(list, names + path_text(system_path(file_->path()).filename()) + "\n");
}

void event_log::write_steps() {
  for (const step_values& s : steps_) file_->scalars(s.step, {{"step/loss", s.loss}, {"step/learning_rate", s.rate}});
  steps_.clear();
  file_->flush();
  written_ = clock::now();
}

void event_log::step(index_t step, const minicnn::step_report& s) {
  steps_.push_back({step, s.loss, s.learning_rate});
  if (failed_ || clock::now() - written_ < std::chrono::seconds(1)) return;
  try {
    write_steps();
  } catch (const minicnn::file_error&) {
    failed_ = std::current_exception();
  }
}

void event_log::saved() {
  if (failed_) std::rethrow_exception(failed_);
  write_steps();
  if (resumed_at_ < 0 && !removed_) remove_older();
  removed_ = true;
}

/// What is neither listed nor in the run's own folder may be another run's.
void event_log::remove_older() {
  const std::string now = path_text(system_path(file_->path()).filename());
  std::error_code failed;
  const bool own = overwrite_ && fs::equivalent(system_path(folder_), system_path(run_), failed);
  std::vector<fs::path> old;
  for (fs::directory_iterator entry(system_path(folder_), failed), end; !failed && entry != end; entry.increment(failed)) {
    const std::string name = path_text(entry->path().filename());
    const bool listed = std::find(older_.begin(), older_.end(), name) != older_.end();
    if (is_event_file(name) && name != now && (own || listed)) old.push_back(entry->path());
  }
  for (const fs::path& path : old) fs::remove(path, failed);
  minicnn::write_file(joined(run_, "events.txt"), now + "\n");
}

void event_log::epoch(index_t step, const minicnn::epoch_record& row, const minicnn::evaluation& e) {
  std::vector<std::pair<std::string, double>> values{
      {"epoch", static_cast<double>(row.epoch)},   {"loss/train", row.train_loss},
      {"loss/validation", row.val_loss},           {"accuracy/train", row.train_accuracy},
      {"accuracy/validation", row.val_accuracy},   {"learning_rate", row.learning_rate},
      {"images_per_second", row.images_per_second}};
  for (const minicnn::metric& m : e.metrics) values.emplace_back("validation/" + tag_of(m.name), m.value);
  // What a task or an epoch does not have is NaN; a loss that has become so is worth seeing.
  std::erase_if(values, [](const auto& v) { return std::isnan(v.second) && v.first != "loss/train"; });
  file_->scalars(step, values);
  file_->flush();
}

void event_log::picture(index_t step, const std::string& name, const std::string& source) {
  const std::string bytes = bytes_of(source);
  if (bytes.empty()) return;
  const minicnn::image_header head =
      minicnn::check_image({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()}, name);
  file_->image(step, name, head.height, head.width, head.channels == 1 ? 1 : 3, bytes);
}

void event_log::pictures(index_t step, const minicnn::training_report& report) {
  for (std::size_t i = 0; i < report.mistakes.size(); ++i) {
    const minicnn::report_picture& p = report.mistakes[i];
    const std::string name = minicnn::text_of("mistakes/", i + 1);  // the same in every run, so that they can be compared
    picture(step, name, p.source);
    picture(step, name + " (Grad-CAM)", p.overlay);
  }
  for (std::size_t i = 0; i < report.augmented.size(); ++i)
    picture(step, minicnn::text_of("augmented/", i + 1), report.augmented[i].source);
  picture(step, "filters", report.filters);
  file_->flush();
}

}  // namespace cli
