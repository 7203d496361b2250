#pragma once
/// Data sets that are folders of pictures. Nothing is ever written into them.

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "minicnn/data/folder_layout.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Reads one data set. A class so that the counts and warnings need not be handed from function to function.
class folder_reader {
 public:
  explicit folder_reader(const std::string& root, ignored_files ignored = {}) : root_(system_path(root)) {
    data_.root = root;
    data_.ignored = std::move(ignored);
  }

  image_dataset run() {
    check_folder();
    tree_reader reader(root_, data_.ignored);
    const folder_tree top = reader.read();
    return run(top, reader.unread());
  }

  /// The data set in a tree that has been read, of a folder or of an archive's names; `unread` pictures are of other formats.
  image_dataset run(const folder_tree& top, index_t unread) {
    if (top.total() == 0)
      fail<file_error>(data_.root, ": holds no pictures (JPEG, PNG or BMP, as cat.1.jpg, cat/1.jpg or 1.jpg)");
    switch (layout_judge(top, data_.root).decide()) {
      case folder_layout::classes:
        class_folders(top);
        break;
      case folder_layout::labelled:
        labelled(top);
        break;
      case folder_layout::unlabelled:
        unlabelled(top);
        break;
    }
    if (unread > 0)
      data_.warnings.push_back(text_of(unread, " pictures of other formats (GIF, WebP, TIFF, HEIC, AVIF) are left out"));
    finish();
    return std::move(data_);
  }

  /// All pictures of the folder and those below it, whatever they are called.
  image_dataset run_unlabelled() {
    check_folder();
    return run_unlabelled(tree_reader(root_, data_.ignored).read());
  }

  /// The same of a tree that has been read.
  image_dataset run_unlabelled(const folder_tree& top) {
    if (top.total() == 0) fail<file_error>(data_.root, ": holds no pictures (JPEG, PNG or BMP)");
    data_.layout = "pictures in it and below";
    add_all(top, "");
    return std::move(data_);
  }

 private:
  void check_folder() const {
    std::error_code failed;
    const std::filesystem::file_status status = std::filesystem::status(root_, failed);
    if (status.type() == std::filesystem::file_type::not_found)
      fail<file_error>(data_.root, ": ", why_missing(data_.root, "no such folder"));
    if (failed) fail<file_error>(data_.root, ": cannot be read: ", failed.message());
    if (!std::filesystem::is_directory(status)) fail<file_error>(data_.root, ": is not a folder");
  }

  void leave(index_t ignored_files::*kind, const std::string& name, std::string reason) {
    data_.ignored.add(kind, path_text(root_ / system_path(name)), std::move(reason));
  }

  /// Pictures that do not fit the layout.
  void leave_pictures(const std::vector<std::string>& names, const char* reason, const char* warning) {
    for (const std::string& name : names) leave(&ignored_files::unlabelled, name, reason);
    data_.ignored.pictures += static_cast<index_t>(names.size());
    if (!names.empty()) data_.warnings.push_back(text_of(names.size(), warning, " (", few_names(names), ")"));
  }

  void leave_folders(const folder_tree& top, const char* warning) {
    data_.ignored.pictures += top.below;
    std::vector<std::string> names;
    for (const folder_tree& f : top.folders) {
      if (f.left_out) continue;
      leave(&ignored_files::folders, f.name, "a folder beside the pictures");
      if (f.total() > 0 || top.below == 0) names.push_back(f.name);
    }
    if (top.below > 0)
      data_.warnings.push_back(text_of(top.below, top.below == 1 ? " picture in folders beside " : " pictures in folders beside ",
                                       warning, top.below == 1 ? " is left out (" : " are left out (", few_names(names), ")"));
    else if (!names.empty())
      data_.warnings.push_back(text_of("folders beside ", warning, " are left out (", few_names(names), ")"));
  }

