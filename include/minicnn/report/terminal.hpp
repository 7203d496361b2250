#pragma once
/// What the stream that progress goes to can show.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/ioctl.h>
#include <unistd.h>
#elif defined(_WIN32)
#include <io.h>
// As windows.h declares them, which is not included: its macros would reach every program.
extern "C" __declspec(dllimport) int __stdcall GetConsoleMode(void* console, unsigned long* mode);
extern "C" __declspec(dllimport) unsigned __stdcall GetConsoleOutputCP();
#endif

#include "minicnn/core/printable.hpp"
#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Abilities of a terminal; the default is a file or pipe.
struct terminal {
  bool live = false;   ///< lines can be rewritten in place
  bool color = false;  ///< escape sequences for colours are understood and wanted
  bool utf8 = false;   ///< the locale's characters are UTF-8
  int columns = 80;    ///< of text in a line

  /// `text` in a colour ("32": green, "1": bold, "2": dim; "1;32"), or plain where colours are off.
  std::string paint(std::string_view text, std::string_view style) const {
    return color ? text_of("\033[", style, "m", text, "\033[0m") : std::string(text);
  }
};

namespace detail {

inline std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

}  // namespace detail

/// Looks at `out`, the locale (LC_ALL, LC_CTYPE, LANG) and the environment; on Windows at the console instead of the locale.
/// NO_COLOR, if it is not empty, and TERM=dumb turn colours off (no-color.org), TERM=dumb also rewriting; where the terminal does
/// not tell its width COLUMNS does.
inline terminal terminal_of(std::FILE* out, bool allow_color = true) {
  terminal t;
#if defined(__unix__) || defined(__APPLE__)
  const bool dumb = detail::environment("TERM") == "dumb";
  t.live = isatty(fileno(out)) != 0 && !dumb;
  winsize size{};
  if (t.live && ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    t.columns = size.ws_col;
  else if (const int columns = std::atoi(std::string(detail::environment("COLUMNS")).c_str()); columns > 0)
    t.columns = columns;
#endif
#if defined(_WIN32)
  unsigned long mode = 0;
  constexpr unsigned long escape_sequences = 4;  // ENABLE_VIRTUAL_TERMINAL_PROCESSING, which the program has to ask for
  t.live = GetConsoleMode(reinterpret_cast<void*>(_get_osfhandle(_fileno(out))), &mode) != 0 && (mode & escape_sequences) != 0;
  t.utf8 = GetConsoleOutputCP() == 65001;
#endif
  t.color = t.live && allow_color && detail::environment("NO_COLOR").empty();
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view value = detail::environment(name);
    if (value.empty()) continue;
    t.utf8 = value.find("UTF-8") != value.npos || value.find("utf8") != value.npos || value.find("utf-8") != value.npos;
    break;
  }
  return t;
}

}  // namespace minicnn::inline MINICNN_ABI
