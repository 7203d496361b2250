#pragma once
/// Data sets that are folders of pictures. Nothing is ever written into them.

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "minicnn/data/dataset.hpp"
#include "minicnn/data/natural_order.hpp"

namespace minicnn::inline MINICNN_ABI {

/// The number that a file is called by ("test/12.jpg" gives 12), if its name is nothing else: Kaggle's ids.
inline std::optional<std::uint64_t> number_of(std::string_view path) {
  const std::size_t slash = path.find_last_of('/');
  std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  name = name.substr(0, name.find('.'));
  std::uint64_t number = 0;
  const auto result = std::from_chars(name.data(), name.data() + name.size(), number);
  if (name.empty() || result.ec != std::errc() || result.ptr != name.data() + name.size()) return std::nullopt;
  return number;
}

namespace detail {

/// Reads one data set. A class so that the counts and warnings need not be handed from function to function.
class folder_reader {
 public:
  explicit folder_reader(const std::string& root) : root_(root) { data_.root = root; }

  image_dataset run() {
    check_folder();
    const listing top = list(root_);
    std::vector<std::string> labelled;
    for (const std::string& file : top.pictures)
      if (!label_in(file).empty()) labelled.push_back(file);
    if (!labelled.empty()) {
      flat(top, labelled);
    } else if (!class_folders(top)) {
      if (top.pictures.empty())
        fail<file_error>(data_.root, ": holds no pictures (JPEG, PNG or BMP, as cat.1.jpg, cat/1.jpg or 1.jpg)");
      for (const std::string& file : top.pictures) add(file, "");
      for (const auto& [name, is_link] : top.folders)
        leave(&ignored_files::folders, root_ / name, "a folder beside the pictures");
    }
    if (unsupported_ > 0)
      data_.warnings.push_back(text_of(unsupported_, " pictures of other formats (GIF, WebP, TIFF, HEIC, AVIF) are left out"));
    finish();
    return std::move(data_);
  }

  /// All pictures of the folder and those below it, whatever they are called.
  image_dataset run_unlabelled() {
    check_folder();
    std::vector<std::string> files;
    collect("", files);
    if (files.empty()) fail<file_error>(data_.root, ": holds no pictures (JPEG, PNG or BMP)");
    for (const std::string& file : files) add(file, "");
    return std::move(data_);
  }

 private:
  void check_folder() const {
    std::error_code failed;
    const std::filesystem::file_status status = std::filesystem::status(root_, failed);
    if (status.type() == std::filesystem::file_type::not_found) fail<file_error>(data_.root, ": no such folder");
    if (failed) fail<file_error>(data_.root, ": cannot be read: ", failed.message());
    if (!std::filesystem::is_directory(status)) fail<file_error>(data_.root, ": is not a folder");
  }

  struct listing {
    std::vector<std::string> pictures;                  ///< names of files that are called pictures
    std::vector<std::pair<std::string, bool>> folders;  ///< names, and whether each is a symbolic link
  };

  static std::string ending_of(std::string_view name) {
    const std::size_t dot = name.find_last_of('.');
    return lower(std::string(dot == std::string_view::npos ? "" : name.substr(dot + 1)));
  }
  static std::string lower(std::string text) {
    for (char& c : text)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
  }
  static bool one_of(std::string_view text, std::initializer_list<std::string_view> list) {
    return std::find(list.begin(), list.end(), text) != list.end();
  }

  /// "cat" of "cat.12.jpg"; empty for names with fewer than two dots.
  static std::string label_in(std::string_view name) {
    const std::size_t first = name.find('.');
    return first == std::string_view::npos || name.find('.', first + 1) == std::string_view::npos
               ? ""
               : std::string(name.substr(0, first));
  }

  /// Sorts a folder's entries into pictures and folders and counts the rest. Something called x.jpg counts as a picture
  /// whatever it is, so that a folder or a broken link of that name is reported when it is read, not passed over.
  listing list(const std::filesystem::path& folder) {
    std::error_code failed;
    std::filesystem::directory_iterator entry(folder, failed);
    listing out;
    for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
      const std::string name = entry->path().filename().string();
      const std::string ending = ending_of(name);
      std::error_code ignored;
      if (name.front() == '.')
        leave(&ignored_files::hidden, entry->path(), "hidden");
      else if (one_of(ending, {"jpg", "jpeg", "jpe", "jfif", "png", "bmp"}))
        out.pictures.push_back(name);
      else if (!entry->is_directory(ignored))
        other_file(entry->path(), ending);
      else if (name == "__MACOSX")
        leave(&ignored_files::folders, entry->path(), "made by a packing program");
      else
        out.folders.emplace_back(name, entry->is_symlink(ignored));
    }
    if (failed) fail<file_error>(folder.string(), ": cannot be listed: ", failed.message());
    std::sort(out.pictures.begin(), out.pictures.end(), natural_less);
    std::sort(out.folders.begin(), out.folders.end());
    return out;
  }

  void leave(index_t ignored_files::*kind, const std::filesystem::path& path, std::string reason) {
    data_.ignored.add(kind, path.string(), std::move(reason));
  }

