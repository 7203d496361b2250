#pragma once
/// From pixel values to what a network is fed.

#include <array>

#include "minicnn/data/resize.hpp"

namespace minicnn::inline MINICNN_ABI {

/// input = (pixel * scale - mean) / std, per channel, with pixels from 0 to 255. The default feeds raw pixels;
/// `scale = 1 / 255` goes with means and deviations that are given for pixels from 0 to 1.
struct normalization {
  std::array<float, 3> mean{0, 0, 0};
  std::array<float, 3> std{1, 1, 1};
  float scale = 1;

  /// Throws option_error for a std that is not above 0.
  channel_affine affine() const {
    channel_affine out;
    for (std::size_t c = 0; c < 3; ++c) {
      if (!(std[c] > 0)) fail<option_error>("normalization: std ", std[c], " of channel ", c, " is not above 0");
      out.scale[c] = scale / std[c];
      out.offset[c] = -mean[c] / std[c];
    }
    return out;
  }
};

}  // namespace minicnn::inline MINICNN_ABI
