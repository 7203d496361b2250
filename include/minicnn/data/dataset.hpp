#pragma once
/// A labelled set of pictures: which files, which classes, in which order.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/data/image_u8.hpp"
#include "minicnn/data/picture_archive.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One picture.
struct sample {
  std::string path;      ///< as it can be opened; of a picture in an archive its name behind the data set's root
  int label = -1;        ///< index into the classes; -1: not known
  std::uint64_t id = 0;  ///< of the name within the data set, so that it is the same wherever the set lies: `sample_id`
  index_t target = -1;   ///< row of `image_dataset::targets`; -1: none
  index_t member = -1;   ///< of `image_dataset::archive`; -1: a file of its own
};

/// The id of a picture with this name within its data set ("cat/12.jpg"): FNV-1a, 64 bits.
inline std::uint64_t sample_id(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return hash;
}

/// What was found beside the pictures and left alone.
struct ignored_files {
  index_t hidden = 0;      ///< names that start with a dot: .DS_Store, ._cat.1.jpg, .ipynb_checkpoints
  index_t other = 0;       ///< files whose ending is none of a picture's: Thumbs.db, notes.txt
  index_t folders = 0;     ///< folders that hold no class, and links back to a folder above
  index_t unlabelled = 0;  ///< pictures without a label among pictures that have one
  index_t pictures = 0;    ///< how many pictures all of these are or hold, hidden ones not counted

  /// The first of them by name, at most `most_names`, with why each was left alone.
  struct entry {
    std::string path;
    std::string reason;
  };
  static constexpr std::size_t most_names = 1000;
  std::vector<entry> names = {};

  /// How much there is; `back_to` forgets what was added since.
  struct mark {
    index_t hidden, other, folders, unlabelled, pictures;
    std::size_t names;
  };
  mark here() const { return {hidden, other, folders, unlabelled, pictures, names.size()}; }
  void back_to(const mark& m) {
    hidden = m.hidden, other = m.other, folders = m.folders, unlabelled = m.unlabelled, pictures = m.pictures;
    names.resize(m.names);
  }

  index_t total() const { return hidden + other + folders + unlabelled; }
  /// Counts one, and keeps its name.
  void add(index_t ignored_files::*kind, std::string path, std::string reason) {
    this->*kind += 1;
    if (names.size() < most_names) names.push_back({std::move(path), std::move(reason)});
  }
};

/// A data set. Where it comes from files of many pictures (CIFAR-10, MNIST) the pictures themselves are here, one a sample;
/// otherwise `pictures` is empty, or a picture's height is 0, and they are read from the samples' paths when needed.
struct image_dataset {
  std::string root;
  /// By label: in byte order ("Zebra", "cat", "dog") where labels are names, in the order of their numbers where those are
  /// stored.
  std::vector<std::string> classes;
  std::vector<sample> samples;  ///< in natural order of their names: cat.2 before cat.10
  std::vector<image_u8> pictures;
  std::shared_ptr<const picture_archive> archive;  ///< the files in which pictures lie as members (tar); null: there are none
  /// What is to be predicted besides a class, or for want of one: labels of which a picture has any number (1 or 0), or real
  /// numbers. `targets` has rows of as many as there are names, and samples say which row is theirs.
  std::vector<std::string> target_names;
  std::vector<double> targets;
  int channels = 3;  ///< of every picture as it is handed out; where this is 1, files in colour are turned grey
  ignored_files ignored;
  std::string layout;  ///< how the set lies there, in words: "a folder a class"
  std::vector<std::string> warnings;

  index_t size() const { return static_cast<index_t>(samples.size()); }

  /// The targets of sample `i`; empty where it has none.
  std::span<const double> targets_of(index_t i) const {
    const index_t row = samples[static_cast<std::size_t>(i)].target;
    if (row < 0) return {};
    return std::span<const double>(targets).subspan(static_cast<std::size_t>(row) * target_names.size(), target_names.size());
  }

  /// Pictures of each class.
  std::vector<index_t> class_counts() const {
    std::vector<index_t> counts(classes.size());
    for (const sample& s : samples)
      if (s.label >= 0) ++counts[static_cast<std::size_t>(s.label)];
    return counts;
  }
};

/// The samples of a data set by their places in it.
using sample_indices = std::vector<index_t>;

/// 0, 1, 2, ... for all of them.
inline sample_indices all_samples(const image_dataset& data) {
  sample_indices all(data.samples.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<index_t>(i);
  return all;
}

}  // namespace minicnn::inline MINICNN_ABI
