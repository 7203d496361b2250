#pragma once
/// The tile of tile.hpp on operands rounded to bfloat16 (narrow.hpp), with sums in float: on the matrix unit (tile_amx.hpp), or
/// by AVX512-BF16's two multiply-adds where there was one, or by the tile of float.

#include <cstdint>

#include "minicnn/kernels/product/bf16_pack.hpp"
#include "minicnn/kernels/product/tile.hpp"
#include "minicnn/kernels/product/tile_amx.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

#if MINICNN_NATIVE_BF16
/// sums = (or += unless `first`) the product of narrowed panels, `steps` words deep and `Line` words from step to step of A, by
/// vdpbf16ps. Written as assembly: its intrinsics want a compiler flag or <immintrin.h>, which costs more compile time than the
/// rest of the library.
template <class V, int Rows, int Line = Rows>
MINICNN_INLINE void multiply_bf16_tile(index_t steps, const std::uint32_t* a, const std::uint32_t* b, float* sums, bool first) {
  constexpr int lanes = V::template lanes<float>;
  vec<float, V> sum[Rows][2];
  MINICNN_UNROLL
  for (int i = 0; i < Rows; ++i) sum[i][0] = sum[i][1] = vec<float, V>{};
  for (index_t s = 0; s < steps; ++s, a += Line, b += 2 * lanes) {
    word_vec<V> pair0, pair1;
    load<V>(pair0, b);
    load<V>(pair1, b + lanes);
    MINICNN_UNROLL
    for (int i = 0; i < Rows; ++i) {
      const word_vec<V> x = word_vec<V>{} + a[i];
      __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum[i][0]) : "v"(x), "v"(pair0));
      __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum[i][1]) : "v"(x), "v"(pair1));
    }
  }
  MINICNN_UNROLL
  for (int i = 0; i < Rows; ++i)
    for (int half = 0; half < 2; ++half) {
      float* const to = sums + (i * 2 + half) * lanes;
      vec<float, V> before{};
      if (!first) load<V>(before, to);
      store<V>(to, vec<float, V>(sum[i][half] + before));
    }
}

/// Panels of `Line` rows, `panel_size` words apart, multiplied in parts of `Rows`.
template <int Rows, int Line = Rows>
struct bf16_column_kernel {
  template <class V>
  MINICNN_INLINE static void run(index_t steps, const float* a, index_t panel_size, index_t row_tiles, const float* b,
                                 float* sums, bool first) {
    const auto* const words_b = reinterpret_cast<const std::uint32_t*>(b);
    for (index_t part = 0; part < row_tiles * (Line / Rows); ++part) {
      const index_t i = part / (Line / Rows), row = part % (Line / Rows) * Rows;
      const auto* const words_a = reinterpret_cast<const std::uint32_t*>(a + i * panel_size) + row;
      multiply_bf16_tile<V, Rows, Line>(steps, words_a, words_b, sums + part * Rows * 2 * V::template lanes<float>, first);
    }
  }
};

/// `multiply_column` on narrowed panels, `steps` words deep. A panel narrowed in place keeps its place and uses half of it, so
/// `panel_size` says how far apart panels of A are.
inline void multiply_bf16_column(int rows, index_t steps, const float* a, index_t panel_size, index_t row_tiles, const float* b,
                                 float* sums, bool first) {
  const auto run = [&](auto kernel) { run_avx512<decltype(kernel)>(steps, a, panel_size, row_tiles, b, sums, first); };
  if (rows == amx_rows) return run(bf16_column_kernel<8, amx_rows>{});
  with_tile_rows(rows, [&](auto height) { run(bf16_column_kernel<decltype(height)::value>{}); });
}

#else

inline void multiply_bf16_column(int, index_t, const float*, index_t, index_t, const float*, float*, bool) {}

#endif

/// The tile height for products of `rows` rows, as `choose_tile_rows`, and in bfloat16 on the matrix unit its own.
template <class T>
int choose_tile_rows(const context& ctx, index_t rows) {
  const bool amx = std::is_same_v<T, float> && ctx.bf16 && has_amx(ctx.instruction_set);
  return amx && rows > 8 ? amx_rows : choose_tile_rows(ctx.instruction_set, rows);
}

/// Tiles of the matrix unit's height are for it, unless a chunk is shorter than half a block.
inline bool uses_amx(int tile_rows, index_t depth) { return tile_rows == amx_rows && 2 * depth >= amx_depth; }
/// Narrows `count` packed panels of A, for tiles of `rows` rows and chunks of `depth`, in place: to the layout of the unit that
/// will multiply them.
inline void pack_a_as_bf16(isa i, index_t count, index_t depth, int rows, float* panels) {
  if (!native_bf16(i)) return round_to_bf16(i, count * depth * rows, panels);
  if (!uses_amx(rows, depth)) return pack_bf16_pairs(i, count, depth, rows, panels);
  for (index_t p = 0; p < count; ++p) dispatch<bf16_lines_kernel>(i, depth, panels + p * depth * rows);
}

/// Other types stay as they are: bf16 is a way to compute with float.
inline void pack_a_as_bf16(isa, index_t, index_t, int, double*) {}

/// `multiply_block` for an A that was narrowed: panels of B are narrowed as they come.
inline void multiply_bf16_block(isa i, int rows, const block_product<float>& p, function_ref<panel_of_b<float>(index_t)> pack) {
  const bool native = native_bf16(i);
  const index_t width = tile_columns<float>(i), column_sums = p.row_tiles * rows * width;
  for (index_t j = 0; j < p.column_tiles; ++j) {
    float* const sums = p.sums + j * column_sums;
    float* const panel = pack(j).packed;
    if (native)
      pack_bf16_pairs(i, 1, p.depth, width, panel);
    else
      round_to_bf16(i, p.depth * width, panel);
    if (native && uses_amx(rows, p.depth)) {
      const index_t from = divide_up(p.depth, index_t{2}), to = divide_up(p.depth, amx_depth) * amx_rows;
      std::fill(panel + from * width, panel + to * width, 0.0F);
      multiply_amx_column(p.depth, p.a, p.row_tiles, panel, sums, p.first);
    } else if (native) {
      multiply_bf16_column(rows, divide_up(p.depth, index_t{2}), p.a, p.depth * rows, p.row_tiles, panel, sums, p.first);
    } else {
      multiply_column<float>(i, rows, p.depth, p.a, p.row_tiles, panel, sums, p.first);
    }
  }
  if (p.last) dispatch<store_kernel>(i, &p.target, static_cast<const float*>(p.sums), column_sums);
}

/// `multiply_block` in float or, if `bf16` and T is float, on narrowed operands.
template <class T>
void multiply_block(isa i, int rows, bool bf16, const block_product<T>& p, function_ref<panel_of_b<T>(index_t)> pack) {
  if constexpr (std::is_same_v<T, float>) {
    if (bf16) return multiply_bf16_block(i, rows, p, pack);
  }
  multiply_block<T>(i, rows, p, pack);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
