#pragma once
/// Convolution as a matrix product whose B is never written out: weights times pixels, gathered while packing.
///
/// Column j of B is a position (image, row, column of the output), row k a tap (channel and place in the window). An element is
/// source[position_offset(j) + tap_offset[k]]. The positions of one row of outputs are contiguous, so a vector of a packed row is
/// a load, or two or three blended where rows end. Positions run across the batch: small maps fill the tiles as well as large
/// ones.

#include <algorithm>

#include "minicnn/core/arena.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/kernels/conv/gather.hpp"
#include "minicnn/kernels/product/blocked_product.hpp"
#include "minicnn/kernels/product/choose_tile.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Positions of a convolution, counted image by image, row by row, and where each is read and written.
struct position_grid {
  index_t images, rows, columns;
  index_t source_origin, source_image, source_row;  ///< offset of the first, and its steps; 1 from column to column
  index_t target_image, target_row, target_column;

  index_t count() const { return images * rows * columns; }

  /// Makes rows that follow each other without gaps on both sides one long row.
  void merge_rows() {
    if (source_row != columns || target_column != 1 || target_row != columns) return;
    columns *= rows;
    rows = 1;
  }

  /// Calls `body(first, length, source offset, target offset)` for each stretch of a row within [begin, end).
  template <class F>
  void each_run(index_t begin, index_t end, const F& body) const {
    index_t image = begin / (rows * columns), row = begin / columns % rows, column = begin % columns;
    while (begin < end) {
      const index_t length = (std::min)(columns - column, end - begin);
      body(begin, length, source_origin + image * source_image + row * source_row + column,
           image * target_image + row * target_row + column * target_column);
      begin += length;
      column = 0;
      if (++row == rows) {
        row = 0;
        ++image;
      }
    }
  }
};

/// Blocks of convolutions. Weights, pixels and sums of a block fit a second-level cache of 1 to 2 MB.
template <class T>
inline constexpr block_limits conv_limits{384, 1024 / static_cast<index_t>(sizeof(T)), 256};

/// Room for the weights of `filters` x `taps` packed by `pack_chunked`, in elements.
template <class T>
index_t chunked_size(index_t filters, index_t taps) {
  return (filters + most_tile_rows) * taps + pack_slack<T>;
}

/// Packs A for an implicit product, chunk after chunk: `pack(rows of a tile, first line, lines, first k, depth,
/// to)` packs one panel.
/// A pack may run past its panel; another thread may own what follows, so a range's last panel goes through a buffer.
template <class T, class F>
void pack_chunked(const context& ctx, index_t filters, index_t taps, T* to, const F& pack) {
  const tile<T> t = choose_tile<T>(ctx, filters);
  const index_t panels = divide_up(filters, t.rows), depth = even_piece(taps, conv_limits<T>.depth, 1);
  parallel_for(ctx.threads, divide_up(taps, depth) * panels, 1, [&](index_t begin, index_t end) {
    T last[most_tile_rows * conv_limits<T>.depth + pack_slack<T>];
    for (index_t task = begin; task < end; ++task) {
      const index_t k0 = task / panels * depth, panel = task % panels, length = (std::min)(depth, taps - k0);
      T* const place = to + k0 * panels * t.rows + panel * t.rows * length;
      T* const packed = task + 1 < end ? place : last;
      pack(t.rows, panel * t.rows, (std::min)(index_t{t.rows}, filters - panel * t.rows), k0, length, packed);
      if (t.convert_a != nullptr) t.convert_a(t, 1, length, packed);
      if (task + 1 == end) std::copy(last, last + t.rows * length, place);
    }
  });
}

/// Weights packed by `pack_chunked`, as the left operand.
template <class T>
struct chunked_rows {
  const T* packed;
  index_t padded_rows;

  index_t row_stride() const { return 0; }
  const T* rows_of(const product_block& block, index_t k, index_t depth, bool, T*) const {
    return packed + k * padded_rows + block.row * depth;
  }
};

/// Gathered pixels, as the right operand.
template <class T>
struct gathered_columns {
  const tile<T>& of;
  gather_source<T> from;
  const index_t* tap_offset;
  position_grid grid;

