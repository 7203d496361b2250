#pragma once
/// Products of some rows by weights that are read where they lie: C = A B where B is contiguous along the summed dimension, as in
/// a dense layer's forward pass, x W^T, for batches too large for dot products (gemm_dots.hpp) and too small to pay for packing
/// B.
///
/// The product is turned round: C^T = B^T A^T. A^T is packed once, in panels of the tile's columns (tile.hpp); a row of B^T is a
/// row of weights, whose elements are broadcast straight from memory. Each row is read once, in one sweep that the processor's
/// prefetching follows. Sums are made in the same chunks and the same order as by packed products, so they have the same bits.

#include <algorithm>

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/product/matrix.hpp"
#include "minicnn/kernels/product/pack.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Most rows of A, and largest summed dimension: the packed rows are to stay in the last-level cache.
inline constexpr index_t skinny_row_limit = 128, skinny_depth_limit = 32768;
/// Rows of weights that a task takes: some tiles.
inline constexpr index_t skinny_task_rows = 56;

/// Room for the packed rows, in elements; never less for a bigger m or k.
template <class T>
index_t skinny_packed_size(index_t m, index_t k) {
  return round_up((std::min)(m, skinny_row_limit), most_tile_columns<T>) * (std::min)(k, skinny_depth_limit) + pack_slack<T>;
}

/// `gemm` for some rows and a B contiguous along k, a chunk of k at a time. `packed` has `skinny_packed_size` elements.
template <class T>
void gemm_skinny(const context& ctx, const matrix<T>& a, const matrix<T>& b, T* c, index_t ldc, const epilogue<T>& ep,
                 index_t chunk, T* packed) {
  const isa i = ctx.instruction_set;
  const index_t m = a.rows, n = b.columns, k = a.columns, width = tile_columns<T>(i), panels = divide_up(m, width);
  const bool single_vector = 2 * (m - (panels - 1) * width) <= width;
  const index_t depth = even_piece(k, chunk, 1);

  // Chunk after chunk, in each one panel after the other. Panels are whole vectors wide, so no pack runs past its own.
  parallel_tasks(ctx.threads, divide_up(k, depth), [&](index_t task, int) {
    const index_t k0 = task * depth, length = (std::min)(depth, k - k0);
    const pack_source<T> rows{a.data + k0 * a.column_stride, a.row_stride, a.column_stride, m, length};
    pack_panels(i, rows, width, packed + k0 * panels * width);
  });

  parallel_tasks(ctx.threads, divide_up(n, skinny_task_rows), [&](index_t task, int) {
    alignas(64) T sums[tile_heights[0] * (skinny_row_limit + most_tile_columns<T>)];
    const index_t end = (std::min)((task + 1) * skinny_task_rows, n);
    for (index_t j0 = task * skinny_task_rows; j0 < end;) {
      const int height = tallest_tile(i, end - j0);
      for (index_t k0 = 0; k0 < k; k0 += depth) {
        const index_t length = (std::min)(depth, k - k0);
        with_tile_rows(height, [&](auto rows) {
          dispatch<unpacked_kernel<decltype(rows)::value>>(
              i, length, b.data + j0 * b.column_stride + k0, b.column_stride, static_cast<const T*>(packed + k0 * panels * width),
              length * width, panels, static_cast<T*>(sums), k0 == 0, single_vector, static_cast<const T*>(nullptr), index_t{0});
        });
      }
      for (index_t row = 0; row < m; ++row)
        for (index_t j = 0; j < height; ++j)
          ep.store(sums[(row / width * height + j) * width + row % width], row, j0 + j, c[row * ldc + j0 + j]);
      j0 += height;
    }
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
