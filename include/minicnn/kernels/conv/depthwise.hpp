#pragma once
/// Depthwise convolution: every channel has a filter of its own, so there is no product of matrices to make, and time is that of
/// reading and writing maps. Each plane is copied with its padding to a buffer that stays in the cache, and convolved from there
/// by whole vectors of neighbouring results. The input gradient is the same with the filter turned round, over gradients that
/// are a stride apart with zeros between; the weight gradient sums over a channel's planes, image after image.

#include <algorithm>

#include "minicnn/core/arena.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/kernels/conv/depthwise_kernels.hpp"
#include "minicnn/kernels/conv/geometry.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Whether a convolution takes this way: a filter a channel, neighbouring taps, strides of 1 or 2 along rows.
inline bool is_depthwise(const conv_geometry& g) {
  return g.groups > 1 && g.group_channels() == 1 && g.group_filters() == 1 && g.dilation_h == 1 && g.dilation_w == 1 &&
         g.stride_w <= 2 && g.taps() > 1 && g.pad_top < g.kernel_h && g.pad_bottom < g.kernel_h && g.pad_left < g.kernel_w &&
         g.pad_right < g.kernel_w;
}

/// The buffered plane of the input, and that of the output's gradient from which the input's is made.
template <class T>
depthwise_plane<T> depthwise_input(const conv_geometry& g) {
  return {.height = g.height,
          .width = g.width,
          .top = g.pad_top,
          .left = g.pad_left,
          .step_h = 1,
          .step_w = 1,
          .rows = (g.out_height() - 1) * g.stride_h + g.kernel_h,
          .columns = (g.out_width() - 1) * g.stride_w + g.kernel_w,
          .from = nullptr,
          .from_end = nullptr,
          .padded = nullptr};
}
template <class T>
depthwise_plane<T> depthwise_gradient(const conv_geometry& g) {
  return {.height = g.out_height(),
          .width = g.out_width(),
          .top = g.kernel_h - 1 - g.pad_top,
          .left = g.kernel_w - 1 - g.pad_left,
          .step_h = g.stride_h,
          .step_w = g.stride_w,
          .rows = g.height + g.kernel_h - 1,
          .columns = g.width + g.kernel_w - 1,
          .from = nullptr,
          .from_end = nullptr,
          .padded = nullptr};
}

/// Scratch of each pass.
template <class T>
index_t depthwise_scratch_bytes(int threads, const conv_geometry& g) {
  const index_t cells = (std::max)(depthwise_input<T>(g).size(), depthwise_gradient<T>(g).size());
  return threads * scratch::bytes_for<T>(cells + depthwise_slack<T>);
}

/// Calls `body(image, channel, buffer)` for every plane, a buffer for each thread.
template <class T, class F>
void each_depthwise_plane(const context& ctx, index_t batch, const conv_geometry& g, scratch& work, const F& body) {
  const index_t bytes = depthwise_scratch_bytes<T>(1, g), planes = batch * g.channels;
  std::byte* const buffers = work.take<std::byte>(ctx.threads * bytes);
  const index_t tasks = (std::min)(planes, index_t{16} * ctx.threads);
  parallel_tasks(ctx.threads, tasks, [&](index_t task, int thread) {
    scratch mine(buffers + thread * bytes, bytes);
    T* const buffer = mine.take<T>(bytes / static_cast<index_t>(sizeof(T)));
    for (index_t p = planes * task / tasks; p < planes * (task + 1) / tasks; ++p) body(p / g.channels, p % g.channels, buffer);
  });
}

