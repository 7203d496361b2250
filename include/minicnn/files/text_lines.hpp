#pragma once
/// Text files, line by line, as editors and spreadsheets of all systems write them.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/core/utf8.hpp"
#include "minicnn/files/sequential_file.hpp"

namespace minicnn::inline MINICNN_ABI {

/// `text` without blanks and tabs (or what else `blank` holds) at its ends.
inline std::string_view trimmed(std::string_view text, std::string_view blank = " \t") {
  text.remove_prefix((std::min)(text.find_first_not_of(blank), text.size()));
  return text.substr(0, text.find_last_not_of(blank) + 1);
}

struct text_line {
  index_t number = 0;  ///< from 1
  std::string text;    ///< without its end
};

/// What must hold of a text's bytes: UTF-8, or nothing (lists of paths, which may have any name).
enum class text_encoding { utf8, any };

namespace detail {

inline std::string_view without_marks(std::string_view text) {
  while (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return text;
}

}  // namespace detail

/// `text` without the byte order marks that it may begin with (two where one was added to a text that had one). Throws
/// file_error, with `source` before the text, for UTF-16 and UTF-32, which begin with other marks or have zero bytes between
/// plain letters.
inline std::string_view without_mark(std::string_view text, std::string_view source) {
  const auto refuse = [&](const char* encoding) {
    fail<file_error>(source, ": is ", encoding, " text, wanted UTF-8; save it again in that encoding");
  };
  if (const std::string_view rest = detail::without_marks(text); rest.size() < text.size()) return rest;
  if (text.starts_with(std::string_view("\xFF\xFE\0\0", 4)) || text.starts_with(std::string_view("\0\0\xFE\xFF", 4)))
    refuse("UTF-32");
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) refuse("UTF-16");
  if (text.size() >= 4 && (text[0] == '\0') != (text[1] == '\0') && (text[0] == '\0') == (text[2] == '\0') &&
      (text[1] == '\0') == (text[3] == '\0'))
    refuse("UTF-16");
  return text;
}

/// The whole of a text file, unpacked if need be, without the byte order mark that editors of Windows put before it.
inline std::string read_utf8(const std::string& path) { return std::string(without_mark(read_text(path), path)); }

/// The lines of `text`, which end in LF or CR LF, the last one perhaps in nothing. Throws file_error with `source` and the line
/// for a zero byte, a CR without LF, and with text_encoding::utf8 for what is not UTF-8.
inline std::vector<text_line> split_lines(std::string_view text, std::string_view source,
                                          text_encoding encoding = text_encoding::utf8) {
  text = without_mark(text, source);
  std::vector<text_line> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (encoding == text_encoding::utf8) line = detail::without_marks(line);  // where two files were joined
    const auto number = static_cast<index_t>(lines.size()) + 1;
    const auto refuse = [&](const char* what) { fail<file_error>(source, ": line ", number, ": ", what); };
    if (line.find('\0') != line.npos) refuse("a zero byte: is this a text file?");
    if (encoding == text_encoding::utf8 && line.find('\r') != line.npos) refuse("a carriage return without a line feed");
    if (encoding == text_encoding::utf8 && valid_utf8_prefix(line) != line.size())
      refuse("is not UTF-8; save the file in that encoding");
    lines.push_back({number, std::string(line)});
  }
  return lines;
}

/// The lines of a file of at most `limit` bytes, unpacked if it is gzip data.
inline std::vector<text_line> read_lines(const std::string& path, index_t limit = index_t{16} << 20) {
  return split_lines(read_text(path, limit), path);
}

}  // namespace minicnn::inline MINICNN_ABI
