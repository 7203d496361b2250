#pragma once
/// Matrix products: C = A B, with bias, addition to C and ReLU on the way out.

#include <algorithm>

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/product/gemm_skinny.hpp"
#include "minicnn/kernels/product/gemm_small_m.hpp"
#include "minicnn/kernels/product/matrix.hpp"
#include "minicnn/kernels/product/pack.hpp"
#include "minicnn/kernels/product/tile.hpp"
#include "minicnn/kernels/product/tile_bf16.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

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
struct gemm_scratch_layout {
  index_t a, b, sums;
  gemm_scratch_layout(index_t m, index_t n, index_t k) {
    const index_t rows = (std::min)(m, gemm_limits<T>::rows) + most_tile_rows;
    const index_t columns = (std::min)(round_up(n, most_tile_columns<T>), gemm_limits<T>::columns);
    const index_t depth = (std::min)(k, gemm_limits<T>::depth);
    a = rows * depth + pack_slack<T>;
    b = most_tile_columns<T> * depth + pack_slack<T>;
    sums = rows * columns;
  }
  index_t bytes() const { return scratch::bytes_for<T>(a) + scratch::bytes_for<T>(b) + scratch::bytes_for<T>(sums); }
};

/// Bytes of scratch that `gemm` takes; never less for a bigger m, n, k or thread count.
template <class T>
index_t gemm_scratch_bytes(int threads, index_t m, index_t n, index_t k) {
  return threads * gemm_scratch_layout<T>(m, n, k).bytes() + scratch::bytes_for<T>(skinny_packed_size<T>(m, k));
}

/// `gemm` for few rows, both operands contiguous along k. Tasks are a few columns of C each.
template <class T>
void gemm_small_m(const context& ctx, const matrix<T>& a, const matrix<T>& b, T* c, index_t ldc, const epilogue<T>& ep,
                  std::byte* block, index_t thread_bytes) {
  const index_t m = a.rows, n = b.columns, k = a.columns;
  parallel_tasks(ctx.threads, divide_up(n, small_m_task_columns), [&](index_t task, int thread) {
    T* const sums = scratch(block + thread * thread_bytes, thread_bytes).take<T>(m * small_m_task_columns);
    const index_t j0 = task * small_m_task_columns, columns = (std::min)(small_m_task_columns, n - j0);
    const auto add_chunk = [&](auto kernel, index_t j, index_t count, index_t k0) {
      dispatch<decltype(kernel)>(ctx.instruction_set, (std::min)(small_m_depth, k - k0), a.data + k0, a.row_stride, m,
                                 b.data + (j0 + j) * b.column_stride + k0, b.column_stride, count, k0 == 0, sums + j * m);
    };
    if (m == 1) {  // the row stays in cache: weights are read as they lie in memory
      constexpr index_t width = 8;
      for (index_t j = 0; j < columns; j += width)
        for (index_t k0 = 0; k0 < k; k0 += small_m_depth)
          add_chunk(small_m_kernel<1, width>{}, j, (std::min)(width, columns - j), k0);
    } else {
      for (index_t k0 = 0; k0 < k; k0 += small_m_depth) add_chunk(small_m_kernel<4, 4>{}, 0, columns, k0);
    }
    for (index_t i = 0; i < m; ++i)
      for (index_t j = 0; j < columns; ++j) ep.store(sums[j * m + i], i, j0 + j, c[i * ldc + j0 + j]);
  });
}

