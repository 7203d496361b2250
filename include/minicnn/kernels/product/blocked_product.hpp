#pragma once
/// The blocked product behind gemm, convolution and its gradients: C = A B, where A and B are whatever a source can pack.
///
/// Threads share blocks of C (and slices of the summed dimension, where C is small). A block takes the summed dimension a chunk
/// at a time: its rows of A are packed, or read in place, and then each panel of B is packed and at once multiplied by all of
/// them, while it is in the first-level cache. docs/adding-a-kernel.md says what sources must do.

#include <algorithm>

#include "minicnn/core/arena.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/kernels/product/plain_tile.hpp"
#include "minicnn/kernels/product/tile_store.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// A block of C, and the slice of the summed dimension that it sums.
struct product_block {
  index_t slice;
  index_t row, rows;        ///< first row, and how many
  index_t column, columns;  ///< first column, and how many
};

/// A panel of B as `multiply` reads it, and where the next one will be read from, to be prefetched by the tiles meanwhile: step k
/// at next[k * next_stride]. null: nothing to prefetch.
template <class T>
struct packed_panel {
  const T* data;
  const T* next = nullptr;
  index_t next_stride = 0;
};

/// Largest blocks of C, and longest chunk of the summed dimension. Packed operands and sums of a block fit a second-level cache.
struct block_limits {
  index_t rows, columns, depth;
};

/// Bytes of scratch for blocks of a product of `rows` x `columns` x `depth`, of which each packs `packed_a` elements of A. Never
/// less for a bigger product or thread count.
template <class T>
index_t block_scratch_bytes(int threads, const block_limits& most, index_t rows, index_t columns, index_t depth,
                            index_t packed_a) {
  const index_t steps = (std::max)(index_t{1}, (std::min)(depth, most.depth));
  const index_t sums =
      ((std::min)(rows, most.rows) + most_tile_rows) * (std::min)(round_up(columns, most_tile_columns<T>), most.columns);
  return threads * (scratch::bytes_for<T>(packed_a) + scratch::bytes_for<T>(most_tile_columns<T> * (steps + pack_slack<T>)) +
                    scratch::bytes_for<T>(sums));
}

/// What is multiplied, and how it is cut.
template <class T>
struct product {
  index_t rows = 0, columns = 0, depth = 0;  ///< of C, and the length of the summed dimension
  kernels::tile<T> tile;
  block_grid blocks = {};        ///< of C (`choose_blocks`)
  index_t chunk = 1;             ///< most steps of the summed dimension at a time
  index_t contiguous_steps = 0;  ///< chunks end at multiples of this; 0: of nothing
  /// Slices of the summed dimension, each summed to a C of its own, `slice_stride` elements behind the last. Their number must
  /// not depend on the number of threads.
  index_t slices = 1, slice_stride = 0;
  /// Sums that outlive a call: those of slice s at sums[s * slice_sums]. null: scratch. `first` writes sums, else they are added
  /// to; `last` stores them to the target.
  T* sums = nullptr;
  index_t slice_sums = 0;
  bool first = true, last = true;
  tile_target<T> target = {};  ///< of C
  index_t packed_a = 0;        ///< room that the source of A packs into, in elements

  index_t begin(index_t slice) const { return depth * slice / slices; }
  index_t padded_rows() const { return round_up(rows, tile.rows); }
  index_t packed_b() const { return tile.columns * (chunk + pack_slack<T>); }
  index_t block_sums() const {
    return sums == nullptr ? round_up(blocks.rows, tile.rows) * round_up(blocks.columns, tile.columns) : 0;
  }
  index_t thread_bytes() const {
    return scratch::bytes_for<T>(packed_a) + scratch::bytes_for<T>(packed_b()) + scratch::bytes_for<T>(block_sums());
  }

  /// Steps of the chunk that begins at `k`.
  index_t chunk_at(index_t k, index_t end) const {
    if (contiguous_steps == 0) return (std::min)(chunk, end - k);
    return even_piece((std::min)(end - k, contiguous_steps - k % contiguous_steps), chunk, 1);
  }

  product_block block(index_t task) const {
    const index_t i = task % blocks.count(), across = i % blocks.row_blocks, along = i / blocks.row_blocks;
    const index_t row = blocks.row(across, rows), column = blocks.column(along, columns);
    return {task / blocks.count(), row, blocks.row(across + 1, rows) - row, column, blocks.column(along + 1, columns) - column};
  }

  /// Where a block is stored. `offsets`: of its columns; null: they follow each other.
  tile_target<T> target_of(const product_block& b, const index_t* offsets) const {
    tile_target<T> t = target;
    t.data += b.slice * slice_stride + b.row * t.row_stride + (offsets == nullptr ? b.column * t.column_stride : 0);
    t.rows = b.rows, t.columns = b.columns, t.column = offsets;
    if (t.row_bias != nullptr) t.row_bias += b.row;
    if (t.column_bias != nullptr) t.column_bias += b.column;
    return t;
  }
};

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
    column_kernel_of<T>(tile.instruction_set, height)(&rest);
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
