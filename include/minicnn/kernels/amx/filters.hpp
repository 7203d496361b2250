#pragma once
/// Filters as tiles of AMX read them: pairs of channels by 16 filters, tap after tap.

#include "minicnn/core/arena.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/kernels/amx/line_product.hpp"

#if MINICNN_AMX

namespace minicnn::inline MINICNN_ABI::kernels::amx {

/// Sizes of a sum over channels and taps, one for each of `filters`.
struct filter_sizes {
  index_t filters, channels, taps;

  index_t channel_blocks() const { return divide_up(channels, line_channels); }
  index_t filter_blocks() const { return divide_up(filters, block_filters); }
  index_t steps() const { return channel_blocks() * taps; }
  index_t packed_words() const { return filter_blocks() * steps() * 2 * tile_elements; }
  /// Room in which filters of a block are brought side by side, in elements.
  index_t thread_room() const { return (line_channels * taps + 16) * 16; }
  index_t packing_bytes(int threads) const {
    return scratch::bytes_for<std::uint32_t>(packed_words()) + scratch::bytes_for<float>(threads * thread_room());
  }
};

/// One of the taps of a sum: which of a filter's it is, which phase of the maps it reads, and where, counted from the first of
/// the `lead`.
struct line_tap {
  index_t of_filter, phase, position;
};

/// Taps of some sums, those of a sum one after the other: `counts[i]` of the i-th.
struct tap_lists {
  const line_tap* taps;
  const index_t* counts;
  index_t sums;
};

/// Where filters are: filter f and channel c of a tap at data[f * filter_step + c * channel_step + tap], `size` elements in all.
struct filter_source {
  const float* data;
  index_t filter_step, channel_step, size;
};

/// Two tiles of pairs of channels by 16 filters for each of `count` taps of a block of channels, from the filters side by side:
/// element (channel, tap) at side_by_side[(channel * all_taps + tap) * 16 + filter].
struct pack_tiles_kernel {
  template <class V>
  MINICNN_INLINE static void run(const float* side_by_side, index_t channels, index_t all_taps, const line_tap* taps,
                                 index_t count, std::uint32_t* to) {
    for (index_t tap = 0; tap < count; ++tap, to += 2 * tile_elements)
      for (index_t word = 0; word < line_words; ++word) {
        const float* const from = side_by_side + (2 * word * all_taps + taps[tap].of_filter) * 16;
        vec<float, V> low{}, high{};
        if (2 * word < channels) load<V>(low, from);
        if (2 * word + 1 < channels) load<V>(high, from + all_taps * 16);
        word_vec<V> both;
        pair_native<V>(both, low, high);
        store<V>(to + word * line_words, both);
      }
  }
};

/// Packs filters as `line_product` reads them, for one sum after the other: of each block of 32, step after step, two tiles
/// of 16. `room` has `thread_room()` elements a thread.
inline void pack_filters(const context& ctx, const filter_sizes& sizes, const filter_source& source, const tap_lists& lists,
                         float* room, std::uint32_t* to) {
  const index_t taps = sizes.taps, halves = 2 * sizes.filter_blocks(), blocks = sizes.channel_blocks();
  parallel_tasks(ctx.threads, halves * blocks, [&](index_t task, int thread) {
    const index_t half = task / blocks, block = task % blocks;
    const index_t filter = (std::min)(half * 16, sizes.filters - 1), channel = block * line_channels;
    const index_t channels = (std::min)(line_channels, sizes.channels - channel);
    float* const side_by_side = room + thread * sizes.thread_room();
    index_t line[16];
    for (index_t i = 0; i < 16; ++i) line[i] = (std::min)(filter + i, sizes.filters - 1) * source.filter_step;
    const bool dense = source.channel_step == taps;
    for (index_t c = 0; c < (dense ? 1 : channels); ++c) {
      const index_t from = (channel + c) * source.channel_step, length = dense ? channels * taps : taps;
      const bool loose = from + line[15] + round_up(length, 16) <= source.size;
      dispatch<pack_across_kernel>(ctx.instruction_set, side_by_side + c * taps * 16, index_t{16}, source.data + from,
                                   static_cast<const index_t*>(line), length, loose);
    }
    const line_tap* own = lists.taps;
    index_t tiles = half / 2 * blocks + block;  // times the taps of a sum
    for (index_t sum = 0; sum < lists.sums; own += lists.counts[sum++]) {
      const index_t count = lists.counts[sum], before = (own - lists.taps) * sizes.filter_blocks() * blocks;
      dispatch_native<pack_tiles_kernel>(static_cast<const float*>(side_by_side), channels, taps, own, count,
                                         to + ((before + tiles * count) * 2 + half % 2) * tile_elements);
    }
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels::amx

#endif
