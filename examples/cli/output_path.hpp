#pragma once
// What --out means where it names a file, and where it names a folder.

#include <filesystem>
#include <minicnn/core/error.hpp>
#include <string>
#include <system_error>

#include "commands.hpp"
#include "paths.hpp"

namespace cli {

/// "-" is standard output, as a name that can be opened. A file that is called so is "./-". Throws file_error where a file's
/// folder does not exist, before there is something to write.
inline std::string output_file(const std::string& out) {
  if (out == "-") return "/dev/stdout";
  const std::filesystem::path folder = system_path(out).parent_path();
  if (std::error_code failed; !folder.empty() && !std::filesystem::is_directory(folder, failed))
    minicnn::fail<minicnn::file_error>(out, ": cannot be made: there is no folder ", path_text(folder));
  return out;
}

/// Whether results that go to `out` (of `output_file`) leave standard output free for messages.
inline bool is_standard_output(const std::string& out) {
  return out == "/dev/stdout" || out == "/dev/fd/1" || out == "/proc/self/fd/1";
}

/// Throws usage_error for "-", which is no folder.
inline void check_output_folder(const std::string& out) {
  if (out == "-") throw usage_error("--out -: wanted a folder, not standard output");
}

}  // namespace cli
