#pragma once
/// Rows of dy times positions of x, on AMX: the sums of a weight gradient, what they are made of, and how they are stored.

#include "minicnn/kernels/amx/lines.hpp"

#if MINICNN_AMX

namespace minicnn::inline MINICNN_ABI::kernels::amx {

/// Rows of 32 positions of a map, two windows each, as words.
template <class V>
MINICNN_INLINE void load_row(word_vec<V>& words, const window* windows, const float* map) {
  vec<float, V> low, high;
  load_window<V>(low, windows[0], map);
  load_window<V>(high, windows[1], map);
  __asm__("vcvtne2ps2bf16 %1, %2, %0" : "=v"(words) : "v"(low), "v"(high));
}

/// Tiles of dy: 16 filters by 32 positions, of each tile of positions all blocks of filters.
struct gradient_tiles_kernel {
  template <class V>
  MINICNN_INLINE static void run(const map_source* source, const window* windows, index_t tiles, std::uint32_t* to) {
    const map_source s = *source;
    const index_t rows = round_up(s.channels, 16);
    for (index_t f = 0; f < rows; ++f)
      for (index_t tile = 0; tile < tiles; ++tile) {
        word_vec<V> row{};
        if (f < s.channels) load_row<V>(row, windows + 2 * tile, s.maps + f * s.plane);
        store<V>(to + (tile * rows + f) * line_words, row);
      }
  }
};

/// Pairs of positions of 16 channels: pair j of block b at to[(b * pairs + j) * 16].
struct position_pairs_kernel {
  template <class V>
  MINICNN_INLINE static void run(const map_source* source, const window* windows, index_t tiles, index_t pairs,
                                 std::uint32_t* to) {
    const map_source s = *source;
    for (index_t first = 0; first < s.channels; first += 16)
      for (index_t tile = 0; tile < tiles; ++tile) {
        word_vec<V> row[16];
        const float* map = s.maps + first * s.plane;
        if (s.channels - first >= 16) {
          MINICNN_UNROLL
          for (int c = 0; c < 16; ++c, map += s.plane) load_row<V>(row[c], windows + 2 * tile, map);
        } else {
          for (int c = 0; c < 16; ++c, map += s.plane) {
            row[c] = word_vec<V>{};
            if (first + c < s.channels) load_row<V>(row[c], windows + 2 * tile, map);
          }
        }
        transpose_registers(row);
        MINICNN_UNROLL
        for (int j = 0; j < 16; ++j) store<V>(to + (first / 16 * pairs + tile * 16 + j) * line_words, row[j]);
      }
  }
};

/// 32 filters by 32 channels of all taps, over some tiles of positions.
struct gradient_product {
  const std::uint32_t* dy = nullptr;  ///< the first tile's
  index_t dy_step;                    ///< from tile to tile of positions
  const std::uint32_t* x = nullptr;   ///< the pairs of the first tile, in the first of the copies
  index_t x_block;                    ///< from 16 channels to the next
  const index_t* taps;                ///< where each reads x: words from there
  index_t tap_count, tiles = 0;
  bool two_filters, two_channels;  ///< blocks of 16; else one
  bool first;                      ///< sums are written; else added to
  float* sums;                     ///< four tiles a tap
};

struct gradient_product_kernel {
  template <class V>
  MINICNN_INLINE static void run(const gradient_product* product) {
    const gradient_product p = *product;
    constexpr index_t row = line_words * 4;  // bytes
    // A block that is not there is multiplied by the other's numbers, into sums that nobody reads.
    const index_t lower = p.two_filters ? tile_elements : 0, right = p.two_channels ? p.x_block : 0;
    __asm__ volatile("ldtilecfg %0" ::"m"(amx_tiles));
    for (index_t tap = 0; tap < p.tap_count; ++tap) {
      float* const sums = p.sums + tap * 4 * tile_elements;
      if (p.first)
        zero_sums();
      else
        load_sums(sums, sums + 2 * tile_elements, tile_elements, row);
      const std::uint32_t* dy = p.dy;
      const std::uint32_t* x = p.x + p.taps[tap];
      for (index_t tile = 0; tile < p.tiles; ++tile, dy += p.dy_step, x += tile_elements)
        multiply_tiles(dy, dy + lower, row, x, x + right, row);
      store_sums(sums, sums + 2 * tile_elements, tile_elements, row);
    }
    __asm__ volatile("tilerelease" ::);
  }
};

/// dW of a filter and 16 channels = (or += if `add`) the sums of the slices, `slice_step` apart, which have 16 channels of a tap
/// side by side, those of the next tap `4 * tile_elements` behind.
struct join_gradients_kernel {
  template <class V>
  MINICNN_INLINE static void run(const float* sums, index_t slices, index_t slice_step, index_t taps, index_t channels, bool add,
                                 float* to) {
    if (taps == 1) {
      vec<float, V> sum;
      add_slices<V>(sum, sums, slices, slice_step);
      return store_first<V>(sum, channels, add, to);
    }
    for (index_t tap = 0; tap < taps; tap += 16) {
      vec<float, V> row[16];
      const index_t real = taps - tap < 16 ? taps - tap : 16;
      for (int t = 0; t < 16; ++t) add_slices<V>(row[t], sums + (tap + t) * 4 * tile_elements, t < real ? slices : 0, slice_step);
      transpose_registers(row);
      for (int c = 0; c < channels; ++c) store_first<V>(row[c], real, add, to + c * taps + tap);
    }
  }

 private:
  template <class V>
  MINICNN_INLINE static void add_slices(vec<float, V>& sum, const float* from, index_t slices, index_t slice_step) {
    sum = vec<float, V>{};
    for (index_t slice = 0; slice < slices; ++slice, from += slice_step) {
      vec<float, V> part;
      load<V>(part, from);
      sum += part;
    }
  }

  /// The first `count` lanes, at least one.
  template <class V>
  MINICNN_INLINE static void store_first(vec<float, V>& sum, index_t count, bool add, float* to) {
    const auto lanes = static_cast<std::uint16_t>((1U << count) - 1U);
    float(&place)[16] = *reinterpret_cast<float(*)[16]>(to);
    if (add) {
      vec<float, V> before;
      __asm__("vmovups %1, %0 %{%2%}%{z%}" : "=v"(before) : "m"(place), "Yk"(lanes));
      sum += before;
    }
    __asm__("vmovups %1, %0 %{%2%}" : "+m"(place) : "v"(sum), "Yk"(lanes));
  }
};

}  // namespace minicnn::inline MINICNN_ABI::kernels::amx

#endif
