#pragma once
// Bodies of multipart/form-data (RFC 7578, RFC 2046 section 5.1), read as browsers, curl and libraries write them. httplib's own
// parser wants name before filename, both in quotes, and nothing before the first boundary; and gives up without saying why.

#include <algorithm>
#include <cstdint>
#include <minicnn/core/error.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "request_head.hpp"

namespace cli {

/// A part of a form; the content is a piece of the body that was read.
struct form_part {
  std::string name;
  std::optional<std::string> filename;  ///< absent: a field, no file
  std::string_view content;
};

namespace detail {

/// Bytes after "%41" escapes are read; what is no escape stays.
inline std::string percent_decoded(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// The value at the front of `text`: a quoted string or everything up to the next semicolon.
inline std::string take_value(std::string_view& text) {
  std::string out;
  if (!text.starts_with('"')) {
    const std::size_t end = text.find(';');
    out = minicnn::trimmed(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end);
    return out;
  }
  // Only \" and \\ are escapes: old browsers send whole Windows paths.
  std::size_t i = 1;
  for (; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\')) ++i;
    out += text[i];
  }
  if (i == text.size()) minicnn::fail("a quoted value does not end");
  text.remove_prefix(i + 1);
  return out;
}

/// A header's value with parameters, as in `form-data; name="a"; filename=b.jpg`. Names are in lower case.
struct parametric_value {
  std::string value;
  std::vector<std::pair<std::string, std::string>> parameters;

  explicit parametric_value(std::string_view text) {
    const std::size_t end = text.find(';');
    value = lower_case(minicnn::trimmed(text.substr(0, end)));
    text = end == text.npos ? std::string_view() : text.substr(end);
    while (!text.empty()) {
      text = minicnn::trimmed(text.substr(1));
      const std::size_t stop = text.find_first_of("=;");
      if (stop == text.npos || text[stop] == ';') {
        text.remove_prefix((std::min)(stop, text.size()));
        continue;
      }
      const std::string name = lower_case(minicnn::trimmed(text.substr(0, stop)));
      text = minicnn::trimmed(text.substr(stop + 1));
      parameters.emplace_back(name, take_value(text));
      text.remove_prefix((std::min)(text.find(';'), text.size()));
    }
  }

  std::optional<std::string> get(std::string_view name) const {
    for (const auto& [key, found] : parameters)
      if (key == name) return found;
    return {};
  }

  /// filename*=UTF-8''a%20b.jpg (RFC 8187) before filename="a b.jpg", wherever they stand.
  std::optional<std::string> filename() const {
    if (const std::optional<std::string> extended = get("filename*")) {
      const std::size_t first = extended->find('\''), second = first == extended->npos ? first : extended->find('\'', first + 1);
      if (second != extended->npos) return percent_decoded(std::string_view(*extended).substr(second + 1));
    }
    return get("filename");
  }
};

}  // namespace detail

/// The boundary of a Content-Type of a form; nothing for another type. Throws minicnn::error for a form without a boundary.
inline std::optional<std::string> form_boundary(std::string_view content_type) {
  if (!lower_case(content_type).starts_with("multipart/form-data")) return {};
  const detail::parametric_value type(content_type);
  if (type.value != "multipart/form-data") return {};
  const std::optional<std::string> boundary = type.get("boundary");
  const auto named = [](const auto& parameter) { return parameter.first == "boundary"; };
  if (std::count_if(type.parameters.begin(), type.parameters.end(), named) > 1)  // of which others may take the other one
    minicnn::fail("the form's Content-Type has two boundaries");
  constexpr std::size_t longest = 256;  // 70 by the standard, which not all writers have read
  if (!boundary || boundary->empty() || boundary->size() > longest || boundary->find_first_of("\r\n") != boundary->npos)
    minicnn::fail("the form's Content-Type has no usable boundary");
  return boundary;
}

/// Reads the parts of a form one after the other. What `body` holds must outlive the parts.
class form_reader {
 public:
  form_reader(std::string_view body, const std::string& boundary, std::size_t most_parts = 4096)
      : delimiter_("--" + boundary), most_parts_(most_parts) {
    read_all(body, delimiter_, 0, "");
  }
  const std::vector<form_part>& parts() const { return parts_; }

