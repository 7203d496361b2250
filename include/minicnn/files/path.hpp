#pragma once
/// Paths as text: UTF-8 with '/' between folders on Windows, whose own paths have characters of 16 bits, and bytes as they are
/// elsewhere.

#include <filesystem>
#include <string>
#include <string_view>

#include "minicnn/version.hpp"

namespace minicnn::inline MINICNN_ABI::detail {

/// The path that a text stands for. On Windows `std::filesystem::path(text)` would read a code page, and \\?\ takes no '/'.
inline std::filesystem::path system_path(std::string_view text) {
#if defined(_WIN32)
  return std::filesystem::path(std::u8string(text.begin(), text.end())).make_preferred();
#else
  return text;
#endif
}

/// The text that a path has.
inline std::string path_text(const std::filesystem::path& path) {
#if defined(_WIN32)
  std::u8string text = path.u8string();  // libstdc++'s generic_u8string has one '/' where \\server\share begins
  for (char8_t& c : text) c = c == u8'\\' ? u8'/' : c;
  return {text.begin(), text.end()};
#else
  return path.native();
#endif
}

/// Why nothing is found at `path`: `reason`, or that the path is too long, of which Windows says the same.
inline std::string why_missing([[maybe_unused]] const std::string& path, std::string reason) {
#if defined(_WIN32)
  std::error_code ignored;
  const std::size_t length = std::filesystem::absolute(system_path(path), ignored).native().size();
  if (length > 259 && !path.starts_with("//?/")) return "too long for Windows: " + std::to_string(length) + " of 259 characters";
#endif
  return reason;
}

}  // namespace minicnn::inline MINICNN_ABI::detail
