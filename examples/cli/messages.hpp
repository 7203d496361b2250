#pragma once
// What the program says to people, on standard error.

#include <string>

namespace cli {

/// "minicnn: TEXT" on a line of its own, with names from outside made printable (minicnn/core/printable.hpp) and without the tags
/// that the JSON library puts before its reasons.
void say(const std::string& text);

/// "minicnn: warning: TEXT".
void warn(const std::string& text);

}  // namespace cli
