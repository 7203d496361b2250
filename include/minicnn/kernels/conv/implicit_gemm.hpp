#pragma once
/// Convolution as a matrix product whose B is never written out: weights times pixels, gathered while packing.
///
/// Column j of B is a position (image, row, column of the output), row k a tap (channel and place in the window). An
/// element is source[position_offset(j) + tap_offset[k]]. The positions of one row of outputs are contiguous, so a vector of a
/// packed row is a load, or two or three blended where rows end.
/// Positions run across the batch: small maps fill the tiles as well as large ones.

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/product/tile.hpp"
#include "minicnn/kernels/product/tile_bf16.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Positions of a convolution, counted image by image, row by row, and where each is read and written.
struct position_grid {
  index_t images, rows, columns;
  index_t source_origin, source_image, source_row;  ///< offset of the first, and its steps; 1 from column to column
  index_t target_image, target_row, target_column;

  index_t count() const { return images * rows * columns; }

  /// Makes rows that follow each other without gaps on both sides one long row.
  void merge_rows() {
    if (source_row != columns || target_column != 1 || target_row != columns) return;
    columns *= rows;
    rows = 1;
  }

  /// Calls `body(first, length, source offset, target offset)` for each stretch of a row within [begin, end).
  template <class F>
  void each_run(index_t begin, index_t end, const F& body) const {
    index_t image = begin / (rows * columns), row = begin / columns % rows, column = begin % columns;
    while (begin < end) {
      const index_t length = (std::min)(columns - column, end - begin);
      body(begin, length, source_origin + image * source_image + row * source_row + column,
           image * target_image + row * target_row + column * target_column);
      begin += length;
      column = 0;
      if (++row == rows) {
        row = 0;
        ++image;
      }
    }
  }
};

/// Blocks and chunks of convolutions. Weights, pixels and sums of a block fit a second-level cache of 1 to 2 MB.
template <class T>
struct conv_limits {
  static constexpr index_t rows = 384;
  static constexpr index_t columns = 1024 / static_cast<index_t>(sizeof(T));
  static constexpr index_t depth = 256;
};

/// filters x positions = weights (filters x taps) * gathered pixels (taps x positions).
template <class T>
struct implicit_gemm_operands {
  index_t filters, taps;
  const T* weights;  ///< packed by `pack_chunked`
  const T* source;
  index_t source_begin, source_end;  ///< source[i] may be read for source_begin <= i < source_end
  const index_t* tap_offset;
  position_grid grid;
  T* target;  ///< filter f of a position is stored at target[f * target_filter + the position's offset]
  index_t target_filter;
  const T* bias;  ///< null: none
  bool relu, add;
};

/// Lanes [begin, end) of a vector of a packed row: lane l is source[base + offset of the row + l].
struct gather_piece {
  index_t base;
  int begin, end;
};

/// An integer as wide as `T`, for masks.
template <class T>
using mask_element = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;

struct gather_kernel {
  /// `depth` rows of one vector each, put together from `Count` pieces (0: `count`, known only at run time).
  template <class V, int Count, class T>
  MINICNN_INLINE static void gather_vector(const gather_piece* pieces, index_t count, const index_t* offset, index_t depth,
                                           const T* source, T* to, bool prefetch_next = false) {
    constexpr int lanes = V::template lanes<T>;
    vec<mask_element<T>, V> lane;
    MINICNN_UNROLL
    for (int i = 0; i < lanes; ++i) lane[i] = i;
    constexpr int most = Count == 0 ? 1 : Count;
    vec<mask_element<T>, V> mask[most];
    MINICNN_UNROLL
    for (int i = 1; i < most; ++i) mask[i] = lane >= static_cast<mask_element<T>>(pieces[i].begin);
    for (index_t k = 0; k < depth; ++k, to += 2 * lanes) {
      const T* const from = source + offset[k];
      vec<T, V> x, y;
      load<V>(x, from + pieces[0].base);
      // Rows of a map's channels lie pages apart, which the processor does not foresee; the next panel continues this one, and
      // its first line may be the last of this one, so the ends of vectors are asked for.
      if constexpr (Count == 1)
        if (prefetch_next) __builtin_prefetch(from + pieces[0].base + 3 * lanes - 1, 0, 2);
      MINICNN_UNROLL
      for (int i = 1; i < most; ++i) {
        load<V>(y, from + pieces[i].base);
        x = mask[i] ? y : x;
      }
      if constexpr (Count == 0)
        for (index_t i = 1; i < count; ++i) {
          load<V>(y, from + pieces[i].base);
          x = lane >= static_cast<mask_element<T>>(pieces[i].begin) ? y : x;
        }
      store<V>(to, x);
    }
  }

