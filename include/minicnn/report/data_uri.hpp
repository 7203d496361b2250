#pragma once
/// Files inside a page: "data:image/png;base64,...".

#include <span>
#include <string>
#include <string_view>

#include "minicnn/core/error.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Base64 with padding (RFC 4648, section 4).
inline std::string base64(std::span<const unsigned char> bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t k) { return k < bytes.size() ? static_cast<unsigned>(bytes[k]) : 0U; };
    const unsigned three = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    out += digits[three >> 18 & 63];
    out += digits[three >> 12 & 63];
    out += i + 1 < bytes.size() ? digits[three >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? digits[three & 63] : '=';
  }
  return out;
}

/// For src= and href=: `type` is "image/png" or the like.
inline std::string data_uri(std::string_view type, std::span<const unsigned char> bytes) {
  return text_of("data:", type, ";base64,", base64(bytes));
}

}  // namespace minicnn::inline MINICNN_ABI
