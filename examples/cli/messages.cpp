#include "messages.hpp"

#include <cstdio>
#include <minicnn/core/printable.hpp>

namespace cli {

namespace {

/// "FILE: [json.exception.parse_error.101] parse error at ..." without the tag.
std::string without_tags(std::string text) {
  for (std::size_t at = 0; (at = text.find("[json.exception.", at)) != text.npos;) {
    const std::size_t end = text.find("] ", at);
    if (end == text.npos) break;
    text.erase(at, end + 2 - at);
  }
  return text;
}

}  // namespace

void say(const std::string& text) { std::fprintf(stderr, "minicnn: %s\n", minicnn::printable(without_tags(text)).c_str()); }

void warn(const std::string& text) { say("warning: " + text); }

}  // namespace cli
