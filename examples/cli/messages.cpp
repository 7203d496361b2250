#include "messages.hpp"

#include <cstdio>
#include <minicnn/core/printable.hpp>

namespace cli {

void say(const std::string& text) { std::fprintf(stderr, "minicnn: %s\n", minicnn::printable(text).c_str()); }

void warn(const std::string& text) { say("warning: " + text); }

}  // namespace cli
