#pragma once
/// Tiles of operands as they are: the kernel for a height and an instruction set, and what few columns are left over.

#include "minicnn/kernels/product/tile.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// sums = (or += unless `first`) `Panels` packed panels of A, of no more rows than a vector has lanes, times the first `Columns`
/// columns of a panel of B: here A is read as vectors and B is broadcast. The sums have the bits that `multiply_tile` gives.
template <class V, int Panels, int Columns, class T>
MINICNN_INLINE void multiply_few(const column_product<T>& p, const T* a, T* sums) {
  constexpr int lanes = V::template lanes<T>, width = 2 * lanes;
  const index_t rows = p.depth_stride;
  vec<T, V> sum[Panels][Columns];
  MINICNN_UNROLL
  for (int i = 0; i < Panels; ++i) {
    MINICNN_UNROLL
    for (int j = 0; j < Columns; ++j) sum[i][j] = vec<T, V>{};
  }
  const T* b = p.b;
  for (index_t k = 0; k < p.depth; ++k, a += rows, b += width) {
    MINICNN_UNROLL
    for (int i = 0; i < Panels; ++i) {
      vec<T, V> x;
      load<V>(x, a + i * p.panel_stride);
      MINICNN_UNROLL
      for (int j = 0; j < Columns; ++j) sum[i][j] += x * b[j];
    }
  }
  for (int i = 0; i < Panels; ++i)
    for (int j = 0; j < Columns; ++j) {
      T column[lanes];
      store<V>(column, sum[i][j]);
      T* to = sums + i * rows * width + j;
      for (index_t row = 0; row < rows; ++row, to += width) *to = p.first ? column[row] : column[row] + *to;
    }
}

/// What few columns are left over of whole vectors, as of maps of 7 x 7: by vectors of B they would take as long as `lanes`.
template <int Columns>
struct few_columns_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const column_product<T>* product) {
    constexpr int together = 4;  // their sums do not wait for each other
    const column_product<T> p = *product;
    index_t i = 0;
    for (; i + together <= p.panels; i += together)
      multiply_few<V, together, Columns>(p, p.a + i * p.panel_stride, p.sums + i * p.depth_stride * 2 * V::template lanes<T>);
    for (; i < p.panels; ++i)
      multiply_few<V, 1, Columns>(p, p.a + i * p.panel_stride, p.sums + i * p.depth_stride * 2 * V::template lanes<T>);
  }
};

/// Multiplies one panel of B, of which `columns` are real, by packed panels of A.
template <class T>
MINICNN_INLINE void multiply_panel(const tile<T>& t, column_product<T> c, index_t columns) {
  const index_t lanes = t.columns / 2, few = columns < t.columns ? columns % lanes : 0;
  const column_function<T> rest = few == 0 || 2 * few > t.rows ? nullptr
                                  : few == 1                   ? t.multiply_one
                                  : few <= 4                   ? t.multiply_four
                                                               : nullptr;
  if (rest != nullptr) columns -= few;
  c.single_vector = columns <= lanes;
  if (columns > 0) t.multiply(&c);
  if (rest == nullptr) return;
  c.b += columns, c.sums += columns;
  rest(&c);
}

/// `Kernel<Rows>` for an instruction set that has registers for it.
template <template <int> class Kernel, int Rows, class Product>
auto tile_kernel_of(isa i) {
  constexpr isa least = Rows > tile_rows_limit<simd<32>> ? isa::avx512 : isa::baseline;
  return dispatched_from<least, Kernel<Rows>, const Product*>(i);
}

/// That for tiles of `rows` rows, a height of `tile_heights` that the instruction set has.
template <template <int> class Kernel, class Product>
auto tile_kernel_of(isa i, int rows) {
  return rows == 14   ? tile_kernel_of<Kernel, 14, Product>(i)
         : rows == 12 ? tile_kernel_of<Kernel, 12, Product>(i)
         : rows == 10 ? tile_kernel_of<Kernel, 10, Product>(i)
         : rows == 8  ? tile_kernel_of<Kernel, 8, Product>(i)
         : rows == 6  ? tile_kernel_of<Kernel, 6, Product>(i)
         : rows == 4  ? tile_kernel_of<Kernel, 4, Product>(i)
         : rows == 2  ? tile_kernel_of<Kernel, 2, Product>(i)
                      : tile_kernel_of<Kernel, 1, Product>(i);
}

/// Tiles of `rows` rows of operands as they are.
template <class T>
tile<T> plain_tile(isa i, int rows) {
  tile<T> t{.instruction_set = i,
            .rows = rows,
            .columns = tile_columns<T>(i),
            .multiply = tile_kernel_of<column_kernel, column_product<T>>(i, rows),
            .multiply_row = tile_kernel_of<row_kernel, row_product<T>>(i, rows)};
  if (2 * rows > t.columns) return t;
  t.multiply_one = dispatched_from<isa::baseline, few_columns_kernel<1>, const column_product<T>*>(i);
  t.multiply_four = dispatched_from<isa::baseline, few_columns_kernel<4>, const column_product<T>*>(i);
  return t;
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