  void other_file(const std::filesystem::path& path, const std::string& ending) {
    std::error_code failed;
    const bool link = std::filesystem::is_symlink(path, failed) && !std::filesystem::exists(path, failed);
    leave(&ignored_files::other, path, link ? "a link that leads nowhere" : "not called a JPEG, PNG or BMP picture");
    if (one_of(ending, {"gif", "webp", "tif", "tiff", "heic", "avif"})) ++unsupported_;
  }

  void flat(const listing& top, const std::vector<std::string>& labelled) {
    for (const std::string& file : labelled) add(file, label_in(file));
    for (const auto& [name, is_link] : top.folders) leave(&ignored_files::folders, root_ / name, "a folder beside the pictures");
    for (const std::string& file : top.pictures)
      if (label_in(file).empty()) leave(&ignored_files::unlabelled, root_ / file, "no label in its name");
    const std::size_t left_out = top.pictures.size() - labelled.size();
    if (left_out > 0) data_.warnings.push_back(text_of(left_out, " pictures have no label in their name and are left out"));
    if (!top.folders.empty())
      data_.warnings.push_back(text_of("the folder ", top.folders.front().first, " beside labelled pictures is left out"));
  }

  /// CLASS/*.jpg. Returns whether any sub-folder holds pictures.
  bool class_folders(const listing& top) {
    std::vector<std::string> empty, upwards;
    std::string named;
    bool only_parts = true;
    for (const auto& [name, is_link] : top.folders) {
      if (is_link && leads_upwards(root_ / name)) {
        upwards.push_back(name);
        continue;
      }
      std::vector<std::string> files;
      collect(name, files);
      if (files.empty()) {
        empty.push_back(name);
        continue;
      }
      only_parts =
          only_parts && one_of(lower(name), {"train", "training", "val", "valid", "validation", "test", "test1", "testing"});
      named += (named.empty() ? "" : ", ") + name;
      for (const std::string& file : files) add(file, name);
    }
    if (data_.samples.empty()) return false;
    for (const std::string& name : upwards) leave(&ignored_files::folders, root_ / name, "a link back to a folder above");
    for (const std::string& name : empty) leave(&ignored_files::folders, root_ / name, "holds no pictures");
    if (only_parts) fail<file_error>(data_.root, ": ", named, ": parts of a data set, not classes; name one of these folders");
    for (const std::string& name : empty) data_.warnings.push_back(text_of("the class folder ", name, " holds no pictures"));
    for (const std::string& file : top.pictures) leave(&ignored_files::unlabelled, root_ / file, "beside the class folders");
    if (!top.pictures.empty())
      data_.warnings.push_back(
          text_of(static_cast<index_t>(top.pictures.size()), " pictures beside the class folders are left out"));
    return true;
  }

  /// Pictures in a folder and the folders below it; links to folders are not followed, so that no circle is walked.
  void collect(const std::string& folder, std::vector<std::string>& files) {
    const listing found = list(root_ / folder);
    for (const std::string& name : found.pictures) files.push_back(folder.empty() ? name : folder + "/" + name);
    for (const auto& [name, is_link] : found.folders)
      if (is_link)
        leave(&ignored_files::folders, root_ / folder / name, "a link to a folder inside a class");
      else
        collect(folder.empty() ? name : folder + "/" + name, files);
  }

  /// Whether a link leads to the data set's own folder or one above it.
  bool leads_upwards(const std::filesystem::path& link) const {
    std::error_code failed;
    const std::filesystem::path target = std::filesystem::canonical(link, failed);
    if (failed) return true;
    const std::filesystem::path root = std::filesystem::canonical(root_, failed);
    return !failed && std::mismatch(target.begin(), target.end(), root.begin(), root.end()).first == target.end();
  }

  void add(const std::string& name, const std::string& label) {
    data_.samples.push_back({(root_ / name).string(), -1, sample_id(name)});
    labels_.push_back(label);
  }

  /// Numbers the classes in byte order. Samples are in natural order already: class by class, or one sorted folder.
  void finish() {
    std::set<std::string> names(labels_.begin(), labels_.end());
    names.erase("");
    data_.classes.assign(names.begin(), names.end());
    for (std::size_t i = 0; i < labels_.size(); ++i)
      if (!labels_[i].empty())
        data_.samples[i].label =
            static_cast<int>(std::lower_bound(data_.classes.begin(), data_.classes.end(), labels_[i]) - data_.classes.begin());
  }

  std::filesystem::path root_;
  image_dataset data_;
  std::vector<std::string> labels_;
  index_t unsupported_ = 0;
};

}  // namespace detail

/// The pictures in folder `root`. Three layouts, told apart by looking:
/// - cat.12.jpg, dog.7.jpg in one folder: the label is the file's name up to the first dot, never the path;
/// - CLASS/*.jpg, with folders below a class belonging to it;
/// - 1.jpg, 2.jpg: no labels (label -1, no classes).
/// Hidden files and folders and files of other kinds are counted and left alone. Files are not opened. Throws file_error,
/// with the folder's name, if it cannot be read or holds no pictures.
inline image_dataset read_image_folder(const std::string& root) { return detail::folder_reader(root).run(); }

/// All pictures in folder `root` and the folders below it, whatever they and the folders are called, without labels: for labels
/// from a table (label_table.hpp). In natural order, a folder's own before those below it. Throws file_error as above.
inline image_dataset read_pictures(const std::string& root) { return detail::folder_reader(root).run_unlabelled(); }

}  // namespace minicnn::inline MINICNN_ABI
