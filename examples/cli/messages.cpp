#include "messages.hpp"

#include <cstdio>

namespace cli {

void say(const std::string& text) { std::fprintf(stderr, "minicnn: %s\n", text.c_str()); }

void warn(const std::string& text) { say("warning: " + text); }

}  // namespace cli
