#pragma once
/// Pictures that lie within larger files, as members of tar files do: which bytes of which.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/files/file.hpp"

namespace minicnn::inline MINICNN_ABI {

/// 16 bytes a member. Any number of threads read at once, by pread.
class picture_archive {
 public:
  /// Adds a file and returns its number. Throws file_error if it cannot be opened.
  std::size_t add_file(const std::string& path) {
    input_file file(path);
    paths_.push_back(path);
    if (open_.size() < most_open) open_.push_back(std::move(file));
    return paths_.size() - 1;
  }

  /// Adds `size` bytes from `offset` of file number `file`, and returns the number of this member.
  index_t add(std::size_t file, index_t offset, index_t size) {
    constexpr index_t most = 0xFFFFFFFF;  // refused when it is read
    members_.push_back({offset, static_cast<std::uint32_t>(size < most ? size : most), static_cast<std::uint32_t>(file)});
    return static_cast<index_t>(members_.size()) - 1;
  }

  /// Puts the members of `more` behind these. Returns what to add to their numbers.
  index_t append(const picture_archive& more) {
    const auto first = static_cast<index_t>(members_.size());
    const auto files = static_cast<std::uint32_t>(paths_.size());
    for (const std::string& path : more.paths_) (void)add_file(path);
    for (const member& m : more.members_) members_.push_back({m.offset, m.size, m.file + files});
    return first;
  }

  void reserve(index_t members) { members_.reserve(static_cast<std::size_t>(members)); }
  index_t size() const { return static_cast<index_t>(members_.size()); }
  index_t size_of(index_t number) const { return at(number).size; }
  index_t offset_of(index_t number) const { return at(number).offset; }
  std::size_t file_of(index_t number) const { return at(number).file; }
  const std::vector<std::string>& paths() const { return paths_; }

  /// "train-000.tar at byte 1536".
  std::string place_of(index_t number) const { return text_of(paths_[at(number).file], " at byte ", at(number).offset); }

  /// All bytes of a member. Throws file_error if they cannot be read or are more than `limit`.
  void read(index_t number, std::vector<unsigned char>& bytes, index_t limit) const {
    const member& m = at(number);
    if (m.size > limit)
      fail<file_error>(paths_[m.file], ": ", index_t{m.size}, " bytes are more than the ", limit, " that are read");
    bytes.resize(m.size);
    if (m.file < open_.size())
      open_[m.file].read_at(m.offset, bytes.data(), m.size);
    else
      input_file(paths_[m.file]).read_at(m.offset, bytes.data(), m.size);
  }

 private:
  static constexpr std::size_t most_open = 512;  ///< files that stay open; systems allow some 1,000

  struct member {
    index_t offset;
    std::uint32_t size, file;
  };
  const member& at(index_t number) const { return members_[static_cast<std::size_t>(number)]; }

  std::vector<std::string> paths_;
  std::vector<input_file> open_;  ///< the first of them
  std::vector<member> members_;
};

}  // namespace minicnn::inline MINICNN_ABI
