#pragma once
/// The heart of every product: a tile of C held in registers while packed panels of A and B stream by.
///
/// After BLIS (Van Zee and van de Geijn, 2015). Packed operands are cut into panels:
///   A: panels of `rows` rows,            element (i, k) of a panel at [k * rows + i];
///   B: panels of `tile_columns` columns, element (k, j) of a panel at [k * tile_columns + j].
/// A tile is `rows` x `tile_columns`; B is read as two vectors, A is broadcast. Edges are padded in packing, so every
/// tile takes the same path, but for a last panel of B that fits one vector; only the final store knows exactly how many rows and
/// columns are real.

#include <type_traits>

#include "minicnn/kernels/context.hpp"
#include "minicnn/kernels/lanes.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Asks for full unrolling: arrays of vectors must become registers.
#if defined(__clang__)
#define MINICNN_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define MINICNN_UNROLL _Pragma("GCC unroll 32")
#else
#define MINICNN_UNROLL
#endif

/// Most rows of a tile in registers: two accumulators a row, two vectors of B and a broadcast fill 32 (or 16) of them.
template <class V>
inline constexpr int tile_rows_limit = V::bytes == 64 ? 14 : 6;
/// Most rows of any tile, that of a matrix unit (tile_amx.hpp) included.
inline constexpr int most_tile_rows = 16;

/// Bytes of a vector on each instruction set.
inline int vector_bytes(isa i) { return i == isa::avx512 ? 64 : i == isa::avx2 ? 32 : 16; }

/// Columns of a tile: two vectors.
template <class T>
int tile_columns(isa i) {
  return 2 * vector_bytes(i) / static_cast<int>(sizeof(T));
}
/// The most that `tile_columns` returns, for planning before the instruction set is known.
template <class T>
inline constexpr int most_tile_columns = 128 / static_cast<int>(sizeof(T));

/// Vectors written or read past the end of a packed block: that much room must follow it, in elements.
template <class T>
inline constexpr index_t overshoot = 64 / static_cast<index_t>(sizeof(T));

/// Rounds up to a multiple of `unit`.
inline index_t round_up(index_t count, index_t unit) { return (count + unit - 1) / unit * unit; }
inline index_t divide_up(index_t count, index_t unit) { return (count + unit - 1) / unit; }

/// Heights that tiles come in, and whether an instruction set has registers for one.
inline constexpr int tile_heights[] = {14, 12, 10, 8, 6, 4, 2, 1};
inline bool has_tile(isa i, int height) { return i == isa::avx512 || height <= tile_rows_limit<simd<32>>; }

/// The tile height that wastes least on `rows` rows. A step of k costs a tile `height` row updates and a fixed part
/// (loads of B, loop) of about one, which favours tall tiles.
inline int choose_tile_rows(isa i, index_t rows) {
  int best = 1;
  index_t best_cost = 0;
  for (int height : tile_heights) {
    if (!has_tile(i, height)) continue;
    const index_t cost = divide_up(rows, height) * (height + 1);
    if (best_cost == 0 || cost < best_cost) {
      best_cost = cost;
      best = height;
    }
  }
  return best;
}

/// Cuts `count` into pieces of at most `most`, as equal as whole multiples of `unit` allow.
inline index_t even_piece(index_t count, index_t most, index_t unit) {
  const index_t units = divide_up(count, unit), most_units = most < unit ? 1 : most / unit;
  return units == 0 ? unit : divide_up(units, divide_up(units, most_units)) * unit;
}

/// Blocks of C that tasks work on: `rows` x `columns`, multiples of the tile unless C is smaller.
struct block_grid {
  index_t rows, columns, row_blocks, column_blocks;
  index_t count() const { return row_blocks * column_blocks; }
};

