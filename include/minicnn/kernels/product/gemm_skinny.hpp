#pragma once
/// Products of some rows by weights that are read in place: C = A B where B is contiguous along the summed dimension, as in a
/// dense layer's forward pass, x W^T, for batches too large for dot products (gemm_small_m.hpp) and too small to pay for packing
/// B.
///
/// The product is transposed: C^T = B^T A^T. A^T is packed once, in panels of the tile's columns (tile.hpp); a row of B^T is a
/// row of weights, whose elements are broadcast straight from memory. Each row is read once, in one sweep that the processor's
/// prefetching follows. Sums are made in the same chunks and the same order as by packed products, so they have the same bits.

#include <algorithm>

#include "minicnn/kernels/product/matrix_sources.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Most rows of A, and largest summed dimension: the packed rows are to stay in the last-level cache.
inline constexpr index_t skinny_row_limit = 128, skinny_depth_limit = 32768;

/// Whether `gemm_skinny` computes this product.
template <class T>
bool gemm_skinny_supports(const matrix<T>& a, const matrix<T>& b) {
  const index_t k = a.columns;
  return a.rows <= skinny_row_limit && b.columns >= 2 * a.rows && k >= 64 && k <= skinny_depth_limit && b.row_stride == 1;
}

/// Room for the packed rows, in elements.
template <class T>
index_t skinny_packed_size(index_t m, index_t k) {
  return round_up((std::min)(m, skinny_row_limit), most_tile_columns<T>) * (std::min)(k, skinny_depth_limit) + pack_slack<T>;
}

/// Blocks are a tile of weights by all rows of A.
inline constexpr block_limits skinny_limits{tile_heights[0], skinny_row_limit, 256};

/// Bytes of scratch that `gemm_skinny` takes; never less for a bigger m, k or thread count.
template <class T>
index_t gemm_skinny_scratch_bytes(int threads, index_t m, index_t k) {
  return scratch::bytes_for<T>(skinny_packed_size<T>(m, k)) +
         block_scratch_bytes<T>(threads, skinny_limits, tile_heights[0], skinny_row_limit, skinny_limits.depth, 0);
}

/// `gemm` for some rows and a B contiguous along k, a chunk of at most `chunk` steps at a time.
template <class T>
void gemm_skinny(const context& ctx, const matrix<T>& a, const matrix<T>& b, T* c, index_t ldc, const epilogue<T>& ep,
                 index_t chunk, scratch work) {
  const isa i = ctx.instruction_set;
  const index_t m = a.rows, n = b.columns, k = a.columns, depth = even_piece(k, chunk, 1);
  const tile<T> t = plain_tile<T>(i, choose_tile_rows(i, n));
  const index_t width = t.columns, panels = divide_up(m, width);
  T* const packed = work.take<T>(skinny_packed_size<T>(m, k));

  // Panels are whole vectors wide, so no pack runs past its own.
  parallel_tasks(ctx.threads, divide_up(k, depth), [&](index_t task, int) {
    const index_t k0 = task * depth;
    pack_panels<T>(i, {a.data + k0 * a.column_stride, a.row_stride, a.column_stride, m, (std::min)(depth, k - k0)}, width,
                   packed + k0 * panels * width);
  });

  const product<T> p{.rows = n,
                     .columns = m,
                     .depth = k,
                     .tile = t,
                     .blocks = {t.rows, panels * width, divide_up(n, t.rows), 1, t.rows, width},
                     .chunk = depth,
                     .target = {.data = c,
                                .row_stride = 1,
                                .column_stride = ldc,
                                .row_bias = ep.column_bias,
                                .column_bias = ep.row_bias,
                                .activation = ep.activation,
                                .add = ep.add}};
  blocked_product(ctx, p, matrix_rows<T>{t, transposed(b), b.column_stride}, prepacked_columns<T>{packed, panels, width}, work);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
