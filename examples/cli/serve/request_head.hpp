#pragma once
// The first lines of an HTTP request, read strictly: what servers and proxies might understand in two ways is refused.
// RFC 9112 (HTTP/1.1), RFC 9110 sections 5 and 8.

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <minicnn/files/text_lines.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "authority.hpp"
#include "refusal.hpp"

namespace cli {

constexpr std::size_t max_head_bytes = 32768, max_target_bytes = 4096, max_header_lines = 100;

struct request_head {
  std::string method, path, query;  ///< as sent: percent signs are not decoded
  std::string target_host;          ///< of a target that is a whole address
  bool http_1_0 = false;
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  bool chunked = false;
  std::optional<std::uint64_t> length;  ///< Content-Length

  /// The header's value, nothing if it was not sent. Throws refusal if it was sent twice.
  std::optional<std::string> header(std::string_view name) const {
    std::optional<std::string> found;
    for (const auto& [key, value] : headers)
      if (key == name) {
        if (found) throw refusal{400, "two " + key + " headers", ""};
        found = value;
      }
    return found;
  }
};

namespace detail {

inline bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  for (const char c : text) {
    const bool letter_or_digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!letter_or_digit && marks.find(c) == marks.npos) return false;
  }
  return !text.empty();
}

inline bool is_control(char c) { return (static_cast<unsigned char>(c) < 32 && c != '\t') || c == 127; }

/// Takes a line off the front of `text`; it must end with CR LF.
inline std::string_view take_head_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == text.npos || end == 0 || text[end - 1] != '\r') throw refusal{400, "a line of the head does not end with CR LF", ""};
  const std::string_view line = text.substr(0, end - 1);
  text.remove_prefix(end + 1);
  return line;
}

inline void read_request_line(std::string_view line, request_head& out) {
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == line.npos || first == last || !is_token(line.substr(0, first)))
    throw refusal{400, "the first line is no request line", ""};
  out.method = line.substr(0, first);
  const std::string_view version = line.substr(last + 1);
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.' || version[7] < '0' || version[7] > '9')
    throw refusal{400, "the first line does not end with a version of HTTP", ""};
  if (version[5] != '1') throw refusal{505, "HTTP/1.0 and HTTP/1.1 are spoken here", ""};
  out.http_1_0 = version[7] == '0';
  std::string_view target = line.substr(first + 1, last - first - 1);
  if (target.empty()) throw refusal{400, "the first line has no address", ""};
  if (target.size() > max_target_bytes) throw refusal{414, "the address is too long", ""};
  for (const char c : target)
    if (c <= ' ' || static_cast<unsigned char>(c) > 126)
      throw refusal{400, "the address holds a character that must be escaped", ""};
  if (const std::size_t scheme = target.find("://"); scheme != target.npos && target.front() != '/') {
    if (const std::string name = lower_case(target.substr(0, scheme)); name != "http" && name != "https")
      throw refusal{400, "an address of HTTP is wanted", ""};
    target.remove_prefix(scheme + 3);
    const std::size_t end = target.find_first_of("/?");
    out.target_host = target.substr(0, end);
    if (out.target_host.empty()) throw refusal{400, "the address names no host", ""};
    target = end == target.npos ? std::string_view() : target.substr(end);
    if (target.empty()) target = "/";
  }
  const std::size_t question = target.find('?');
  out.path = target.substr(0, question);
  if (question != target.npos) out.query = target.substr(question + 1);
  if (out.path.empty()) out.path = "/";
  if (!out.path.starts_with('/') && out.path != "*") throw refusal{400, "the address does not begin with /", ""};
}

inline void read_body_length(request_head& out) {
  const std::optional<std::string> length = out.header("content-length"), coding = out.header("transfer-encoding");
  if (length) {
    std::uint64_t value = 0;
    const auto [stop, reason] = std::from_chars(length->data(), length->data() + length->size(), value);
    if (length->empty() || reason != std::errc() || stop != length->data() + length->size())
      throw refusal{400, "Content-Length is no number", ""};
    out.length = value;
  }
  if (!coding) return;
  if (length) throw refusal{400, "both Content-Length and Transfer-Encoding", ""};
  if (out.http_1_0) throw refusal{400, "HTTP/1.0 has no Transfer-Encoding", ""};
  if (lower_case(*coding) != "chunked") throw refusal{501, "of transfer codings, chunked alone is read", ""};
  out.chunked = true;
}

}  // namespace detail

/// Bytes of the head, with the empty line that ends it, at the beginning of `text`; 0 if it has not ended yet.
inline std::size_t head_bytes(std::string_view text) {
  const std::size_t end = text.find("\n\r\n"), bare = text.find("\n\n");
  const std::size_t crlf_size = end == text.npos ? 0 : end + 3, bare_size = bare == text.npos ? 0 : bare + 2;
  if (crlf_size == 0 || bare_size == 0) return (std::max)(crlf_size, bare_size);
  return (std::min)(crlf_size, bare_size);
}

/// Reads a whole head, from the request line to the empty line. Throws refusal.
inline request_head parse_head(std::string_view text) {
  request_head out;
  detail::read_request_line(detail::take_head_line(text), out);
  for (std::string_view line; !(line = detail::take_head_line(text)).empty();) {
    if (out.headers.size() == max_header_lines) throw refusal{431, "too many headers", ""};
    const std::size_t colon = line.find(':');
    if (colon == line.npos || !detail::is_token(line.substr(0, colon))) throw refusal{400, "a line of the head is no header", ""};
    const std::string_view value = minicnn::trimmed(line.substr(colon + 1));
    for (const char c : value)
      if (detail::is_control(c)) throw refusal{400, "a header holds a control character", ""};
    out.headers.emplace_back(lower_case(line.substr(0, colon)), value);
  }
  detail::read_body_length(out);
  return out;
}

}  // namespace cli
