#pragma once
/// Gradient of a convolution with respect to its weights, on AMX: the positions are the summed dimension.
///
/// dW (filters x channels, for each tap) = dy (filters x positions) * x (positions, moved by the tap, x channels). A tile sums 32
/// positions, in pairs. Taps move x by any number of positions, so there are two copies of it, or of each of its phases: one
/// whose pairs begin at even positions, one at odd. Positions are cut into slices, whose number depends on the shape alone, and
/// the slices' sums are added in order, so that any number of threads gives the same bits. The zeros between maps are multiplied
/// too: an infinite number at an edge makes NaN of taps that do not reach it.

#include "minicnn/core/arena.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/kernels/amx/gradient_product.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"

#if MINICNN_AMX

namespace minicnn::inline MINICNN_ABI::kernels::amx {

/// Positions that a tile sums, and tiles of them that stay in the second-level cache while the taps go by.
inline constexpr index_t tile_positions = 32, chunk_tiles = 48;

/// Sizes of a weight gradient that depend on the shape alone.
struct weight_gradient_plan {
  conv_geometry g;
  input_maps maps;
  index_t filter_tiles, channel_tiles;  ///< blocks of 16
  index_t blocks;                       ///< of 32 filters by 32 channels
  index_t images, slices;

  weight_gradient_plan(index_t batch, const conv_geometry& shape)
      : g(shape),
        maps(shape),
        filter_tiles(divide_up(g.filters, 16)),
        channel_tiles(divide_up(g.channels, 16)),
        blocks(divide_up(filter_tiles, 2) * across()),
        images((std::min)(batch, images_within((filter_tiles + copies() * channel_tiles) * maps.space.image() * 32 +
                                               maps.copies(1) * index_t{4}))),
        slices(std::clamp(32 / blocks, index_t{1}, index_t{16})) {}

