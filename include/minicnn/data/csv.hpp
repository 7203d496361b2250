#pragma once
/// Tables as text: comma-separated values (RFC 4180), read strictly.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/core/number.hpp"
#include "minicnn/files/text_lines.hpp"

namespace minicnn::inline MINICNN_ABI {

struct csv_row {
  index_t line = 0;  ///< on which it begins, from 1
  std::vector<std::string> fields;
};

struct csv_table {
  std::string path;
  std::vector<std::string> header;
  std::vector<csv_row> rows;

  /// Throws file_error naming the columns that there are.
  std::size_t column(std::string_view name) const {
    std::string known;
    for (std::size_t c = 0; c < header.size(); ++c) {
      if (header[c] == name) return c;
      known += (c == 0 ? "" : ",") + header[c];
    }
    fail<file_error>(path, ": wanted a column \"", name, "\", got \"", known, "\"");
  }

  /// A field that becomes the name of a class or label, trimmed. Throws file_error where it is empty or not UTF-8.
  std::string name(const csv_row& row, std::size_t column) const {
    const std::string text(trimmed(row.fields[column]));
    if (text.empty()) fail<file_error>(path, ": line ", row.line, ": the ", header[column], " is empty");
    if (valid_utf8_prefix(text) != text.size())
      fail<file_error>(path, ": line ", row.line, ": the ", header[column], " \"", text,
                       "\" is not UTF-8; save the file in that encoding");
    return text;
  }

  /// A field as a whole number of 0 or more; what the locale says about numbers does not matter. Throws file_error.
  std::uint64_t number(const csv_row& row, std::size_t column) const {
    const std::string& text = row.fields[column];
    const auto value = parse_whole_number<std::uint64_t>(text);
    if (!value) fail<file_error>(path, ": line ", row.line, ": ", header[column], ": wanted a whole number, got \"", text, "\"");
    return *value;
  }
};

namespace detail {

class csv_parser {
 public:
  csv_parser(std::string_view text, std::string path) : text_(text), table_{std::move(path), {}, {}} {}

  csv_table run() {
    text_ = without_mark(text_, table_.path);
    refuse_separator(text_.substr(0, text_.find('\n')));
    csv_row row;
    while (next(row)) {
      if (table_.header.empty()) {
        for (const std::string& name : row.fields) table_.header.emplace_back(trimmed(name));
      } else if (row.fields.size() != table_.header.size()) {
        fail<file_error>(table_.path, ": line ", row.line, ": ", row.fields.size(), " fields, wanted ", table_.header.size(),
                         " as in the first line");
      } else {
        table_.rows.push_back(std::move(row));
      }
    }
    if (table_.header.empty()) fail<file_error>(table_.path, ": is empty");
    return std::move(table_);
  }

 private:
  /// Spreadsheets write semicolons where numbers have a decimal comma, and tabs on request. No table here has one column.
  void refuse_separator(std::string_view head) const {
    const char found = head.find(',') != head.npos ? '\0' : head.find(';') != head.npos ? ';' : '\t';
    if (head.find(found) != head.npos && found != '\0')
      fail<file_error>(table_.path, ": line 1: its columns are separated by ", found == ';' ? "semicolons" : "tabs",
                       ", wanted commas; save it as CSV with commas");
  }

  bool done() const { return at_ == text_.size(); }
  char here() const { return done() ? '\0' : text_[at_]; }
  [[noreturn]] void refuse(const char* what) const { fail<file_error>(table_.path, ": line ", line_, ": ", what); }

  /// Takes a line end (LF or CR LF) if there is one here.
  bool line_end() {
    if (here() == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') ++at_;
    if (here() != '\n') return false;
    ++at_, ++line_;
    return true;
  }

  /// The next record; lines without anything, or of blanks, are passed over.
  bool next(csv_row& row) {
    do blanks();
    while (!done() && line_end());
    if (done()) return false;
    row = {line_, {}};
    do {
      blanks();
      row.fields.push_back(here() == '"' ? quoted() : plain());
    } while (here() == ',' && !done() && ++at_ > 0);
    if (!done() && !line_end()) refuse("text after a closing quote");
    return true;
  }

  void blanks() {
    while (here() == ' ' || here() == '\t') ++at_;
  }

  std::string plain() {
    const std::size_t begin = at_;
    while (!done() && here() != ',' && here() != '\n' && here() != '\r') {
      if (here() == '"') refuse("a quote within a field that does not begin with one");
      if (here() == '\0') refuse("a zero byte: is this a text file?");
      ++at_;
    }
    if (here() == '\r' && (at_ + 1 == text_.size() || text_[at_ + 1] != '\n')) refuse("a carriage return without a line feed");
    return std::string(trimmed(text_.substr(begin, at_ - begin)));
  }

  std::string quoted() {
    const index_t opened = line_;
    std::string out;
    for (++at_;; ++at_) {
      if (done()) fail<file_error>(table_.path, ": line ", opened, ": a quote that is never closed");
      if (here() == '\n') ++line_;
      if (here() != '"') {
        out += here();
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
        out += text_[++at_];
      } else {
        ++at_;
        blanks();
        return out;
      }
    }
  }

  std::string_view text_;
  csv_table table_;
  std::size_t at_ = 0;
  index_t line_ = 1;
};

}  // namespace detail

/// The table in `text`; its first record is the header, and all have as many fields. Lines may end in LF or CR LF, the last one
/// in nothing; a byte order mark is passed over, and so are blanks around fields; fields in quotes may begin and end with some,
/// and hold commas, quotes ("") and line ends. Whatever else looks odd is refused with `path` and line: file_error.
inline csv_table parse_csv(std::string_view text, std::string path) { return detail::csv_parser(text, std::move(path)).run(); }

/// The table in the file `path`.
inline csv_table read_csv(const std::string& path) { return parse_csv(read_text(path), path); }

/// A text as a field: in quotes where it holds commas, quotes or line ends, or begins or ends with a blank.
inline std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == text.npos && trimmed(text) == text) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

/// The same for files that people open in a spreadsheet, which would run a cell that begins with =, +, -, @, a tab or a line end
/// as a formula: such a text gets an apostrophe before it (OWASP, "CSV injection"), in quotes. So does one that begins with
/// apostrophes and then one of these, so that taking one apostrophe away gives back every text. Numbers stay as they are.
inline std::string spreadsheet_field(const std::string& text) {
  const std::size_t begin = text.find_first_not_of('\'');
  constexpr std::string_view formula("=+-@\t\r\n");
  const auto wide = [&](std::string_view sign) {
    return begin != text.npos && std::string_view(text).substr(begin).starts_with(sign);
  };
  const bool runs = begin != text.npos && (formula.find(text[begin]) != formula.npos || wide("\uFF1D") || wide("\uFF0B") ||
                                           wide("\uFF0D") || wide("\uFF20"));
  if (!runs || parse_number(text)) return csv_field(text);
  const std::string field = csv_field("'" + text);
  return field[0] == '"' ? field : "\"" + field + "\"";
}

}  // namespace minicnn::inline MINICNN_ABI
