#pragma once
/// A decoded picture in memory.

#include <utility>
#include <vector>

#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Pixels as bytes, row by row, channels interleaved (height, width, channels). The decoders always give three channels in
/// the order red, green, blue; readers of grey data sets (MNIST) may give one.
struct image_u8 {
  index_t height = 0;
  index_t width = 0;
  int channels = 3;
  std::vector<unsigned char> pixels;  ///< height * width * channels bytes
};

/// Turns a picture of three channels grey in place: 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601), rounded.
inline void to_grey(image_u8& image) {
  if (image.channels != 3) return;
  const std::size_t pixels = image.pixels.size() / 3;
  for (std::size_t i = 0; i < pixels; ++i) {
    const unsigned sum = 299U * image.pixels[3 * i] + 587U * image.pixels[3 * i + 1] + 114U * image.pixels[3 * i + 2];
    image.pixels[i] = static_cast<unsigned char>((sum + 500U) / 1000U);
  }
  image.pixels.resize(pixels);
  image.channels = 1;
}

/// A colour picture turned grey for `channels` = 1, a grey one with three equal channels for 3; others are left alone.
inline void set_channels(image_u8& image, int channels) {
  if (channels == 1) to_grey(image);
  if (image.channels != 1 || channels != 3) return;
  std::vector<unsigned char> three;
  three.reserve(3 * image.pixels.size());
  for (const unsigned char v : image.pixels) three.insert(three.end(), 3, v);
  image.pixels = std::move(three);
  image.channels = 3;
}

}  // namespace minicnn::inline MINICNN_ABI
