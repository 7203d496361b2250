#pragma once
/// Matrix products: C = A B, with bias, ReLU or addition to C on the way out.

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/context.hpp"

namespace minicnn::inline MINICNN_ABI {

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

/// What happens to a finished sum s of row i, column j: s += row_bias[i], s += column_bias[j], s += C(i,j) if `add`,
/// s = max(s, 0) if `relu`, in this order; then C(i,j) = s. A null bias is none.
template <class T>
struct epilogue {
  const T* row_bias = nullptr;
  const T* column_bias = nullptr;
  bool relu = false;
  bool add = false;
};

/// Bytes of scratch that `gemm` takes; never less for a bigger m, n, k or thread count.
template <class T>
index_t gemm_scratch_bytes(int threads, index_t m, index_t n, index_t k);

/// C (M x N, row-major, leading dimension ldc) = A (M x K) * B (K x N). C must not overlap A or B.
template <class T>
void gemm(const context& run, const matrix<T>& a, const matrix<T>& b, T* c, index_t ldc, const epilogue<T>& finish,
          scratch& work);

}  // namespace minicnn::inline MINICNN_ABI
