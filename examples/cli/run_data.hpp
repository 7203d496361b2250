#pragma once
// The pictures of a run: what a resumed run must find again, and what it may do without.

#include <cstdint>
#include <minicnn/data/loader.hpp>
#include <minicnn/data/split.hpp>
#include <minicnn/io/json.hpp>
#include <minicnn/train/team.hpp>
#include <string>
#include <vector>

namespace cli {

/// Puts pictures that the run in folder `run` had, and that are gone, back into the list: the parts of the split are then those
/// of before. Does nothing where there is no such run.
void restore_gone(minicnn::image_dataset& data, const std::string& run);

/// The data of a run as last.safetensors records it.
class run_data {
 public:
  run_data() = default;
  /// On the first rank, asks for the size of every picture's file; the others look at some, and all go over pictures that lie in
  /// memory. `run`: a run to be resumed, whose word counts for pictures that are gone or can no longer be read; or empty. Throws
  /// team_failure with rank and file where a rank sees other pictures than the first.
  run_data(const minicnn::image_dataset& data, const minicnn::data_split& split, const std::string& run, minicnn::team& ranks);

  /// Throws option_error that says in words what differs from the pictures and classes that the run in folder `run` was made
  /// with, and which pictures, as far as it tells.
  void want_same(const std::string& run) const;

  /// A picture that is not there, or cannot be read.
  void leave_out(const minicnn::bad_file& bad);
  /// Looks for files that have gone since.
  bool note_gone();

  /// Counts, classes, and hashes of names, sizes and labels, without the data's place: a resumed run must see the same. And what
  /// is left out, which it need not.
  minicnn::json text() const;

  /// A line a picture, for the run's pictures.txt: what is known of it even when it is gone. Empty for pictures in memory.
  std::string list() const;

 private:
  void find_sizes(const std::string& run);
  void want_sizes_here(minicnn::team& ranks) const;

  const minicnn::image_dataset* data_ = nullptr;
  minicnn::json counts_;
  std::vector<std::uint64_t> sizes_;
  std::vector<char> recorded_;  ///< whether a size is the run's word
  std::vector<std::size_t> left_out_;
};

/// Throws minicnn::error unless at least two classes have pictures to train on; else what is odd about their numbers, in words.
/// Nothing for several labels and numbers.
std::vector<std::string> class_warnings(const minicnn::image_dataset& data, const minicnn::data_split& split);

/// `part` without what a loader could not read.
minicnn::sample_indices without_bad(minicnn::sample_indices part, const std::vector<minicnn::bad_file>& bad);

}  // namespace cli
