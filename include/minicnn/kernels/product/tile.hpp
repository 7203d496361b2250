#pragma once
/// The heart of every product: a tile of C held in registers while panels of A and B stream by.
///
/// After BLIS (Van Zee and van de Geijn, 2015). B is packed, and A too, unless its rows are read where they lie. Packed operands
/// are cut into panels:
///   A: panels of `rows` rows,            element (i, k) of a panel at [k * rows + i];
///   B: panels of `tile_columns` columns, element (k, j) of a panel at [k * tile_columns + j].
/// A tile is `rows` x `tile_columns`; B is read as two vectors, A is broadcast. Edges are padded in packing, so every
/// tile takes the same path, but for a last panel of B that fits one vector, and the last rows of an A that lies, which lower
/// tiles do; the final store knows exactly how many rows and columns are real.

#include <type_traits>

#include "minicnn/kernels/product/tile_shape.hpp"
#include "minicnn/kernels/product/tile_store.hpp"
#include "minicnn/kernels/simd/lanes.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// A panel of B, packed, and where the next one will be read, to be asked for meanwhile: row k of its first vector at
/// next[k * next_step] or a little before. null: nowhere.
template <class T>
struct panel_of_b {
  T* packed;
  const T* next = nullptr;
  index_t next_step = 0;
};

/// One chunk of the summed dimension for a block of tiles.
template <class T>
struct block_product {
  index_t depth;     ///< length of the chunk
  const T* a;        ///< row_tiles packed panels, or rows as they lie in memory
  index_t a_stride;  ///< 0: packed; else elements from row to row
  index_t row_tiles, column_tiles;
  T* sums;                ///< a tile for each pair of panels, kept between chunks and until they are stored
  bool first, last;       ///< the first chunk writes sums, later ones add, the last also stores to `target`
  tile_target<T> target;  ///< where the last chunk stores; `columns` says for all of them how much of the last panel is real
};

/// A packed panel of A: the rows of a step follow each other.
template <int Rows, class T>
struct packed_a_tile {
  const T* at;
  MINICNN_INLINE T operator[](int i) const { return at[i]; }
  MINICNN_INLINE void next() { at += Rows; }
  /// Panels of A follow each other: with one vector of B they are used as fast as memory gives them, if it is asked in time.
  MINICNN_INLINE void prefetch() const { __builtin_prefetch(at + 2048 / sizeof(T), 0, 3); }
};

/// Rows of A where they lie, `stride` apart. Every third has a pointer, the others are reached by an index.
template <int Rows, class T>
struct unpacked_a_tile {
  static constexpr int groups = (Rows + 2) / 3;
  const T* row[groups];
  index_t stride;

  MINICNN_INLINE unpacked_a_tile(const T* first, index_t distance) : stride(distance) {
    MINICNN_UNROLL
    for (int g = 0; g < groups; ++g) row[g] = first + 3 * g * distance;
  }
  MINICNN_INLINE T operator[](int i) const { return row[i / 3][i % 3 * stride]; }
  MINICNN_INLINE void next() {
    MINICNN_UNROLL
    for (int g = 0; g < groups; ++g) ++row[g];
  }
  MINICNN_INLINE void prefetch() const {}
};

/// sums = (or += unless `first`) the product of rows of A (`packed_a_tile` or `unpacked_a_tile`) and the first `Vectors` (1 or 2)
/// vectors of a panel of B. With `Prefetch` it asks meanwhile for the lines of ahead[k * ahead_step]: memory is read between
/// multiplications instead of in bursts that the packing would wait for.
template <class V, int Rows, int Vectors, bool Prefetch, class A, class T>
MINICNN_INLINE void multiply_tile(index_t depth, A a, const T* b, T* sums, bool first,
                                  [[maybe_unused]] const T* prefetch_from = nullptr, [[maybe_unused]] index_t prefetch_step = 0) {
  constexpr int lanes = V::template lanes<T>;
  vec<T, V> sum[Rows][Vectors];
  MINICNN_UNROLL
  for (int i = 0; i < Rows; ++i) {
    MINICNN_UNROLL
    for (int v = 0; v < Vectors; ++v) sum[i][v] = vec<T, V>{};
  }
  for (index_t k = 0; k < depth; ++k) {
    vec<T, V> x[Vectors];
    MINICNN_UNROLL
    for (int v = 0; v < Vectors; ++v) load<V>(x[v], b + v * lanes);
    MINICNN_UNROLL
    for (int i = 0; i < Rows; ++i) {
      MINICNN_UNROLL
      for (int v = 0; v < Vectors; ++v) sum[i][v] += a[i] * x[v];
    }
    if constexpr (Vectors == 1) a.prefetch();
    a.next();
    b += 2 * lanes;
    if constexpr (Prefetch) {
      __builtin_prefetch(prefetch_from, 0, 2);
      prefetch_from += prefetch_step;
    }
  }
  MINICNN_UNROLL
  for (int i = 0; i < Rows; ++i) {
    MINICNN_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      T* const to = sums + (2 * i + v) * lanes;
      if (!first) {
        vec<T, V> before;
        load<V>(before, to);
        sum[i][v] += before;
      }
      store<V>(to, sum[i][v]);
    }
  }
}

