#pragma once
/// The orientation that cameras write beside the pixels (EXIF 2.3, tag 0x0112), read and applied.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "minicnn/data/image_u8.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Reads numbers of either byte order within bounds; what lies outside reads as 0.
class tiff_reader {
 public:
  explicit tiff_reader(std::span<const unsigned char> bytes)
      : bytes_(bytes), big_endian_(bytes.size() >= 2 && bytes[0] == 'M' && bytes[1] == 'M') {}

  std::uint32_t u16(std::size_t at) const {
    const std::uint32_t first = byte(at), second = byte(at + 1);
    return big_endian_ ? first << 8 | second : second << 8 | first;
  }
  std::uint32_t u32(std::size_t at) const { return big_endian_ ? u16(at) << 16 | u16(at + 2) : u16(at + 2) << 16 | u16(at); }

 private:
  std::uint32_t byte(std::size_t at) const { return at < bytes_.size() ? bytes_[at] : 0U; }

  std::span<const unsigned char> bytes_;
  bool big_endian_;
};

}  // namespace detail

/// The orientation (1 to 8) in a TIFF block, which is what follows "Exif\0\0" in a JPEG's APP1 segment. 1, the upright
/// picture, if there is none or the block makes no sense.
inline int exif_orientation(std::span<const unsigned char> tiff) {
  constexpr std::uint32_t orientation_tag = 0x0112, type_short = 3;
  constexpr std::size_t entry_bytes = 12;
  const detail::tiff_reader reader(tiff);
  if (tiff.size() < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M') || reader.u16(2) != 42) return 1;
  const std::size_t directory = reader.u32(4);
  if (directory > tiff.size() - 2) return 1;
  const std::size_t entries = (std::min)(std::size_t{reader.u16(directory)}, (tiff.size() - directory - 2) / entry_bytes);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * entry_bytes;
    if (reader.u16(entry) != orientation_tag) continue;
    const std::uint32_t value = reader.u16(entry + 8);
    return reader.u16(entry + 2) == type_short && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

/// Copies stored pixels, turned upright, to `memory_for(height, width)`. `orientation` says where the stored first row and first
/// column belong: 1 top, left (nothing to do) · 2 top, right · 3 bottom, right · 4 bottom, left · 5 left, top · 6 right, top ·
/// 7 right, bottom · 8 left, bottom. Other values count as 1. Height and width change places from 5 on.
template <class Make>
void copy_upright(const unsigned char* pixels, index_t stored_height, index_t stored_width, index_t channels, int orientation,
                  Make memory_for) {
  const bool transposed = orientation >= 5 && orientation <= 8;
  const bool rows_reversed = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const bool columns_reversed = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  const index_t height = transposed ? stored_width : stored_height, width = transposed ? stored_height : stored_width;
  unsigned char* to = memory_for(height, width);
  for (index_t y = 0; y < height; ++y) {
    const index_t v = rows_reversed ? height - 1 - y : y;
    for (index_t x = 0; x < width; ++x) {
      const index_t u = columns_reversed ? width - 1 - x : x;
      const unsigned char* from = pixels + (transposed ? u * stored_width + v : v * stored_width + u) * channels;
      to = std::copy(from, from + channels, to);
    }
  }
}

/// Turns an image upright, as `copy_upright` does.
inline void apply_orientation(image_u8& image, int orientation) {
  if (orientation < 2 || orientation > 8) return;
  image_u8 upright;
  upright.channels = image.channels;
  const auto memory_for = [&](index_t height, index_t width) {
    upright.height = height, upright.width = width;
    upright.pixels.resize(image.pixels.size());
    return upright.pixels.data();
  };
  copy_upright(image.pixels.data(), image.height, image.width, image.channels, orientation, memory_for);
  image = std::move(upright);
}

}  // namespace minicnn::inline MINICNN_ABI
