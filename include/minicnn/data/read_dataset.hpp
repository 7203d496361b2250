#pragma once
/// Data sets of every layout, told apart by looking.

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "minicnn/data/cifar10.hpp"
#include "minicnn/data/idx.hpp"
#include "minicnn/data/image_folder.hpp"
#include "minicnn/data/label_table.hpp"
#include "minicnn/data/tar_dataset.hpp"
#include "minicnn/files/crc32.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Some data sets come with pictures that are not to be trained on.
enum class data_part {
  train,  ///< what there is to train on; where there is nothing but a test part, that
  test,   ///< t10k-* of MNIST and its kin, test_batch.bin of CIFAR-10, test/ of Kaggle's folders (without labels)
  all,    ///< both, as far as they have labels
};

struct read_options {
  data_part part = data_part::train;
  bool labels = true;  ///< false: all pictures in it and below, without labels (`read_pictures`), for labels from a table
  /// Called now and then while large files are read: file, pictures read, pictures in it (0: not known); for tar files: the next
  /// of them, how many were read, how many there are.
  std::function<void(const std::string& file, index_t done, index_t total)> progress = {};
};

namespace detail {

inline std::string file_name(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

/// "train" of "train-images-idx3-ubyte.gz", "train-images.idx3-ubyte" and the like; empty for other names.
inline std::string idx_prefix(std::string_view name) {
  if (name.ends_with(".gz")) name.remove_suffix(3);
  for (const std::string_view ending : {"-images-idx3-ubyte", "-images.idx3-ubyte"})
    if (name.ends_with(ending)) return std::string(name.substr(0, name.size() - ending.size()));
  return "";
}

/// The names of Fashion-MNIST's classes if these are its labels, to the last one: MNIST's files are called the same.
inline std::vector<std::string> known_classes(const image_dataset& data) {
  std::string labels;
  for (const sample& s : data.samples) labels += static_cast<char>(s.label);
  constexpr std::uint32_t fashion_train = 0x2ED6E46A, fashion_test = 0x242BC73F;
  const std::uint32_t sum = crc32(labels);
  if ((labels.size() == 60000 && sum == fashion_train) || (labels.size() == 10000 && sum == fashion_test))
    return {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};
  return {};
}

/// Puts the pictures of `more` behind those of `data`. Throws file_error if it has other classes.
inline void append(image_dataset& data, image_dataset more) {
  if (data.samples.empty()) {
    data = std::move(more);
    return;
  }
  if (data.classes != more.classes)
    fail<file_error>(more.root, ": its parts have the classes ", few_names(data.classes), " and ", few_names(more.classes));
  if (more.archive != nullptr) {
    auto both = std::make_shared<picture_archive>();
    if (data.archive != nullptr) both->append(*data.archive);
    const index_t first = both->append(*more.archive);
    for (sample& s : more.samples) s.member += s.member < 0 ? 0 : first;
    data.archive = std::move(both);
  }
  std::move(more.samples.begin(), more.samples.end(), std::back_inserter(data.samples));
  std::move(more.pictures.begin(), more.pictures.end(), std::back_inserter(data.pictures));
  data.warnings.insert(data.warnings.end(), more.warnings.begin(), more.warnings.end());
}

/// One data set, which may have two parts.
class dataset_reader {
 public:
  dataset_reader(const std::string& root, const read_options& o) : root_(root), o_(o) {
    while (root_.size() > 1 && root_.ends_with('/')) root_.pop_back();
  }

  bool in_memory() {
    std::error_code failed;
    if (is_tar_path(root_)) return true;
    if (std::filesystem::is_regular_file(system_path(root_), failed)) return is_picture_file(file_name(root_));
    list();
    const layout found = kind();
    return found != layout::pictures && found != layout::kaggle;
  }

  image_dataset run() {
    std::error_code failed;
    if (is_tar_path(root_)) {
      if (o_.part == data_part::test) no_test_part();
      return read_tar_dataset(root_, tars());
    }
    if (std::filesystem::is_regular_file(system_path(root_), failed) && o_.labels) return single_file();
    if (!list()) return o_.labels ? read_image_folder(root_) : read_pictures(root_);  // says why
    const layout found = kind();
    if (!o_.labels && found != layout::tars) return read_pictures(root_);
    image_dataset data;
    switch (found) {
      case layout::cifar_inside:
        return dataset_reader(root_ + "/cifar-10-batches-bin", o_).run();
      case layout::idx:
        data = idx();
        data.layout = "IDX files, as MNIST's";
        break;
      case layout::cifar:
        data = cifar10();
        data.layout = "CIFAR-10's binary files";
        break;
      case layout::kaggle:
        data = kaggle();
        if (o_.part != data_part::test) data.layout = "pictures in train/ with their labels in trainLabels.csv";
        break;
      case layout::tars:
        return tar_folder();
      case layout::pictures:
        if (o_.part == data_part::test) no_test_part();
        return read_image_folder(root_);
    }
    data.root = root_;
    return data;
  }

 private:
  bool list() {
    std::error_code failed;
    std::filesystem::directory_iterator entry(system_path(root_), failed);
    for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed))
      names_.push_back(path_text(entry->path().filename()));
    std::sort(names_.begin(), names_.end());
    return !failed;
  }

