#pragma once
/// Matrix products: C = A B, with bias, addition to C and ReLU on the way out.

#include <algorithm>

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/gemm_dots.hpp"
#include "minicnn/kernels/gemm_streamed.hpp"
#include "minicnn/kernels/matrix.hpp"
#include "minicnn/kernels/pack.hpp"
#include "minicnn/kernels/tile.hpp"
#include "minicnn/kernels/tile_bf16.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Largest blocks of C per task, and chunk of the summed dimension: packed operands and sums together fit a second-level
/// cache of 1 MB in float.
template <class T>
struct gemm_limits {
  static constexpr index_t rows = 384;
  static constexpr index_t columns = 1536 / static_cast<index_t>(sizeof(T));
  static constexpr index_t depth = 256;
  static constexpr index_t few_rows = 32;
};

template <class T>
struct gemm_room {
  index_t a, b, sums;
  gemm_room(index_t m, index_t n, index_t k) {
    const index_t rows = (std::min)(m, gemm_limits<T>::rows) + most_tile_rows;
    const index_t columns = (std::min)(round_up(n, most_tile_columns<T>), gemm_limits<T>::columns);
    const index_t depth = (std::min)(k, gemm_limits<T>::depth);
    a = rows * depth + overshoot<T>;
    b = most_tile_columns<T> * depth + overshoot<T>;
    sums = rows * columns;
  }
  index_t bytes() const { return scratch::bytes_for<T>(a) + scratch::bytes_for<T>(b) + scratch::bytes_for<T>(sums); }
};

}  // namespace detail

/// Bytes of scratch that `gemm` takes; never less for a bigger m, n, k or thread count.
template <class T>
index_t gemm_scratch_bytes(int threads, index_t m, index_t n, index_t k) {
  return threads * detail::gemm_room<T>(m, n, k).bytes() + scratch::bytes_for<T>(detail::streamed_size<T>(m, k));
}

namespace detail {

/// `gemm` for few rows, both operands contiguous along k. Tasks are a few columns of C each.
template <class T>
void gemm_dots(const context& run, const matrix<T>& a, const matrix<T>& b, T* c, index_t ldc, const epilogue<T>& finish,
               std::byte* block, index_t thread_bytes) {
  const index_t m = a.rows, n = b.columns, k = a.columns;
  parallel_tasks(run.threads, divide_up(n, dot_task_columns), [&](index_t task, int thread) {
    T* const sums = scratch(block + thread * thread_bytes, thread_bytes).take<T>(m * dot_task_columns);
    const index_t j0 = task * dot_task_columns, columns = (std::min)(dot_task_columns, n - j0);
    const auto add_chunk = [&](auto kernel, index_t j, index_t count, index_t k0) {
      dispatch<decltype(kernel)>(run.instruction_set, (std::min)(dot_depth, k - k0), a.data + k0, a.row_stride, m,
                                 b.data + (j0 + j) * b.column_stride + k0, b.column_stride, count, k0 == 0, sums + j * m);
    };
    if (m == 1) {  // the row stays in cache: weights are read as they lie in memory
      constexpr index_t width = 8;
      for (index_t j = 0; j < columns; j += width)
        for (index_t k0 = 0; k0 < k; k0 += dot_depth) add_chunk(dots_kernel<1, width>{}, j, (std::min)(width, columns - j), k0);
    } else {
      for (index_t k0 = 0; k0 < k; k0 += dot_depth) add_chunk(dots_kernel<4, 4>{}, 0, columns, k0);
    }
    for (index_t i = 0; i < m; ++i)
      for (index_t j = 0; j < columns; ++j) finish.store(sums[j * m + i], i, j0 + j, c[i * ldc + j0 + j]);
  });
}

}  // namespace detail

