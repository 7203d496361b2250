#pragma once
/// What lies in a folder of pictures and the folders below it, before anything is decided about it.

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "minicnn/data/dataset.hpp"
#include "minicnn/data/natural_order.hpp"
#include "minicnn/files/path.hpp"
#include "minicnn/files/system.hpp"

namespace minicnn::inline MINICNN_ABI {

/// The number that a file is called by ("test/12.jpg" gives 12), if its name is nothing else: Kaggle's ids.
inline std::optional<std::uint64_t> number_of(std::string_view path) {
  const std::size_t slash = path.find_last_of('/');
  std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  name = name.substr(0, name.find_last_of('.'));
  std::uint64_t number = 0;
  const auto result = std::from_chars(name.data(), name.data() + name.size(), number);
  if (name.empty() || result.ec != std::errc() || result.ptr != name.data() + name.size()) return std::nullopt;
  return number;
}

namespace detail {

inline std::string lower_case(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

template <std::size_t n>
bool one_of(std::string_view text, const std::array<std::string_view, n>& list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

/// The ending of a file's name in lower case, without its dot.
inline std::string ending_of(std::string_view name) {
  const std::size_t dot = name.find_last_of('.');
  return dot == std::string_view::npos ? "" : lower_case(std::string(name.substr(dot + 1)));
}

inline constexpr std::array<std::string_view, 6> picture_endings{"jpg", "jpeg", "jpe", "jfif", "png", "bmp"};
inline constexpr std::array<std::string_view, 6> unread_endings{"gif", "webp", "tif", "tiff", "heic", "avif"};

/// Folders of packing programs, network storage (thumbnails, bins, snapshots), Windows, file systems and Python, in lower case.
inline constexpr std::array<std::string_view, 12> system_folders{
    "@recently-snapshot",        "__macosx",   "@eadir",      "#recycle",  "@recycle", "$recycle.bin", "recycler",
    "system volume information", "lost+found", "__pycache__", "#snapshot", "~snapshot"};
inline bool is_system_folder(std::string_view name) {
  const std::string lower = lower_case(std::string(name));  // chkdsk numbers what it finds: found.000
  const bool found = lower.size() == 9 && lower.starts_with("found.") && lower.find_first_not_of("0123456789", 6) == lower.npos;
  return found || one_of(lower, system_folders);
}

/// Pictures that `minicnn explain` and `minicnn train` make: none of a data set.
inline bool made_by_minicnn(std::string_view name) {
  return name.ends_with(".grad-cam.png") || name.ends_with(".occlusion.png") || name == "filters.png" || name == "curves.png";
}

/// "cat" of "cat.12.jpg"; empty for names with fewer than two dots.
inline std::string label_in(std::string_view name) {
  const std::size_t first = name.find('.');
  return first == std::string_view::npos || name.find('.', first + 1) == std::string_view::npos
             ? ""
             : std::string(name.substr(0, first));
}

struct folder_tree {
  std::string name;                   ///< below the data set's folder: "", "cat", "cat/a"
  std::vector<std::string> pictures;  ///< names of files that are called pictures, in natural order
  std::vector<index_t> members;       ///< of an archive: the pictures' numbers in it; empty: they are files
  std::vector<folder_tree> folders;   ///< in byte order
  index_t below = 0;                  ///< pictures in the folders
  std::string same_as = {};           ///< name of the folder that it is as well, by a link or a mount; empty: none
  bool left_out = false;              ///< a run of `minicnn train`, or a folder that holds .nomedia
  index_t total() const { return static_cast<index_t>(pictures.size()) + below; }
};

/// Reads a folder's names and counts what is no picture. Files are not opened.
class tree_reader {
 public:
  /// Links to folders are followed from `root` itself, if `follow`; further below never.
  tree_reader(std::filesystem::path root, ignored_files& ignored, bool follow = true)
      : root_(std::move(root)), ignored_(&ignored), follow_(follow) {}

  folder_tree read() { return list(""); }
  index_t unread() const { return unread_; }  ///< pictures of formats that are not read

 private:
  /// Something called x.jpg counts as a picture whatever it is, so that a folder or a broken link of that name is reported when
  /// it is read, not passed over.
  folder_tree list(const std::string& name) {
    const std::filesystem::path folder = name.empty() ? root_ : root_ / system_path(name);
    folder_tree out;
    out.name = name;
    std::vector<std::pair<std::string, bool>> inner;  // folders, and whether each is a symbolic link
    int run_files = 0;
    bool no_media = false;  // Android's mark for pictures that are in no collection; `minicnn explain` writes it
    const ignored_files::mark before = ignored_->here();
    const index_t unread_before = unread_;
    std::error_code failed;
    std::filesystem::directory_iterator entry(folder, failed);
    for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
      const std::string file = path_text(entry->path().filename()), ending = ending_of(file);
      std::error_code ignored;
      run_files += one_of(file, files_of_a_run);
      no_media = no_media || (file == ".nomedia" && !name.empty());
      if (file.front() == '.')
        leave(&ignored_files::hidden, entry->path(), "hidden");
      else if (one_of(ending, picture_endings))
        out.pictures.push_back(file);
      else if (!entry->is_directory(ignored))
        other_file(entry->path(), ending);
      else if (is_system_folder(file))
        leave(&ignored_files::folders, entry->path(), "made by a system or a program, not by people");
      else
        inner.emplace_back(file, entry->is_symlink(ignored));
    }
    if (failed && name.empty())
      fail<file_error>(path_text(folder), ": cannot be listed: ", why_missing(path_text(folder), failed.message()));
    if (failed) out.pictures.emplace_back();  // "locked/": a picture that cannot be read, in place of those in it
    std::sort(out.pictures.begin(), out.pictures.end(), natural_less);
    std::sort(inner.begin(), inner.end());
    out.left_out = no_media || (run_files >= 2 && is_run(out));
    if (out.left_out) {  // one thing, whatever is in it
      ignored_->back_to(before);
      unread_ = unread_before;
      out.pictures.clear();
      leave(&ignored_files::folders, folder, no_media ? "holds .nomedia" : "holds a run of minicnn train");
    } else if (run_files >= 2 && std::erase(out.pictures, "curves.png") > 0) {
      leave(&ignored_files::other, folder / "curves.png", "of a run of minicnn train");
    }
    if (!out.left_out) descend(out, inner);
    if (out.total() > 0) note_same(out, folder);
    return out;
  }

  /// Links and mounts are told by what they lead to, not by how they are made. Systems without such numbers say 0.
  void note_same(folder_tree& out, const std::filesystem::path& folder) {
    posix::file_status info{};
    if (posix::stat(path_text(folder), info) != 0 || info.st_ino == 0) return;
    const auto number = std::pair(static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino));
    if (const auto [first, is_new] = seen_.emplace(number, out.name); !is_new) out.same_as = first->second;
  }

  /// A training's own pictures are no data: a folder below is left out if it holds no others.
  static bool is_run(const folder_tree& folder) {
    return !folder.name.empty() && std::all_of(folder.pictures.begin(), folder.pictures.end(), made_by_minicnn);
  }

  void descend(folder_tree& out, const std::vector<std::pair<std::string, bool>>& inner) {
    for (const auto& [file, is_link] : inner) {
      const std::string name = out.name.empty() ? file : out.name + "/" + file;
      if (is_link && !(follow_ && out.name.empty()))  // not followed, so that no circle is walked
        leave(&ignored_files::folders, root_ / system_path(name),
              follow_ ? "a link to a folder inside a class" : "a link to a folder");
      else if (is_link && leads_upwards(root_ / system_path(name)))
        leave(&ignored_files::folders, root_ / system_path(name), "a link back to a folder above");
      else
        out.folders.push_back(list(name));
    }
    for (const folder_tree& f : out.folders) out.below += f.total();
  }

  void leave(index_t ignored_files::*kind, const std::filesystem::path& path, std::string reason) {
    ignored_->add(kind, path_text(path), std::move(reason));
  }

  void other_file(const std::filesystem::path& path, const std::string& ending) {
    std::error_code failed;
    const bool link = std::filesystem::is_symlink(path, failed) && !std::filesystem::exists(path, failed);
    leave(&ignored_files::other, path, link ? "a link that leads nowhere" : "not called a JPEG, PNG or BMP picture");
    if (!one_of(ending, unread_endings)) return;
    ++unread_;
    ++ignored_->pictures;
  }

  /// Whether a link leads to the data set's own folder or one above it.
  bool leads_upwards(const std::filesystem::path& link) const {
    std::error_code failed;
    const std::filesystem::path target = std::filesystem::canonical(link, failed);
    if (failed) return true;
    const std::filesystem::path root = std::filesystem::canonical(root_, failed);
    return !failed && std::mismatch(target.begin(), target.end(), root.begin(), root.end()).first == target.end();
  }

  static constexpr std::array<std::string_view, 7> files_of_a_run{
      "config.json", "results.csv", "report.html", "curves.svg", "curves.png", "best.safetensors", "last.safetensors"};

  std::filesystem::path root_;
  ignored_files* ignored_;
  bool follow_;
  index_t unread_ = 0;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> seen_;  ///< folders with pictures by device and number
};

}  // namespace detail

/// Throws file_error where `s` is a folder, "locked/", in place of pictures that could not be listed.
inline void refuse_unlisted(const sample& s) {
  if (!s.path.ends_with('/')) return;
  std::error_code failed;
  const std::filesystem::directory_iterator again(detail::system_path(s.path), failed);
  fail<file_error>(s.path, ": cannot be listed: ", failed ? failed.message() : "it could not when its data set was read");
}

}  // namespace minicnn::inline MINICNN_ABI