/// C (M x N, row-major, leading dimension ldc) = A (M x K) * B (K x N). C must not overlap A or B.
///
/// Tasks are blocks of C; each packs what it needs of B into its thread's scratch, a chunk of k at a time, and of A unless its
/// rows can be read where they lie. Products of few rows leave a B that is contiguous along k where it lies (gemm_dots.hpp,
/// gemm_streamed.hpp). With `ctx.bf16` the packed operands are rounded to bfloat16; products of few rows, which wait for memory,
/// stay in float.
template <class T>
void gemm(const context& ctx, const matrix<T>& a, const matrix<T>& b, T* c, index_t ldc, const epilogue<T>& ep, scratch& work) {
  using limits = gemm_limits<T>;
  const isa i = ctx.instruction_set;
  const index_t m = a.rows, n = b.columns, k = a.columns;
  const gemm_scratch_layout<T> room(m, n, k);
  std::byte* const block = work.take<std::byte>(ctx.threads * room.bytes());
  T* const skinny_packed = work.take<T>(skinny_packed_size<T>(m, k));
  if (m == 0 || n == 0) return;
  if (m <= small_m_limit && k >= 64 && a.column_stride == 1 && b.row_stride == 1)
    return gemm_small_m(ctx, a, b, c, ldc, ep, block, room.bytes());
  if (!ctx.bf16 && m <= skinny_row_limit && n >= 2 * m && k >= 64 && k <= skinny_depth_limit && b.row_stride == 1)
    return gemm_skinny<T>(ctx, a, b, c, ldc, ep, limits::depth, skinny_packed);

  const int tile = choose_tile_rows<T>(ctx, m);
  const index_t width = tile_columns<T>(i);
  const block_grid blocks = choose_blocks(ctx.threads, m, n, tile, width, limits::rows, limits::columns);
  // Few rows are done with a panel of B soon: a shorter one leaves the first-level cache room for the next, already asked for.
  // Where B is transposed, as in x W^T, sums are cut as gemm_streamed cuts them, whatever the number of rows.
  const bool short_panels = m <= limits::few_rows && b.row_stride != 1;
  const index_t depth = even_piece(k, short_panels ? limits::depth / 2 : limits::depth, 1);

  // Rows of A that do not compete for the same lines of the first-level cache are multiplied where they lie.
  const bool unpacked = !ctx.bf16 && a.column_stride == 1 && !compete_for_lines(a.row_stride * static_cast<index_t>(sizeof(T)));
  const bool by_tiles = b.column_stride == 1 && !ctx.bf16 && m > tile;  // who asks for the next panel of B

  parallel_tasks(ctx.threads, blocks.count(), [&](index_t task, int thread) {
    scratch mine(block + thread * room.bytes(), room.bytes());
    T* const packed_a = mine.take<T>(room.a);
    T* const packed_b = mine.take<T>(room.b);
    T* const sums = mine.take<T>(room.sums);

    const index_t i0 = task % blocks.row_blocks * blocks.rows, j0 = task / blocks.row_blocks * blocks.columns;
    const index_t task_rows = (std::min)(blocks.rows, m - i0), task_columns = (std::min)(blocks.columns, n - j0);
    block_product<T> p{};
    p.a_stride = unpacked ? a.row_stride : 0;
    p.row_tiles = divide_up(task_rows, tile);
    p.column_tiles = divide_up(task_columns, width);
    p.sums = sums;
    p.target = {c + i0 * ldc + j0,
                ldc,
                nullptr,
                task_rows,
                task_columns,
                ep.row_bias == nullptr ? nullptr : ep.row_bias + i0,
                ep.column_bias == nullptr ? nullptr : ep.column_bias + j0,
                ep.relu,
                ep.add};
    index_t k0 = 0;
    do {
      p.depth = (std::min)(depth, k - k0);
      const pack_source<T> lines{a.data + i0 * a.row_stride + k0 * a.column_stride, a.row_stride, a.column_stride, task_rows,
                                 p.depth};
      p.a = unpacked ? lines.data : packed_a;
      if (!unpacked) pack_panels(i, lines, tile, packed_a);
      if (ctx.bf16) pack_a_as_bf16(i, p.row_tiles, p.depth, tile, packed_a);
      p.first = k0 == 0;
      p.last = k0 + p.depth == k;
      multiply_block<T>(i, tile, ctx.bf16, p, [&](index_t panel) {
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

}  // namespace minicnn::inline MINICNN_ABI::kernels