/// Blocks of at most `most_rows` x `most_columns`. Every block packs its own operands, so few large ones are best: as many as
/// threads if they are equal within a tenth, else smaller ones, up to four a thread. Neither cuts the summed dimension, so
/// results do not depend on it.
inline block_grid choose_blocks(int threads, index_t m, index_t n, index_t tile_rows, index_t tile_columns, index_t most_rows,
                                index_t most_columns) {
  block_grid g{even_piece(m, most_rows, tile_rows), even_piece(n, most_columns, tile_columns), 0, 0};
  const index_t work = round_up(m, tile_rows) * round_up(n, tile_columns);
  for (;;) {
    g.row_blocks = divide_up(m, g.rows);
    g.column_blocks = divide_up(n, g.columns);
    const bool even = g.count() % threads == 0 && 10 * g.count() * g.rows * g.columns <= 11 * work;
    if (even || g.count() >= index_t{4} * threads || (g.rows <= tile_rows && g.columns <= tile_columns)) return g;
    if (g.columns / tile_columns >= g.rows / tile_rows)
      g.columns = round_up(g.columns / 2, tile_columns);
    else
      g.rows = round_up(g.rows / 2, tile_rows);
  }
}

/// Where finished tiles go: row i, column j of the block is stored at `data[i * row_stride + column[j]]`.
template <class T>
struct tile_target {
  T* data;
  index_t row_stride;
  const index_t* column;  ///< one offset per column; null: 0, 1, 2, ...
  index_t rows, columns;  ///< real ones; what lies beyond in the last tiles is padding
  const T* row_bias;      ///< null: none
  const T* column_bias;   ///< null: none
  bool relu, add;
};

/// One chunk of the summed dimension for a block of tiles.
template <class T>
struct block_product {
  index_t depth;  ///< length of the chunk
  const T* a;     ///< row_tiles packed panels
  index_t row_tiles, column_tiles;
  T* sums;                ///< a tile for each pair of panels, kept between chunks and until they are stored
  bool first, last;       ///< the first chunk writes sums, later ones add, the last also stores to `target`
  tile_target<T> target;  ///< where the last chunk stores; `columns` says for all of them how much of the last panel is real
};

