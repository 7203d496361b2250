#pragma once
// The body of an HTTP request as it arrives: of a length said before, or in chunks (RFC 9112 section 7.1).

#include <cstdint>
#include <string>
#include <string_view>

#include "request_head.hpp"

namespace cli {

class request_body {
 public:
  /// Throws refusal if the request says that it has more than `most` bytes.
  request_body(const request_head& head, std::uint64_t most, const refusal& too_large)
      : most_(most), too_large_(too_large), state_(head.chunked ? state::size : state::data), chunked_(head.chunked) {
    left_ = head.length.value_or(0);
    if (left_ > most_) throw too_large_;
    if (!chunked_) bytes_.reserve(left_);
    if (!chunked_ && left_ == 0) state_ = state::end;
  }

  bool complete() const { return state_ == state::end; }
  std::string& bytes() { return bytes_; }
  std::size_t size() const { return bytes_.size(); }

  /// Takes what came; what follows the body is left out. Throws refusal for chunks that are none and for a body too large.
  void take(std::string_view text) {
    while (!text.empty() && state_ != state::end) {
      if (state_ == state::data) {
        const auto count = static_cast<std::size_t>((std::min)(left_, static_cast<std::uint64_t>(text.size())));
        bytes_.append(text.substr(0, count));
        text.remove_prefix(count);
        left_ -= count;
        if (left_ == 0) state_ = chunked_ ? state::after_data : state::end;
      } else {
        take_framing(text.front());
        text.remove_prefix(1);
      }
    }
  }

 private:
  enum class state { size, data, after_data, trailer, end };
  static constexpr std::size_t longest_line = 4096;

  /// Sizes of chunks, the line ends behind them, and trailers, a byte at a time.
  void take_framing(char c) {
    line_ += c;
    if (line_.size() > longest_line) throw refusal{400, "a chunk's size takes a line too long", ""};
    if (c != '\n') return;
    if (!line_.ends_with("\r\n")) throw refusal{400, "a line between chunks does not end with CR LF", ""};
    line_.resize(line_.size() - 2);
    for (const char one : line_)
      if (detail::is_control(one)) throw refusal{400, "a line between chunks holds a control character", ""};
    if (state_ == state::size)
      begin_chunk();
    else if (state_ == state::after_data)
      end_chunk();
    else if (line_.empty())
      state_ = state::end;
    else if (++trailers_ > max_header_lines)
      throw refusal{431, "too many trailers", ""};
    else if (!detail::is_token(std::string_view(line_).substr(0, line_.find(':'))) || line_.find(':') == line_.npos)
      throw refusal{400, "a line behind the chunks is no trailer", ""};
    line_.clear();
  }

  void begin_chunk() {
    std::string_view digits = std::string_view(line_).substr(0, line_.find(';'));
    while (digits.ends_with(' ') || digits.ends_with('\t')) digits.remove_suffix(1);
    const auto [stop, reason] = std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
    if (digits.empty() || digits.front() == '-' || reason != std::errc() || stop != digits.data() + digits.size())
      throw refusal{400, "a chunk's size is no hexadecimal number", ""};
    if (left_ > most_ - bytes_.size()) throw too_large_;
    state_ = left_ == 0 ? state::trailer : state::data;
  }

  void end_chunk() {
    if (!line_.empty()) throw refusal{400, "a chunk has more bytes than it said", ""};
    state_ = state::size;
  }

  std::uint64_t most_, left_ = 0;
  refusal too_large_;
  state state_;
  bool chunked_;
  std::string bytes_, line_;
  std::size_t trailers_ = 0;
};

}  // namespace cli
