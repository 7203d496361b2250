#pragma once
/// What a matrix product takes: strided operands, and what happens to its sums.

#include "minicnn/core/shape.hpp"
#include "minicnn/kernels/simd/fused_activation.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Strided matrix operand: element (i, j) is `data[i * row_stride + j * column_stride]`; at least one stride is 1.
template <class T>
struct matrix {
  const T* data;
  index_t rows, columns, row_stride, column_stride;
};

/// A row-major matrix whose rows follow each other without gaps.
template <class T>
matrix<T> row_major(const T* data, index_t rows, index_t columns) {
  return {data, rows, columns, columns, 1};
}

template <class T>
matrix<T> transposed(matrix<T> m) {
  return {m.data, m.columns, m.rows, m.column_stride, m.row_stride};
}

/// What happens to a finished sum s of row i, column j: s += row_bias[i], s += column_bias[j], s += C(i,j) if `add`, then the
/// activation, in this order; then C(i,j) = s. A null bias is none.
template <class T>
struct epilogue {
  const T* row_bias = nullptr;
  const T* column_bias = nullptr;
  fused_activation<T> activation = {};
  bool add = false;

  /// Finishes the sum of row i, column j, but for the activation's map, and stores it at `to`.
  void store(T sum, index_t i, index_t j, T& to) const {
    if (row_bias != nullptr) sum += row_bias[i];
    if (column_bias != nullptr) sum += column_bias[j];
    if (add) sum += to;
    to = activation.bound(sum);
  }
};

}  // namespace minicnn::inline MINICNN_ABI::kernels