namespace detail {

/// A packed panel of A: the rows of a step follow each other.
template <int Rows, class T>
struct packed_rows {
  const T* at;
  MINICNN_INLINE T operator[](int i) const { return at[i]; }
  MINICNN_INLINE void next() { at += Rows; }
};

/// sums = (or += unless `first`) the product of rows of A (`packed_rows` or alike) and the first `Vectors` (1 or 2) vectors of a
/// panel of B.
template <class V, int Rows, int Vectors, class A, class T>
MINICNN_INLINE void multiply_tile(index_t depth, A a, const T* b, T* sums, bool first) {
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
    a.next();
    b += 2 * lanes;
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

/// All rows of a column of tiles: one panel of B stays in the first-level cache while the panels of A stream by. `half`: only
/// the first vector of each row of B is real, as in the last panel of a small map.
template <int Rows>
struct column_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(index_t depth, const T* a, index_t row_tiles, const T* b, T* sums, bool first, bool half) {
    if constexpr (Rows <= tile_rows_limit<V>)
      for (index_t i = 0; i < row_tiles; ++i, a += depth * Rows, sums += Rows * 2 * V::template lanes<T>) {
        if (half)
          multiply_tile<V, Rows, 1>(depth, packed_rows<Rows, T>{a}, b, sums, first);
        else
          multiply_tile<V, Rows, 2>(depth, packed_rows<Rows, T>{a}, b, sums, first);
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

template <class T>
void multiply_column(isa i, int rows, index_t depth, const T* a, index_t row_tiles, const T* b, T* sums, bool first,
                     bool half = false) {
  with_tile_rows(
      rows, [&](auto height) { dispatch<column_kernel<decltype(height)::value>>(i, depth, a, row_tiles, b, sums, first, half); });
}

/// Stores finished columns of tiles, `column_sums` apart: row by row, several tiles wide, since rows of a target may be pages
/// apart (maps of filters) and memory likes long pieces of them. A row goes by stretches of columns that follow each other in
/// memory: one a vector where rows of outputs are long, more where maps are small.
struct store_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const tile_target<T>* t, const T* sums, index_t column_sums) {
    constexpr int lanes = V::template lanes<T>, width = 2 * lanes, most = 8 * width;
    const tile_target<T> target = *t;
    struct stretch {
      index_t place, column, from;
      int count, left;  ///< real sums, and those that may be read
    } stretches[most];
    for (index_t j0 = 0; j0 < target.columns; j0 += most, sums += 8 * column_sums) {
      const index_t columns = target.columns - j0 < most ? target.columns - j0 : index_t{most};
      index_t count = 0;
      for (index_t j = 0; j < columns; j += stretches[count++].count) {
        const auto place = [&](index_t at) { return target.column == nullptr ? j0 + at : target.column[j0 + at]; };
        const int within = static_cast<int>(j % width);
        int n = 1;
        while (n < lanes && within + n < width && j + n < columns && place(j + n) == place(j) + n) ++n;
        stretches[count] = {place(j), j0 + j, j / width * column_sums + within, n, width - within};
      }
      const T* row = sums;
      for (index_t i = 0; i < target.rows; ++i, row += width) {
        const T row_bias = target.row_bias == nullptr ? T{0} : target.row_bias[i];
        T* const to = target.data + i * target.row_stride;
        for (const stretch* s = stretches; s != stretches + count; ++s) {
          __builtin_prefetch(to + 2 * target.row_stride + s->place, 1);
          store_stretch<V>(target, row + s->from, s->left, s->column, s->count, row_bias, to + s->place);
        }
      }
    }
  }

 private:
  /// At most a vector: `count` of the `left` sums that lie there, which are those of column `j` and on.
  template <class V, class T>
  MINICNN_INLINE static void store_stretch(const tile_target<T>& target, const T* sums, index_t left, index_t j, index_t count,
                                           T row_bias, T* to) {
    constexpr int lanes = V::template lanes<T>;
    vec<T, V> sum, other;
    if (left >= lanes)
      load<V>(sum, sums);
    else
      load_part<V>(sum, sums, count);
    sum += row_bias;
    if (target.column_bias != nullptr) {
      if (count == lanes)
        load<V>(other, target.column_bias + j);
      else
        load_part<V>(other, target.column_bias + j, count);
      sum += other;
    }
    if (count == lanes) {
      if (target.add) {
        load<V>(other, to);
        sum += other;
      }
      if (target.relu) sum = sum < T{0} ? vec<T, V>{} : sum;
      store<V>(to, sum);
      return;
    }
    if (target.add && target.relu) {
      load_part<V>(other, static_cast<const T*>(to), count);
      sum += other;
    }
    if (target.relu) sum = sum < T{0} ? vec<T, V>{} : sum;
    T values[lanes];
    store<V>(values, sum);
    copy_run<lanes>(to, static_cast<const T*>(values), count, target.add && !target.relu);
  }
};

}  // namespace detail

/// Multiplies a block whose A was packed for tiles of `rows` rows (from `choose_tile_rows`). `panel_of_b(j)` packs the panel of
/// B for column j of tiles and returns it; it is used at once, while in the first-level cache, and then no more.
template <class T>
void multiply_block(isa i, int rows, const block_product<T>& p, function_ref<T*(index_t)> panel_of_b) {
  const index_t width = tile_columns<T>(i), column_sums = p.row_tiles * rows * width;
  for (index_t j = 0; j < p.column_tiles; ++j) {
    T* const sums = p.sums + j * column_sums;
    const bool half = 2 * (p.target.columns - j * width) <= width;
    detail::multiply_column(i, rows, p.depth, p.a, p.row_tiles, static_cast<const T*>(panel_of_b(j)), sums, p.first, half);
  }
  if (p.last) dispatch<detail::store_kernel>(i, &p.target, static_cast<const T*>(p.sums), column_sums);
}

}  // namespace minicnn::inline MINICNN_ABI
