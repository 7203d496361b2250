#pragma once
/// Names from outside (files, classes, weights files) as text for people: nothing in them moves a terminal's cursor, turns the
/// direction of a page or hides, and columns of a table stay in line.

#include <cstdint>
#include <string>
#include <string_view>

#include "minicnn/core/character_widths.hpp"
#include "minicnn/core/error.hpp"
#include "minicnn/core/utf8.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// The character that begins at `at` of `text`, and how many bytes it has; 0 bytes where that is no UTF-8.
struct decoded_character {
  char32_t code = 0;
  std::size_t bytes = 0;
};

inline decoded_character decode_utf8(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const std::string_view part = text.substr(at, bytes);
  if (part.size() < bytes || valid_utf8_prefix(part) != bytes) return {lead, 0};
  char32_t code = lead & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) code = code << 6 | (static_cast<unsigned char>(part[i]) & 0x3FU);
  return {code, bytes};
}

/// Controls, marks that set the direction of text (UAX 9), and what is not seen at all. Joiners stay: Persian and emoji need
/// them.
inline bool is_unprintable(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x61C || c == 0x115F || c == 0x1160 || c == 0x180E ||
         c == 0x200B || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) ||
         c == 0x2800 || c == 0x3164 || c == 0xFEFF || c == 0xFFA0 || (c >= 0xFFF9 && c <= 0xFFFB) ||
         (c >= 0xE0000 && c <= 0xE00FF);
}

inline void append_hexadecimal(std::string& out, char32_t value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += "0123456789abcdef"[(value >> shift) & 0xF];
}

}  // namespace detail

/// `text` with bytes that are not UTF-8 as "\xff"; else unchanged. What JSON and HTML can carry.
inline std::string as_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t valid = valid_utf8_prefix(text);
    out += text.substr(0, valid);
    if (valid == text.size()) break;
    out += "\\x";
    detail::append_hexadecimal(out, static_cast<unsigned char>(text[valid]), 2);
    text.remove_prefix(valid + 1);
  }
  return out;
}

/// `text` on one line, for terminals and pages: control characters as "\n", "\t", "\r" or "\x1b", characters that turn the
/// direction of text or have no looks as "\u202e", bytes that are not UTF-8 as "\xff".
inline std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto [code, bytes] = detail::decode_utf8(text, at);
    if (code == '\n' || code == '\t' || code == '\r') {
      out += code == '\n' ? "\\n" : code == '\t' ? "\\t" : "\\r";
    } else if (bytes == 0 || (bytes == 1 && detail::is_unprintable(code))) {
      out += "\\x";
      detail::append_hexadecimal(out, code, 2);
    } else if (detail::is_unprintable(code)) {
      out += code > 0xFFFF ? "\\U" : "\\u";
      detail::append_hexadecimal(out, code, code > 0xFFFF ? 8 : 4);
    } else {
      out += text.substr(at, bytes);
    }
    at += bytes == 0 ? 1 : bytes;
  }
  return out;
}

/// Columns that UTF-8 text takes in a terminal: two for East Asian wide characters and emoji, none for combining marks; what a
/// joiner or a skin tone adds to an emoji is part of it.
inline int text_columns(std::string_view text) {
  constexpr char32_t joiner = 0x200D, emoji_form = 0xFE0F, first_tone = 0x1F3FB, last_tone = 0x1F3FF;
  int columns = 0, last = 0;
  bool joined = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto [code, bytes] = detail::decode_utf8(text, at);
    at += bytes == 0 ? 1 : bytes;
    const bool part = (joined || (code >= first_tone && code <= last_tone)) && last == 2;
    int width = part ? 0 : character_columns(code);
    if (code == emoji_form && last == 1) width = 1;  // a heart as an emoji is wide
    columns += width;
    joined = code == joiner;
    if (code == emoji_form && last > 0)
      last = 2;
    else if (width > 0)
      last = width;
  }
  return columns;
}

/// The longest start of UTF-8 text that takes at most `columns`.
inline std::string_view cut_to_columns(std::string_view text, int columns) {
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size(); end = at) {
    const std::size_t bytes = detail::decode_utf8(text, at).bytes;
    at += bytes == 0 ? 1 : bytes;
    if (text_columns(text.substr(0, at)) > columns) break;
  }
  return text.substr(0, end);
}

/// `text` with spaces behind it, or before it, up to `columns`.
inline std::string left_aligned(std::string_view text, int columns) {
  const int missing = columns - text_columns(text);
  return std::string(text) + std::string(missing > 0 ? static_cast<std::size_t>(missing) : 0, ' ');
}
inline std::string right_aligned(std::string_view text, int columns) {
  const int missing = columns - text_columns(text);
  return std::string(missing > 0 ? static_cast<std::size_t>(missing) : 0, ' ') + std::string(text);
}

/// What was got, for a message: `printable`, and cut where it is longer than a line.
inline std::string excerpt(std::string_view text) {
  constexpr int most = 60;
  if (text.size() > 4096) text = text.substr(0, 4096);  // what follows would be cut all the same
  const std::string all = printable(text);
  return text_columns(all) <= most ? all : std::string(cut_to_columns(all, most)) + "...";
}

}  // namespace minicnn::inline MINICNN_ABI