  index_t across() const { return divide_up(channel_tiles, 2); }
  /// Of x in pairs.
  index_t copies() const { return 2 * maps.phases(); }
  index_t tiles(index_t count) const { return divide_up(count * maps.space.image(), tile_positions); }
  /// Pairs of positions of a block of channels, whole tiles.
  index_t pairs(index_t count) const { return round_up(tiles(count) * 16 + (maps.space.lead + maps.space.reach) / 2 + 1, 16); }
  index_t dy_words(index_t count) const { return tiles(count) * filter_tiles * tile_elements; }
  index_t x_words(index_t count) const { return channel_tiles * pairs(count) * line_words; }
  index_t slice_sums() const { return blocks * g.taps() * 4 * tile_elements; }
  index_t bytes() const {
    return scratch::bytes_for<index_t>(g.taps()) + scratch::bytes_for<std::uint32_t>(dy_words(images)) +
           scratch::bytes_for<std::uint32_t>(copies() * x_words(images)) + scratch::bytes_for<float>(slices * slice_sums()) +
           scratch::bytes_for<float>(maps.copies(images));
  }
};

/// Calls body(first tile, tiles, windows) for pieces of `tiles` tiles of 32 positions, of maps (height, width) of `count` images,
/// the first of which begins at position `origin`.
template <class F>
void each_tiles(const context& ctx, const position_space& space, index_t count, index_t height, index_t width, index_t step,
                index_t origin, index_t tiles, const F& body) {
  constexpr index_t most = 8;
  parallel_for(ctx.threads, divide_up(tiles, most), 1, [&](index_t begin, index_t end) {
    for (index_t tile = begin * most; tile < (std::min)(end * most, tiles); tile += most) {
      window windows[2 * most];
      const index_t n = (std::min)(most, tiles - tile);
      for (index_t w = 0; w < 2 * n; ++w)
        windows[w] = window_at(space, count, height, width, step, origin + tile * tile_positions + w * 16);
      body(tile, n, static_cast<const window*>(windows));
    }
  });
}

/// The memory of a weight gradient.
struct weight_gradient_memory {
  index_t* taps;  ///< where each reads x
  std::uint32_t *dy, *x;
  float* sums;  ///< slice after slice, in each block after block, tap after tap
  float* copy;  ///< of x, with strides
};

/// Calls body(copy of x, positions moved, tap) for all taps: of phase i the copies are 2 i and 2 i + 1.
template <class F>
void each_tap(const weight_gradient_plan& plan, const F& body) {
  const conv_geometry& g = plan.g;
  for (index_t kh = 0; kh < g.kernel_h; ++kh)
    for (index_t kw = 0; kw < g.kernel_w; ++kw) {
      const index_t position = plan.maps.position(g, kh, kw);
      body(2 * plan.maps.phase(g, kh, kw) + position % 2, position, kh * g.kernel_w + kw);
    }
}

/// dy and x of `count` images in bfloat16.
inline void convert_maps(const context& ctx, const weight_gradient_plan& plan, index_t count, const float* x, const float* dy,
                         const weight_gradient_memory& to) {
  const conv_geometry& g = plan.g;
  const input_maps& maps = plan.maps;
  const index_t pixels = g.out_height() * g.out_width(), pairs = plan.pairs(count);
  const map_source gradients{dy, pixels, g.filters};
  each_tiles(ctx, maps.space, count, g.out_height(), g.out_width(), g.filters * pixels, 0, plan.tiles(count),
             [&](index_t tile, index_t some, const window* windows) {
               dispatch_native<gradient_tiles_kernel>(&gradients, windows, some,
                                                      to.dy + tile * plan.filter_tiles * tile_elements);
             });
  if (maps.copied) {
    pad_input(ctx, maps.copy, count, x, to.copy);
    x = to.copy;
  }
  for (index_t copy = 0; copy < plan.copies(); ++copy) {
    bool read = false;
    each_tap(plan, [&](index_t from, index_t, index_t) { read = read || from == copy; });
    if (!read) continue;
    const map_source source{x + copy / 2 * maps.plane(), maps.channel_step(), g.channels};
    each_tiles(ctx, maps.space, count, maps.height, maps.width, maps.image_step(g), copy % 2 - maps.space.lead, pairs / 16,
               [&](index_t tile, index_t some, const window* windows) {
                 dispatch_native<position_pairs_kernel>(&source, windows, some, pairs,
                                                        to.x + copy * plan.x_words(count) + tile * tile_elements);
               });
  }
  each_tap(plan, [&](index_t from, index_t position, index_t tap) {
    to.taps[tap] = from * plan.x_words(count) + position / 2 * line_words;
  });
}

/// Adds the products of `count` images to the sums, or writes them if these are the `first`.
inline void sum_gradients(const context& ctx, const weight_gradient_plan& plan, index_t count, bool first,
                          const weight_gradient_memory& m) {
  const index_t tiles = plan.tiles(count), block_sums = plan.g.taps() * 4 * tile_elements;
  parallel_tasks(ctx.threads, plan.slices * plan.blocks, [&](index_t task, int) {
    const index_t slice = task / plan.blocks, block = task % plan.blocks;
    const index_t filter = block / plan.across() * 2, channel = block % plan.across() * 2;
    const index_t end = tiles * (slice + 1) / plan.slices;
    gradient_product p{.dy_step = plan.filter_tiles * tile_elements,
                       .x_block = plan.pairs(count) * line_words,
                       .taps = m.taps,
                       .tap_count = plan.g.taps(),
                       .two_filters = filter + 1 < plan.filter_tiles,
                       .two_channels = channel + 1 < plan.channel_tiles,
                       .first = first,
                       .sums = m.sums + slice * plan.slice_sums() + block * block_sums};
    index_t tile = tiles * slice / plan.slices;
    do {
      p.tiles = (std::min)(chunk_tiles, end - tile);
      p.dy = m.dy + tile * p.dy_step + filter * tile_elements;
      p.x = m.x + channel * p.x_block + tile * tile_elements;
      dispatch_native<gradient_product_kernel>(static_cast<const gradient_product*>(&p));
      p.first = false;
      tile += p.tiles;
    } while (tile < end);
  });
}

/// Adds the slices' sums in order, and puts them where the gradient has them.
inline void join_gradients(const context& ctx, const weight_gradient_plan& plan, const float* sums, float* dweight, bool add) {
  const index_t taps = plan.g.taps(), channels = plan.g.channels;
  parallel_tasks(ctx.threads, plan.blocks, [&](index_t block, int) {
    const index_t filter = block / plan.across() * 32, channel = block % plan.across() * 32;
    for (index_t f = filter; f < (std::min)(filter + 32, plan.g.filters); ++f)
      for (index_t c = channel; c < (std::min)(channel + 32, channels); c += 16) {
        const index_t tile = f % 32 / 16 * 2 + c % 32 / 16;
        const float* const from = sums + (block * taps * 4 + tile) * tile_elements + f % 16 * 16;
        dispatch_native<join_gradients_kernel>(from, plan.slices, plan.slice_sums(), taps, (std::min)(index_t{16}, channels - c),
                                               add, dweight + (f * channels + c) * taps);
      }
  });
}

/// Bytes of scratch for `backward_weight`; never less for a bigger batch.
inline index_t backward_weight_scratch_bytes(int, index_t batch, const conv_geometry& g) {
  return weight_gradient_plan(batch, g).bytes();
}

/// `conv_backward_weight` by tiles of positions, some images at a time. Requires `is_supported(g)` and `has_amx`.
inline void backward_weight(const context& ctx, index_t batch, const conv_geometry& g, const weight_gradient_operands<float>& o,
                            scratch& work) {
  const weight_gradient_plan plan(batch, g);
  const index_t pixels = g.out_height() * g.out_width();
  weight_gradient_memory m;
  m.taps = work.take<index_t>(g.taps());
  m.dy = work.take<std::uint32_t>(plan.dy_words(plan.images));
  m.x = work.take<std::uint32_t>(plan.copies() * plan.x_words(plan.images));
  m.sums = work.take<float>(plan.slices * plan.slice_sums());
  m.copy = work.take<float>(plan.maps.copies(plan.images));
  for (index_t n0 = 0; n0 < batch; n0 += plan.images) {
    const index_t count = (std::min)(plan.images, batch - n0);
    convert_maps(ctx, plan, count, o.x + n0 * g.channels * g.height * g.width, o.dy + n0 * g.filters * pixels, m);
    sum_gradients(ctx, plan, count, n0 == 0, m);
  }
  join_gradients(ctx, plan, m.sums, o.dweight, o.add_weight);
  if (o.dbias != nullptr) channel_sums(ctx, o.dy, batch, g.filters, pixels, o.dbias, o.add_bias);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels::amx

#endif
