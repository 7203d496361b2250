#pragma once
/// A strict parser of JSON (RFC 8259).
///
/// It takes exactly the grammar: no comments, no trailing commas, no byte order mark, no NaN. Text must be valid UTF-8, a
/// key may occur once in an object, a number must fit a double. Errors give the byte offset. The locale plays no part.

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "minicnn/core/sort_indices.hpp"
#include "minicnn/core/std_gaps.hpp"
#include "minicnn/core/utf8.hpp"
#include "minicnn/io/json_value.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

class json_parser {
 public:
  json_parser(std::string_view text, std::string_view source, int max_depth)
      : text_(text), source_(source), max_depth_(max_depth) {}

  MINICNN_COLD json document() {
    json value = parse_value(0);
    skip_space();
    if (at_ != text_.size()) refuse("text after the end of the value");
    return value;
  }

 private:
  [[noreturn]] void refuse(std::string_view reason) const { refuse_at(at_, reason); }
  [[noreturn]] void refuse_at(std::size_t offset, std::string_view reason) const {
    fail<file_error>(source_, ": byte ", static_cast<index_t>(offset), ": ", reason);
  }

  /// The byte at the current place; -1 at the end.
  int peek() const { return at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : -1; }
  bool take(char wanted) {
    if (peek() != static_cast<unsigned char>(wanted)) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
  }

  MINICNN_COLD json parse_value(int depth) {
    skip_space();
    switch (peek()) {
      case '{':
        return parse_object(depth + 1);
      case '[':
        return parse_array(depth + 1);
      case '"':
        return parse_string();
      case 't':
        return parse_word("true", true);
      case 'f':
        return parse_word("false", false);
      case 'n':
        return parse_word("null", nullptr);
      case -1:
        refuse("unexpected end");
      default:
        return parse_number();
    }
  }

  json parse_word(std::string_view word, json value) {
    if (text_.substr(at_, word.size()) != word) refuse("expected a value");
    at_ += word.size();
    return value;
  }

  void enter(int depth) {
    if (depth > max_depth_) refuse(text_of("nested deeper than ", max_depth_));
    ++at_;
    skip_space();
  }

  MINICNN_COLD json parse_array(int depth) {
    enter(depth);
    json::array items;
    if (take(']')) return items;
    do {
      items.push_back(parse_value(depth));
      skip_space();
    } while (take(','));
    if (!take(']')) refuse(peek() < 0 ? "unexpected end" : "expected ',' or ']'");
    return items;
  }

  MINICNN_COLD json parse_object(int depth) {
    enter(depth);
    json::object members;
    std::vector<std::size_t> offsets;
    if (take('}')) return members;
    do {
      skip_space();
      if (peek() != '"') refuse(peek() < 0 ? "unexpected end" : "expected a key");
      offsets.push_back(at_);
      std::string key = parse_string();
      skip_space();
      if (!take(':')) refuse(peek() < 0 ? "unexpected end" : "expected ':'");
      members.emplace_back(std::move(key), parse_value(depth));
      skip_space();
    } while (take(','));
    if (!take('}')) refuse(peek() < 0 ? "unexpected end" : "expected ',' or '}'");
    refuse_duplicates(members, offsets);
    return members;
  }

  /// By sorting, so that an object of a million keys does not take a million squared comparisons.
  MINICNN_COLD void refuse_duplicates(const json::object& members, const std::vector<std::size_t>& offsets) const {
    const std::vector<std::size_t> order =
        sorted_indices(members.size(), [&](std::size_t a, std::size_t b) { return members[a].first < members[b].first; });
    for (std::size_t i = 1; i < order.size(); ++i)
      if (members[order[i - 1]].first == members[order[i]].first)
        refuse_at(offsets[order[i]], text_of("key \"", members[order[i]].first, "\" occurs twice"));
  }

  void take_digits() {
    if (peek() < '0' || peek() > '9') refuse(peek() < 0 ? "unexpected end" : "expected a digit");
    while (peek() >= '0' && peek() <= '9') ++at_;
  }

  json parse_number() {
    const std::size_t start = at_;
    if (peek() != '-' && (peek() < '0' || peek() > '9')) refuse("expected a value");
    take('-');
    if (take('0')) {
      if (peek() >= '0' && peek() <= '9') refuse("a number starts with 0");
    } else {
      take_digits();
    }
    bool whole = true;
    if (take('.')) {
      whole = false;
      take_digits();
    }
    if (peek() == 'e' || peek() == 'E') {
      whole = false;
      ++at_;
      if (!take('+')) take('-');
      take_digits();
    }
    const char* first = text_.data() + start;
    const char* last = text_.data() + at_;
    std::int64_t integer = 0;
    if (whole && std::from_chars(first, last, integer).ec == std::errc{}) return integer;
    std::uint64_t large = 0;
    if (whole && std::from_chars(first, last, large).ec == std::errc{}) return large;
    double real = 0;
    if (detail::float_from_chars(first, last, real).ec != std::errc{}) refuse_at(start, "number outside the range of a double");
    return real;
  }

  unsigned take_hex4() {
    unsigned value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const int c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) refuse(c < 0 ? "unexpected end" : "expected four hexadecimal digits");
      value = value * 16 + static_cast<unsigned>(digit);
    }
    return value;
  }

  void take_escape(std::string& out) {
    const std::size_t start = at_ - 1;
    const int c = peek();
    if (c < 0) refuse("unexpected end");
    ++at_;
    switch (c) {
      case '"':
        out += '"';
        return;
      case '\\':
        out += '\\';
        return;
      case '/':
        out += '/';
        return;
      case 'b':
        out += '\b';
        return;
      case 'f':
        out += '\f';
        return;
      case 'n':
        out += '\n';
        return;
      case 'r':
        out += '\r';
        return;
      case 't':
        out += '\t';
        return;
      case 'u':
        break;
      default:
        refuse_at(start, "unknown escape");
    }
    std::uint32_t code = take_hex4();
    if (code >= 0xD800 && code < 0xDC00 && take('\\') && take('u')) {
      const std::uint32_t low = take_hex4();
      if (low < 0xDC00 || low > 0xDFFF) refuse_at(start, "half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code >= 0xD800 && code <= 0xDFFF) refuse_at(start, "half of a surrogate pair");
    append_utf8(out, code);
  }

  std::string parse_string() {
    const std::size_t start = at_++;
    std::string out;
    for (;;) {
      const std::size_t from = at_;
      while (peek() >= 0x20 && peek() != '"' && peek() != '\\') ++at_;
      const std::string_view plain = text_.substr(from, at_ - from);
      const std::size_t valid = valid_utf8_prefix(plain);
      if (valid != plain.size()) refuse_at(from + valid, "not UTF-8");
      out += plain;
      if (take('"')) return out;
      if (take('\\'))
        take_escape(out);
      else if (peek() < 0)
        refuse_at(start, "string without an end");
      else
        refuse("control character in a string");
    }
  }

  std::string_view text_;
  std::string_view source_;
  std::size_t at_ = 0;
  int max_depth_;
};

}  // namespace detail

/// Parses one JSON text. `source` (a path) starts the text of errors; arrays and objects may nest `max_depth` deep.
/// Throws file_error "<source>: byte <offset>: <reason>".
inline json parse_json(std::string_view text, std::string_view source = "json", int max_depth = 64) {
  return detail::json_parser(text, source, max_depth).document();
}

}  // namespace minicnn::inline MINICNN_ABI
