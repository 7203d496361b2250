#pragma once
/// Products of some rows by weights that are read where they lie: C = A B where B is contiguous along the summed dimension, as in
/// a dense layer's forward pass, x W^T, for batches too large for dot products (gemm_dots.hpp) and too small to pay for packing
/// B.
///
/// The product is turned round: C^T = B^T A^T. A^T is packed once, in panels of the tile's columns (tile.hpp); a row of B^T is a
/// row of weights, whose elements are broadcast straight from memory. Each row is read once, in one sweep that the processor's
/// prefetching follows. Sums are made in the same chunks and the same order as by packed products, so they have the same bits.

#include <algorithm>

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/context.hpp"
#include "minicnn/kernels/pack.hpp"

namespace minicnn::inline MINICNN_ABI::detail {

/// Most rows of A, and largest summed dimension: the packed rows are to stay in the last-level cache.
inline constexpr index_t most_streamed_rows = 128, most_streamed_depth = 32768;
/// Rows of weights that a task takes: some tiles.
inline constexpr index_t streamed_task_rows = 56;

/// Room for the packed rows, in elements; never less for a bigger m or k.
template <class T>
index_t streamed_size(index_t m, index_t k) {
  return round_up((std::min)(m, most_streamed_rows), most_tile_columns<T>) * (std::min)(k, most_streamed_depth) + overshoot<T>;
}

/// `Rows` rows of weights, `stride` apart, times the panels of A^T, a chunk of the summed dimension.
template <int Rows>
struct streamed_kernel {
  /// sums[(p * Rows + i) * two vectors] = (or += unless `first`) row i times panel p, panels `panel_size` apart.
  template <class V, class T>
  MINICNN_INLINE static void run(index_t depth, const T* weights, index_t stride, const T* panel, index_t panel_size,
                                 index_t panels, T* sums, bool first) {
    constexpr int lanes = V::template lanes<T>, groups = (Rows + 2) / 3;
    if constexpr (Rows <= tile_rows_limit<V>)
      for (index_t p = 0; p < panels; ++p, sums += Rows * 2 * lanes) {
        const T* x = panel + p * panel_size;
        const T* row[groups];  // every third row: the others are reached by an index
        MINICNN_UNROLL
        for (int g = 0; g < groups; ++g) row[g] = weights + 3 * g * stride;
        vec<T, V> sum[Rows][2];
        MINICNN_UNROLL
        for (int i = 0; i < Rows; ++i) sum[i][0] = sum[i][1] = vec<T, V>{};
        for (index_t k = 0; k < depth; ++k) {
          vec<T, V> x0, x1;
          load<V>(x0, x);
          load<V>(x1, x + lanes);
          MINICNN_UNROLL
          for (int i = 0; i < Rows; ++i) {
            const T w = row[i / 3][i % 3 * stride];
            sum[i][0] += w * x0;
            sum[i][1] += w * x1;
          }
          MINICNN_UNROLL
          for (int g = 0; g < groups; ++g) ++row[g];
          x += 2 * lanes;
        }
        MINICNN_UNROLL
        for (int i = 0; i < Rows; ++i) {
          T* const to = sums + i * 2 * lanes;
          if (!first) {
            vec<T, V> before0, before1;
            load<V>(before0, to);
            load<V>(before1, to + lanes);
            sum[i][0] += before0;
            sum[i][1] += before1;
          }
          store<V>(to, sum[i][0]);
          store<V>(to + lanes, sum[i][1]);
        }
      }
  }
};

template <class T>
void multiply_streamed(isa i, int rows, index_t depth, const T* weights, index_t stride, const T* panel, index_t panel_size,
                       index_t panels, T* sums, bool first) {
  const auto run = [&](auto kernel) {
    dispatch<decltype(kernel)>(i, depth, weights, stride, panel, panel_size, panels, sums, first);
  };
  switch (rows) {
    case 14:
      return run(streamed_kernel<14>{});
    case 8:
      return run(streamed_kernel<8>{});
    case 6:
      return run(streamed_kernel<6>{});
    case 4:
      return run(streamed_kernel<4>{});
    case 2:
      return run(streamed_kernel<2>{});
    default:
      return run(streamed_kernel<1>{});
  }
}

/// The tallest tile of `multiply_streamed` that fits `rows`.
inline int streamed_rows(isa i, index_t rows) {
  for (const int height : {14, 8, 6, 4, 2})
    if (height <= rows && (i == isa::avx512 || height <= 6)) return height;
  return 1;
}

/// C (m x n, leading dimension ldc) = A (m x k) B, where column j of B is the row of weights at weights + j * stride.
/// `finish` is the epilogue of gemm.hpp. `packed` has `streamed_size` elements.
template <class T, class Epilogue>
void gemm_streamed(const context& run, const pack_source<T>& a, const T* weights, index_t stride, index_t n, T* c, index_t ldc,
                   const Epilogue& finish, index_t chunk, T* packed) {
  const isa i = run.instruction_set;
  const index_t m = a.count, k = a.depth, width = tile_columns<T>(i), panels = divide_up(m, width);
  const index_t depth = even_piece(k, chunk, 1), chunks = divide_up(k, depth);

  // Chunk after chunk, in each one panel after the other. Panels are whole vectors wide, so no pack runs past its own.
  parallel_tasks(run.threads, chunks, [&](index_t task, int) {
    const index_t k0 = task * depth, length = (std::min)(depth, k - k0);
    for (index_t p = 0; p < panels; ++p) {
      const index_t count = (std::min)(width, m - p * width);
      const pack_source<T> part{a.data + p * width * a.line_stride + k0 * a.depth_stride, a.line_stride, a.depth_stride, count,
                                length};
      pack_panels(i, part, width, packed + k0 * panels * width + p * length * width);
    }
  });

  parallel_tasks(run.threads, divide_up(n, streamed_task_rows), [&](index_t task, int) {
    alignas(64) T sums[14 * (most_streamed_rows + most_tile_columns<T>)];
    const index_t end = (std::min)((task + 1) * streamed_task_rows, n);
    for (index_t j0 = task * streamed_task_rows; j0 < end;) {
      const int rows = streamed_rows(i, end - j0);
      for (index_t k0 = 0; k0 < k; k0 += depth) {
        const index_t length = (std::min)(depth, k - k0);
        multiply_streamed(i, rows, length, weights + j0 * stride + k0, stride,
                          static_cast<const T*>(packed + k0 * panels * width), length * width, panels, sums, k0 == 0);
      }
      for (index_t row = 0; row < m; ++row) {
        const T* const from = sums + row / width * rows * width + row % width;
        const T row_bias = finish.row_bias == nullptr ? T{0} : finish.row_bias[row];
        for (index_t j = 0; j < rows; ++j) {
          T& to = c[row * ldc + j0 + j];
          T sum = from[j * width] + row_bias;
          if (finish.column_bias != nullptr) sum += finish.column_bias[j0 + j];
          if (finish.add) sum += to;
          to = finish.relu && sum < T{0} ? T{0} : sum;
        }
      }
      j0 += rows;
    }
  });
}

}  // namespace minicnn::inline MINICNN_ABI::detail