  bool has(const std::string& name) const { return std::binary_search(names_.begin(), names_.end(), name); }
  bool has_idx() const {
    return std::any_of(names_.begin(), names_.end(), [](const std::string& n) { return !idx_prefix(n).empty(); });
  }
  static bool is_train_batch(const std::string& n) { return n.starts_with("data_batch_") && n.ends_with(".bin"); }
  static bool is_picture_file(const std::string& n) {
    return !idx_prefix(n).empty() || is_train_batch(n) || n == "test_batch.bin";
  }
  bool has_cifar() const { return has("test_batch.bin") || std::any_of(names_.begin(), names_.end(), is_train_batch); }

  enum class layout { pictures, idx, cifar, cifar_inside, kaggle, tars };

  tar_options tars() const { return {o_.labels, o_.progress}; }

  static bool is_tar(const std::string& name) { return lower_case(name).ends_with(".tar") && !name.starts_with('.'); }
  bool has_tar() const { return std::any_of(names_.begin(), names_.end(), is_tar); }
  folder_tree loose_pictures() const {
    ignored_files ignored;
    return tree_reader(system_path(root_), ignored).read();
  }
  void leave(const folder_tree& loose, image_dataset& data) const {
    for (const std::string& name : loose.pictures)
      data.ignored.add(&ignored_files::other, root_ + "/" + loose.name + (loose.name.empty() ? "" : "/") + name,
                       "beside tar files, which hold more pictures");
    for (const folder_tree& inner : loose.folders) leave(inner, data);
  }
  /// Pictures in the tar files that can be read.
  index_t packed_pictures() const {
    ignored_files ignored;
    tar_index index(ignored);
    for (const std::string& name : names_) {
      if (!is_tar(name)) continue;
      try {
        index.add(root_ + "/" + name);
      } catch (const file_error&) {  // said when it is read as one
      }
    }
    return static_cast<index_t>(index.size());
  }

  /// Files that are called as a part for testing (test-000.tar, val.tar) are that part where there are others too.
  image_dataset tar_folder() const {
    std::vector<std::string> train, test;
    for (const std::string& name : names_)
      if (is_tar(name)) (layout_judge::called_for_testing(name) ? test : train).push_back(root_ + "/" + name);
    const auto [first, second] = chosen_parts(!train.empty(), !test.empty());
    image_dataset data;
    for (auto& [wanted, files] : {std::pair(first, &train), std::pair(second, &test)}) {
      if (!wanted || files->empty()) continue;
      std::sort(files->begin(), files->end(), natural_less);
      append(data, read_tar_dataset(root_, *files, tars()));
    }
    if (const folder_tree loose = loose_pictures(); loose.total() > 0) {
      leave(loose, data);
      data.warnings.push_back(text_of(loose.total(), loose.total() == 1 ? " picture" : " pictures",
                                      " beside the tar files, which hold more, left out"));
    }
    return data;
  }

  /// A file of many pictures that strays into a folder of pictures does not make another data set of it, nor do a few pictures
  /// beside such files.
  layout kind() const {
    std::error_code failed;
    if (!has_idx() && !has_cifar()) {
      if (has("cifar-10-batches-bin")) return layout::cifar_inside;
      if (has("trainLabels.csv") && std::filesystem::is_directory(system_path(root_ + "/train"), failed)) return layout::kaggle;
      if (!has_tar()) return layout::pictures;
      const index_t loose = loose_pictures().total();
      return loose == 0 || packed_pictures() > loose ? layout::tars : layout::pictures;
    }
    const auto files = std::count_if(names_.begin(), names_.end(),
                                     [](const std::string& n) { return is_picture_file(n) || n.find("-ubyte") != n.npos; });
    if (loose_pictures().total() > 4 * static_cast<index_t>(files)) return layout::pictures;
    return has_idx() ? layout::idx : layout::cifar;
  }

  [[noreturn]] void no_test_part() const {
    fail<file_error>(root_, ": has no test part (t10k-images-idx3-ubyte, test_batch.bin, or test/ beside trainLabels.csv)");
  }

  /// A file of pictures by itself; labels of an IDX file if they are beside it.
  image_dataset single_file() const {
    const std::size_t slash = root_.find_last_of('/');
    const std::string folder = slash == std::string::npos ? "." : root_.substr(0, slash);
    image_dataset data;
    if (const std::string name = file_name(root_); !idx_prefix(name).empty()) {
      data = idx_pair(folder, name);
    } else if (is_train_batch(name) || name == "test_batch.bin") {
      data.classes = cifar_classes(folder);
      read_cifar10_file(root_, data, o_.progress);
    } else {
      fail<file_error>(root_,
                       ": is not a folder, and not called as a file of pictures (...-images-idx3-ubyte, data_batch_1.bin)");
    }
    data.root = root_;
    data.layout = "a file of many pictures";
    return data;
  }

  /// Which of the two parts are read, given that they are there.
  std::pair<bool, bool> chosen_parts(bool train, bool test) const {
    if (o_.part == data_part::test && !test) no_test_part();
    return {train && o_.part != data_part::test, test && (o_.part != data_part::train || !train)};
  }

