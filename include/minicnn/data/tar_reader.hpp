#pragma once
/// The members of tar files, from front to back: v7, ustar, GNU's form and pax. Names and sizes are read, contents are not.
///
///     tar_reader tar("train-000.tar");
///     while (const tar_member* m = tar.next()) use(m->name, m->offset, m->size);
///
/// Formats: POSIX.1-2017, pax; GNU tar's manual, "Basic Tar Format".

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/files/file.hpp"

namespace minicnn::inline MINICNN_ABI {

enum class tar_kind { file, folder, link, other };

struct tar_member {
  std::string name;  ///< parts with one '/' between: neither "./" nor '/' in front
  tar_kind kind = tar_kind::file;
  index_t header = 0;  ///< where its first header begins
  index_t offset = 0;  ///< where its bytes begin
  index_t size = 0;    ///< of its bytes; 0 for what is no file
};

namespace detail {

/// The program that unpacks data that begin so; null if they are not compressed.
inline const char* unpacking_command(std::string_view begin) {
  using std::operator""sv;
  if (begin.starts_with("\x1F\x8B"sv)) return "gzip -dk";
  if (begin.starts_with("\xFD\x37zXZ\0"sv)) return "xz -dk";
  if (begin.starts_with("\x28\xB5\x2F\xFD"sv)) return "zstd -dk";
  if (begin.starts_with("BZh"sv)) return "bzip2 -dk";
  if (begin.starts_with("\x04\x22\x4D\x18"sv)) return "lz4 -dk";
  return nullptr;
}

inline constexpr index_t tar_block = 512;

}  // namespace detail

/// Reads headers through a window of 16 KiB, whatever the file's size. Every error is a file_error with the file, the byte and,
/// as far as it is known, the member.
class tar_reader {
 public:
  /// Throws file_error if the file is missing, empty, or compressed (with the command that unpacks it).
  explicit tar_reader(const std::string& path) : file_(path) {
    if (file_.size() == 0) fail<file_error>(path, ": empty file (0 bytes), wanted a tar file");
    const auto known = (std::min)(file_.size(), index_t{8});
    const std::string_view begin(reinterpret_cast<const char*>(bytes(0, known)), static_cast<std::size_t>(known));
    if (const char* command = detail::unpacking_command(begin))
      fail<file_error>(path, ": is compressed; its pictures are read from any place, so unpack it first: ", command, " ", path);
  }

  const std::string& path() const { return file_.path(); }

  /// Whether the two blocks of zeros that end a tar file were met; a file without may have been cut between two members.
  bool closed() const { return closed_; }

  /// The next member; null at the end. Valid until the next call. Throws file_error for a damaged or cut header, a member that
  /// goes on behind the end of the file, sparse members, parts of several volumes, names with ".." or of more than 4096 bytes,
  /// and for anything but zeros behind the end.
  const tar_member* next() {
    if (closed_) return nullptr;
    extension more;
    member_.header = at_;
    for (bool extended = false;; extended = true) {
      if (at_ >= file_.size() && !extended) return nullptr;
      if (file_.size() - at_ < block) refuse("the file ends within a header");
      std::array<unsigned char, block> header;
      std::copy_n(bytes(at_, block), block, header.begin());
      if (is_zero(header.data())) {
        if (extended) refuse("an extended header without its member");
        check_end();
        return nullptr;
      }
      check_sum(header.data());
      const index_t size = number(header.data() + 124, 12, "size");
      const char type = static_cast<char>(header[156]);
      if (type != 'x' && type != 'X' && type != 'g' && type != 'L' && type != 'K') {
        finish(header.data(), type, more.size.value_or(size), more);
        return &member_;
      }
      extend(type, size, more);
    }
  }

  /// The bytes of the member that `next` returned last. Throws file_error if there are more than `limit`.
  std::string contents(index_t limit) {
    if (member_.size > limit) refuse_member(" has ", member_.size, " bytes, wanted at most ", limit);
    return text(member_.offset, member_.size);
  }

 private:
  static constexpr index_t block = detail::tar_block, longest_name = 4096, longest_extension = 1 << 20;

