#pragma once
/// The blocked product behind gemm, convolution and its gradients: C = A B, where A and B are whatever a source can pack.
///
/// Threads share blocks of C (and slices of the summed dimension, where C is small). A block takes the summed dimension a chunk
/// at a time: its rows of A are packed, or read in place, and then each panel of B is packed and at once multiplied by all of
/// them, while it is in the first-level cache. Short dimensions have a way of their own (short_block.hpp).
/// docs/adding-a-kernel.md says what sources must do.

#include "minicnn/core/arena.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/kernels/product/short_block.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Multiplies a column of tiles, `columns` of it real, whose rows of A are read in place: the last ones by a shorter tile.
template <class T>
void multiply_in_place(const tile<T>& tile, index_t rows, column_product<T> c, index_t columns) {
  c.panels = rows / tile.rows;
  c.single_vector = 2 * columns <= tile.columns;
  if (c.panels > 0) tile.multiply(&c);
  for (index_t row = c.panels * tile.rows; row < rows;) {
    const int height = tallest_tile(tile.instruction_set, rows - row);
    column_product<T> rest = c;
    rest.a += row * c.row_stride, rest.sums += row * tile.columns, rest.panels = 1;
    if (row >= 2 * tile.rows) rest.prefetch_next = nullptr;
    if (rest.prefetch_next != nullptr) rest.prefetch_next += row / tile.rows * tile.columns / 2;
    tile_kernel_of<column_kernel, column_product<T>>(tile.instruction_set, height)(&rest);
    row += height;
  }
}

/// One block of a product.
template <class T, class A, class B>
void multiply_block(const product<T>& p, const A& a, const B& b, const product_block& block, T* packed_a, T* packed_b, T* sums) {
  const tile<T>& tile = p.tile;
  const bool in_place = a.row_stride() != 0;
  const index_t panels = divide_up(block.columns, tile.columns), begin = p.begin(block.slice), end = p.begin(block.slice + 1);
  const index_t column_sums = round_up(block.rows, tile.rows) * tile.columns;
  auto columns = b.columns_of(block);
  if constexpr (requires { decltype(columns)::packs_side_by_side; })
    if (!in_place && is_short(p, begin, end - begin))
      return multiply_short_block(p, a, columns, block, end - begin, packed_a, packed_b, sums);
  column_product<T> c;
  c.panels = divide_up(block.rows, tile.rows);
  c.row_stride = in_place ? a.row_stride() : 1;
  c.depth_stride = in_place ? 1 : tile.rows;
  index_t k = begin;
  do {
    c.depth = p.chunk_at(k, end);
    c.first = p.first && k == begin;
    c.panel_stride = in_place ? tile.rows * a.row_stride() : c.depth * tile.rows;
    c.a = a.rows_of(block, k, c.depth, c.first, packed_a);
    columns.begin_chunk(k, c.depth);
    for (index_t panel = 0; panel < panels; ++panel) {
      const packed_panel<T> from = columns.pack(panel, packed_b);
      if (tile.convert_b != nullptr) tile.convert_b(tile, c.depth, packed_b);
      c.b = from.data, c.prefetch_next = from.next, c.prefetch_stride = from.next_stride;
      c.sums = sums + panel * column_sums;
      const index_t real = block.columns - panel * tile.columns;
      if (in_place)
        multiply_in_place(tile, block.rows, c, real);
      else
        multiply_panel(tile, c, real);
    }
    k += c.depth;
  } while (k < end);
  if (p.last) store_tiles(tile.instruction_set, p.target_of(block, columns.offsets()), sums, column_sums);
}

/// C = A B as `p` says. The result does not depend on the number of threads.
template <class T, class A, class B>
void blocked_product(const context& ctx, const product<T>& p, const A& a, const B& b, scratch work) {
  const index_t bytes = p.thread_bytes();
  std::byte* const memory = work.take<std::byte>(ctx.threads * bytes);
  parallel_tasks(ctx.threads, p.slices * p.blocks.count(), [&](index_t task, int thread) MINICNN_INLINE_LAMBDA {
    scratch mine(memory + thread * bytes, bytes);
    T* const packed_a = mine.take<T>(p.packed_a);
    T* const packed_b = mine.take<T>(p.packed_b());
    T* const own_sums = mine.take<T>(p.block_sums());
    const product_block block = p.block(task);
    // Blocks of columns follow each other, and in each the blocks of rows, as whole tiles.
    T* const sums = p.sums == nullptr ? own_sums
                                      : p.sums + block.slice * p.slice_sums + block.column * p.padded_rows() +
                                            block.row * round_up(block.columns, p.tile.columns);
    multiply_block(p, a, b, block, packed_a, packed_b, sums);
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
