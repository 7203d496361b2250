#pragma once
/// Progress of long work: one live line on a terminal, a plain line now and then elsewhere.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/core/error.hpp"
#include "minicnn/core/shape.hpp"
#include "minicnn/core/std_gaps.hpp"
#include "minicnn/report/terminal.hpp"

namespace minicnn::inline MINICNN_ABI {

/// `value` with a fixed number of decimals, in the C locale; "-" for NaN and infinity.
inline std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) return "-";
  char buffer[400];  // the largest double has 309 digits before the point
  const auto end = detail::float_to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed, decimals);
  return std::string(buffer, end.ptr);
}

/// Seconds as "1:02:03" or "2:03".
inline std::string clock_text(double seconds) {
  if (!(seconds >= 0) || seconds > 3.6e8) return "--:--";
  const auto total = static_cast<index_t>(seconds + 0.5);
  const auto two = [](index_t n) { return text_of(n < 10 ? "0" : "", n); };
  if (total < 3600) return text_of(total / 60, ":", two(total % 60));
  return text_of(total / 3600, ":", two(total / 60 % 60), ":", two(total % 60));
}

/// A bar of `width` cells; in eighths of a cell with UTF-8, in # and . without.
inline std::string bar_text(double fraction, int width, bool utf8) {
  fraction = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
  std::string out;
  const int eighths = static_cast<int>(fraction * width * 8);
  static constexpr const char* partial[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  for (int cell = 0; cell < width; ++cell) {
    const int filled = eighths - cell * 8;
    if (utf8)
      out += filled >= 8 ? "█" : filled > 0 ? partial[filled] : "·";
    else
      out += filled >= 8 ? "#" : ".";
  }
  return out;
}

/// The line that `progress_line` shows on a terminal: `label`, a bar of up to 30 cells, count and figures. On a narrow one the
/// bar shrinks to 8 cells, then figures go, the last one first, then the bar; never wider than `t.columns` - 1.
inline std::string progress_text(const terminal& t, std::string_view label, index_t done, index_t total,
                                 const std::vector<std::string>& figures) {
  const int room = (std::max)(t.columns - 1, 1);
  const std::string begin = printable(label), count = text_of(" ", done, "/", total);
  const int fixed_part = text_columns(begin) + text_columns(count);
  std::size_t shown = figures.size();
  const auto width = [&] {
    int sum = fixed_part;
    for (std::size_t i = 0; i < shown; ++i) sum += 2 + text_columns(figures[i]);
    return sum;
  };
  constexpr int least = 8, most = 30;
  while (shown > 0 && width() + 1 + least > room) --shown;
  const int cells = (std::min)(room - width() - 1, most);
  const double fraction = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1.0;
  std::string line = begin;
  if (cells >= least) line += " " + t.paint(bar_text(fraction, cells, t.utf8), "36");
  line += count;
  for (std::size_t i = 0; i < shown; ++i) line += "  " + figures[i];
  return cells >= least ? line : std::string(cut_to_columns(line, room));
}

/// Writes to a stream that the program chooses (normally stderr). On a terminal the line is rewritten in place at most ten
/// times a second; elsewhere a line appears every `plain_seconds`, so that short work leaves no trace in a log.
class progress_line {
 public:
  explicit progress_line(std::FILE* out, double plain_seconds = 30)
      : out_(out), plain_seconds_(plain_seconds), terminal_(terminal_of(out)) {}
  ~progress_line() { clear(); }
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  bool live() const { return terminal_.live; }
  const terminal& abilities() const { return terminal_; }

  /// Nothing is written any more; or nothing in colour.
  void quiet(bool on) { quiet_ = on; }
  void allow_color(bool on) { color_ = on, terminal_.color = terminal_.color && on; }

  /// `label` before the bar, `figures` after it; what has no room is left out.
  void update(std::string_view label, index_t done, index_t total, const std::vector<std::string>& figures) {
    const auto now = std::chrono::steady_clock::now();
    const double since = std::chrono::duration<double>(now - shown_).count();
    const bool last = done >= total;
    if (quiet_ || (terminal_.live ? since < 0.1 && !last : since < plain_seconds_)) return;
    shown_ = now;
    if (!terminal_.live) {
      std::string line = text_of(printable(label), " ", done, "/", total);
      for (const std::string& f : figures)
        if (!f.empty()) line += "  " + f;
      std::fprintf(out_, "%s\n", line.c_str());
      std::fflush(out_);
      return;
    }
    terminal_ = terminal_of(out_, color_);  // the window may have changed
    std::fprintf(out_, "\r\033[K%s", progress_text(terminal_, label, done, total, figures).c_str());
    std::fflush(out_);
    drawn_ = true;
  }
  void update(std::string_view label, index_t done, index_t total, std::string_view figures) {
    std::vector<std::string> one;
    if (!figures.empty()) one.emplace_back(figures);
    update(label, done, total, one);
  }

  /// Removes the live line, so that a lasting one can be printed.
  void clear() {
    if (drawn_) std::fprintf(out_, "\r\033[K"), std::fflush(out_);
    drawn_ = false;
  }

 private:
  std::FILE* out_;
  double plain_seconds_;
  terminal terminal_;
  bool quiet_ = false, color_ = true;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point shown_ = std::chrono::steady_clock::now();
};

}  // namespace minicnn::inline MINICNN_ABI
