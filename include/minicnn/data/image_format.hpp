#pragma once
/// Which picture format a file holds, told by its first bytes and never by its name, and whether it is whole.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "minicnn/data/bmp.hpp"
#include "minicnn/data/jpeg_structure.hpp"
#include "minicnn/data/png_exif.hpp"
#include "minicnn/files/crc32.hpp"

namespace minicnn::inline MINICNN_ABI {

enum class image_format { unknown, jpeg, png, bmp };

namespace detail {

inline bool starts_with(std::span<const unsigned char> file, std::string_view magic) {
  return file.size() >= magic.size() && std::memcmp(file.data(), magic.data(), magic.size()) == 0;
}

inline std::uint32_t big_endian_u32(const unsigned char* p) {
  return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | p[3];
}

}  // namespace detail

/// By the first bytes alone.
inline image_format detect_image_format(std::span<const unsigned char> file) {
  if (detail::starts_with(file, "\xFF\xD8\xFF")) return image_format::jpeg;
  if (detail::starts_with(file, "\x89PNG\r\n\x1A\n")) return image_format::png;
  if (detail::starts_with(file, "BM")) return image_format::bmp;
  return image_format::unknown;
}

/// Size and orientation of a PNG file. Throws file_error if a chunk that matters is damaged or the file ends before its IEND
/// chunk.
inline image_header check_png(std::span<const unsigned char> file, std::string_view name) {
  constexpr std::size_t overhead = 12;  // length, type and CRC of a chunk
  image_header header;
  index_t row_bits = 0, data_bytes = 0;
  int orientation = 0;
  std::size_t at = 8;
  for (;;) {
    if (file.size() - at < overhead) fail<file_error>(name, ": PNG without its end (truncated file)");
    const std::size_t length = detail::big_endian_u32(file.data() + at);
    if (length > file.size() - at - overhead) fail<file_error>(name, ": PNG without its end (truncated file)");
    const unsigned char* type = file.data() + at + 4;
    const unsigned char* body = type + 4;
    const std::string_view type_name(reinterpret_cast<const char*>(type), 4);
    // An upper-case first letter marks the chunks that a decoder cannot do without.
    if ((type[0] & 0x20) == 0 &&
        crc32({reinterpret_cast<const char*>(type), length + 4}) != detail::big_endian_u32(body + length))
      fail<file_error>(name, ": damaged PNG: wrong checksum");
    if (at == 8) {
      if (type_name != "IHDR" || length != 13) fail<file_error>(name, ": damaged PNG: no header");
      header.width = detail::big_endian_u32(body);
      header.height = detail::big_endian_u32(body + 4);
      detail::check_image_size(header, name);
      const int channels = body[9] == 2 ? 3 : body[9] == 4 ? 2 : body[9] == 6 ? 4 : 1;
      row_bits = header.width * channels * body[8];
      header.bits = body[8];
      header.palette = body[9] == 3;
      header.channels = body[9] == 0 || body[9] == 4 ? 1 : 3;
      header.alpha = body[9] == 4 || body[9] == 6;
      // Twice as stored (with and without filters) and the passes of interlaced ones; of 16 bits also RGB of 16 and 8.
      const index_t stored = channels * (body[8] == 16 ? 2 : 1), copies = 2 * stored + (body[12] != 0 ? (stored + 1) / 2 : 0);
      header.decoding_bytes = (std::max)(copies, index_t{body[8] == 16 ? 9 : 6});
    } else if (type_name == "IDAT") {
      data_bytes += static_cast<index_t>(length);
    } else if (type_name == "tRNS") {
      header.alpha = true;
    } else if (orientation == 0) {  // the first that says one counts
      orientation = detail::png_orientation(type_name, {body, length});
    }
    at += overhead + length;
    if (type_name == "IEND") break;
  }
  header.end = at;
  if (orientation != 0) header.orientation = orientation;
  // Deflate packs at most 1032 bytes into one: a smaller file cannot hold the picture it promises.
  if (data_bytes * 1032 < header.height * (row_bits / 8))
    fail<file_error>(name, ": damaged PNG: too short for ", header.width, "x", header.height, " pixels");
  return header;
}

/// Size and orientation of a JPEG, PNG or BMP file. Throws file_error, with `name` in front, for anything else and for files
/// that are not whole. Nothing is decoded.
inline image_header check_image(std::span<const unsigned char> file, std::string_view name) {
  if (file.empty()) fail<file_error>(name, ": empty file (0 bytes)");
  switch (detect_image_format(file)) {
    case image_format::jpeg:
      return check_jpeg(file, name);
    case image_format::png:
      return check_png(file, name);
    case image_format::bmp:
      return check_bmp(file, name);
    case image_format::unknown:
      break;
  }
  if (detail::starts_with(file, "GIF8")) fail<file_error>(name, ": GIF, which is not supported; JPEG, PNG and BMP are");
  if (detail::starts_with(file, "RIFF") && file.size() >= 12 && detail::starts_with(file.subspan(8), "WEBP"))
    fail<file_error>(name, ": WebP, which is not supported; JPEG, PNG and BMP are");
  fail<file_error>(name, ": not a JPEG, PNG or BMP picture");
}

}  // namespace minicnn::inline MINICNN_ABI
