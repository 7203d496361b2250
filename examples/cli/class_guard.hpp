#pragma once
// A loader that leaves out what has gone, until that is all of a class: what is left would teach and measure something else.

#include <filesystem>
#include <minicnn/data/folder_layout.hpp>
#include <minicnn/data/loader.hpp>
#include <set>
#include <string>
#include <vector>

#include "paths.hpp"

namespace cli {

class class_guard {
 public:
  using index_t = minicnn::index_t;

  /// `pictures` loads `part` of `data`, "train" or "validate" on. A class that has one picture in it has run out when those of
  /// `other`, the other part, have gone as well. A run that is resumed must still have the classes that it had: throws
  /// file_error.
  class_guard(const minicnn::image_dataset& data, minicnn::loader<float>& pictures, const minicnn::sample_indices& part,
              const minicnn::sample_indices& other, const char* purpose, bool resumed)
      : data_(data), pictures_(pictures), purpose_(purpose), members_(data.classes.size()), gone_(data.classes.size()) {
    for (const index_t i : part) members_[label_of(i)].push_back(i);
    std::vector<bool> single;
    for (const minicnn::sample_indices& m : members_) single.push_back(m.size() == 1);
    for (const index_t i : other)
      if (single[label_of(i)]) members_[label_of(i)].push_back(i);
    for (; seen_ < pictures.bad_files().size(); ++seen_) bad_.insert(pictures.bad_files()[seen_].index);
    for (std::size_t label = 0; resumed && label < members_.size(); ++label)
      if (!members_[label].empty()) look_at(label);
  }

  void start_epoch(index_t epoch, index_t first_batch) { pictures_.start_epoch(epoch, first_batch); }
  /// Throws file_error where a class has run out.
  const minicnn::batch<float>* next() {
    const minicnn::batch<float>* b = pictures_.next();
    for (; seen_ < pictures_.bad_files().size(); ++seen_) note_bad(pictures_.bad_files()[seen_].index);
    return b;
  }
  index_t size() const { return pictures_.size(); }
  index_t batches() const { return pictures_.batches(); }
  void set_size(index_t pixels) { pictures_.set_size(pixels); }
  void deal(const minicnn::deal_of_rank& mine) { pictures_.deal(mine); }

 private:
  std::size_t label_of(index_t i) const { return static_cast<std::size_t>(data_.samples[static_cast<std::size_t>(i)].label); }
  const std::string& path_of(index_t i) const { return data_.samples[static_cast<std::size_t>(i)].path; }

  bool has_gone(index_t i) const {
    std::error_code failed;
    return data_.samples[static_cast<std::size_t>(i)].member < 0 && !std::filesystem::exists(system_path(path_of(i)), failed);
  }

  void note_bad(index_t picture) {
    bad_.insert(picture);
    look_at(label_of(picture));
  }

  /// Files are asked for at once, not when their turn comes: till then a network would learn from the other classes alone.
  void look_at(std::size_t label) {
    const minicnn::sample_indices& all = members_[label];
    std::size_t& gone = gone_[label];  // so many of its first: they are not asked for again
    while (gone < all.size() && (bad_.count(all[gone]) > 0 || has_gone(all[gone]))) ++gone;
    if (gone < all.size()) return;
    std::vector<std::string> files;
    for (const index_t i : all) files.push_back(path_of(i));
    minicnn::fail<minicnn::file_error>(data_.root, ": no picture to ", purpose_, " on of class ", data_.classes[label],
                                       " can be read any more (", minicnn::detail::few_names(files),
                                       "); put them back before going on");
  }

  const minicnn::image_dataset& data_;
  minicnn::loader<float>& pictures_;
  const char* purpose_;
  std::vector<minicnn::sample_indices> members_;  ///< by class
  std::vector<std::size_t> gone_;
  std::set<index_t> bad_;
  std::size_t seen_ = 0;
};

}  // namespace cli
