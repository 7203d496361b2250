#pragma once
/// JSON values as text.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/core/printable.hpp"
#include "minicnn/core/utf8.hpp"
#include "minicnn/io/json_value.hpp"

namespace minicnn::inline MINICNN_ABI {

/// How JSON is laid out.
struct json_style {
  bool sort_keys = false;  ///< members by key (byte order) instead of in the order of insertion
  int indent = 0;          ///< spaces per level; 0 writes everything on one line without spaces
  bool ascii = false;      ///< characters beyond ASCII as escapes of four hexadecimal digits
  /// What JSON cannot hold is written all the same, for output that must come out: numbers that are not finite as null, bytes
  /// that are not UTF-8 as "\xff".
  bool tolerant = false;
};

namespace detail {

/// "\u732b", or two of them for a character beyond the first 65536.
inline void append_escaped(std::string& out, char32_t code) {
  const auto unit = [&](char32_t value) { out += "\\u", append_hexadecimal(out, value, 4); };
  if (code > 0xFFFF) {
    unit(0xD800 + ((code - 0x10000) >> 10));
    unit(0xDC00 + ((code - 0x10000) & 0x3FF));
  } else {
    unit(code);
  }
}

inline void append_json_string(std::string& out, std::string_view text, const json_style& style = {}) {
  const std::size_t valid = valid_utf8_prefix(text);
  if (valid != text.size() && style.tolerant) return append_json_string(out, as_utf8(text), style);
  if (valid != text.size()) fail("json: string is not UTF-8 at byte ", static_cast<index_t>(valid));
  constexpr char hex[] = "0123456789abcdef";
  out += '"';
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out += hex[c >> 4];
          out += hex[c & 15];
        } else if (style.ascii && static_cast<unsigned char>(c) >= 0x80) {
          const decoded_character character = decode_utf8(text, at);
          append_escaped(out, character.code);
          at += character.bytes - 1;
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

/// Shortest text that reads back as the same double, always with a point or an exponent so that it stays a double.
inline void append_json_double(std::string& out, double value, const json_style& style) {
  if (!(value - value == 0) && style.tolerant) {
    out += "null";
    return;
  }
  if (!(value - value == 0)) fail("json: cannot write ", value, ", which is not a finite number");
  const std::string text = to_text(value);
  out += text;
  if (text.find_first_of(".e") == std::string::npos) out += ".0";
}

inline void append_json(std::string& out, const json& value, const json_style& style, int depth) {
  const auto line = [&](int level) {
    if (style.indent <= 0) return;
    out += '\n';
    out.append(static_cast<std::size_t>(style.indent) * static_cast<std::size_t>(level), ' ');
  };
  if (value.is_array()) {
    out += '[';
    bool first = true;
    for (const json& item : value.as_array()) {
      if (!first) out += ',';
      first = false;
      line(depth + 1);
      append_json(out, item, style, depth + 1);
    }
    if (!first) line(depth);
    out += ']';
  } else if (value.is_object()) {
    std::vector<const json::member*> members;
    for (const json::member& m : value.as_object()) members.push_back(&m);
    if (style.sort_keys) std::sort(members.begin(), members.end(), [](auto a, auto b) { return a->first < b->first; });
    out += '{';
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (i != 0) out += ',';
      line(depth + 1);
      append_json_string(out, members[i]->first, style);
      out += style.indent > 0 ? ": " : ":";
      append_json(out, members[i]->second, style, depth + 1);
    }
    if (!members.empty()) line(depth);
    out += '}';
  } else if (value.is_string()) {
    append_json_string(out, value.as_string(), style);
  } else if (value.is_bool()) {
    out += value.as_bool() ? "true" : "false";
  } else if (value.is_int()) {
    out += to_text(value.as_int());
  } else if (value.is_uint()) {
    out += to_text(value.as_uint());
  } else if (value.is_number()) {
    append_json_double(out, value.as_double(), style);
  } else {
    out += "null";
  }
}

}  // namespace detail

/// The value as UTF-8 text without a final line feed. Unless `style.tolerant` throws `error` for a number that is not finite or a
/// string that is not UTF-8, neither of which JSON can hold.
inline std::string write_json(const json& value, const json_style& style = {}) {
  std::string out;
  detail::append_json(out, value, style, 0);
  return out;
}

}  // namespace minicnn::inline MINICNN_ABI
