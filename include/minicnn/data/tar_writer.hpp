#pragma once
/// Tar files written so that equal members give equal bytes: no times, no owners, names and sizes alone.

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "minicnn/data/tar_reader.hpp"
#include "minicnn/files/file.hpp"

namespace minicnn::inline MINICNN_ABI {

/// ustar, and pax where a name is longer than that takes. Like atomic_file it appears under its name when it is complete.
class tar_writer {
 public:
  explicit tar_writer(const std::string& path) : file_(path) {}

  /// Adds a file of mode 644. Throws option_error for an empty name and one with a zero byte, file_error as atomic_file does.
  void add(const std::string& name, std::string_view bytes) {
    if (name.empty() || name.find('\0') != name.npos) fail<option_error>(file_.path(), ": a member called \"", name, "\"");
    const auto size = static_cast<index_t>(bytes.size());
    std::size_t split = 0;  // of the name into prefix and name
    if (name.size() > 100) split = name.find('/', name.size() - 101);
    const bool fits = name.size() <= 100 || (split != name.npos && split > 0 && split <= 155 && split + 1 < name.size());
    if (!fits) {
      const std::string record = pax_record("path", name);
      header("", "././@PaxHeader", static_cast<index_t>(record.size()), 'x');
      body(record);
      header("", std::string_view(name).substr(0, 100), size, '0');
    } else {
      header(split == 0 ? "" : std::string_view(name).substr(0, split), std::string_view(name).substr(split == 0 ? 0 : split + 1),
             size, '0');
    }
    body(bytes);
  }

  /// Bytes that a member takes at most.
  static index_t bytes_of(std::string_view name, index_t size) {
    const index_t long_name = name.size() > 100 ? 2 * detail::tar_block + padded(static_cast<index_t>(name.size()) + 16) : 0;
    return detail::tar_block + padded(size) + long_name;
  }
  /// Bytes of a whole file whose members take `written`.
  static index_t closed_size(index_t written) {
    constexpr index_t record = 10240;
    return (written + 2 * detail::tar_block + record - 1) / record * record;
  }
  /// Bytes written so far.
  index_t size() const { return written_; }

  /// Ends the file, to whole records of 10240 bytes as tar does, and makes it visible.
  void commit() {
    write(std::string(static_cast<std::size_t>(closed_size(written_) - written_), '\0'));
    file_.commit();
  }

 private:
  static index_t padded(index_t size) { return (size + detail::tar_block - 1) / detail::tar_block * detail::tar_block; }

  /// "LENGTH KEYWORD=VALUE\n", where the length counts its own digits.
  static std::string pax_record(std::string_view key, std::string_view value) {
    const std::size_t rest = key.size() + value.size() + 3;
    std::size_t length = rest + text_of(rest).size();
    length = rest + text_of(length).size();
    return text_of(length, " ", key, "=", value, "\n");
  }

  void header(std::string_view prefix, std::string_view name, index_t size, char type) {
    if (size >= index_t{1} << 33)
      fail<file_error>(file_.path(), ": ", name, ": ", size, " bytes are more than a tar member holds");
    char h[detail::tar_block] = {};
    std::memcpy(h, name.data(), name.size());
    std::memcpy(h + 100, "0000644\0000000000\0000000000", 23);
    std::snprintf(h + 124, 12, "%011llo", static_cast<unsigned long long>(size));
    std::memcpy(h + 136, "00000000000", 11);
    std::memset(h + 148, ' ', 8);
    h[156] = type;
    std::memcpy(h + 257, "ustar\00000", 8);
    std::memcpy(h + 345, prefix.data(), prefix.size());
    unsigned sum = 0;
    for (const char c : h) sum += static_cast<unsigned char>(c);
    std::snprintf(h + 148, 7, "%06o", sum);
    write({h, sizeof h});
  }

  void body(std::string_view bytes) {
    write(bytes);
    const auto size = static_cast<index_t>(bytes.size());
    write(std::string(static_cast<std::size_t>(padded(size) - size), '\0'));
  }

  void write(std::string_view bytes) {
    file_.write(bytes);
    written_ += static_cast<index_t>(bytes.size());
  }

  atomic_file file_;
  index_t written_ = 0;
};

}  // namespace minicnn::inline MINICNN_ABI
