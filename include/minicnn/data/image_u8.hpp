#pragma once
/// A decoded picture in memory.

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

}  // namespace minicnn::inline MINICNN_ABI
