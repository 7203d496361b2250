#pragma once
/// Progress of long work: one live line on a terminal, a plain line now and then elsewhere.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/ioctl.h>
#include <unistd.h>
#endif

#include "minicnn/core/error.hpp"
#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// `value` with a fixed number of decimals, in the C locale.
inline std::string fixed(double value, int decimals) {
  char buffer[400];  // the largest double has 309 digits before the point
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed, decimals);
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

/// Writes to a stream that the program chooses (normally stderr). On a terminal the line is rewritten in place at most ten
/// times a second; elsewhere a line appears every `plain_seconds`, so that short work leaves no trace in a log.
class progress_line {
 public:
  explicit progress_line(std::FILE* out, double plain_seconds = 30) : out_(out), plain_seconds_(plain_seconds) {
#if defined(__unix__) || defined(__APPLE__)
    live_ = isatty(fileno(out)) != 0;
#endif
    utf8_ = locale_is_utf8();
  }
  ~progress_line() { clear(); }
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  bool live() const { return live_; }

  /// `label` before the bar, `figures` after it; both are cut to the terminal's width.
  void update(std::string_view label, index_t done, index_t total, std::string_view figures) {
    const auto now = std::chrono::steady_clock::now();
    const double since = std::chrono::duration<double>(now - shown_).count();
    const bool last = done >= total;
    if (live_ ? since < 0.1 && !last : since < plain_seconds_) return;
    shown_ = now;
    const double fraction = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1.0;
    const std::string count = text_of(" ", done, "/", total, " ");
    if (!live_) {
      std::fprintf(out_, "%s%s%s\n", std::string(label).c_str(), count.c_str(), std::string(figures).c_str());
      std::fflush(out_);
      return;
    }
    const int columns = terminal_columns();
    const int text = static_cast<int>(label.size() + count.size() + figures.size()) + 1;
    const int width = columns - text > 30 ? 30 : columns - text;
    std::string line(label);
    if (width >= 5) line += " " + bar_text(fraction, width - 1, utf8_);
    line += count;
    line += figures;
    if (width < 5 && line.size() > static_cast<std::size_t>(columns - 1)) line.resize(static_cast<std::size_t>(columns - 1));
    std::fprintf(out_, "\r\033[K%s", line.c_str());
    std::fflush(out_);
    drawn_ = true;
  }

  /// Removes the live line, so that a lasting one can be printed.
  void clear() {
    if (drawn_) std::fprintf(out_, "\r\033[K"), std::fflush(out_);
    drawn_ = false;
  }

 private:
  static bool locale_is_utf8() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
      const char* value = std::getenv(name);
      if (value == nullptr || *value == '\0') continue;
      const std::string_view text(value);
      return text.find("UTF-8") != text.npos || text.find("utf8") != text.npos;
    }
    return false;
  }
  int terminal_columns() const {
#if defined(__unix__) || defined(__APPLE__)
    winsize size{};
    if (ioctl(fileno(out_), TIOCGWINSZ, &size) == 0 && size.ws_col > 10) return size.ws_col;
#endif
    return 80;
  }

  std::FILE* out_;
  double plain_seconds_;
  bool live_ = false;
  bool utf8_ = false;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point shown_ = std::chrono::steady_clock::now();
};

}  // namespace minicnn::inline MINICNN_ABI
