#include "out_guard.hpp"

#include <algorithm>
#include <filesystem>
#include <minicnn/data/folder_tree.hpp>
#include <system_error>

#include "commands.hpp"
#include "paths.hpp"
#include "run_folder.hpp"

namespace cli {

namespace fs = std::filesystem;

namespace {

/// Where a file of this name would be: links are followed, the last one too if nothing is at its end yet.
fs::path place_of(fs::path path) {
  std::error_code failed;
  for (int links = 0; links < 40; ++links) {
    const bool dangling = fs::is_symlink(fs::symlink_status(path, failed)) && !fs::exists(path, failed);
    if (!dangling) break;
    const fs::path target = fs::read_symlink(path, failed);
    if (failed) break;
    path = path.parent_path() / target;
  }
  fs::path whole = fs::weakly_canonical(fs::absolute(path, failed), failed);
  return failed ? path.lexically_normal() : whole;
}

bool inside(const fs::path& place, const fs::path& folder) {
  std::error_code failed;
  for (fs::path above = place;; above = above.parent_path()) {
    if (above == folder || fs::equivalent(above, folder, failed)) return true;
    if (above.empty() || above == above.parent_path()) return false;
  }
}

/// The first picture, or file of many, that lies in a folder itself and is none of `explain` or of a run; empty: none, or
/// .nomedia says that they are no data.
std::string picture_in(const fs::path& folder) {
  std::error_code failed;
  if (fs::exists(folder / ".nomedia", failed)) return "";
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end; entry.increment(failed)) {
    const std::string name = path_text(entry->path().filename());
    if (minicnn::detail::made_by_minicnn(name) || name.starts_with('.')) continue;
    const std::string ending = minicnn::detail::ending_of(name);
    const bool many = ending == "tar" || name.find("-ubyte") != name.npos ||  // of IDX and CIFAR-10
                      (ending == "bin" && (name.starts_with("data_batch_") || name == "test_batch.bin"));
    if (many || minicnn::detail::one_of(ending, minicnn::detail::picture_endings)) return name;
  }
  return "";
}

bool is_run(const fs::path& folder) {
  std::error_code failed;
  return fs::exists(folder / "results.csv", failed) && fs::exists(folder / "config.json", failed);
}

}  // namespace

void refuse_among_pictures(const std::string& out) {
  const fs::path folder = place_of(system_path(out));
  std::error_code failed;
  if (!fs::is_directory(folder, failed) || fs::exists(folder / ".nomedia", failed)) return;
  if (is_run(folder)) return;
  std::string found = picture_in(folder);
  int classes = 0;
  for (fs::directory_iterator entry(folder, failed), end; found.empty() && !failed && entry != end; entry.increment(failed)) {
    std::error_code none;
    const std::string name = path_text(entry->path().filename());
    if (name.starts_with('.') || !entry->is_directory(none)) continue;
    const std::string picture = picture_in(entry->path());
    if (!picture.empty() && ++classes == 2) found = name + "/" + picture;
  }
  if (!found.empty())
    throw usage_error("--out " + out + ": holds pictures (" + found +
                      "), among which what is written would be taken for data; name a new folder");
}

void mark_as_no_data(const std::string& out) {
  refuse_among_pictures(out);  // what did not exist has been made since
  const fs::path folder = system_path(out);
  std::error_code failed;
  if (!is_run(folder) && !fs::exists(folder / ".nomedia", failed)) minicnn::write_file(out + "/.nomedia", "");
}

void refuse_inside_data(const std::string& out, const std::string& data, const char* option) {
  if (out.empty() || data.empty()) return;
  const fs::path place = place_of(system_path(out)), folder = place_of(system_path(data));
  bool refused = inside(place, folder);
  std::error_code failed;
  if (!refused && fs::is_directory(folder, failed))
    for (fs::directory_iterator entry(folder, failed), end; !failed && !refused && entry != end; entry.increment(failed)) {
      std::error_code none;
      refused = entry->is_symlink(none) && entry->is_directory(none) && inside(place, fs::canonical(entry->path(), none));
    }
  if (refused)
    throw usage_error(std::string(option) + " " + out + ": lies in the data, " + data +
                      ", into which nothing is written; name a place elsewhere");
}

void refuse_replacing(const std::string& out, const std::string& input, const char* input_option) {
  std::error_code failed;
  if (out.empty() || !fs::is_regular_file(system_path(input), failed) ||
      !fs::equivalent(system_path(out), system_path(input), failed))
    return;
  throw usage_error("--out " + out + ": is the file of " + input_option + ", which would be lost; name another one");
}

void refuse_losing(const std::string& out, std::initializer_list<minicnn::file_kind> writes) {
  using minicnn::file_kind;
  std::error_code failed;
  if (out.starts_with("/dev/") || out.starts_with("/proc/") || !fs::is_regular_file(system_path(out), failed)) return;
  const fs::path place = place_of(system_path(out));
  if (is_run_file(path_text(place.filename())) && is_run(place.parent_path()))
    throw usage_error("--out " + out + ": is a file of a run, which would be lost; name another one");
  file_kind kind = file_kind::unknown;
  try {
    kind = minicnn::kind_of_file(out);
  } catch (const minicnn::file_error&) {
    return;  // writing says why
  }
  const std::initializer_list<file_kind> harmless = {file_kind::text, file_kind::web_page, file_kind::empty, file_kind::unknown};
  for (const auto& kinds : {writes, harmless})
    if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return;
  throw usage_error("--out " + out + ": is " + std::string(description(kind)) +
                    ", which would be lost; remove it first, or name another file");
}

}  // namespace cli
