#pragma once
/// Zip archives of stored (not compressed) entries: what .npz and PyTorch's .pth files are. PKWARE's APPNOTE 6.3, with its zip64
/// extension where a size or offset needs more than 32 bits.

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/files/crc32.hpp"
#include "minicnn/files/file.hpp"
#include "minicnn/io/dtype.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Appends the lower `bytes` bytes of a number, least significant first.
inline void append_little_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>((value >> (8 * i)) & 0xFFU);
}

inline constexpr std::uint64_t zip_local_header = 0x04034B50, zip_central_header = 0x02014B50, zip_end = 0x06054B50,
                               zip64_end = 0x06064B50, zip64_locator = 0x07064B50;

}  // namespace detail

/// Writes an archive entry by entry; the file appears under its name with `commit`. The same entries give the same bytes: all
/// carry the earliest date that the format has.
class zip_writer {
 public:
  /// Numbers from `saturated` on are written in 64 bits; lower values are for tests.
  explicit zip_writer(std::string path, std::uint64_t saturated = 0xFFFFFFFF) : file_(std::move(path)), saturated_(saturated) {}

  /// Appends an entry whose contents are `parts` one after the other, beginning at a multiple of 64 bytes (PyTorch maps them into
  /// memory). Throws option_error for a name that occurred before or has more than 65535 bytes, file_error if writing fails.
  void add(std::string_view name, std::initializer_list<std::string_view> parts) {
    if (name.size() > 0xFFFF) fail<option_error>(file_.path(), ": zip: a name of ", name.size(), " bytes");
    if (!names_.emplace(name).second) fail<option_error>(file_.path(), ": zip: entry \"", name, "\" added twice");
    entry e{std::string(name), place_, 0, 0};
    for (const std::string_view part : parts) e.crc = crc32(part, e.crc), e.size += part.size();
    // Extra fields: the sizes in 64 bits if needed, and one that pads (its tag is PyTorch's).
    std::string extra;
    if (e.size >= saturated_) {
      detail::append_little_endian(extra, 0x0001, 2);
      detail::append_little_endian(extra, 16, 2);
      detail::append_little_endian(extra, e.size, 8);
      detail::append_little_endian(extra, e.size, 8);
    }
    const std::uint64_t start = place_ + 30 + name.size() + extra.size() + 4;
    const std::uint64_t padding = (64 - start % 64) % 64;
    detail::append_little_endian(extra, 0x4246, 2);
    detail::append_little_endian(extra, padding, 2);
    extra.append(static_cast<std::size_t>(padding), 'Z');
    std::string header;
    detail::append_little_endian(header, detail::zip_local_header, 4);
    append_common(header, e, extra.size());
    write(header + e.name + extra);
    for (const std::string_view part : parts) write(part);
    entries_.push_back(std::move(e));
  }

  /// Writes the directory and makes the file visible. Nothing may be added afterwards.
  void commit() {
    const std::uint64_t start = place_;
    for (const entry& e : entries_) {
      std::string extra;
      if (e.size >= saturated_) {
        detail::append_little_endian(extra, e.size, 8);
        detail::append_little_endian(extra, e.size, 8);
      }
      if (e.offset >= saturated_) detail::append_little_endian(extra, e.offset, 8);
      if (!extra.empty()) {
        std::string tag;
        detail::append_little_endian(tag, 0x0001, 2);
        detail::append_little_endian(tag, extra.size(), 2);
        extra = tag + extra;
      }
      std::string header;
      detail::append_little_endian(header, detail::zip_central_header, 4);
      detail::append_little_endian(header, needed(e), 2);  // made by this version of the format, on MS-DOS
      append_common(header, e, extra.size());
      header.append(10, '\0');  // no comment, first disk, no attributes
      detail::append_little_endian(header, clipped(e.offset), 4);
      write(header + e.name + extra);
    }
    write_end(start);
    file_.commit();
  }

 private:
  struct entry {
    std::string name;
    std::uint64_t offset, size;
    std::uint32_t crc;
  };

  std::uint64_t clipped(std::uint64_t value) const { return value >= saturated_ ? 0xFFFFFFFF : value; }
  std::uint64_t needed(const entry& e) const { return e.size >= saturated_ || e.offset >= saturated_ ? 45 : 20; }

  /// The fields that both headers have, from "version needed" to the length of the extra field.
  void append_common(std::string& out, const entry& e, std::size_t extra) const {
    detail::append_little_endian(out, needed(e), 2);
    detail::append_little_endian(out, 0x0800, 2);      // flags: the name is UTF-8
    detail::append_little_endian(out, 0, 2);           // stored
    detail::append_little_endian(out, 0x00210000, 4);  // 1 January 1980, midnight
    detail::append_little_endian(out, e.crc, 4);
    detail::append_little_endian(out, clipped(e.size), 4);
    detail::append_little_endian(out, clipped(e.size), 4);
    detail::append_little_endian(out, e.name.size(), 2);
    detail::append_little_endian(out, extra, 2);
  }

  void write_end(std::uint64_t start) {
    const std::uint64_t count = entries_.size(), size = place_ - start, end64 = place_;
    std::string out;
    if (start >= saturated_ || size >= saturated_ || count >= (std::min)(saturated_, std::uint64_t{0xFFFF})) {
      detail::append_little_endian(out, detail::zip64_end, 4);
      detail::append_little_endian(out, 44, 8);
      detail::append_little_endian(out, 45, 2);
      detail::append_little_endian(out, 45, 2);
      detail::append_little_endian(out, 0, 8);
      for (const std::uint64_t value : {count, count, size, start}) detail::append_little_endian(out, value, 8);
      detail::append_little_endian(out, detail::zip64_locator, 4);
      detail::append_little_endian(out, 0, 4);
      detail::append_little_endian(out, end64, 8);
      detail::append_little_endian(out, 1, 4);
    }
    detail::append_little_endian(out, detail::zip_end, 4);
    detail::append_little_endian(out, 0, 4);
    for (int i = 0; i < 2; ++i) detail::append_little_endian(out, (std::min)(clipped(count), std::uint64_t{0xFFFF}), 2);
    detail::append_little_endian(out, clipped(size), 4);
    detail::append_little_endian(out, clipped(start), 4);
    detail::append_little_endian(out, 0, 2);
    write(out);
  }

  void write(std::string_view bytes) {
    file_.write(bytes);
    place_ += bytes.size();
  }

  atomic_file file_;
  std::uint64_t saturated_;
  std::uint64_t place_ = 0;
  std::set<std::string, std::less<>> names_;
  std::vector<entry> entries_;
};

}  // namespace minicnn::inline MINICNN_ABI