/// All rows of a column of tiles: one panel of B stays in the first-level cache while the panels of A stream by. `single_vector`:
/// only the first vector of each row of B is real, as in the last panel of a small map. The first two tiles ask for what is
/// `prefetch_from` (null: nothing), a vector each.
template <int Rows>
struct column_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(index_t depth, const T* a, index_t row_tiles, const T* b, T* sums, bool first,
                                 bool single_vector, const T* prefetch_from, index_t prefetch_step) {
    constexpr int lanes = V::template lanes<T>;
    if constexpr (Rows <= tile_rows_limit<V>)
      for (index_t i = 0; i < row_tiles; ++i, a += depth * Rows, sums += Rows * 2 * lanes) {
        const packed_a_tile<Rows, T> rows{a};
        if (single_vector)
          multiply_tile<V, Rows, 1, false>(depth, rows, b, sums, first);
        else if (prefetch_from != nullptr && i < 2)
          multiply_tile<V, Rows, 2, true>(depth, rows, b, sums, first, prefetch_from + i * lanes, prefetch_step);
        else
          multiply_tile<V, Rows, 2, false>(depth, rows, b, sums, first);
      }
  }
};

/// `Rows` rows of A that lie `stride` apart times panels of B that are `panel_size` apart, a chunk of the summed dimension:
/// sums[(p * Rows + i) * two vectors] = (or += unless `first`) row i times panel p. `single_vector` is for the last panel.
template <int Rows>
struct unpacked_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(index_t depth, const T* a, index_t stride, const T* b, index_t panel_size, index_t panels,
                                 T* sums, bool first, bool single_vector, const T* prefetch_from, index_t prefetch_step) {
    if constexpr (Rows <= tile_rows_limit<V>)
      for (index_t p = 0; p < panels; ++p, b += panel_size, sums += Rows * 2 * V::template lanes<T>) {
        const unpacked_a_tile<Rows, T> rows(a, stride);
        if (single_vector && p == panels - 1)
          multiply_tile<V, Rows, 1, false>(depth, rows, b, sums, first);
        else if (prefetch_from != nullptr)
          multiply_tile<V, Rows, 2, true>(depth, rows, b, sums, first, prefetch_from, prefetch_step);
        else
          multiply_tile<V, Rows, 2, false>(depth, rows, b, sums, first);
      }
  }
};

/// Calls `f(std::integral_constant<int, rows>)` for a height of `tile_heights`.
template <class F>
void with_tile_rows(int rows, const F& f) {
  switch (rows) {
    case 14:
      return f(std::integral_constant<int, 14>{});
    case 12:
      return f(std::integral_constant<int, 12>{});
    case 10:
      return f(std::integral_constant<int, 10>{});
    case 8:
      return f(std::integral_constant<int, 8>{});
    case 6:
      return f(std::integral_constant<int, 6>{});
    case 4:
      return f(std::integral_constant<int, 4>{});
    case 2:
      return f(std::integral_constant<int, 2>{});
    default:
      return f(std::integral_constant<int, 1>{});
  }
}

/// The tallest tile that fits `rows`.
inline int tallest_tile(isa i, index_t rows) {
  for (const int height : tile_heights)
    if (height <= rows && has_tile(i, height)) return height;
  return 1;
}

template <class T>
void multiply_column(isa i, int rows, index_t depth, const T* a, index_t row_tiles, const T* b, T* sums, bool first,
                     bool single_vector = false, const T* prefetch_from = nullptr, index_t prefetch_step = 0) {
  with_tile_rows(rows, [&](auto height) {
    dispatch<column_kernel<decltype(height)::value>>(i, depth, a, row_tiles, b, sums, first, single_vector, prefetch_from,
                                                     prefetch_step);
  });
}

/// The same for `count` rows of A where they lie: tiles of `rows`, and lower ones for the rest.
template <class T>
void multiply_unpacked_column(isa i, int rows, index_t depth, const T* a, index_t stride, index_t count, const T* b, T* sums,
                              bool first, bool single_vector, const T* prefetch_from, index_t prefetch_step) {
  const index_t width = tile_columns<T>(i);
  int tile = 0, height = 0;
  for (index_t row = 0; row < count; row += height, ++tile) {
    height = count - row >= rows ? rows : tallest_tile(i, count - row);
    const bool prefetch = prefetch_from != nullptr && tile < 2;
    with_tile_rows(height, [&](auto h) {
      dispatch<unpacked_kernel<decltype(h)::value>>(
          i, depth, a + row * stride, stride, b, index_t{0}, index_t{1}, sums + row * width, first, single_vector,
          prefetch ? prefetch_from + tile * width / 2 : nullptr, prefetch ? prefetch_step : 0);
    });
  }
}

/// Multiplies a block whose A was packed for tiles of `rows` rows (from `choose_tile_rows`) or lies in memory. `pack(j)` packs
/// the panel of B for column j of tiles; it is used at once, while in the first-level cache, and then no more.
template <class T>
void multiply_block(isa i, int rows, const block_product<T>& p, function_ref<panel_of_b<T>(index_t)> pack) {
  const index_t width = tile_columns<T>(i), column_sums = p.row_tiles * rows * width;
  for (index_t j = 0; j < p.column_tiles; ++j) {
    const panel_of_b<T> panel = pack(j);
    T* const sums = p.sums + j * column_sums;
    const bool single_vector = 2 * (p.target.columns - j * width) <= width;
    if (p.a_stride == 0)
      multiply_column<T>(i, rows, p.depth, p.a, p.row_tiles, panel.packed, sums, p.first, single_vector, panel.next,
                         panel.next_step);
    else
      multiply_unpacked_column<T>(i, rows, p.depth, p.a, p.a_stride, p.target.rows, panel.packed, sums, p.first, single_vector,
                                  panel.next, panel.next_step);
  }
  if (p.last) dispatch<store_kernel>(i, &p.target, static_cast<const T*>(p.sums), column_sums);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
