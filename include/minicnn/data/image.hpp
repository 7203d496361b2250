/// Pictures from files: JPEG, PNG and BMP, told apart by content.
///
/// One unit of the program holds the decoder: CMake's target `minicnn::image` compiles it; without CMake, one .cpp file says
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
#include <vector>

#include "minicnn/core/error.hpp"
#include "minicnn/data/image_boundary.hpp"
#include "minicnn/data/image_u8.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Files with more bytes are refused unread.
inline constexpr index_t max_image_file_bytes = index_t{256} << 20;

namespace detail {

/// What the decoder returns.
enum image_outcome : int { image_no_memory = -2, image_not_read = -1, image_bad = 0, image_decoded = 1 };

/// One call of the decoder, seen from the caller's side of the boundary.
struct image_call {
  image_u8& image;
  std::vector<unsigned char>* buffer = nullptr;
  std::string failure = {};

  static unsigned char* file_memory(void* self, std::size_t count) {
    std::vector<unsigned char>& buffer = *static_cast<image_call*>(self)->buffer;
    buffer.resize(count);
    return buffer.data();
  }
  static unsigned char* pixel_memory(void* self, std::int64_t height, std::int64_t width) {
    image_u8& image = static_cast<image_call*>(self)->image;
    image.height = height;
    image.width = width;
    image.channels = 3;
    image.pixels.resize(static_cast<std::size_t>(height * width * 3));
    return image.pixels.data();
  }
  static void failed(void* self, const char* text, std::size_t length) {
    static_cast<image_call*>(self)->failure.assign(text, length);
  }

  void run(std::string_view name, std::span<const unsigned char> bytes) {
    const MINICNN_VERSIONED(minicnn_image_request)
        request{name.data(), name.size(), bytes.data(), bytes.size(), this, file_memory, pixel_memory, failed};
    switch (MINICNN_VERSIONED(minicnn_decode_image)(&request)) {
      case image_decoded:
        return;
      case image_bad:
        throw file_error(failure);
      case image_no_memory:
        fail<length_error>(name, ": not enough memory to read this picture");
      default:
        throw error(failure);
    }
  }
};

}  // namespace detail

/// Decodes a whole JPEG, PNG or BMP file held in memory into RGB, turned upright as its EXIF orientation says (JPEG, PNG).
/// Grey gives three equal planes, palettes are looked up, CMYK and YCCK are converted, of 16 bits the upper 8 are kept.
/// Alpha is dropped, not blended: the stored colours count, as in Keras, TensorFlow and Pillow's convert("RGB").
/// The pixels' memory is used again. Throws file_error ("name: reason") for files that are empty, truncated, damaged, too
/// large or of another kind, and length_error where there is not enough memory, which says nothing about the picture.
inline void decode_image(std::span<const unsigned char> bytes, std::string_view name, image_u8& image) {
  static constexpr unsigned char nothing[1] = {};
  detail::image_call{image}.run(name, bytes.empty() ? std::span<const unsigned char>(nothing, std::size_t{0}) : bytes);
}

/// The same into a new image.
inline image_u8 decode_image(std::span<const unsigned char> bytes, std::string_view name) {
  image_u8 image;
  decode_image(bytes, name, image);
  return image;
}

/// Reads and decodes the file `path`; its bytes pass through `buffer`. Both keep their memory for the next call. Throws
/// file_error ("path: reason"), also if the file cannot be read.
inline void load_image(const std::string& path, image_u8& image, std::vector<unsigned char>& buffer) {
  detail::image_call{image, &buffer}.run(path, {});
}

/// The same into a new image.
inline image_u8 load_image(const std::string& path) {
  image_u8 image;
  std::vector<unsigned char> buffer;
  load_image(path, image, buffer);
  return image;
}

}  // namespace minicnn::inline MINICNN_ABI

#endif  // MINICNN_DATA_IMAGE_HPP

#if defined(MINICNN_IMAGE_IMPLEMENTATION)
#include "minicnn/data/image_implementation.hpp"
#endif
