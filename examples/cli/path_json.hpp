#pragma once
// Paths in JSON, which carries UTF-8 alone.

#include <minicnn/core/printable.hpp>
#include <nlohmann/json.hpp>
#include <string>

namespace cli {

/// Adds "path"; bytes that are not UTF-8 are written as "\\xff" there, and all bytes in hexadecimal as "path_bytes" beside it.
inline void put_path(nlohmann::ordered_json& text, const std::string& path) {
  text["path"] = minicnn::as_utf8(path);
  if (minicnn::valid_utf8_prefix(path) == path.size()) return;
  std::string bytes;
  for (const char c : path) minicnn::detail::append_hexadecimal(bytes, static_cast<unsigned char>(c), 2);
  text["path_bytes"] = bytes;
}

}  // namespace cli
