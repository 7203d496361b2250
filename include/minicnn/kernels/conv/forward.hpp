#pragma once
/// Convolution, forward.

#include "minicnn/kernels/conv/implicit_gemm.hpp"
#include "minicnn/kernels/conv/padded_input.hpp"
#include "minicnn/kernels/product/pack.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Packs the weights of a group, filters x taps, for `implicit_gemm`.
template <class T>
void pack_filters(const context& ctx, index_t filters, index_t taps, const T* weight, T* to) {
  const int tile = choose_tile_rows<T>(ctx, filters);
  pack_chunked<T>(ctx, filters, taps, to, [&](index_t line, index_t lines, index_t k0, index_t depth, T* panel) {
    pack_panels<T>(ctx.instruction_set, {weight + line * taps + k0, taps, 1, lines, depth}, tile, panel);
  });
}

/// Bytes of the weights as `conv_forward` reads them: packed, group after group.
template <class T>
index_t conv_packed_weight_bytes(const conv_geometry& g) {
  return g.groups * chunked_size<T>(g.group_filters(), g.group_channels() * g.taps()) * static_cast<index_t>(sizeof(T));
}

/// Packs the weights of all groups into `prepared` (`conv_packed_weight_bytes`).
template <class T>
void conv_prepack_weights(const context& ctx, const conv_geometry& g, const T* weight, T* prepared) {
  const index_t filters = g.group_filters(), taps = g.group_channels() * g.taps();
  for (index_t group = 0; group < g.groups; ++group)
    pack_filters(ctx, filters, taps, weight + group * filters * taps, prepared + group * chunked_size<T>(filters, taps));
}

/// Bytes of scratch for `conv_forward`, with or without prepared weights; never less for a bigger batch or thread count.
template <class T>
index_t conv_forward_scratch_bytes(int threads, index_t batch, const conv_geometry& g, bool prepared = false) {
  const padded_layout planes = padded_input(g);
  const index_t taps = g.group_channels() * g.taps();
  const index_t images = planes.is_copy() ? 0 : (std::min)(batch, planes.images_at_a_time(sizeof(T)));
  return scratch::bytes_for<index_t>(taps) + (prepared ? 0 : scratch::bytes_for<T>(chunked_size<T>(g.group_filters(), taps))) +
         scratch::bytes_for<T>(images * planes.image_size() + 2 * pack_slack<T>) +
         implicit_gemm_scratch_bytes<T>(threads, g.group_filters(), taps);
}

/// y = convolution of x (batch, channels, height, width) with the weights (filters, channels / groups, kernel_h,
/// kernel_w) + bias (one a filter; null: none), added to what y holds if asked for, then ReLU if asked for. `prepared`: the
/// weights packed by `conv_prepack_weights`; null: they are packed here.
template <class T>
void conv_forward(const context& ctx, index_t batch, const conv_geometry& g, const T* x, const T* weight, const T* bias,
                  bool relu, T* y, scratch& work, const T* prepared = nullptr, bool add = false) {
  const padded_layout planes = padded_input(g);
  const index_t filters = g.group_filters(), channels = g.group_channels(), taps = channels * g.taps();
  const index_t pixels = g.out_height() * g.out_width();
  const bool in_place = planes.is_copy();
  const index_t images = in_place ? batch : (std::min)(batch, planes.images_at_a_time(sizeof(T)));

  index_t* const tap_offset = work.take<index_t>(taps);
  T* const packed = prepared == nullptr ? work.take<T>(chunked_size<T>(filters, taps)) : nullptr;
  T* const copy = work.take<T>((in_place ? 0 : images * planes.image_size()) + 2 * pack_slack<T>) + pack_slack<T>;
  scratch rest(work.take<std::byte>(implicit_gemm_scratch_bytes<T>(ctx.threads, filters, taps)),
               implicit_gemm_scratch_bytes<T>(ctx.threads, filters, taps));

  index_t* tap = tap_offset;
  for (index_t c = 0; c < channels; ++c)
    for (index_t kh = 0; kh < g.kernel_h; ++kh)
      for (index_t kw = 0; kw < g.kernel_w; ++kw)
        *tap++ = c * planes.channel_size() + planes.offset(kh * g.dilation_h, kw * g.dilation_w);

  for (index_t n0 = 0; n0 < batch; n0 += images) {
    const index_t count = (std::min)(images, batch - n0);
    const T* const from = x + n0 * g.channels * g.height * g.width;
    if (!in_place) pad_input(ctx, planes, count, from, copy);
    for (index_t group = 0; group < g.groups; ++group) {
      if (prepared == nullptr && (n0 == 0 || g.groups > 1))
        pack_filters(ctx, filters, taps, weight + group * filters * taps, packed);
      const index_t first_channel = group * channels * planes.channel_size();
      implicit_gemm_operands<T> p{};
      p.filters = filters;
      p.taps = taps;
      p.weights = prepared == nullptr ? packed : prepared + group * chunked_size<T>(filters, taps);
      p.source = (in_place ? from : copy);
      p.source_begin = in_place ? 0 : -pack_slack<T>;
      p.source_end = count * planes.image_size() - p.source_begin;
      p.tap_offset = tap_offset;
      p.grid = {count,
                g.out_height(),
                g.out_width(),
                first_channel,
                planes.image_size(),
                planes.columns,
                g.filters * pixels,
                g.out_width(),
                1};
      p.target = y + (n0 * g.filters + group * filters) * pixels;
      p.target_filter = pixels;
      p.bias = bias == nullptr ? nullptr : bias + group * filters;
      p.relu = relu;
      p.add = add;
      implicit_gemm(ctx, p, rest);
    }
  }
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