  /// Packs a panel of two vectors a row: vector v of a row consists of pieces [first[v], first[v + 1]), row k of what lies
  /// offset[k] further on. Whole vectors are read where that stays within source[begin, end). `prefetch_next`: asks for the next
  /// panel meanwhile.
  template <class V, class T>
  MINICNN_INLINE static void run(const gather_piece* pieces, const index_t* first, const index_t* offset, index_t depth,
                                 const T* source, index_t begin, index_t end, T* to, bool prefetch_next) {
    constexpr int lanes = V::template lanes<T>;
    index_t least = depth == 0 ? 0 : offset[0], most = least;
    for (index_t k = 1; k < depth; ++k) {
      least = offset[k] < least ? offset[k] : least;
      most = offset[k] > most ? offset[k] : most;
    }
    for (index_t v = 0; v < 2; ++v) {
      const gather_piece* const p = pieces + first[v];
      const index_t count = first[v + 1] - first[v];
      T* const place = to + v * lanes;
      if (count == 0) {
        for (index_t k = 0; k < depth; ++k) store<V>(place + k * 2 * lanes, vec<T, V>{});
        continue;
      }
      index_t low = p[0].base, high = low;
      for (index_t i = 1; i < count; ++i) {
        low = p[i].base < low ? p[i].base : low;
        high = p[i].base > high ? p[i].base : high;
      }
      high += lanes;
      if (low + least >= begin && high + most <= end) {
        switch (count) {
          case 1:
            gather_vector<V, 1>(p, count, offset, depth, source, place, prefetch_next);
            break;
          case 2:
            gather_vector<V, 2>(p, count, offset, depth, source, place);
            break;
          case 3:
            gather_vector<V, 3>(p, count, offset, depth, source, place);
            break;
          default:
            gather_vector<V, 0>(p, count, offset, depth, source, place);
            break;
        }
        continue;
      }
      for (index_t k = 0; k < depth; ++k) {
        T* const row = place + k * 2 * lanes;
        if (low + offset[k] >= begin && high + offset[k] <= end) {
          gather_vector<V, 0>(p, count, offset + k, 1, source, row);
          continue;
        }
        for (const gather_piece* piece = p; piece != p + count; ++piece)
          for (int i = piece->begin; i < piece->end; ++i) row[i] = source[piece->base + offset[k] + i];
        for (int i = p[count - 1].end; i < lanes; ++i) row[i] = T{0};
      }
    }
  }
};

/// Scratch of one thread of a gathered product.
template <class T>
struct implicit_gemm_scratch_layout {
  index_t b, sums, columns;
  implicit_gemm_scratch_layout(index_t filters, index_t taps) {
    columns = conv_limits<T>::columns;
    b = most_tile_columns<T> * (std::min)(taps, conv_limits<T>::depth);
    sums = ((std::min)(filters, conv_limits<T>::rows) + most_tile_rows) * columns;
  }
  index_t bytes() const {
    return scratch::bytes_for<T>(b) + scratch::bytes_for<T>(sums) + scratch::bytes_for<gather_piece>(columns) +
           2 * scratch::bytes_for<index_t>(columns + 1);
  }
};

/// Room for the weights of `filters` x `taps` packed by `pack_chunked`, in elements.
template <class T>
index_t chunked_size(index_t filters, index_t taps) {
  return (filters + most_tile_rows) * taps + pack_slack<T>;
}

/// Packs A for a gathered product, chunk after chunk: `pack(first line, lines, first k, depth, to)` packs one panel.
/// A pack may run past its panel; another thread may own what follows, so a range's last panel goes through a buffer.
template <class T, class F>
void pack_chunked(const context& ctx, index_t filters, index_t taps, T* to, const F& pack) {
  const int tile = choose_tile_rows<T>(ctx, filters);
  const index_t panels = divide_up(filters, tile);
  const index_t depth = even_piece(taps, conv_limits<T>::depth, 1);
  parallel_for(ctx.threads, divide_up(taps, depth) * panels, 1, [&](index_t begin, index_t end) {
    T last[most_tile_rows * conv_limits<T>::depth + pack_slack<T>];
    for (index_t task = begin; task < end; ++task) {
      const index_t k0 = task / panels * depth, panel = task % panels, length = (std::min)(depth, taps - k0);
      T* const place = to + k0 * panels * tile + panel * tile * length;
      T* const packed = task + 1 < end ? place : last;
      pack(panel * tile, (std::min)(index_t{tile}, filters - panel * tile), k0, length, packed);
      if (ctx.bf16) pack_a_as_bf16(ctx.instruction_set, 1, length, tile, packed);
      if (task + 1 == end) std::copy(last, last + tile * length, place);
    }
  });
}

