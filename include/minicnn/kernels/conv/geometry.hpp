#pragma once
/// The shape of a convolution.

#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Input (batch, channels, height, width), weights (filters, channels / groups, kernel_h, kernel_w), output
/// (batch, filters, out_height(), out_width()). Filters and channels must be multiples of `groups`.
struct conv_geometry {
  index_t channels = 1, height = 1, width = 1;
  index_t filters = 1;
  index_t kernel_h = 1, kernel_w = 1;
  index_t stride_h = 1, stride_w = 1;
  index_t dilation_h = 1, dilation_w = 1;
  index_t pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;
  index_t groups = 1;

  index_t out_height() const { return (height + pad_top + pad_bottom - (kernel_h - 1) * dilation_h - 1) / stride_h + 1; }
  index_t out_width() const { return (width + pad_left + pad_right - (kernel_w - 1) * dilation_w - 1) / stride_w + 1; }

  index_t group_channels() const { return channels / groups; }
  index_t group_filters() const { return filters / groups; }
  index_t taps() const { return kernel_h * kernel_w; }
};

}  // namespace minicnn::inline MINICNN_ABI::kernels