  /// What extended headers say about the member behind them.
  struct extension {
    std::optional<std::string> path, long_name;
    std::optional<index_t> size;
  };

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... what) const {
    fail<file_error>(file_.path(), ": at byte ", at_, member_.name.empty() ? "" : ", behind " + member_.name, ": ", what...);
  }
  template <class... Parts>
  [[noreturn]] void refuse_member(const Parts&... what) const {
    fail<file_error>(file_.path(), ": at byte ", member_.header, ": ", member_.name, what...);
  }

  /// Where members are small, many headers come with one reading; where they are large, a header comes alone.
  const unsigned char* bytes(index_t offset, index_t count) {
    if (offset < begin_ || offset + count > begin_ + held_) {
      const bool close = offset - (begin_ + held_) < static_cast<index_t>(window_.size());
      const index_t wanted = close ? static_cast<index_t>(window_.size()) : count;
      held_ = 0;
      file_.read_at(offset, window_.data(), (std::min)(wanted, file_.size() - offset));
      begin_ = offset;
      held_ = (std::min)(wanted, file_.size() - offset);
    }
    return window_.data() + (offset - begin_);
  }

  std::string text(index_t offset, index_t count) {
    std::string out(static_cast<std::size_t>(count), '\0');
    if (count <= static_cast<index_t>(window_.size()))
      std::copy_n(bytes(offset, count), count, out.begin());
    else
      file_.read_at(offset, out.data(), count);
    return out;
  }

  static bool is_zero(const unsigned char* p) {
    return std::all_of(p, p + block, [](unsigned char c) { return c == 0; });
  }

  /// Two blocks of zeros end the file, and padding may follow. Anything else behind them would be lost without a word.
  void check_end() {
    for (index_t offset = at_; offset < file_.size(); offset += block) {
      const index_t count = (std::min)(block, file_.size() - offset);
      const unsigned char* p = bytes(offset, count);
      if (std::all_of(p, p + count, [](unsigned char c) { return c == 0; })) continue;
      if (offset == at_ + block) refuse("a block of zeros where a header should be: the file is damaged");
      refuse("the tar ends here, but there is more from byte ", offset,
             " on: files that were joined by cat are joined by tar --concatenate, and copies may have holes");
    }
    closed_ = true;
  }

  void check_sum(const unsigned char* h) const {
    index_t plain = 0, with_signs = 0;  // early tars added signed characters
    for (index_t i = 0; i < block; ++i) {
      const int value = i >= 148 && i < 156 ? ' ' : h[i];
      plain += value;
      with_signs += value < 128 ? value : value - 256;
    }
    const index_t stored = number(h + 148, 8, "checksum");
    if (stored != plain && stored != with_signs)
      refuse("no header of a tar: its checksum is ", plain, ", it says ", stored, at_ == 0 ? "; is this a tar file?" : "");
  }

  /// Octal digits, or where those would not do, base 256 with the first bit set.
  index_t number(const unsigned char* field, int length, const char* what) const {
    index_t value = 0;
    if (field[0] >= 0x80) {
      if (field[0] == 0xFF) refuse("a ", what, " below 0");
      for (int i = 0; i < length; ++i) {
        if (value > (std::numeric_limits<index_t>::max)() >> 8) refuse("a ", what, " beyond 63 bits");
        value = value << 8 | (i == 0 ? field[0] & 0x7F : field[i]);
      }
      return value;
    }
    int i = 0;
    while (i < length && (field[i] == ' ' || field[i] == 0)) ++i;
    for (; i < length && field[i] >= '0' && field[i] <= '7'; ++i) value = value * 8 + (field[i] - '0');
    for (; i < length; ++i)
      if (field[i] != ' ' && field[i] != 0)
        refuse("a ", what, " that is no octal number", at_ == 0 ? "; is this a tar file?" : "");
    return value;
  }

  void extend(char type, index_t size, extension& more) {
    if (size > longest_extension) refuse("an extended header of ", size, " bytes, wanted at most ", longest_extension);
    if (size > file_.size() - at_ - block) refuse("the file ends within an extended header");
    std::string body = type == 'K' ? std::string() : text(at_ + block, size);
    if (type == 'L')
      more.long_name = body.substr(0, body.find('\0'));
    else if (type != 'K')
      read_records(body, type == 'g', more);
    at_ += block + padded(size);
  }