  struct block_columns {
    static constexpr bool packs_side_by_side = true;
    const gathered_columns& source;
    product_block block;
    gather_pieces<conv_limits<T>.columns> pieces;
    index_t target[conv_limits<T>.columns];  ///< offsets of the block's columns
    const index_t* taps = nullptr;           ///< of the chunk
    index_t depth = 0, step = 0;
    bool even_taps = false;  ///< taps are `step` apart

    block_columns(const gathered_columns& s, const product_block& b) : source(s), block(b) {
      const index_t lanes = s.of.columns / 2, end = b.column + b.columns;
      for (index_t j = b.column; j < b.column + round_up(b.columns, s.of.columns); j += lanes) {
        pieces.begin_vector();
        if (j >= end) continue;
        s.grid.each_run(j, (std::min)(j + lanes, end), [&](index_t first, index_t length, index_t source_at, index_t to) {
          pieces.add(source_at - (first - j), first - j, first - j + length);
          for (index_t at = 0; at < length; ++at) target[first - b.column + at] = to + at * s.grid.target_column;
        });
      }
      pieces.finish();
    }

    const index_t* offsets() const { return target; }

    void begin_chunk(index_t k, index_t steps, bool tiles_prefetch = true) {
      taps = source.tap_offset + k, depth = steps;
      // Taps equally far apart, as in 1 x 1 convolutions: the tiles prefetch the next panel.
      step = steps < 2 ? 0 : taps[1] - taps[0];
      even_taps = tiles_prefetch && source.of.reads_unconverted() && steps > 1 && block.rows > source.of.rows;
      for (index_t i = 1; even_taps && i < steps; ++i) even_taps = taps[i] - taps[i - 1] == step;
    }

    packed_panel<T> pack(index_t panel, T* packed) const {
      gather_panel(source.of.instruction_set, pieces, panel, source.from, taps, depth, packed, !even_taps);
      if (!even_taps || 2 * panel + 2 == pieces.vectors) return {packed};
      return {packed, source.from.data + taps[0] + pieces.piece[pieces.first[2 * panel + 2]].base + source.of.columns / 2 - 1,
              step};
    }
  };
  block_columns columns_of(const product_block& block) const { return {*this, block}; }
};

/// filters x positions = weights (filters x taps) * gathered pixels (taps x positions).
template <class T>
struct implicit_gemm_operands {
  index_t filters, taps;
  const T* weights;  ///< packed by `pack_chunked`
  gather_source<T> source;
  const index_t* tap_offset;
  position_grid grid;
  T* target;  ///< filter f of a position is stored at target[f * target_filter + the position's offset]
  index_t target_filter;
  const T* bias = nullptr;  ///< null: none
  fused_activation<T> activation = {};
  bool add = false;
};

/// Scratch that `implicit_gemm` takes.
template <class T>
index_t implicit_gemm_scratch_bytes(int threads, index_t filters, index_t taps) {
  return block_scratch_bytes<T>(threads, conv_limits<T>, filters, conv_limits<T>.columns, taps, 0);
}

/// Inlined: the part of a pass that is the same in both.
template <class T>
MINICNN_INLINE void implicit_gemm(const context& ctx, const implicit_gemm_operands<T>& g, const scratch& work) {
  constexpr block_limits limits = conv_limits<T>;
  position_grid grid = g.grid;
  grid.merge_rows();
  const tile<T> t = choose_tile<T>(ctx, g.filters);
  const product<T> p{
      .rows = g.filters,
      .columns = grid.count(),
      .depth = g.taps,
      .tile = t,
      .blocks =
          choose_blocks(ctx.threads, g.filters, grid.count(), t.rows, t.columns, limits.rows, limits.columns, t.column_unit()),
      .chunk = even_piece(g.taps, limits.depth, 1),
      .target = {.data = g.target, .row_stride = g.target_filter, .row_bias = g.bias, .activation = g.activation, .add = g.add}};
  blocked_product(ctx, p, chunked_rows<T>{g.weights, p.padded_rows()}, gathered_columns<T>{t, g.source, g.tap_offset, grid},
                  work);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
