#pragma once
/// The EXIF orientation of PNG files: in the chunk eXIf (PNG 1.5, extensions), or in a text chunk as ImageMagick wrote it before.

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/data/exif.hpp"
#include "minicnn/files/inflate.hpp"

namespace minicnn::inline MINICNN_ABI::detail {

struct text_source {
  std::string_view left;
  index_t read_some(void* to, index_t count) {
    const std::size_t n = (std::min)(left.size(), static_cast<std::size_t>(count));
    std::memcpy(to, left.data(), n);
    left.remove_prefix(n);
    return static_cast<index_t>(n);
  }
};

/// The beginning of what zlib data hold, at most 64 KiB; empty if they are damaged: a profile is no reason to refuse a picture.
inline std::string small_zlib(std::string_view packed) {
  if (packed.size() < 3 || packed[0] != 0) return "";  // the only method that there is
  text_source source{packed.substr(3)};
  std::string out(65536, '\0');
  std::size_t held = 0;
  try {
    inflater<text_source> stream(source, "");
    for (index_t n = 1; n > 0 && held < out.size(); held += static_cast<std::size_t>(n))
      n = stream.read_some(out.data() + held, static_cast<index_t>(out.size() - held));
  } catch (const file_error&) {
  }
  out.resize(held);
  return out;
}

/// The EXIF block in a text chunk "Raw profile type exif" (or APP1), as ImageMagick wrote it before PNG had eXIf: hexadecimal
/// digits behind a name and a length, packed in zTXt. Empty if it is none.
inline std::vector<unsigned char> raw_profile(std::string_view type, std::span<const unsigned char> body) {
  std::string_view text(reinterpret_cast<const char*>(body.data()), body.size());
  const bool exif = text.starts_with(std::string_view("Raw profile type exif\0", 22));
  if (!exif && !text.starts_with(std::string_view("Raw profile type APP1\0", 22))) return {};
  text.remove_prefix(22);
  std::string unpacked;
  if (type == "zTXt") {
    unpacked = small_zlib(text);
    text = unpacked;
  }
  for (int line = 0; line < 2; ++line) {  // "\nexif\n      40\n"
    text.remove_prefix((std::min)(text.find_first_not_of('\n'), text.size()));
    text.remove_prefix((std::min)(text.find('\n'), text.size()));
  }
  std::vector<unsigned char> out;
  int high = -1;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) continue;
    if (high >= 0) out.push_back(static_cast<unsigned char>(high * 16 + digit));
    high = high >= 0 ? -1 : digit;
  }
  return out;
}

/// The orientation that a chunk of a PNG file says: eXIf, or a raw profile; 0 if it says none.
inline int png_orientation(std::string_view type, std::span<const unsigned char> body) {
  std::vector<unsigned char> profile;
  if (type == "tEXt" || type == "zTXt") {
    profile = raw_profile(type, body);
    body = profile;
  } else if (type != "eXIf") {
    return 0;
  }
  if (body.empty()) return 0;
  if (body.size() > 6 && std::memcmp(body.data(), "Exif\0\0", 6) == 0)
    body = body.subspan(6);  // some writers keep JPEG's beginning
  return exif_orientation(body);
}

}  // namespace minicnn::inline MINICNN_ABI::detail