/// C (M x N, row-major, leading dimension ldc) = A (M x K) * B (K x N). C must not overlap A or B.
///
/// Tasks are blocks of C; each packs what it needs of B into its thread's scratch, a chunk of k at a time, and of A unless its
/// rows can be read where they lie. Products of few rows leave a B that is contiguous along k where it lies (gemm_dots.hpp,
/// gemm_streamed.hpp). With `run.bf16` the packed operands are rounded to bfloat16; products of few rows, which wait for memory,
/// stay in float.
template <class T>
void gemm(const context& run, const matrix<T>& a, const matrix<T>& b, T* c, index_t ldc, const epilogue<T>& finish,
          scratch& work) {
  using limits = detail::gemm_limits<T>;
  const isa i = run.instruction_set;
  const index_t m = a.rows, n = b.columns, k = a.columns;
  const detail::gemm_room<T> room(m, n, k);
  std::byte* const block = work.take<std::byte>(run.threads * room.bytes());
  T* const streamed = work.take<T>(detail::streamed_size<T>(m, k));
  if (m == 0 || n == 0) return;
  if (m <= detail::most_dot_rows && k >= 64 && a.column_stride == 1 && b.row_stride == 1)
    return detail::gemm_dots(run, a, b, c, ldc, finish, block, room.bytes());
  if (!run.bf16 && m <= detail::most_streamed_rows && n >= 2 * m && k >= 64 && k <= detail::most_streamed_depth &&
      b.row_stride == 1)
    return detail::gemm_streamed<T>(run, a, b, c, ldc, finish, limits::depth, streamed);

  const int tile = choose_tile_rows<T>(run, m);
  const index_t width = tile_columns<T>(i);
  const block_grid blocks = choose_blocks(run.threads, m, n, tile, width, limits::rows, limits::columns);
  // Few rows are done with a panel of B soon: a shorter one leaves the first-level cache room for the next, already asked for.
  // Where B is transposed, as in x W^T, sums are cut as gemm_streamed cuts them, whatever the number of rows.
  const bool short_panels = m <= limits::few_rows && b.row_stride != 1;
  const index_t depth = even_piece(k, short_panels ? limits::depth / 2 : limits::depth, 1);

  // Rows of A that do not compete for the same lines of the first-level cache are multiplied where they lie.
  const bool lying = !run.bf16 && a.column_stride == 1 && !compete_for_lines(a.row_stride * static_cast<index_t>(sizeof(T)));
  const bool by_tiles = b.column_stride == 1 && !run.bf16 && m > tile;  // who asks for the next panel of B

  parallel_tasks(run.threads, blocks.count(), [&](index_t task, int thread) {
    scratch mine(block + thread * room.bytes(), room.bytes());
    T* const packed_a = mine.take<T>(room.a);
    T* const packed_b = mine.take<T>(room.b);
    T* const sums = mine.take<T>(room.sums);

    const index_t i0 = task % blocks.row_blocks * blocks.rows, j0 = task / blocks.row_blocks * blocks.columns;
    const index_t task_rows = (std::min)(blocks.rows, m - i0), task_columns = (std::min)(blocks.columns, n - j0);
    block_product<T> p{};
    p.a_stride = lying ? a.row_stride : 0;
    p.row_tiles = divide_up(task_rows, tile);
    p.column_tiles = divide_up(task_columns, width);
    p.sums = sums;
    p.target = {c + i0 * ldc + j0,
                ldc,
                nullptr,
                task_rows,
                task_columns,
                finish.row_bias == nullptr ? nullptr : finish.row_bias + i0,
                finish.column_bias == nullptr ? nullptr : finish.column_bias + j0,
                finish.relu,
                finish.add};
    index_t k0 = 0;
    do {
      p.depth = (std::min)(depth, k - k0);
      const pack_source<T> lines{a.data + i0 * a.row_stride + k0 * a.column_stride, a.row_stride, a.column_stride, task_rows,
                                 p.depth};
      p.a = lying ? lines.data : packed_a;
      if (!lying) pack_panels(i, lines, tile, packed_a);
      if (run.bf16) narrow_rows(i, p.row_tiles, p.depth, tile, packed_a);
      p.first = k0 == 0;
      p.last = k0 + p.depth == k;
      multiply_block<T>(i, tile, run.bf16, p, [&](index_t panel) {
        const index_t j = panel * width, count = (std::min)(width, task_columns - j);
        const pack_source<T> columns{b.data + (j0 + j) * b.column_stride + k0 * b.row_stride, b.column_stride, b.row_stride,
                                     count, p.depth};
        pack_panels(i, columns, width, packed_b, !by_tiles);
        if (!by_tiles || panel + 1 == p.column_tiles) return panel_of_b<T>{packed_b};
        // The ends of lines: the next panel's first line may be the last of this one.
        return panel_of_b<T>{packed_b, columns.data + width + width / 2 - 1, b.row_stride};
      });
      k0 += depth;
    } while (k0 < k);
  });
}

MINICNN_COMPILED_FUNCTION(gemm);

}  // namespace minicnn::inline MINICNN_ABI
