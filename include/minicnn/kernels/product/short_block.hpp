#pragma once
/// Blocks of products whose summed dimension is short, as of 1 x 1 convolutions of few channels. Their sums are few
/// multiplications each, so that writing them to memory and reading them again to store them to C would take as long.

#include <algorithm>

#include "minicnn/kernels/product/plain_tile.hpp"
#include "minicnn/kernels/product/product.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Rows of a block from `row` on, and `columns` of its columns from `column` on. `a`, `b`: their panels.
template <class T>
struct block_part {
  const T *a, *b;
  index_t row, column, columns;

  tile_target<T> target(const product<T>& p, const product_block& block, const index_t* offsets) const {
    tile_target<T> t = p.target_of(block, offsets);
    t.data += row * t.row_stride + (offsets == nullptr ? column : 0);
    if (offsets != nullptr) t.column += column;
    t.rows -= row, t.columns = columns;
    if (t.row_bias != nullptr) t.row_bias += row;
    return t;
  }
};

/// Multiplies a part of a block over the whole summed dimension, and stores it by way of `sums`.
template <class T>
void multiply_part(const product<T>& p, const tile_target<T>& target, const block_part<T>& part, index_t depth, T* sums) {
  const index_t panels = divide_up(target.rows, index_t{p.tile.rows}), column_sums = panels * p.tile.rows * p.tile.columns;
  for (index_t j = 0; j < part.columns; j += p.tile.columns) {
    column_product<T> c;
    c.depth = depth, c.depth_stride = p.tile.rows, c.panel_stride = depth * p.tile.rows, c.panels = panels;
    c.a = part.a, c.b = part.b + j * depth, c.sums = sums + j / p.tile.columns * column_sums;
    multiply_panel(p.tile, c, part.columns - j);
  }
  store_tiles(p.tile.instruction_set, target, sums, column_sums);
}

/// Whether `multiply_short_block` may multiply a block of `depth` steps of the summed dimension, those of a slice. The room for
/// panels of B is that of the whole dimension.
template <class T>
bool is_short(const product<T>& p, index_t begin, index_t depth) {
  return depth > 0 && p.depth <= direct_depth && p.chunk_at(begin, begin + depth) == depth && p.tile.multiply_row != nullptr &&
         p.sums == nullptr && p.target.column_stride == 1 && p.target.column_bias == nullptr;
}

/// One block: some panels of B are packed, as many as stay in the first-level cache, and each panel of A is multiplied by all of
/// them. So rows of C are written in long pieces, as memory likes them.
template <class T, class A, class Columns>
void multiply_short_block(const product<T>& p, const A& a, Columns& columns, const product_block& block, index_t depth,
                          T* packed_a, T* packed_b, T* sums) {
  const tile<T>& tile = p.tile;
  const index_t k = p.begin(block.slice), width = tile.columns, *const offsets = columns.offsets();
  const index_t most = (std::max)(index_t{1}, direct_bytes / (width * depth * static_cast<index_t>(sizeof(T)))) * width;
  const T* const rows = a.rows_of(block, k, depth, true, packed_a);
  columns.begin_chunk(k, depth, false);
  for (index_t at = 0; at < block.columns; at += most) {
    const index_t count = (std::min)(most, block.columns - at), whole = count / width * width;
    for (index_t j = 0; j < count; j += width) {
      columns.pack((at + j) / width, packed_b + j * depth);
      if (tile.convert_b != nullptr) tile.convert_b(tile, depth, packed_b + j * depth);
    }
    block_part<T> part{rows, packed_b, 0, at, whole};
    // Where images end among them, all go by way of sums.
    const bool follow = offsets == nullptr || offsets[at + count - 1] - offsets[at] == count - 1;
    for (; follow && whole > 0 && part.row + tile.rows <= block.rows; part.row += tile.rows, part.a += tile.rows * depth) {
      row_product<T> tiles{depth, part.a, part.b, whole / width, part.target(p, block, offsets)};
      if (offsets != nullptr) tiles.target.data += offsets[at];
      tile.multiply_row(&tiles);
    }
    if (part.row < block.rows && whole > 0) multiply_part(p, part.target(p, block, offsets), part, depth, sums);
    part = {rows, packed_b + whole * depth, 0, at + whole, count - whole};
    if (part.columns > 0) multiply_part(p, part.target(p, block, offsets), part, depth, sums);
  }
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
