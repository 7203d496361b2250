#pragma once
/// Convolution as a matrix product whose B is never written out: weights times pixels, gathered while packing.
///
/// Column j of B is a position (image, row, column of the output), row k a tap (channel and place in the window). An
/// element is source[position_offset(j) + tap_offset[k]], so a panel of positions is packed by copying a few runs per tap.
/// Positions run across the batch: small maps fill the tiles as well as large ones.

#include <algorithm>

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/tile.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Positions of a convolution, counted image by image, row by row, and where each is read and written.
struct position_grid {
  index_t images, rows, columns;
  index_t source_image, source_row;  ///< steps of the source offset; 1 from column to column
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
      body(begin, length, image * source_image + row * source_row + column,
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
struct gather_product {
  index_t filters, taps;
  const T* weights;  ///< packed by `pack_chunked`
  const T* source;
  index_t source_size;  ///< elements that may be read
  const index_t* tap_offset;
  position_grid grid;
  T* target;  ///< filter f of a position is stored at target[f * target_filter + the position's offset]
  index_t target_filter;
  const T* bias;  ///< null: none
  bool relu, add;
};

namespace detail {

/// A piece of a panel's row: at most one vector, `length` elements of it real.
struct gather_copy {
  index_t from;
  int to, length;
};

struct gather_kernel {
  /// Packs panels of B: copies [first_copy[p], first_copy[p + 1]) make up panel p.
  template <class V, class T>
  MINICNN_INLINE static void run(const gather_copy* copies, const index_t* first_copy, index_t panels, const index_t* tap_offset,
                                 index_t depth, const T* source, index_t source_size, T* to) {
    constexpr int lanes = V::template lanes<T>, width = 2 * lanes;
    for (index_t panel = 0; panel < panels; ++panel) {
      const gather_copy* const begin = copies + first_copy[panel];
      const gather_copy* const end = copies + first_copy[panel + 1];
      index_t furthest = 0;
      for (const gather_copy* c = begin; c != end; ++c) furthest = c->from > furthest ? c->from : furthest;
      for (index_t k = 0; k < depth; ++k, to += width) {
        const T* const from = source + tap_offset[k];
        if (tap_offset[k] + furthest + lanes <= source_size) {
          for (const gather_copy* c = begin; c != end; ++c) {
            vec<T, V> x;
            load<V>(x, from + c->from);
            store<V>(to + c->to, x);
          }
        } else {
          for (const gather_copy* c = begin; c != end; ++c)
            for (int i = 0; i < c->length; ++i) to[c->to + i] = from[c->from + i];
        }
      }
    }
  }
};

/// Scratch of one thread of a gathered product.
template <class T>
struct gather_room {
  index_t b, sums, columns;
  gather_room(index_t filters, index_t taps) {
    columns = conv_limits<T>::columns;
    b = columns * (std::min)(taps, conv_limits<T>::depth) + overshoot<T>;
    sums = ((std::min)(filters, conv_limits<T>::rows) + most_tile_rows) * columns;
  }
  index_t bytes() const {
    return scratch::bytes_for<T>(b) + scratch::bytes_for<T>(sums) + scratch::bytes_for<gather_copy>(columns) +
           2 * scratch::bytes_for<index_t>(columns + 1);
  }
};

}  // namespace detail

/// Room for the weights of `filters` x `taps` packed by `pack_chunked`, in elements.
template <class T>
index_t chunked_size(index_t filters, index_t taps) {
  return (filters + most_tile_rows) * taps + overshoot<T>;
}

/// Packs A for a gathered product, chunk after chunk: `pack(first line, lines, first k, depth, to)` packs one panel.
/// A pack may run past its panel; another thread may own what follows, so a range's last panel goes through a buffer.
template <class T, class F>
void pack_chunked(const context& run, index_t filters, index_t taps, T* to, const F& pack) {
  const index_t tile = choose_tile_rows(run.instruction_set, filters), panels = divide_up(filters, tile);
  const index_t depth = even_piece(taps, conv_limits<T>::depth, 1);
  parallel_for(run.threads, divide_up(taps, depth) * panels, 1, [&](index_t begin, index_t end) {
    T last[most_tile_rows * conv_limits<T>::depth + overshoot<T>];
    for (index_t task = begin; task < end; ++task) {
      const index_t k0 = task / panels * depth, panel = task % panels, length = (std::min)(depth, taps - k0);
      T* const place = to + k0 * panels * tile + panel * tile * length;
      pack(panel * tile, (std::min)(tile, filters - panel * tile), k0, length, task + 1 < end ? place : last);
      if (task + 1 == end) std::copy(last, last + tile * length, place);
    }
  });
}

/// Scratch that `multiply_gathered` takes.
template <class T>
index_t gather_scratch_bytes(int threads, index_t filters, index_t taps) {
  return threads * detail::gather_room<T>(filters, taps).bytes();
}

template <class T>
void multiply_gathered(const context& run, const gather_product<T>& g, scratch work) {
  using limits = conv_limits<T>;
  const isa i = run.instruction_set;
  const detail::gather_room<T> room(g.filters, g.taps);
  std::byte* const block = work.take<std::byte>(run.threads * room.bytes());
  position_grid grid = g.grid;
  grid.merge_rows();
  const index_t positions = grid.count();
  if (positions == 0) return;

  const int tile = choose_tile_rows(i, g.filters);
  const index_t width = tile_columns<T>(i), lanes = width / 2, padded_filters = round_up(g.filters, tile);
  const index_t depth = even_piece(g.taps, limits::depth, 1);
  const block_grid blocks = choose_blocks(run.threads, g.filters, positions, tile, width, limits::rows, limits::columns);

  parallel_tasks(run.threads, blocks.count(), [&](index_t task, int thread) {
    scratch mine(block + thread * room.bytes(), room.bytes());
    T* const packed_b = mine.take<T>(room.b);
    T* const sums = mine.take<T>(room.sums);
    auto* const copies = mine.take<detail::gather_copy>(room.columns);
    index_t* const first_copy = mine.take<index_t>(room.columns + 1);
    index_t* const column = mine.take<index_t>(room.columns + 1);

    const index_t f0 = task % blocks.row_blocks * blocks.rows, filters = (std::min)(blocks.rows, g.filters - f0);
    const index_t j0 = task / blocks.row_blocks * blocks.columns, columns = (std::min)(blocks.columns, positions - j0);
    const index_t panels = divide_up(columns, width);
    index_t copy_count = 0;
    for (index_t panel = 0; panel < panels; ++panel) {
      const index_t begin = j0 + panel * width, end = (std::min)(begin + width, j0 + columns);
      first_copy[panel] = copy_count;
      grid.each_run(begin, end, [&](index_t first, index_t length, index_t from, index_t to) {
        for (index_t at = 0; at < length; at += lanes)
          copies[copy_count++] = {from + at, static_cast<int>(first - begin + at),
                                  static_cast<int>((std::min)(lanes, length - at))};
        for (index_t at = 0; at < length; ++at) column[first - j0 + at] = to + at * grid.target_column;
      });
    }
    first_copy[panels] = copy_count;

    block_product<T> p{};
    p.b = packed_b;
    p.row_tiles = divide_up(filters, tile);
    p.column_tiles = panels;
    p.sums = sums;
    p.target = {g.target + f0 * g.target_filter,           g.target_filter, column, filters, columns,
                g.bias == nullptr ? nullptr : g.bias + f0, nullptr,         g.relu, g.add};
    index_t k0 = 0;
    do {
      p.depth = (std::min)(depth, g.taps - k0);
      dispatch<detail::gather_kernel>(i, static_cast<const detail::gather_copy*>(copies), static_cast<const index_t*>(first_copy),
                                      panels, g.tap_offset + k0, p.depth, g.source, g.source_size, packed_b);
      p.a = g.weights + k0 * padded_filters + f0 * p.depth;
      p.first = k0 == 0;
      p.last = k0 + p.depth == g.taps;
      multiply_block(i, tile, p);
      k0 += depth;
    } while (k0 < g.taps);
  });
}

}  // namespace minicnn::inline MINICNN_ABI
