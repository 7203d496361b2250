#pragma once
/// Products of few rows as dot products: C = A B where A (few rows) and B are both contiguous along the summed dimension, as in a
/// dense layer's forward pass, x W^T. Each weight is read once from memory, in place, and nothing is packed.

#include <algorithm>

#include "minicnn/core/arena.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/kernels/product/matrix.hpp"
#include "minicnn/kernels/product/tile_shape.hpp"
#include "minicnn/kernels/simd/dispatch.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Most rows of A for which packing B costs more than it saves (measured at 4096 x 9216 weights), and the chunk of the summed
/// dimension that stays in cache.
inline constexpr index_t small_m_limit = 8;
inline constexpr index_t small_m_depth = 2048;
/// Rows of B that a task takes: a multiple of every block below.
inline constexpr index_t small_m_task_columns = 32;
/// Distance in bytes at which weights are prefetched: the processor's own prefetching stops at the end of a page, and a row
/// is a few pages (measured at one row of AlexNet, two threads: 30 GB/s without, 38 with it, which is what memory gives).
inline constexpr index_t small_m_prefetch_bytes = 2048;

/// Blocks of `Height` rows of A and `Width` of B. Each sum is made in the same order whatever the block.
template <int Height, int Width>
struct small_m_kernel {
  /// sums[j * rows + i] = (or += unless `first`) a_i . b_j over `depth` elements, for i < rows, j < columns. Rows of A are
  /// `a_stride` apart, those of B `b_stride`.
  template <class V, class T>
  MINICNN_INLINE static void run(index_t depth, const T* a, index_t a_stride, index_t rows, const T* b, index_t b_stride,
                                 index_t columns, bool first, T* sums) {
    constexpr int lanes = V::template lanes<T>, height = V::bytes == 64 ? Height : (Height + 1) / 2, width = Width;
    constexpr index_t ahead = small_m_prefetch_bytes / static_cast<index_t>(sizeof(T));
    const index_t whole = depth / lanes * lanes;
    for (index_t j0 = 0; j0 < columns; j0 += width)
      for (index_t i0 = 0; i0 < rows; i0 += height) {
        const T *x[height], *y[width];  // beyond the edge the last row stands in; its sums are dropped
        for (index_t i = 0; i < height; ++i) x[i] = a + (i0 + i < rows ? i0 + i : rows - 1) * a_stride;
        for (index_t j = 0; j < width; ++j) y[j] = b + (j0 + j < columns ? j0 + j : columns - 1) * b_stride;
        vec<T, V> sum[height][width];
        MINICNN_UNROLL
        for (int i = 0; i < height; ++i) {
          MINICNN_UNROLL
          for (int j = 0; j < width; ++j) sum[i][j] = vec<T, V>{};
        }
        for (index_t k = 0; k < whole; k += lanes) {
          vec<T, V> u[height];
          MINICNN_UNROLL
          for (int i = 0; i < height; ++i) load<V>(u[i], x[i] + k);
          MINICNN_UNROLL
          for (int j = 0; j < width; ++j) {
            vec<T, V> v;
            __builtin_prefetch(y[j] + k + ahead);
            load<V>(v, y[j] + k);
            MINICNN_UNROLL
            for (int i = 0; i < height; ++i) sum[i][j] += u[i] * v;
          }
        }
        T spread[height * width * lanes];
        MINICNN_UNROLL
        for (int i = 0; i < height; ++i) {
          MINICNN_UNROLL
          for (int j = 0; j < width; ++j) store<V>(spread + (i * width + j) * lanes, sum[i][j]);
        }
        for (index_t i = 0; i < height && i0 + i < rows; ++i)
          for (index_t j = 0; j < width && j0 + j < columns; ++j) {
            T* const part = spread + (i * width + j) * lanes;
            for (index_t half = lanes / 2; half > 0; half /= 2)
              for (index_t lane = 0; lane < half; ++lane) part[lane] += part[lane + half];
            T total = part[0];
            for (index_t k = whole; k < depth; ++k) total += x[i][k] * y[j][k];
            T& to = sums[(j0 + j) * rows + i0 + i];
            to = first ? total : to + total;
          }
      }
  }
};

/// Whether `gemm_small_m` computes this product.
template <class T>
bool gemm_small_m_supports(const matrix<T>& a, const matrix<T>& b) {
  return a.rows <= small_m_limit && a.columns >= 64 && a.column_stride == 1 && b.row_stride == 1;
}

/// Bytes of scratch that `gemm_small_m` takes; never less for a bigger m or thread count.
template <class T>
index_t gemm_small_m_scratch_bytes(int threads, index_t m) {
  return scratch::bytes_for<T>(threads * (std::min)(m, small_m_limit) * small_m_task_columns);
}

/// `gemm` for few rows, both operands contiguous along k. Tasks are a few columns of C each.
template <class T>
void gemm_small_m(const context& ctx, const matrix<T>& a, const matrix<T>& b, T* c, index_t ldc, const epilogue<T>& ep,
                  scratch work) {
  const index_t m = a.rows, n = b.columns, k = a.columns, size = m * small_m_task_columns;
  T* const all_sums = work.take<T>(ctx.threads * size);
  parallel_tasks(ctx.threads, divide_up(n, small_m_task_columns), [&](index_t task, int thread) {
    T* const sums = all_sums + thread * size;
    const index_t j0 = task * small_m_task_columns, columns = (std::min)(small_m_task_columns, n - j0);
    const auto add_chunk = [&](auto kernel, index_t j, index_t count, index_t k0) {
      dispatch<decltype(kernel)>(ctx.instruction_set, (std::min)(small_m_depth, k - k0), a.data + k0, a.row_stride, m,
                                 b.data + (j0 + j) * b.column_stride + k0, b.column_stride, count, k0 == 0, sums + j * m);
    };
    if (m == 1) {  // the row stays in cache: weights are read in place
      constexpr index_t width = 8;
      for (index_t j = 0; j < columns; j += width)
        for (index_t k0 = 0; k0 < k; k0 += small_m_depth)
          add_chunk(small_m_kernel<1, width>{}, j, (std::min)(width, columns - j), k0);
    } else {
      for (index_t k0 = 0; k0 < k; k0 += small_m_depth) add_chunk(small_m_kernel<4, 4>{}, 0, columns, k0);
    }
    for (index_t i = 0; i < m; ++i)
      for (index_t j = 0; j < columns; ++j) ep.store(sums[j * m + i], i, j0 + j, c[i * ldc + j0 + j]);
    ep.activation.finish(c + j0, columns, m, ldc);
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
