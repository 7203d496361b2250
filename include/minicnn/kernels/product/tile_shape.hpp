#pragma once
/// Heights and widths of tiles (tile.hpp), and the blocks of tiles that a product is cut into.

#include "minicnn/kernels/simd/dispatch.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Most rows of a tile in registers: two accumulators a row, two vectors of B and a broadcast fill 32 (or 16) of them. ARM has
/// 32, of which A takes four.
template <class V>
#if defined(__aarch64__)
inline constexpr int tile_rows_limit = 12;
#else
inline constexpr int tile_rows_limit = V::bytes == 64 ? 14 : 6;
#endif

/// Most rows of any tile, AMX (tile_amx.hpp) included.
inline constexpr int most_tile_rows = 16;

/// Bytes of a vector on each instruction set.
inline int vector_bytes(isa i) { return i == isa::avx512 ? 64 : i == isa::avx2 ? 32 : 16; }

/// Columns of a tile: two vectors.
template <class T>
int tile_columns(isa i) {
  return 2 * vector_bytes(i) / static_cast<int>(sizeof(T));
}

/// The most that `tile_columns` returns, for planning before the instruction set is known.
template <class T>
inline constexpr int most_tile_columns = 128 / static_cast<int>(sizeof(T));

/// Vectors written or read past the end of a packed block: that much room must follow it, in elements.
template <class T>
inline constexpr index_t pack_slack = 64 / static_cast<index_t>(sizeof(T));

/// Rounds up to a multiple of `unit`.
inline index_t round_up(index_t count, index_t unit) { return (count + unit - 1) / unit * unit; }
inline index_t divide_up(index_t count, index_t unit) { return (count + unit - 1) / unit; }

/// Whether rows that are so many bytes apart share a few places of the first-level cache.
inline bool compete_for_lines(index_t bytes) { return bytes % 2048 == 0; }

/// Heights that tiles come in, and whether an instruction set has registers for one.
inline constexpr int tile_heights[] = {14, 12, 10, 8, 6, 4, 2, 1};
inline bool has_tile(isa i, int height) { return i == isa::avx512 || height <= tile_rows_limit<simd<32>>; }

/// The tile height that wastes least on `rows` rows. A step of k costs a tile `height` row updates and a fixed part
/// (loads of B, loop) of about half a row, which favours tall tiles.
inline int choose_tile_rows(isa i, index_t rows) {
  int best = 1;
  index_t best_cost = 0;
  for (int height : tile_heights) {
    if (!has_tile(i, height)) continue;
    const index_t cost = divide_up(rows, height) * (2 * height + 1);
    if (best_cost == 0 || cost < best_cost) {
      best_cost = cost;
      best = height;
    }
  }
  return best;
}

/// The tallest tile that fits `rows`.
inline int tallest_tile(isa i, index_t rows) {
  for (const int height : tile_heights)
    if (height <= rows && has_tile(i, height)) return height;
  return 1;
}

/// Cuts `count` into pieces of at most `most`, as equal as whole multiples of `unit` allow.
inline index_t even_piece(index_t count, index_t most, index_t unit) {
  const index_t units = divide_up(count, unit), most_units = most < unit ? 1 : most / unit;
  return units == 0 ? unit : divide_up(units, divide_up(units, most_units)) * unit;
}

/// Blocks of C that tasks work on, as equal as their units allow: of `count` units, block i of n begins at unit i * count / n.
struct block_grid {
  index_t rows, columns;  ///< of the largest block
  index_t row_blocks, column_blocks;
  index_t row_unit, column_unit;
  index_t count() const { return row_blocks * column_blocks; }
  /// Where row block `i` of `m` rows begins, and column block `i` of `n` columns.
  index_t row(index_t i, index_t m) const { return (std::min)(divide_up(m, row_unit) * i / row_blocks * row_unit, m); }
  index_t column(index_t i, index_t n) const {
    return (std::min)(divide_up(n, column_unit) * i / column_blocks * column_unit, n);
  }
};

/// Blocks of at most `most_rows` x `most_columns`, of whole tiles along rows and whole multiples of `column_unit`, a part of a
/// tile, along columns. Every block packs its own operands, so few large ones are best: as many as give all threads the same
/// within a tenth, else smaller ones, up to four a thread. Neither cuts the summed dimension, so results do not depend on it.
inline block_grid choose_blocks(int threads, index_t m, index_t n, index_t tile_rows, index_t tile_columns, index_t most_rows,
                                index_t most_columns, index_t column_unit) {
  const index_t row_units = divide_up(m, tile_rows), column_units = divide_up(n, column_unit);
  block_grid g{tile_rows,
               column_unit,
               divide_up(row_units, (std::max)(index_t{1}, most_rows / tile_rows)),
               divide_up(column_units, (std::max)(index_t{1}, most_columns / column_unit)),
               tile_rows,
               column_unit};
  if (g.count() == 0) return g;
  // Whole shares of columns: a thread has the same images from layer to layer.
  if (2 * g.column_blocks > threads) g.column_blocks = (std::min)(column_units, round_up(g.column_blocks, threads));
  for (;;) {
    const index_t height = divide_up(row_units, g.row_blocks), width = divide_up(column_units, g.column_blocks);
    g.rows = height * tile_rows, g.columns = width * column_unit;
    const index_t share = g.column_blocks % threads == 0 ? row_units * divide_up(column_units, threads)
                                                         : divide_up(g.count(), threads) * height * width;
    const bool even = 10 * share * threads <= 11 * row_units * column_units;
    if (even || g.count() >= index_t{4} * threads || (height == 1 && width == 1)) return g;
    if (height == 1 || (width > 1 && g.columns / tile_columns >= height))
      g.column_blocks = (std::min)(column_units, 2 * g.column_blocks);
    else
      g.row_blocks = (std::min)(row_units, 2 * g.row_blocks);
  }
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
