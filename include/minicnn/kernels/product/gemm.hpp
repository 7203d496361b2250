#pragma once
/// Matrix products: C = A B, with bias, addition to C and activation on the way out.

#include <algorithm>

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/product/blocked_product.hpp"
#include "minicnn/kernels/product/choose_tile.hpp"
#include "minicnn/kernels/product/gemm_skinny.hpp"
#include "minicnn/kernels/product/gemm_small_m.hpp"
#include "minicnn/kernels/product/matrix.hpp"
#include "minicnn/kernels/product/matrix_sources.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Blocks of gemm: packed operands and sums together fit a second-level cache of 1 MB in float.
template <class T>
inline constexpr block_limits gemm_limits{384, 1536 / static_cast<index_t>(sizeof(T)), 256};

/// Room for a block's rows of A.
template <class T>
index_t gemm_packed_a(index_t m, index_t k) {
  return ((std::min)(m, gemm_limits<T>.rows) + most_tile_rows) * (std::min)(k, gemm_limits<T>.depth) + pack_slack<T>;
}

/// Bytes of scratch that `gemm` takes; never less for a bigger m, n, k or thread count.
template <class T>
index_t gemm_scratch_bytes(int threads, index_t m, index_t n, index_t k) {
  return (std::max)({block_scratch_bytes<T>(threads, gemm_limits<T>, m, n, k, gemm_packed_a<T>(m, k)),
                     gemm_small_m_scratch_bytes<T>(threads, m), gemm_skinny_scratch_bytes<T>(threads, m, k)});
}

/// C (M x N, row-major, leading dimension ldc) = A (M x K) * B (K x N). C must not overlap A or B.
///
/// Products of few rows read a B that is contiguous along k in place (gemm_small_m.hpp, gemm_skinny.hpp); others are blocked.
/// With `ctx.bf16` the operands are rounded to bfloat16; products of at most 8 rows, which wait for memory, stay in float.
template <class T>
void gemm(const context& ctx, const matrix<T>& a, const matrix<T>& b, T* c, index_t ldc, const epilogue<T>& ep, scratch& work) {
  constexpr block_limits limits = gemm_limits<T>;
  const index_t m = a.rows, n = b.columns, k = a.columns, bytes = gemm_scratch_bytes<T>(ctx.threads, m, n, k);
  const scratch memory(work.take<std::byte>(bytes), bytes);
  if (m == 0 || n == 0) return;
  if (gemm_small_m_supports(a, b)) return gemm_small_m(ctx, a, b, c, ldc, ep, memory);
  const tile<T> t = choose_tile<T>(ctx, m);
  if (t.reads_unconverted() && gemm_skinny_supports(a, b)) return gemm_skinny(ctx, a, b, c, ldc, ep, limits.depth, memory);

  // With few rows a panel of B is used briefly: half of it leaves the first-level cache room for the next, already prefetched.
  // Where B is transposed, as in x W^T, sums are cut as gemm_skinny cuts them, whatever the number of rows.
  const bool short_panels = m <= 32 && b.row_stride != 1;
  // Rows of A that do not compete for the same lines of the first-level cache are multiplied in place.
  const bool in_place =
      t.reads_unconverted() && a.column_stride == 1 && !compete_for_lines(a.row_stride * static_cast<index_t>(sizeof(T)));
  const product<T> p{.rows = m,
                     .columns = n,
                     .depth = k,
                     .tile = t,
                     .blocks = choose_blocks(ctx.threads, m, n, t.rows, t.columns, limits.rows, limits.columns, t.column_unit()),
                     .chunk = even_piece(k, short_panels ? limits.depth / 2 : limits.depth, 1),
                     .target = {.data = c,
                                .row_stride = ldc,
                                .row_bias = ep.row_bias,
                                .column_bias = ep.column_bias,
                                .activation = ep.activation,
                                .add = ep.add},
                     .packed_a = gemm_packed_a<T>(m, k)};
  blocked_product(ctx, p, matrix_rows<T>{t, a, in_place ? a.row_stride : 0},
                  matrix_columns<T>{t, b, b.column_stride == 1 && t.reads_unconverted() && m > t.rows}, memory);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
