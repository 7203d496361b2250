#pragma once
/// Reads zip archives whose entries are stored (not compressed), zip64 included: PyTorch's .pth files.
///
/// The reader is strict. Refused are: sizes and offsets that reach outside the file, entries that overlap, names that occur
/// twice, encryption, archives on several disks. Nothing is allocated from a size that the file merely claims.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/files/crc32.hpp"
#include "minicnn/files/file.hpp"
#include "minicnn/formats/zip_writer.hpp"
#include "minicnn/io/dtype.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One entry of an archive.
struct zip_entry {
  std::string name;
  index_t header = 0;  ///< where its local header begins in the file
  index_t begin = 0;   ///< where its contents begin
  index_t size = 0;    ///< of the contents
  std::uint32_t crc = 0;
  int method = 0;  ///< 0: stored
};

/// An archive open for reading. Only the directory is kept in memory. Reading is thread-safe.
class zip_file {
 public:
  /// Throws file_error if the file cannot be read or is no valid archive.
  static zip_file open(const std::string& path) { return zip_file(path); }

  const std::string& path() const { return file_.path(); }
  const input_file& file() const { return file_; }

  /// All entries, sorted by name.
  const std::vector<zip_entry>& entries() const { return entries_; }

  /// The entry of that name, or null.
  const zip_entry* find(std::string_view name) const {
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), name,
                                        [](const zip_entry& e, std::string_view key) { return e.name < key; });
    return found == entries_.end() || found->name != name ? nullptr : &*found;
  }

  /// Throws file_error, saying what helps, if the entry is compressed.
  void check_stored(const zip_entry& e) const {
    if (e.method != 0)
      fail<file_error>(
          path(), ": entry \"", e.name, "\" is compressed (method ", e.method,
          "); only stored entries are read, as torch.save and numpy.savez write them: unpack the file and save it again");
  }

  /// Contents of a stored entry of at most `limit` bytes; the checksum must be right. Throws file_error.
  std::string read(const zip_entry& e, index_t limit) const {
    check_stored(e);
    if (e.size > limit) fail<file_error>(path(), ": entry \"", e.name, "\" has ", e.size, " bytes, more than ", limit);
    std::string bytes(static_cast<std::size_t>(e.size), '\0');
    file_.read_at(e.begin, bytes.data(), e.size);
    if (crc32(bytes) != e.crc) fail<file_error>(path(), ": entry \"", e.name, "\" is damaged: its checksum is wrong");
    return bytes;
  }

 private:
  explicit zip_file(const std::string& path) : file_(path) {
    const directory d = find_directory();
    std::string bytes(static_cast<std::size_t>(d.size), '\0');
    file_.read_at(d.begin, bytes.data(), d.size);
    std::size_t at = 0;
    for (std::uint64_t i = 0; i < d.count; ++i) entries_.push_back(read_entry(bytes, at, d.begin));
    if (at != bytes.size()) refuse("its directory has ", bytes.size() - at, " bytes more than its ", d.count, " entries");
    check_layout(d.begin);
  }

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail<file_error>(path(), ": not a zip archive that can be read: ", parts...);
  }

  static std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
    return value;
  }

  struct directory {
    index_t begin, size;
    std::uint64_t count;
  };

  /// The record at the end of the file says where the directory is; a comment of up to 65535 bytes may follow it.
  directory find_directory() const {
    const index_t size = file_.size(), tail = (std::min)(size, index_t{22 + 0xFFFF});
    std::string bytes(static_cast<std::size_t>(tail), '\0');
    file_.read_at(size - tail, bytes.data(), tail);
    for (std::size_t at = bytes.size() < 22 ? 0 : bytes.size() - 22 + 1; at-- > 0;) {
      if (number(bytes, at, 4) != detail::zip_end || at + 22 + number(bytes, at + 20, 2) != bytes.size()) continue;
      const index_t place = size - tail + static_cast<index_t>(at);
      if (number(bytes, at + 4, 2) != number(bytes, at + 6, 2)) refuse("it is spread over several disks");
      std::uint64_t count = number(bytes, at + 10, 2), length = number(bytes, at + 12, 4), begin = number(bytes, at + 16, 4);
      if (count == 0xFFFF || length == 0xFFFFFFFF || begin == 0xFFFFFFFF) {
        const std::string record = zip64_record(place);
        count = number(record, 32, 8), length = number(record, 40, 8), begin = number(record, 48, 8);
      }
      const auto limit = static_cast<std::uint64_t>(place);
      if (begin > limit || length > limit - begin)
        refuse("its directory is said to be ", length, " bytes at ", begin, " of ", size);
      if (length > max_directory) refuse("its directory has ", length, " bytes, more than ", max_directory);
      if (count > length / 46) refuse("its directory of ", length, " bytes is said to have ", count, " entries");
      return {static_cast<index_t>(begin), static_cast<index_t>(length), count};
    }
    refuse("cut off, or followed by something else: its ", size, " bytes do not end with the directory of such an archive");
  }

  /// The zip64 end record that the locator before `place` points to.
  std::string zip64_record(index_t place) const {
    std::string locator(20, '\0'), record(56, '\0');
    if (place < 20) refuse("no room for a zip64 locator");
    file_.read_at(place - 20, locator.data(), 20);
    if (number(locator, 0, 4) != detail::zip64_locator) refuse("no zip64 locator");
    const std::uint64_t at = number(locator, 8, 8);
    if (place < 76 || at > static_cast<std::uint64_t>(place - 76)) refuse("its zip64 record is said to be at ", at);
    file_.read_at(static_cast<index_t>(at), record.data(), 56);
    if (number(record, 0, 4) != detail::zip64_end) refuse("no zip64 record at ", at);
    return record;
  }

  zip_entry read_entry(std::string_view bytes, std::size_t& at, index_t directory_begin) const {
    if (bytes.size() - at < 46 || number(bytes, at, 4) != detail::zip_central_header)
      refuse("no entry at byte ", at, " of its directory");
    const std::size_t name = number(bytes, at + 28, 2), extra = number(bytes, at + 30, 2), comment = number(bytes, at + 32, 2);
    if (bytes.size() - at - 46 < name + extra + comment) refuse("an entry reaches past the end of its directory");
    zip_entry e;
    e.name = bytes.substr(at + 46, name);
    e.method = static_cast<int>(number(bytes, at + 10, 2));
    e.crc = static_cast<std::uint32_t>(number(bytes, at + 16, 4));
    if ((number(bytes, at + 8, 2) & 1U) != 0) refuse("entry \"", e.name, "\" is encrypted");
    std::uint64_t packed = number(bytes, at + 20, 4), size = number(bytes, at + 24, 4), header = number(bytes, at + 42, 4);
    read_zip64(e.name, bytes.substr(at + 46 + name, extra), {&size, &packed, &header});
    at += 46 + name + extra + comment;

    const auto limit = static_cast<std::uint64_t>(directory_begin);
    if (limit < 30 || header > limit - 30) refuse("entry \"", e.name, "\" is said to be at ", header);
    std::string local(30, '\0');
    file_.read_at(static_cast<index_t>(header), local.data(), 30);
    if (number(local, 0, 4) != detail::zip_local_header) refuse("entry \"", e.name, "\": no header at ", header);
    const std::uint64_t begin = header + 30 + number(local, 26, 2) + number(local, 28, 2);
    if (begin > limit || packed > limit - begin)
      refuse("entry \"", e.name, "\" is said to be ", packed, " bytes at ", begin, " of ", limit);
    if (e.method == 0 && packed != size) refuse("entry \"", e.name, "\" is stored, but ", packed, " bytes for ", size);
    e.header = static_cast<index_t>(header);
    e.begin = static_cast<index_t>(begin);
    e.size = static_cast<index_t>(packed);
    return e;
  }

  /// Numbers that do not fit 32 bits (all ones there) stand in the extra field of tag 1, in this order.
  void read_zip64(const std::string& name, std::string_view extra, std::initializer_list<std::uint64_t*> fields) const {
    const auto wide = [](const std::uint64_t* f) { return *f == 0xFFFFFFFF; };
    if (std::none_of(fields.begin(), fields.end(), wide)) return;
    while (extra.size() >= 4) {
      const std::uint64_t tag = number(extra, 0, 2);
      const std::size_t length = number(extra, 2, 2);
      if (extra.size() - 4 < length) refuse("entry \"", name, "\": an extra field is cut off");
      std::string_view field = extra.substr(4, length);
      extra.remove_prefix(4 + length);
      if (tag != 1) continue;
      for (std::uint64_t* f : fields) {
        if (!wide(f)) continue;
        if (field.size() < 8) refuse("entry \"", name, "\": its zip64 field is cut off");
        *f = number(field, 0, 8);
        field.remove_prefix(8);
      }
      return;
    }
    refuse("entry \"", name, "\" has no zip64 field");
  }

  void check_layout(index_t directory_begin) {
    std::sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) { return a.header < b.header; });
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const index_t next = i + 1 < entries_.size() ? entries_[i + 1].header : directory_begin;
      if (entries_[i].begin + entries_[i].size > next) refuse("entry \"", entries_[i].name, "\" reaches into the next one");
    }
    std::sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (std::size_t i = 1; i < entries_.size(); ++i)
      if (entries_[i].name == entries_[i - 1].name) refuse("two entries are called \"", entries_[i].name, "\"");
  }

  static constexpr std::uint64_t max_directory = std::uint64_t{256} << 20;

  input_file file_;
  std::vector<zip_entry> entries_;
};

}  // namespace minicnn::inline MINICNN_ABI
