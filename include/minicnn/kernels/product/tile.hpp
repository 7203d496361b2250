#pragma once
/// The innermost product: a tile of C held in registers while a packed panel of B and a panel or rows of A stream by.
///
/// After BLIS (Van Zee and van de Geijn, 2015). Operands are cut into panels:
///   A: panels of `rows` rows, packed, element (i, k) of a panel at [k * rows + i], or rows read in place;
///   B: packed panels of `columns` columns, element (k, j) of a panel at [k * columns + j].
/// A tile is `rows` x `columns`; B is read as two vectors, A is broadcast. Edges are padded in packing, so every tile takes the
/// same path. Exceptions: a last panel of B of one vector, and remainder rows of an A in place, which use shorter tiles. The
/// store knows how many rows and columns are real (tile_store.hpp).
///
/// This file multiplies operands as they are, plain_tile.hpp has the kernels for it by height and instruction set. tile_bf16.hpp
/// and tile_amx.hpp have the tiles that round them to bfloat16 first.

#include "minicnn/kernels/product/tile_store.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// A column of tiles: some panels of A times one panel of B, over one chunk of the summed dimension.
template <class T>
struct column_product {
  index_t depth = 0;           ///< steps of the chunk
  const T* a = nullptr;        ///< element (row i, step k) of panel p: a[p * panel_stride + i * row_stride + k * depth_stride]
  index_t panel_stride = 0;    ///< elements between panels of A
  index_t row_stride = 1;      ///< 1: packed
  index_t depth_stride = 0;    ///< rows of a tile if packed, 1 in place
  index_t panels = 0;          ///< of A
  const T* b = nullptr;        ///< one packed panel
  T* sums = nullptr;           ///< tile after tile, rows of `columns` elements
  bool first = true;           ///< write sums; else add to them
  bool single_vector = false;  ///< only the first vector of each step of B is real
  const T* prefetch_next = nullptr;  ///< the next panel of B before it is packed, step k at [k * prefetch_stride]; null: none
  index_t prefetch_stride = 0;
};

template <class T>
using column_function = void (*)(const column_product<T>*);

/// A row of whole tiles: one packed panel of A times some of B, over the whole summed dimension.
template <class T>
struct row_product {
  index_t depth = 0;
  const T *a = nullptr, *b = nullptr;  ///< the panel of A, and the first of B
  index_t panels = 0;                  ///< of B, each `depth` steps behind the last
  tile_target<T> target = {};          ///< of the first tile; columns follow each other in memory
};

/// How a product's tiles are multiplied: chosen once for a product (choose_tile.hpp).
template <class T>
struct tile {
  isa instruction_set = isa::baseline;
  int rows = 1;         ///< of A in a panel
  index_t columns = 1;  ///< of B in a panel
  column_function<T> multiply = nullptr;
  /// A row of tiles, stored to C from registers. null: sums take the way through memory (`store_tiles`).
  void (*multiply_row)(const row_product<T>*) = nullptr;
  /// The first column, or up to four, of a panel of B, times packed panels of A. null: only `multiply`.
  column_function<T> multiply_one = nullptr, multiply_four = nullptr;
  /// Convert packed panels of `depth` steps in place to the form that `multiply` reads. null: it reads them as they are, and rows
  /// of A in place too.
  void (*convert_a)(const tile&, index_t panels, index_t depth, T* packed) = nullptr;
  void (*convert_b)(const tile&, index_t depth, T* packed) = nullptr;

  /// Whether `multiply` reads operands in the form that they have in memory.
  bool reads_unconverted() const { return convert_a == nullptr; }
  /// Columns that cost their share of a panel: a vector, or the panel where it is converted as a whole.
  index_t column_unit() const { return reads_unconverted() ? columns / 2 : columns; }
};

