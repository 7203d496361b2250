#pragma once
/// The shape of a convolution, and what its passes read and write.

#include "minicnn/core/shape.hpp"
#include "minicnn/kernels/simd/fused_activation.hpp"

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

/// What a convolution reads and writes: y (batch, filters, out_height(), out_width()) = x (batch, channels, height, width) *
/// weight (filters, channels / groups, kernel_h, kernel_w) + bias (one a filter), added to what y holds if `add`, then the
/// activation.
template <class T>
struct conv_operands {
  const T* x;
  const T* weight;
  const T* bias = nullptr;  ///< null: none
  T* y;
  fused_activation<T> activation = {};
  bool add = false;
  const T* packed_weights = nullptr;  ///< `weight` packed before; null: it is packed on the way
  index_t y_image = 0;                ///< elements from image to image of y; 0: images follow each other

  index_t image_step(const conv_geometry& g) const { return y_image != 0 ? y_image : g.filters * g.out_height() * g.out_width(); }
};

/// What the gradient of weights and bias reads and writes: dweight = (or += if `add_weight`) the gradient for the input x and the
/// gradient dy of the output; the same for the bias unless `dbias` is null.
template <class T>
struct weight_gradient_operands {
  const T *x, *dy;
  T* dweight;
  bool add_weight = false;
  T* dbias = nullptr;
  bool add_bias = false;
};

}  // namespace minicnn::inline MINICNN_ABI::kernels
