#pragma once
/// Sizes of a convolution on AMX, and its filters as tiles read them.

#include "minicnn/core/arena.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/kernels/amx/line_product.hpp"
#include "minicnn/kernels/conv/padded_input.hpp"

#if MINICNN_AMX

namespace minicnn::inline MINICNN_ABI::kernels::amx {

/// Sizes of a forward pass, or of the convolution of dy that makes an input gradient. They depend on the shape alone.
struct convolution_plan {
  conv_geometry g;
  position_space space;
  index_t channel_blocks, filter_blocks, steps, images;

  convolution_plan(index_t batch, const conv_geometry& shape)
      : g(shape),
        space(shape),
        channel_blocks(divide_up(g.channels, line_channels)),
        filter_blocks(divide_up(g.filters, block_filters)),
        steps(channel_blocks * g.taps()),
        images((std::min)(batch, images_within(channel_blocks * space.image() * line_words * index_t{4}))) {}

  /// Lines of a block of channels, for `count` images.
  index_t lines(index_t count) const {
    return round_up(space.lead + round_up(count * space.image(), block_positions) + space.reach, 16);
  }
  index_t packed_words() const { return filter_blocks * steps * 2 * tile_elements; }
  /// Room in which filters of a block are brought side by side, in elements.
  index_t thread_room() const { return (line_channels * g.taps() + 16) * 16; }
  index_t bytes(int threads, bool prepacked) const {
    const index_t packing =
        scratch::bytes_for<std::uint32_t>(packed_words()) + scratch::bytes_for<float>(threads * thread_room());
    return scratch::bytes_for<index_t>(steps) + (prepacked ? 0 : packing) +
           scratch::bytes_for<std::uint32_t>(channel_blocks * lines(images) * line_words);
  }
};

/// Where filters are: filter f and channel c of a tap at data[f * filter_step + c * channel_step + tap], `size` elements in all.
/// `flipped`: the last tap first.
struct filter_source {
  const float* data;
  index_t filter_step, channel_step, size;
  bool flipped = false;
};

/// Two tiles of pairs of channels by 16 filters for each tap of a block of channels, from the filters side by side: element
/// (channel, tap) at side_by_side[(channel * taps + tap) * 16 + filter].
struct pack_tiles_kernel {
  template <class V>
  MINICNN_INLINE static void run(const float* side_by_side, index_t channels, index_t taps, bool flipped, std::uint32_t* to) {
    for (index_t tap = 0; tap < taps; ++tap, to += 2 * tile_elements)
      for (index_t word = 0; word < line_words; ++word) {
        const float* const from = side_by_side + (2 * word * taps + (flipped ? taps - 1 - tap : tap)) * 16;
        vec<float, V> low{}, high{};
        if (2 * word < channels) load<V>(low, from);
        if (2 * word + 1 < channels) load<V>(high, from + taps * 16);
        word_vec<V> both;
        pair_native<V>(both, low, high);
        store<V>(to + word * line_words, both);
      }
  }
};

/// Packs filters as `line_product` reads them: of each block of 32, step after step, two tiles of 16.
inline void pack_filters(const context& ctx, const convolution_plan& plan, const filter_source& source, float* room,
                         std::uint32_t* to) {
  const index_t taps = plan.g.taps(), halves = 2 * plan.filter_blocks;
  parallel_tasks(ctx.threads, halves * plan.channel_blocks, [&](index_t task, int thread) {
    const index_t half = task / plan.channel_blocks, block = task % plan.channel_blocks;
    const index_t filter = (std::min)(half * 16, plan.g.filters - 1), channel = block * line_channels;
    const index_t channels = (std::min)(line_channels, plan.g.channels - channel);
    float* const side_by_side = room + thread * plan.thread_room();
    index_t line[16];
    for (index_t i = 0; i < 16; ++i) line[i] = (std::min)(filter + i, plan.g.filters - 1) * source.filter_step;
    const bool dense = source.channel_step == taps;
    for (index_t c = 0; c < (dense ? 1 : channels); ++c) {
      const index_t from = (channel + c) * source.channel_step, length = dense ? channels * taps : taps;
      const bool loose = from + line[15] + round_up(length, 16) <= source.size;
      dispatch<pack_across_kernel>(ctx.instruction_set, side_by_side + c * taps * 16, index_t{16}, source.data + from,
                                   static_cast<const index_t*>(line), length, loose);
    }
    std::uint32_t* const tiles = to + ((half / 2 * plan.steps + block * taps) * 2 + half % 2) * tile_elements;
    dispatch_native<pack_tiles_kernel>(static_cast<const float*>(side_by_side), channels, taps, source.flipped, tiles);
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels::amx

#endif
