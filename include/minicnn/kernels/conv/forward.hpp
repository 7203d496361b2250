#pragma once
/// Convolution, forward.

#include "minicnn/kernels/conv/depthwise.hpp"
#include "minicnn/kernels/conv/implicit_gemm.hpp"
#include "minicnn/kernels/conv/padded_input.hpp"
#include "minicnn/kernels/product/pack.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Packs the weights of a group, filters x taps, for `implicit_gemm`.
template <class T>
void pack_filters(const context& ctx, index_t filters, index_t taps, const T* weight, T* to) {
  pack_chunked<T>(ctx, filters, taps, to, [&](int tile_rows, index_t line, index_t lines, index_t k0, index_t depth, T* panel) {
    pack_panels<T>(ctx.instruction_set, {weight + line * taps + k0, taps, 1, lines, depth}, tile_rows, panel);
  });
}

/// Bytes of the weights as `conv_forward` reads them: packed, group after group.
template <class T>
index_t conv_packed_weight_bytes(const conv_geometry& g) {
  if (is_depthwise(g)) return g.filters * g.taps() * static_cast<index_t>(sizeof(T));
  return g.groups * chunked_size<T>(g.group_filters(), g.group_channels() * g.taps()) * static_cast<index_t>(sizeof(T));
}

/// Packs the weights of all groups into `packed` (`conv_packed_weight_bytes`).
template <class T>
void conv_prepack_weights(const context& ctx, const conv_geometry& g, const T* weight, T* packed) {
  const index_t filters = g.group_filters(), taps = g.group_channels() * g.taps();
  if (is_depthwise(g)) {
    std::copy(weight, weight + g.filters * taps, packed);  // as they are
    return;
  }
  for (index_t group = 0; group < g.groups; ++group)
    pack_filters(ctx, filters, taps, weight + group * filters * taps, packed + group * chunked_size<T>(filters, taps));
}

/// Bytes of scratch for `conv_forward`, with or without packed weights; never less for a bigger batch or thread count.
template <class T>
index_t conv_forward_scratch_bytes(int threads, index_t batch, const conv_geometry& g, bool prepacked = false) {
  if (is_depthwise(g)) return depthwise_scratch_bytes<T>(threads, g);
  const padded_layout planes = padded_input(g);
  const index_t taps = g.group_channels() * g.taps();
  const index_t images = planes.is_copy() ? 0 : (std::min)(batch, planes.images_at_a_time(sizeof(T)));
  return scratch::bytes_for<index_t>(taps) + (prepacked ? 0 : scratch::bytes_for<T>(chunked_size<T>(g.group_filters(), taps))) +
         scratch::bytes_for<T>(images * planes.image_size() + 2 * pack_slack<T>) +
         implicit_gemm_scratch_bytes<T>(threads, g.group_filters(), taps);
}

/// Where taps are read in padded maps, counted as weights are.
inline void tap_offsets(const conv_geometry& g, const padded_layout& planes, index_t* to) {
  for (index_t c = 0; c < g.group_channels(); ++c)
    for (index_t kh = 0; kh < g.kernel_h; ++kh)
      for (index_t kw = 0; kw < g.kernel_w; ++kw)
        *to++ = c * planes.channel_size() + planes.offset(kh * g.dilation_h, kw * g.dilation_w);
}

/// Convolution. `packed_weights` are from `conv_prepack_weights`.
template <class T>
void conv_forward(const context& ctx, index_t batch, const conv_geometry& g, const conv_operands<T>& o, scratch& work) {
  if (is_depthwise(g))
    return depthwise_forward(ctx, batch, g, o, o.packed_weights != nullptr ? o.packed_weights : o.weight, work);
  const padded_layout planes = padded_input(g);
  const index_t filters = g.group_filters(), channels = g.group_channels(), taps = channels * g.taps();
  const index_t pixels = g.out_height() * g.out_width(), bytes = implicit_gemm_scratch_bytes<T>(ctx.threads, filters, taps);
  const bool in_place = planes.is_copy(), prepacked = o.packed_weights != nullptr;
  const index_t images = in_place ? batch : (std::min)(batch, planes.images_at_a_time(sizeof(T)));

  index_t* const tap_offset = work.take<index_t>(taps);
  T* const packed = prepacked ? nullptr : work.take<T>(chunked_size<T>(filters, taps));
  T* const copy = work.take<T>((in_place ? 0 : images * planes.image_size()) + 2 * pack_slack<T>) + pack_slack<T>;
  const scratch rest(work.take<std::byte>(bytes), bytes);
  tap_offsets(g, planes, tap_offset);

  for (index_t n0 = 0; n0 < batch; n0 += images) {
    const index_t count = (std::min)(images, batch - n0), slack = in_place ? 0 : pack_slack<T>;
    const T* const from = o.x + n0 * g.channels * g.height * g.width;
    if (!in_place) pad_input(ctx, planes, count, from, copy);
    for (index_t group = 0; group < g.groups; ++group) {
      if (!prepacked && (n0 == 0 || g.groups > 1)) pack_filters(ctx, filters, taps, o.weight + group * filters * taps, packed);
      const implicit_gemm_operands<T> product{
          .filters = filters,
          .taps = taps,
          .weights = prepacked ? o.packed_weights + group * chunked_size<T>(filters, taps) : packed,
          .source = {in_place ? from : copy, -slack, count * planes.image_size() + slack},
          .tap_offset = tap_offset,
          .grid = {.images = count,
                   .rows = g.out_height(),
                   .columns = g.out_width(),
                   .source_origin = group * channels * planes.channel_size(),
                   .source_image = planes.image_size(),
                   .source_row = planes.columns,
                   .target_image = o.image_step(g),
                   .target_row = g.out_width(),
                   .target_column = 1},
          .target = o.y + n0 * o.image_step(g) + group * filters * pixels,
          .target_filter = pixels,
          .bias = o.bias == nullptr ? nullptr : o.bias + group * filters,
          .activation = o.activation,
          .add = o.add};
      implicit_gemm(ctx, product, rest);
    }
  }
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