/// Convolution; `weight` (channels, 1, kernel_h, kernel_w).
template <class T>
void depthwise_forward(const context& ctx, index_t batch, const conv_geometry& g, const conv_operands<T>& o, const T* weight,
                       scratch& work) {
  const index_t map = g.height * g.width, pixels = g.out_height() * g.out_width();
  each_depthwise_plane<T>(ctx, batch, g, work, [&](index_t n, index_t c, T* buffer) {
    depthwise_plane<T> plane = depthwise_input<T>(g);
    plane.from = o.x + (n * g.channels + c) * map, plane.from_end = o.x + batch * g.channels * map, plane.padded = buffer;
    const depthwise_filter<T> filter{g.kernel_h,
                                     g.kernel_w,
                                     g.stride_h,
                                     g.stride_w,
                                     g.out_height(),
                                     g.out_width(),
                                     weight + c * g.taps(),
                                     false,
                                     o.bias == nullptr ? T{0} : o.bias[c],
                                     o.relu,
                                     o.add,
                                     o.y + n * o.image_step(g) + c * pixels};
    dispatch<depthwise_pad_kernel>(ctx.instruction_set, static_cast<const depthwise_plane<T>*>(&plane));
    dispatch<depthwise_kernel>(ctx.instruction_set, static_cast<const depthwise_plane<T>*>(&plane), &filter);
  });
}

/// dx = (or += if `add`) the gradient of the input.
template <class T>
void depthwise_backward_input(const context& ctx, index_t batch, const conv_geometry& g, const T* dy, const T* weight, T* dx,
                              bool add, scratch& work) {
  const index_t map = g.height * g.width, pixels = g.out_height() * g.out_width();
  each_depthwise_plane<T>(ctx, batch, g, work, [&](index_t n, index_t c, T* buffer) {
    depthwise_plane<T> plane = depthwise_gradient<T>(g);
    plane.from = dy + (n * g.channels + c) * pixels, plane.from_end = dy + batch * g.channels * pixels, plane.padded = buffer;
    const depthwise_filter<T> filter{g.kernel_h,
                                     g.kernel_w,
                                     1,
                                     1,
                                     g.height,
                                     g.width,
                                     weight + c * g.taps(),
                                     true,
                                     T{0},
                                     false,
                                     add,
                                     dx + (n * g.channels + c) * map};
    dispatch<depthwise_pad_kernel>(ctx.instruction_set, static_cast<const depthwise_plane<T>*>(&plane));
    dispatch<depthwise_kernel>(ctx.instruction_set, static_cast<const depthwise_plane<T>*>(&plane), &filter);
  });
}

/// The gradient of the weights. A channel is one thread's, so that sums have one order.
template <class T>
void depthwise_backward_weight(const context& ctx, index_t batch, const conv_geometry& g, const weight_gradient_operands<T>& o,
                               scratch& work) {
  const index_t map = g.height * g.width, pixels = g.out_height() * g.out_width();
  each_depthwise_plane<T>(ctx, 1, g, work, [&](index_t, index_t c, T* buffer) {
    T* const sums = o.dweight + c * g.taps();
    if (!o.add_weight) std::fill(sums, sums + g.taps(), T{0});
    depthwise_plane<T> plane = depthwise_input<T>(g);
    plane.from_end = o.x + batch * g.channels * map, plane.padded = buffer;
    const depthwise_filter<T> filter{g.kernel_h, g.kernel_w, g.stride_h, g.stride_w, g.out_height(), g.out_width(),
                                     nullptr,    false,      T{0},       false,      false,          nullptr};
    for (index_t n = 0; n < batch; ++n) {
      plane.from = o.x + (n * g.channels + c) * map;
      dispatch<depthwise_pad_kernel>(ctx.instruction_set, static_cast<const depthwise_plane<T>*>(&plane));
      dispatch<depthwise_weight_kernel>(ctx.instruction_set, static_cast<const depthwise_plane<T>*>(&plane), &filter,
                                        o.dy + (n * g.channels + c) * pixels, o.dy + batch * g.channels * pixels, sums);
    }
  });
  if (o.dbias != nullptr) channel_sums(ctx, o.dy, batch, g.channels, pixels, o.dbias, o.add_bias);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
