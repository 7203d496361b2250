#pragma once
// Texts as paths and back: names in UTF-8 on Windows too.

#include <minicnn/files/path.hpp>
#include <string>

namespace cli {

using minicnn::detail::path_text;
using minicnn::detail::system_path;
using minicnn::detail::why_missing;

/// The path of a file in a folder, which may have been given as "run/".
inline std::string joined(const std::string& folder, const std::string& name) {
#if defined(_WIN32)
  const bool ends = folder.ends_with('/') || folder.ends_with('\\') || folder.ends_with(':');
#else
  const bool ends = folder.ends_with('/');
#endif
  return folder + (ends ? "" : "/") + name;
}

}  // namespace cli
