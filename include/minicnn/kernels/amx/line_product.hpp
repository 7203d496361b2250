#pragma once
/// Lines of positions times filters: four tiles of AMX at a time, stored to maps without the positions between them.

#include "minicnn/kernels/amx/lines.hpp"

#if MINICNN_AMX

namespace minicnn::inline MINICNN_ABI::kernels::amx {

/// Filters, and positions, of a block of four tiles.
inline constexpr index_t block_filters = 32, block_positions = 32;

/// What a task multiplies: some blocks of positions times some of filters.
struct line_product {
  const std::uint32_t* lines;    ///< the first position's
  const index_t* offsets;        ///< of the steps, in words
  index_t steps;                 ///< a tap and 32 channels each
  const std::uint32_t* weights;  ///< of the first block of filters
  const window* windows;         ///< where results are stored, two a block
  index_t blocks, filters;       ///< of positions; and filters
  float* y;                      ///< of the first filter
  index_t plane;                 ///< from filter to filter
  const float* bias;             ///< null: none
  fused_activation<float> activation;
  bool add;
};

struct line_product_kernel {
  template <class V>
  MINICNN_INLINE static void run(const line_product* product) {
    const line_product p = *product;
    alignas(64) float sums[4 * tile_elements];
    __asm__ volatile("ldtilecfg %0" ::"m"(amx_tiles));
    for (index_t f = 0; f < p.filters; f += block_filters) {
      const std::uint32_t* const weights = p.weights + f / block_filters * p.steps * 2 * tile_elements;
      const bool two = p.filters - f > 16;
      for (index_t block = 0; block < p.blocks; ++block) {
        const std::uint32_t* const lines = p.lines + block * block_positions * line_words;
        if (two)
          multiply<true>(p, lines, weights, sums);
        else
          multiply<false>(p, lines, weights, sums);
        for (int half = 0; half < 2; ++half) {
          const window& w = p.windows[2 * block + half];
          if ((w.lanes[0] | w.lanes[1]) == 0) continue;
          const index_t next = p.windows[(std::min)(2 * block + half + 2, 2 * p.blocks - 1)].from[0] + 15;
          store_tile<V>(p, w, next, f, sums + 2 * half * tile_elements);
          if (two) store_tile<V>(p, w, next, f + 16, sums + (2 * half + 1) * tile_elements);
        }
      }
    }
    __asm__ volatile("tilerelease" ::);
  }

 private:
  template <bool Two>
  MINICNN_INLINE static void multiply(const line_product& p, const std::uint32_t* lines, const std::uint32_t* weights,
                                      float* sums) {
    constexpr index_t row = line_words * 4;  // bytes
    zero_sums();
    for (index_t step = 0; step < p.steps; ++step, weights += 2 * tile_elements) {
      const std::uint32_t* const from = lines + p.offsets[step];
      if constexpr (Two)
        multiply_tiles(from, from + tile_elements, row, weights, weights + tile_elements, row);
      else
        multiply_left_tiles(from, from + tile_elements, row, weights, row);
    }
    store_sums(sums, sums + 2 * tile_elements, tile_elements, row);
  }

  /// Sixteen positions of the filters from `f` on.
  template <class V>
  MINICNN_INLINE static void store_tile(const line_product& p, const window& w, index_t next, index_t f, const float* sums) {
    vec<float, V> row[16];
    MINICNN_UNROLL
    for (int i = 0; i < 16; ++i) load<V>(row[i], sums + i * 16);
    transpose_registers(row);
    const index_t real = p.filters - f < 16 ? p.filters - f : 16;
    float* y = p.y + f * p.plane;
    MINICNN_UNROLL
    for (int i = 0; i < 16; ++i) {
      if (i >= real) break;
      __builtin_prefetch(y + next, 1);
      if (p.bias != nullptr) row[i] += p.bias[f + i];
      store_piece<V>(p, row[i], w.lanes[0], y + w.from[0]);
      if (w.lanes[1] != 0) store_piece<V>(p, row[i], w.lanes[1], y + w.from[1]);
      y += p.plane;
    }
  }

  template <class V>
  MINICNN_INLINE static void store_piece(const line_product& p, const vec<float, V>& sums, std::uint32_t lanes, float* to) {
    if (lanes == 0) return;
    vec<float, V> out = sums;
    const int count = __builtin_popcount(lanes);
    const auto first = static_cast<std::uint16_t>((1U << count) - 1U);
    if (lanes != 0xFFFF)
      __asm__("vcompressps %1, %0 %{%2%}%{z%}" : "=v"(out) : "v"(sums), "Yk"(static_cast<std::uint16_t>(lanes)));
    float(&place)[16] = *reinterpret_cast<float(*)[16]>(to);
    if (p.add) {
      vec<float, V> before;
      __asm__("vmovups %1, %0 %{%2%}%{z%}" : "=v"(before) : "m"(place), "Yk"(first));
      out += before;
    }
    p.activation.template bound<V>(out);
    __asm__("vmovups %1, %0 %{%2%}" : "+m"(place) : "v"(out), "Yk"(first));
    p.activation.finish(to, count);
  }
};

}  // namespace minicnn::inline MINICNN_ABI::kernels::amx

#endif
