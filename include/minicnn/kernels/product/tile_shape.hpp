#pragma once
/// Heights and widths of tiles (tile.hpp), and the blocks of tiles that a product is cut into.

#include "minicnn/kernels/simd/dispatch.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Most rows of a tile in registers: two accumulators a row, two vectors of B and a broadcast fill 32 (or 16) of them.
template <class V>
inline constexpr int tile_rows_limit = V::bytes == 64 ? 14 : 6;
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

/// Blocks of C that tasks work on: `rows` x `columns`, multiples of the tile unless C is smaller.
struct block_grid {
  index_t rows, columns, row_blocks, column_blocks;
  index_t count() const { return row_blocks * column_blocks; }
};

/// Blocks of at most `most_rows` x `most_columns`. Every block packs its own operands, so few large ones are best: as many as
/// threads if they are equal within a tenth, else smaller ones, up to four a thread. Neither cuts the summed dimension, so
/// results do not depend on it.
inline block_grid choose_blocks(int threads, index_t m, index_t n, index_t tile_rows, index_t tile_columns, index_t most_rows,
                                index_t most_columns) {
  block_grid g{even_piece(m, most_rows, tile_rows), even_piece(n, most_columns, tile_columns), 0, 0};
  const index_t work = round_up(m, tile_rows) * round_up(n, tile_columns);
  for (;;) {
    g.row_blocks = divide_up(m, g.rows);
    g.column_blocks = divide_up(n, g.columns);
    const bool even = g.count() % threads == 0 && 10 * g.count() * g.rows * g.columns <= 11 * work;
    if (even || g.count() >= index_t{4} * threads || (g.rows <= tile_rows && g.columns <= tile_columns)) return g;
    if (g.columns / tile_columns >= g.rows / tile_rows)
      g.columns = round_up(g.columns / 2, tile_columns);
    else
      g.rows = round_up(g.rows / 2, tile_rows);
  }
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