 private:
  static constexpr std::size_t longest_header = 16384;
  /// Where a delimiter begins (with the line end before it, which belongs to it) and where its line ends.
  struct cut {
    std::size_t begin, end;
    bool last;
  };

  /// The first delimiter in `text` that stands at the beginning of a line and fills it. Nothing if there is none.
  static std::optional<cut> find_delimiter(std::string_view text, std::string_view delimiter) {
    for (std::size_t line = 0; line != text.npos;) {
      if (text.substr(line).starts_with(delimiter)) {
        std::size_t at = line + delimiter.size();
        const bool last = text.substr(at).starts_with("--");
        if (last) at += 2;
        while (at < text.size() && (text[at] == ' ' || text[at] == '\t')) ++at;
        const bool ends = at == text.size(), crlf = text.substr(at).starts_with("\r\n"), bare = text.substr(at).starts_with("\n");
        if (crlf || bare || (ends && last)) {
          std::size_t begin = line;
          if (begin > 0) begin -= begin > 1 && text[begin - 2] == '\r' ? 2 : 1;
          return cut{begin, at + (crlf ? 2 : bare ? 1 : 0), last};
        }
      }
      line = text.find('\n', line);
      if (line != text.npos) ++line;
    }
    return {};
  }

  void read_all(std::string_view text, std::string_view delimiter, int depth, const std::string& outer_name) {
    std::optional<cut> here = find_delimiter(text, delimiter);
    if (!here) minicnn::fail("the form is damaged: its boundary does not occur");
    while (!here->last) {
      text.remove_prefix(here->end);
      here = find_delimiter(text, delimiter);
      if (!here) minicnn::fail("the form is damaged or cut off: it does not end with its boundary");
      read_part(text.substr(0, here->begin), depth, outer_name);
    }
  }

  void read_part(std::string_view text, int depth, const std::string& outer_name) {
    if (parts_.size() == most_parts_) minicnn::fail("the form has more than ", most_parts_, " parts");
    std::string disposition, type, other, *last = nullptr;
    for (;;) {
      if (text.empty()) break;  // nothing after the headers, not even the empty line: an empty part
      const std::size_t end = text.substr(0, longest_header).find('\n');
      if (end == text.npos) minicnn::fail("the form is damaged: the headers of part ", parts_.size() + 1, " do not end");
      std::string_view line = text.substr(0, end);
      text.remove_prefix(end + 1);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (line.empty()) break;
      if (last != nullptr && (line.front() == ' ' || line.front() == '\t')) {  // folded, as writers of mail do it
        *last += ' ';
        *last += minicnn::trimmed(line);
        continue;
      }
      const std::size_t colon = line.find(':');
      if (colon == line.npos) minicnn::fail("the form is damaged: a header of part ", parts_.size() + 1, " has no colon");
      const std::string name = lower_case(minicnn::trimmed(line.substr(0, colon)));
      const std::string_view value = minicnn::trimmed(line.substr(colon + 1));
      last = name == "content-disposition" ? &disposition : name == "content-type" ? &type : &other;
      *last = value;
      if (name == "content-transfer-encoding") check_encoding(value);
    }
    const detail::parametric_value what(disposition), kind(type);
    const std::string name = what.get("name").value_or(outer_name);
    // Several files under one name, as HTML 4 had it.
    if (const auto inner = kind.get("boundary"); kind.value == "multipart/mixed" && inner && depth == 0)
      return read_all(text, "--" + *inner, depth + 1, name);
    const std::optional<std::string> filename = what.filename();
    if (name.find('\0') != name.npos || filename.value_or("").find('\0') != filename.value_or("").npos)
      minicnn::fail("the form is damaged: a name in part ", parts_.size() + 1, " holds a NUL");
    parts_.push_back({name, filename, text});
  }

  static void check_encoding(std::string_view value) {
    const std::string name = lower_case(value);
    if (name != "binary" && name != "8bit" && name != "7bit")
      minicnn::fail("a part of the form is encoded as ", name, "; files are sent as they are (binary)");
  }

  std::string delimiter_;
  std::size_t most_parts_;
  std::vector<form_part> parts_;
};

}  // namespace cli