/// sum = the product of `Rows` rows of A and the first `Vectors` (1 or 2) vectors of a panel of B. With `Prefetch` the lines of
/// prefetch[k * prefetch_stride] are prefetched: memory is read between multiplications instead of in bursts that the packing
/// would wait for.
template <class V, int Rows, int Vectors, bool Packed, bool Prefetch, class T>
MINICNN_INLINE void sum_tile(const column_product<T>& p, const T* a, [[maybe_unused]] const T* prefetch,
                             vec<T, V> (&sum)[Rows][Vectors]) {
  constexpr int lanes = V::template lanes<T>, group = Packed ? Rows : 3, groups = (Rows + group - 1) / group;
  const index_t row_stride = Packed ? 1 : p.row_stride, depth_stride = Packed ? Rows : p.depth_stride;
  [[maybe_unused]] const index_t prefetch_stride = p.prefetch_stride;
  const T* row[groups];  // each for a group of rows, which are reached by an index: three, or all of a packed panel
  MINICNN_UNROLL
  for (int g = 0; g < groups; ++g) row[g] = a + group * g * row_stride;
  MINICNN_UNROLL
  for (int i = 0; i < Rows; ++i) {
    MINICNN_UNROLL
    for (int v = 0; v < Vectors; ++v) sum[i][v] = vec<T, V>{};
  }
  const T* b = p.b;
  for (index_t k = p.depth; k > 0; --k) {
    vec<T, V> x[Vectors];
    MINICNN_UNROLL
    for (int v = 0; v < Vectors; ++v) load<V>(x[v], b + v * lanes);
    MINICNN_UNROLL
    for (int i = 0; i < Rows; ++i) {
      MINICNN_UNROLL
      for (int v = 0; v < Vectors; ++v) sum[i][v] += row[i / group][i % group * row_stride] * x[v];
#if defined(__aarch64__)  // else g++ loads all of A first and has no registers left for the sums
      if (i % 4 == 3) __asm__ volatile("" : : : "memory");
#endif
    }
    // With one vector of B, panels of A are used as fast as memory gives them if they are prefetched.
    if constexpr (Vectors == 1) __builtin_prefetch(row[0] + 2048 / sizeof(T), 0, 3);
    MINICNN_UNROLL
    for (int g = 0; g < groups; ++g) row[g] += depth_stride;
    b += 2 * lanes;
    if constexpr (Prefetch) {
      __builtin_prefetch(prefetch, 0, 2);
      prefetch += prefetch_stride;
    }
  }
}

/// sums = (or += unless `first`) what `sum_tile` sums.
template <class V, int Rows, int Vectors, bool Packed, bool Prefetch, class T>
MINICNN_INLINE void multiply_tile(const column_product<T>& p, const T* a, T* sums, const T* prefetch) {
  constexpr int lanes = V::template lanes<T>;
  vec<T, V> sum[Rows][Vectors];
  sum_tile<V, Rows, Vectors, Packed, Prefetch>(p, a, prefetch, sum);
  MINICNN_UNROLL
  for (int i = 0; i < Rows; ++i) {
    MINICNN_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      T* const to = sums + (2 * i + v) * lanes;
      if (!p.first) {
        vec<T, V> before;
        load<V>(before, to);
        sum[i][v] += before;
      }
      store<V>(to, sum[i][v]);
    }
  }
}

/// One panel of B stays in the first-level cache while the panels of A stream by. The first two tiles prefetch the next panel of
/// B, a vector of each step each.
template <int Rows>
struct column_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const column_product<T>* product) {
    constexpr int lanes = V::template lanes<T>;
    const column_product<T> p = *product;
    for (index_t i = 0; i < p.panels; ++i) {
      const T* const a = p.a + i * p.panel_stride;
      T* const sums = p.sums + i * (Rows * 2 * lanes);
      if (p.single_vector && p.row_stride == 1)
        multiply_tile<V, Rows, 1, true, false>(p, a, sums, p.prefetch_next);
      else if (p.single_vector)
        multiply_tile<V, Rows, 1, false, false>(p, a, sums, p.prefetch_next);
      else if (p.prefetch_next != nullptr && i < 2)
        multiply_tile<V, Rows, 2, false, true>(p, a, sums, p.prefetch_next + i * lanes);
      else if (p.row_stride == 1)
        multiply_tile<V, Rows, 2, true, false>(p, a, sums, p.prefetch_next);
      else
        multiply_tile<V, Rows, 2, false, false>(p, a, sums, p.prefetch_next);
    }
  }
};

/// A row of tiles is finished and stored as it is summed, tile after tile.
template <int Rows>
struct row_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const row_product<T>* product) {
    constexpr int lanes = V::template lanes<T>, width = 2 * lanes;
    const tile_target<T> target = product->target;
    column_product<T> p{.depth = product->depth, .b = product->b};
    for (index_t i = 0; i < product->panels; ++i, p.b += p.depth * width) {
      vec<T, V> sum[Rows][2];
      sum_tile<V, Rows, 2, true, false>(p, product->a, product->a, sum);
      MINICNN_UNROLL
      for (int row = 0; row < Rows; ++row) {
        const T bias = target.row_bias == nullptr ? T{0} : target.row_bias[row];
        T* const to = target.data + row * target.row_stride + i * width;
        put<V>(target, sum[row][0], bias, to);
        put<V>(target, sum[row][1], bias, to + lanes);
      }
    }
    target.activation.finish(target.data, product->panels * width, Rows, target.row_stride);
  }

 private:
  template <class V, class T>
  MINICNN_INLINE static void put(const tile_target<T>& target, vec<T, V>& sum, T bias, T* to) {
    sum += bias;
    if (target.add) {
      vec<T, V> before;
      load<V>(before, static_cast<const T*>(to));
      sum += before;
    }
    target.activation.template bound<V>(sum);
    store<V>(to, sum);
  }
};

}  // namespace minicnn::inline MINICNN_ABI::kernels