  image_dataset idx() const {
    std::string train, test;
    for (const std::string& name : names_) {
      const std::string prefix = idx_prefix(name);
      if (prefix.empty() || (name.ends_with(".gz") && has(name.substr(0, name.size() - 3)))) continue;
      std::string& place = prefix.ends_with("t10k") || prefix.ends_with("test") ? test : train;
      if (!place.empty())
        fail<file_error>(root_, ": ", place, " and ", name, " belong to several data sets; give a folder with the files of one");
      place = name;
    }
    const auto [first, second] = chosen_parts(!train.empty(), !test.empty());
    image_dataset data;
    for (const auto& [wanted, name] : {std::pair(first, train), std::pair(second, test)})
      if (wanted) append(data, idx_pair(root_, name));
    return data;
  }

  /// The pictures in folder/name with the labels beside them. MNIST and its kin have ten classes; classes.txt, a name a line,
  /// may say something else.
  image_dataset idx_pair(const std::string& folder, const std::string& name) const {
    std::error_code failed;
    const std::string prefix = idx_prefix(name);
    std::string labels;
    for (const char* ending : {"-labels-idx1-ubyte", "-labels.idx1-ubyte", "-labels-idx1-ubyte.gz", "-labels.idx1-ubyte.gz"})
      if (const std::string path = folder + "/" + prefix + ending;
          labels.empty() && std::filesystem::exists(system_path(path), failed))
        labels = path;
    if (labels.empty()) fail<file_error>(folder, "/", name, ": wanted its labels beside it, in ", prefix, "-labels-idx1-ubyte");
    std::vector<std::string> names;
    if (std::filesystem::exists(system_path(folder + "/classes.txt"), failed)) names = read_class_names(folder + "/classes.txt");
    idx_options options{static_cast<int>(names.size()), o_.progress};
    if (names.empty() && (prefix == "train" || prefix == "t10k")) options.classes = 10;
    image_dataset data = read_idx(folder + "/" + name, labels, options);
    if (names.empty()) names = known_classes(data);
    if (!names.empty()) data.classes = std::move(names);
    return data;
  }

  static std::vector<std::string> cifar_classes(const std::string& folder) {
    std::error_code failed;
    const std::string path = folder + "/batches.meta.txt";
    if (!std::filesystem::exists(system_path(path), failed)) return cifar10_classes();
    std::vector<std::string> names = read_class_names(path);
    if (names.size() != 10) fail<file_error>(path, ": wanted 10 names of classes, got ", names.size());
    return names;
  }

  image_dataset cifar10() const {
    image_dataset data;
    data.classes = cifar_classes(root_);
    std::vector<std::string> batches;
    std::copy_if(names_.begin(), names_.end(), std::back_inserter(batches), is_train_batch);
    const auto [train, test] = chosen_parts(!batches.empty(), has("test_batch.bin"));
    if (train) {
      if (batches.size() < 5)
        data.warnings.push_back(text_of("only ", batches.size(), " of the five files data_batch_1.bin to data_batch_5.bin"));
      for (const std::string& name : batches) read_cifar10_file(root_ + "/" + name, data, o_.progress);
    }
    if (test) read_cifar10_file(root_ + "/test_batch.bin", data, o_.progress);
    return data;
  }

  /// train/ID.png with their labels in trainLabels.csv (id,label), and test/ without.
  image_dataset kaggle() const {
    std::error_code failed;
    if (o_.part == data_part::test) {
      if (!std::filesystem::is_directory(system_path(root_ + "/test"), failed)) no_test_part();
      return read_image_folder(root_ + "/test");
    }
    image_dataset data = read_pictures(root_ + "/train");
    attach_classes(data, read_csv(root_ + "/trainLabels.csv"));
    return data;
  }

  std::string root_;
  read_options o_;
  std::vector<std::string> names_;
};

}  // namespace detail

/// The data set in folder `root`, whatever its layout:
/// - IDX files (MNIST, Fashion-MNIST and kin), packed or not: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-...;
///   classes are called by their numbers, by the lines of classes.txt, or as Fashion-MNIST's are;
/// - CIFAR-10's binary files, here or in cifar-10-batches-bin/;
/// - Kaggle's train/ID.png with trainLabels.csv;
/// - tar files (`read_tar_dataset`): one, many by a pattern ("train-{000..146}.tar"), or a folder of them without pictures
/// beside;
/// - folders of pictures as `read_image_folder` takes them.
/// A single file of the first two is a data set too. Pictures of the first two are read into memory, each once; of the others
/// only names are read. Nothing is written. Throws file_error naming the file, what was wanted and what was found.
inline image_dataset read_dataset(const std::string& root, const read_options& o = {}) {
  return detail::dataset_reader(root, o).run();
}

/// Whether `path` is a file of many pictures (IDX, CIFAR-10, tar), or a folder with such.
inline bool holds_picture_files(const std::string& path) { return detail::dataset_reader(path, {}).in_memory(); }

}  // namespace minicnn::inline MINICNN_ABI
