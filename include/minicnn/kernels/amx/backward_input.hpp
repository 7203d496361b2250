#pragma once
/// Gradient of a convolution of stride 1 with respect to its input, on AMX: a convolution of dy.

#include "minicnn/kernels/amx/forward.hpp"

#if MINICNN_AMX

namespace minicnn::inline MINICNN_ABI::kernels::amx {

/// The convolution of dy by which the gradient of the input is made.
inline conv_geometry transposed(const conv_geometry& g) {
  conv_geometry t = g;
  t.channels = g.filters, t.height = g.out_height(), t.width = g.out_width(), t.filters = g.channels;
  t.pad_top = (g.kernel_h - 1) * g.dilation_h - g.pad_top, t.pad_bottom = (g.kernel_h - 1) * g.dilation_h - g.pad_bottom;
  t.pad_left = (g.kernel_w - 1) * g.dilation_w - g.pad_left, t.pad_right = (g.kernel_w - 1) * g.dilation_w - g.pad_right;
  return t;
}

/// Bytes of scratch for `backward_input`; never less for a bigger batch or thread count.
inline index_t backward_input_scratch_bytes(int threads, index_t batch, const conv_geometry& g) {
  return convolution_plan(batch, transposed(g)).bytes(threads, false);
}

/// `conv_backward_input` by lines: a convolution of dy with filters and channels exchanged, and the last tap
/// first. Requires `is_supported(g)` and `has_amx`.
inline void backward_input(const context& ctx, index_t batch, const conv_geometry& g, const float* dy, const float* weight,
                           float* dx, bool add, scratch& work) {
  const filter_source filters{weight, g.taps(), g.channels * g.taps(), g.filters * g.channels * g.taps(), true};
  convolve(ctx, batch, transposed(g), filters, nullptr, {.x = dy, .weight = weight, .y = dx, .add = add}, work);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels::amx

#endif