  void labelled(const folder_tree& top) {
    data_.layout = "labels in the names of files, as cat.1.jpg";
    std::set<std::string> known;  // labels of cat.12.jpg: where most are called so, a few holiday.jpg.jpg make no class
    std::map<std::string, std::size_t> count;
    std::size_t numbered = 0;
    for (const std::string& file : top.pictures) ++count[label_in(file)];
    for (const std::string& file : top.pictures)
      if (std::string label = numbered_label(file); !label.empty()) known.insert(std::move(label)), ++numbered;
    std::vector<std::string> others, strays;
    for (std::size_t i = 0; i < top.pictures.size(); ++i) {
      const std::string label = label_in(top.pictures[i]);
      const bool stray = 2 * numbered > top.pictures.size() && known.count(label) == 0 && 4 * count[label] <= numbered;
      if (label.empty() || stray)
        (label.empty() ? others : strays).push_back(top.pictures[i]);
      else
        add(top, i, label);
    }
    leave_folders(top, "labelled pictures");
    leave_pictures(others, "no label in its name", " pictures have no label in their name and are left out");
    leave_pictures(strays, "not called LABEL.NUMBER.jpg", " pictures are not called as the others and are left out");
  }

  void unlabelled(const folder_tree& top) {
    data_.layout = "pictures without labels";
    std::vector<std::string> others;
    for (std::size_t i = 0; i < top.pictures.size(); ++i) {
      if (!label_in(top.pictures[i]).empty()) others.push_back(top.pictures[i]);
      add(top, i, "");
    }
    leave_folders(top, "the pictures");
    if (!others.empty())
      data_.warnings.push_back(text_of(others.size(), " pictures have names as if with a label; most have none, so it is none (",
                                       few_names(others), ")"));
  }

  void class_folders(const folder_tree& top) {
    data_.layout = "a folder a class";
    std::vector<std::string> nested;
    for (const folder_tree& f : top.folders) {
      if (f.total() > 0) {
        add_all(f, f.name);
        const auto full = std::count_if(f.folders.begin(), f.folders.end(), [](const auto& inner) { return inner.total() > 0; });
        if (full >= 2) nested.push_back(f.name);
        continue;
      }
      if (f.left_out) continue;
      leave(&ignored_files::folders, f.name, "holds no pictures");
      data_.warnings.push_back(text_of("the class folder ", f.name, " holds no pictures"));
    }
    if (!nested.empty())
      data_.warnings.push_back(text_of("the folders in ", few_names(nested), " are no classes of their own: what is in them is ",
                                       nested.size() == 1 ? "of that class" : "of these classes"));
    leave_pictures(top.pictures, "beside the class folders", " pictures beside the class folders are left out");
  }

  void add_all(const folder_tree& f, const std::string& label) {
    if (!f.same_as.empty()) {
      leave(&ignored_files::folders, f.name, "the same folder as " + f.same_as);
      return data_.warnings.push_back(text_of(f.name, " is the same folder as ", f.same_as, " and is left out"));
    }
    for (std::size_t i = 0; i < f.pictures.size(); ++i) add(f, i, label);
    for (const folder_tree& inner : f.folders) add_all(inner, label);
  }

  void add(const folder_tree& f, std::size_t picture, const std::string& label) {
    const std::string name = f.name.empty() ? f.pictures[picture] : f.name + "/" + f.pictures[picture];
    data_.samples.push_back({path_text(root_ / system_path(name)), -1, sample_id(name)});
    if (!f.members.empty()) data_.samples.back().member = f.members[picture];
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
};

}  // namespace detail

/// The pictures in folder `root`. Three layouts, told apart by what most of the pictures say:
/// - cat.12.jpg, dog.7.jpg in one folder: the label is the file's name up to the first dot, never the path;
/// - CLASS/*.jpg, with folders below a class belonging to it;
/// - 1.jpg, 2.jpg: no labels (label -1, no classes).
/// Hidden files and folders, runs of `minicnn train` and files of other kinds are counted and left alone; pictures that do not
/// fit the layout are left out with a warning that names them. Files are not opened. Throws file_error, with the folder's name,
/// if it cannot be read, holds no pictures, holds about as many in one layout as in another, or if its folders are parts of a set
/// (train and test with the same classes, whatever they are called) instead of classes.
inline image_dataset read_image_folder(const std::string& root) { return detail::folder_reader(root).run(); }

/// All pictures in folder `root` and the folders below it, whatever they and the folders are called, without labels: for labels
/// from a table (label_table.hpp). In natural order, a folder's own before those below it. Throws file_error as above.
inline image_dataset read_pictures(const std::string& root) { return detail::folder_reader(root).run_unlabelled(); }

}  // namespace minicnn::inline MINICNN_ABI