/// Scratch that `implicit_gemm` takes.
template <class T>
index_t implicit_gemm_scratch_bytes(int threads, index_t filters, index_t taps) {
  return threads * implicit_gemm_scratch_layout<T>(filters, taps).bytes();
}

template <class T>
void implicit_gemm(const context& ctx, const implicit_gemm_operands<T>& g, scratch work) {
  using limits = conv_limits<T>;
  const isa i = ctx.instruction_set;
  const implicit_gemm_scratch_layout<T> room(g.filters, g.taps);
  std::byte* const block = work.take<std::byte>(ctx.threads * room.bytes());
  position_grid grid = g.grid;
  grid.merge_rows();
  const index_t positions = grid.count();
  if (positions == 0) return;

  const int tile = choose_tile_rows<T>(ctx, g.filters);
  const index_t width = tile_columns<T>(i), lanes = width / 2, padded_filters = round_up(g.filters, tile);
  const index_t depth = even_piece(g.taps, limits::depth, 1);
  const block_grid blocks = choose_blocks(ctx.threads, g.filters, positions, tile, width, limits::rows, limits::columns);

  parallel_tasks(ctx.threads, blocks.count(), [&](index_t task, int thread) {
    scratch mine(block + thread * room.bytes(), room.bytes());
    T* const packed_b = mine.take<T>(room.b);
    T* const sums = mine.take<T>(room.sums);
    auto* const pieces = mine.take<gather_piece>(room.columns);
    index_t* const first_piece = mine.take<index_t>(room.columns + 1);
    index_t* const column = mine.take<index_t>(room.columns + 1);

    const index_t f0 = task % blocks.row_blocks * blocks.rows, filters = (std::min)(blocks.rows, g.filters - f0);
    const index_t j0 = task / blocks.row_blocks * blocks.columns, columns = (std::min)(blocks.columns, positions - j0);
    const index_t panels = divide_up(columns, width);
    index_t piece_count = 0;
    for (index_t v = 0; v < 2 * panels; ++v) {
      const index_t begin = j0 + v * lanes, end = (std::min)(begin + lanes, j0 + columns);
      first_piece[v] = piece_count;
      if (begin >= end) continue;
      grid.each_run(begin, end, [&](index_t first, index_t length, index_t from, index_t to) {
        const index_t at = first - begin;
        pieces[piece_count++] = {from - at, static_cast<int>(at), static_cast<int>(at + length)};
        for (index_t step = 0; step < length; ++step) column[first - j0 + step] = to + step * grid.target_column;
      });
    }
    first_piece[2 * panels] = piece_count;

    block_product<T> p{};
    p.row_tiles = divide_up(filters, tile);
    p.column_tiles = panels;
    p.sums = sums;
    p.target = {g.target + f0 * g.target_filter,           g.target_filter, column, filters, columns,
                g.bias == nullptr ? nullptr : g.bias + f0, nullptr,         g.relu, g.add};
    index_t k0 = 0;
    do {
      p.depth = (std::min)(depth, g.taps - k0);
      p.a = g.weights + k0 * padded_filters + f0 * p.depth;
      p.first = k0 == 0;
      p.last = k0 + p.depth == g.taps;
      // Rows of B equally far apart, as in 1x1 convolutions: the tiles ask for the next panel (tile.hpp).
      const index_t step = p.depth < 2 ? 0 : g.tap_offset[k0 + 1] - g.tap_offset[k0];
      bool even = !ctx.bf16 && p.depth > 1 && p.row_tiles > 1;
      for (index_t k = k0 + 1; even && k < k0 + p.depth; ++k) even = g.tap_offset[k] - g.tap_offset[k - 1] == step;
      multiply_block<T>(i, tile, ctx.bf16, p, [&](index_t panel) {
        dispatch<gather_kernel>(i, static_cast<const gather_piece*>(pieces), static_cast<const index_t*>(first_piece + 2 * panel),
                                g.tap_offset + k0, p.depth, g.source, g.source_begin, g.source_end, packed_b, !even);
        if (!even || panel + 1 == panels) return panel_of_b<T>{packed_b};
        return panel_of_b<T>{packed_b, g.source + g.tap_offset[k0] + pieces[first_piece[2 * panel + 2]].base + lanes - 1, step};
      });
      k0 += depth;
    } while (k0 < g.taps);
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
