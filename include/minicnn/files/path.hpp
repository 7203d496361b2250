#pragma once
/// Paths as text: UTF-8 with '/' between folders on Windows, whose own paths have characters of 16 bits, and bytes as they are
/// elsewhere.

#include <filesystem>
#include <string>
#include <string_view>

#include "minicnn/version.hpp"

namespace minicnn::inline MINICNN_ABI::detail {

/// The path that a text stands for. On Windows `std::filesystem::path(text)` would read the text in a code page instead.
inline std::filesystem::path system_path(std::string_view text) {
#if defined(_WIN32)
  return std::u8string(text.begin(), text.end());
#else
  return text;
#endif
}

/// The text that a path has.
inline std::string path_text(const std::filesystem::path& path) {
#if defined(_WIN32)
  const std::u8string text = path.generic_u8string();
  return {text.begin(), text.end()};
#else
  return path.native();
#endif
}

}  // namespace minicnn::inline MINICNN_ABI::detail
