#pragma once
// What --out means where it names a file, and where it names a folder.

#include <string>

#include "commands.hpp"

namespace cli {

/// "-" is standard output, as a name that can be opened. A file that is called so is "./-".
inline std::string output_file(const std::string& out) { return out == "-" ? "/dev/stdout" : out; }

/// Whether results that go to `out` (of `output_file`) leave standard output free for messages.
inline bool is_standard_output(const std::string& out) {
  return out == "/dev/stdout" || out == "/dev/fd/1" || out == "/proc/self/fd/1";
}

/// Throws usage_error for "-", which is no folder.
inline void check_output_folder(const std::string& out) {
  if (out == "-") throw usage_error("--out -: wanted a folder, not standard output");
}

}  // namespace cli
