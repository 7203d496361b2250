#pragma once
/// Matrices as the operands of a blocked product: packed, read in place, or packed before.

#include <algorithm>

#include "minicnn/kernels/product/blocked_product.hpp"
#include "minicnn/kernels/product/matrix.hpp"
#include "minicnn/kernels/product/pack.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// A matrix as the left operand: its rows are packed, or read in place if `stride` is their distance.
template <class T>
struct matrix_rows {
  const tile<T>& of;
  matrix<T> a;
  index_t stride = 0;  ///< 0: packed

  index_t row_stride() const { return stride; }
  const T* rows_of(const product_block& block, index_t k, index_t depth, bool, T* packed) const {
    const T* const from = a.data + block.row * a.row_stride + k * a.column_stride;
    if (stride != 0) return from;
    pack_panels<T>(of.instruction_set, {from, a.row_stride, a.column_stride, block.rows, depth}, of.rows, packed);
    if (of.convert_a != nullptr) of.convert_a(of, divide_up(block.rows, index_t{of.rows}), depth, packed);
    return packed;
  }
};

/// A matrix as the right operand. `tiles_prefetch`: the tiles prefetch its next panel, so that packing need not.
template <class T>
struct matrix_columns {
  const tile<T>& of;
  matrix<T> b;
  bool tiles_prefetch = false;

  struct block_columns {
    static constexpr bool packs_side_by_side = true;
    const matrix_columns& source;
    product_block block;
    index_t k = 0, depth = 0;
    bool tiles_prefetch = false;

    const index_t* offsets() const { return nullptr; }
    void begin_chunk(index_t first, index_t steps, bool tiles = true) {
      k = first, depth = steps, tiles_prefetch = tiles && source.tiles_prefetch;
    }
    packed_panel<T> pack(index_t panel, T* packed) const {
      const matrix<T>& m = source.b;
      const index_t width = source.of.columns, j = panel * width;
      const T* const from = m.data + (block.column + j) * m.column_stride + k * m.row_stride;
      pack_panels<T>(source.of.instruction_set,
                     {from, m.column_stride, m.row_stride, (std::min)(width, block.columns - j), depth}, width, packed,
                     !tiles_prefetch);
      if (!tiles_prefetch || j + width >= block.columns) return {packed};
      // The ends of lines: the next panel's first line may be the last of this one.
      return {packed, from + width + width / 2 - 1, m.row_stride};
    }
  };
  block_columns columns_of(const product_block& block) const { return {*this, block}; }
};

/// Panels of B packed before, chunk after chunk of `chunk` steps, in each one panel after the other.
template <class T>
struct prepacked_columns {
  const T* packed;
  index_t panels, width;

  struct block_columns {
    const prepacked_columns& source;
    index_t k = 0, depth = 0;

    const index_t* offsets() const { return nullptr; }
    void begin_chunk(index_t first, index_t steps) { k = first, depth = steps; }
    packed_panel<T> pack(index_t panel, T*) const { return {source.packed + (k * source.panels + depth * panel) * source.width}; }
  };
  block_columns columns_of(const product_block&) const { return {*this}; }
};

}  // namespace minicnn::inline MINICNN_ABI::kernels