  /// Records "LENGTH KEYWORD=VALUE\n", where the length counts them whole.
  void read_records(std::string_view body, bool global, extension& more) const {
    while (!body.empty()) {
      std::size_t length = 0;
      const auto [end, problem] = std::from_chars(body.data(), body.data() + body.size(), length);
      const auto digits = static_cast<std::size_t>(end - body.data());
      if (problem != std::errc() || length < digits + 3 || length > body.size() || *end != ' ' || body[length - 1] != '\n')
        refuse("a damaged extended header");
      const std::string_view record = body.substr(digits + 1, length - digits - 2);
      const std::size_t equals = record.find('=');
      if (equals == record.npos) refuse("a damaged extended header");
      const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
      body.remove_prefix(length);
      if (key.starts_with("GNU.sparse.")) refuse_sparse();
      if (global && (key == "path" || key == "size")) refuse("a global extended header with a ", key);
      if (key == "path") more.path = value.empty() ? std::nullopt : std::optional<std::string>(value);
      if (key != "size" || value.empty()) continue;
      index_t size = -1;
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), size);
      if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size() || size < 0)
        refuse("a size that is no number in an extended header");
      more.size = size;
    }
  }

  [[noreturn]] void refuse_sparse() const { refuse("a sparse member; tar without --sparse packs it whole"); }

  static index_t padded(index_t size) { return (size + block - 1) / block * block; }

  static std::string field(const unsigned char* begin, std::size_t length) {
    const auto* const text = reinterpret_cast<const char*>(begin);
    return {text, std::find(text, text + length, '\0')};
  }

  void finish(const unsigned char* h, char type, index_t size, const extension& more) {
    if (type == 'S') refuse_sparse();
    if (type == 'M') refuse("a part of a member that began in another volume");
    std::string name = field(h, 100);
    if (field(h + 257, 6) == "ustar" && h[262] == 0 && h[345] != 0) name = field(h + 345, 155) + "/" + name;
    if (more.long_name) name = *more.long_name;
    if (more.path) name = *more.path;
    const bool file = type == '0' || type == 0 || type == '7', ends_so = name.ends_with('/');
    member_.kind = type == '5' || (file && ends_so) ? tar_kind::folder
                   : file                           ? tar_kind::file
                   : type == '1' || type == '2'     ? tar_kind::link
                                                    : tar_kind::other;
    member_.name = plain(name);
    if (member_.name.empty() && member_.kind == tar_kind::file) refuse_member("a member without a name");
    member_.size = type >= '1' && type <= '6' ? 0 : size;  // links and devices may say one, and have none
    member_.offset = at_ + block;
    if (member_.size > file_.size() - member_.offset)
      refuse_member(": truncated: wanted ", member_.size, " bytes from byte ", member_.offset, ", the file ends at ",
                    file_.size());
    at_ = (std::min)(member_.offset + padded(member_.size), file_.size());
    if (member_.kind != tar_kind::file) member_.size = 0;
  }

  /// Absolute names lose their '/', as tar itself takes it away.
  std::string plain(std::string_view name) {
    if (static_cast<index_t>(name.size()) > longest_name)
      refuse("a name of ", name.size(), " bytes, wanted at most ", longest_name);
    if (name.find('\0') != name.npos) refuse("a name with a zero byte");
    std::string out;
    while (!name.empty()) {
      const std::string_view part = name.substr(0, name.find('/'));
      name.remove_prefix((std::min)(part.size() + 1, name.size()));
      if (part == "..") refuse("a name with \"..\"");
      if (part.empty() || part == ".") continue;
      if (!out.empty()) out += '/';
      out += part;
    }
    return out;
  }

  input_file file_;
  std::vector<unsigned char> window_ = std::vector<unsigned char>(std::size_t{16} << 10);
  index_t begin_ = 0, held_ = 0;  ///< which bytes of the file are in the window
  index_t at_ = 0;                ///< of the next header
  bool closed_ = false;
  tar_member member_;
};

}  // namespace minicnn::inline MINICNN_ABI
