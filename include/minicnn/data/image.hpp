/// Pictures from files: JPEG, PNG and BMP, told apart by content.
///
/// Only declarations. One unit of the program holds the decoder: CMake's target `minicnn::image` compiles it; without
/// CMake, one .cpp file says
///
///     #define MINICNN_IMAGE_IMPLEMENTATION
///     #include <minicnn/data/image.hpp>
///
/// That unit needs stb_image.h (Debian: libstb-dev). It keeps a decoder of its own: a program that uses stb itself, in
/// another unit or in this one, is not affected and does not affect it.

// Not `#pragma once`: the unit with the decoder may have met the declarations before, through another header.
#ifndef MINICNN_DATA_IMAGE_HPP
#define MINICNN_DATA_IMAGE_HPP

#include <span>
#include <string>
#include <string_view>

#include "minicnn/data/image_u8.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Files with more bytes are refused unread.
inline constexpr index_t max_image_file_bytes = index_t{256} << 20;

/// Decodes a whole JPEG, PNG or BMP file held in memory into RGB, turned upright as its EXIF orientation says (JPEG).
/// Grey gives three equal planes, palettes are looked up, CMYK and YCCK are converted, of 16 bits the upper 8 are kept.
/// Alpha is dropped, not blended: the stored colours count, as in Keras, TensorFlow and Pillow's convert("RGB").
/// Throws file_error ("name: reason") for files that are empty, truncated, damaged, too large or of another kind.
image_u8 decode_image(std::span<const unsigned char> bytes, std::string_view name);

/// The same into `image`, whose memory is used again.
void decode_image(std::span<const unsigned char> bytes, std::string_view name, image_u8& image);

/// Reads and decodes the file `path`. Throws file_error ("path: reason"), also if it cannot be read.
image_u8 load_image(const std::string& path);

/// The same into `image`; the file's bytes pass through `buffer`. Both keep their memory for the next call.
void load_image(const std::string& path, image_u8& image, std::vector<unsigned char>& buffer);

}  // namespace minicnn::inline MINICNN_ABI

#endif  // MINICNN_DATA_IMAGE_HPP

#if defined(MINICNN_IMAGE_IMPLEMENTATION)
#include "minicnn/data/image_implementation.hpp"
#endif
