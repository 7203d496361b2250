#pragma once
/// Files read from front to back, unpacked on the way if they are gzip data (RFC 1952).

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/files/crc32.hpp"
#include "minicnn/files/file.hpp"
#include "minicnn/files/inflate.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Whether it is gzip data is told by its first two bytes, not by its name. Every error is a file_error that begins with the
/// path.
class sequential_file {
 public:
  explicit sequential_file(const std::string& path) : file_(std::make_unique<input_file>(path)) {
    unsigned char first[2] = {};
    if (file_->size() < 2) return;
    file_->read_at(0, first, 2);
    if (first[0] != 0x1F || first[1] != 0x8B) return;
    unpack_ = std::make_unique<inflater<input_file>>(*file_, path);
    begin_member();
  }

  const std::string& path() const { return file_->path(); }
  bool packed() const { return unpack_ != nullptr; }

  /// Bytes handed out so far.
  index_t position() const { return position_; }

  /// The most bytes that there can be in all: the file's size, or what as many packed bytes may stand for at most (a match of
  /// 258 bytes takes two bits). Files that claim more are refused before memory is set aside.
  index_t most_bytes() const { return packed() ? file_->size() * 1032 : file_->size(); }

  /// Up to `count` bytes; 0 at the end. The end of packed data is reached only if their checksum is right.
  index_t read_some(void* out, index_t count) {
    if (count == 0) return 0;
    index_t got = 0;
    if (!packed()) {
      got = file_->read_some(out, count);
    } else {
      while (!ended_ && (got = unpack_->read_some(out, count)) == 0) end_member();
      crc_ = crc32({static_cast<const char*>(out), static_cast<std::size_t>(got)}, crc_);
      member_bytes_ += static_cast<std::uint32_t>(got);
    }
    position_ += got;
    return got;
  }

  /// Exactly `count` bytes.
  void read(void* out, index_t count) {
    auto* place = static_cast<char*>(out);
    for (index_t left = count; left > 0;) {
      const index_t got = read_some(place, left);
      if (got == 0) fail<file_error>(path(), ": ends after ", position_, " bytes", kind(), ", wanted ", left, " more");
      place += got;
      left -= got;
    }
  }

  /// Throws if there are more bytes than were read.
  void expect_end() {
    char more = 0;
    if (read_some(&more, 1) == 0) return;
    fail<file_error>(path(), ": has more than the ", position_ - 1, " bytes", kind(), " that its head announces");
  }

 private:
  const char* kind() const { return packed() ? " of unpacked data" : ""; }

  unsigned byte() { return unpack_->bits(8); }

  void begin_member() {
    if (byte() != 0x1F || byte() != 0x8B) fail<file_error>(path(), ": has bytes after the end of its gzip data");
    if (const unsigned method = byte(); method != 8) fail<file_error>(path(), ": gzip method ", method, ", wanted 8 (deflate)");
    const unsigned flags = byte();
    if ((flags & 0xE0U) != 0) fail<file_error>(path(), ": gzip flags ", flags, " are reserved");
    for (int i = 0; i < 6; ++i) (void)byte();  // time, level, system
    if ((flags & 4U) != 0)
      for (std::uint32_t left = unpack_->bits(16); left > 0; --left) (void)byte();
    for (const unsigned text : {8U, 16U})  // name and comment
      if ((flags & text) != 0)
        while (byte() != 0) continue;
    if ((flags & 2U) != 0) (void)unpack_->bits(16);
    crc_ = member_bytes_ = 0;
    unpack_->restart();
  }

  /// Compares checksum and length, and goes on with the next member if there is one.
  void end_member() {
    unpack_->align();
    const std::uint32_t crc = unpack_->bits(32), length = unpack_->bits(32);
    if (crc != crc_ || length != member_bytes_)
      fail<file_error>(path(), ": the packed data are damaged: their checksum is wrong");
    if (unpack_->at_end())
      ended_ = true;
    else
      begin_member();
  }

  std::unique_ptr<input_file> file_;
  std::unique_ptr<inflater<input_file>> unpack_;  ///< null: not packed
  bool ended_ = false;
  index_t position_ = 0;
  std::uint32_t crc_ = 0, member_bytes_ = 0;
};

/// The whole of a text file, unpacked if need be. Throws file_error if that is more than `limit` bytes.
inline std::string read_text(const std::string& path, index_t limit = index_t{256} << 20) {
  sequential_file file(path);
  std::string text;
  char part[4096];
  while (const index_t got = file.read_some(part, sizeof part)) {
    text.append(part, static_cast<std::size_t>(got));
    if (static_cast<index_t>(text.size()) > limit) fail<file_error>(path, ": has more than ", limit, " bytes of text");
  }
  return text;
}

}  // namespace minicnn::inline MINICNN_ABI
