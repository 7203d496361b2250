#pragma once
// What the program says to people, on standard error.

#include <string>

namespace cli {

/// "minicnn: TEXT" on a line of its own.
void say(const std::string& text);

/// "minicnn: warning: TEXT".
void warn(const std::string& text);

}  // namespace cli
