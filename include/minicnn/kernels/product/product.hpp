#pragma once
/// What a blocked product multiplies, how it is cut into blocks, and the memory that a thread takes for one.

#include <algorithm>

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/product/tile.hpp"

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

/// Longest summed dimension whose sums are stored from registers, and bytes of panels of B that a row of tiles then reads, which
/// are to stay in the first-level cache.
inline constexpr index_t direct_depth = 128, direct_bytes = 24 << 10;

/// Room for a panel of B of `columns` columns and `chunk` steps of `depth`, or for those of a short product. A plan that must not
/// shrink as `depth` grows takes 0 for it.
template <class T>
index_t packed_b_room(index_t columns, index_t depth, index_t chunk) {
  const index_t panel = columns * (chunk + pack_slack<T>);
  return depth > direct_depth ? panel : (std::max)(panel, direct_bytes / static_cast<index_t>(sizeof(T)) + pack_slack<T>);
}

/// Bytes of scratch for blocks of a product of `rows` x `columns` x `depth`, of which each packs `packed_a` elements of A. Never
/// less for a bigger product or thread count.
template <class T>
index_t block_scratch_bytes(int threads, const block_limits& most, index_t rows, index_t columns, index_t depth,
                            index_t packed_a) {
  const index_t steps = (std::max)(index_t{1}, (std::min)(depth, most.depth));
  const index_t sums =
      ((std::min)(rows, most.rows) + most_tile_rows) * (std::min)(round_up(columns, most_tile_columns<T>), most.columns);
  return threads * (scratch::bytes_for<T>(packed_a) + scratch::bytes_for<T>(packed_b_room<T>(most_tile_columns<T>, 0, steps)) +
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
  index_t packed_b() const { return packed_b_room<T>(tile.columns, depth, chunk); }
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

}  // namespace minicnn::inline MINICNN_ABI::kernels
