#pragma once
/// Max pooling without notes, as prediction needs it: maxima along the rows first, each row once, then down the columns of those.
/// 3 x 3 windows of stride 1 take four comparisons a result instead of eight, and windows in the padding take the same way.

#include <algorithm>
#include <limits>

#include "minicnn/kernels/pool/pooling.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Memory that maps are read from: vectors of it may be loaded for begin <= address < end.
template <class T>
struct pool_source {
  const T *begin, *end;
};

/// Of equal values the first in row-major order wins, as where notes are taken: zeros keep their signs.
struct max_pool_rows {
  static constexpr index_t most_columns = 512, most_rows = 8, most_line = 1200, most_lanes = 16;

  static bool serve(const pool_geometry& g) {
    const pool_axis& c = g.columns;
    return g.compact() && c.stride <= 2 && g.rows.kernel <= most_rows && c.out + most_lanes <= most_columns &&
           c.before + (std::max)(c.in, (c.out + 2 * most_lanes) * c.stride + c.kernel) <= most_line;
  }

  /// A plane whose cells are all finite (`max_pool_body::regular`).
  template <class V, class T>
  MINICNN_INLINE static void plane(const pool_geometry& g, const T* in, const pool_source<T>& from, T* out, const T* out_end) {
    constexpr index_t lanes = V::template lanes<T>;
    T line[most_line], maxima[most_rows][most_columns];
    const index_t before = g.columns.before, reach = (g.columns.out + 2 * lanes) * g.columns.stride + g.columns.kernel;
    vec<T, V> lane{};
    MINICNN_UNROLL
    for (int i = 0; i < lanes; ++i) lane[i] = static_cast<T>(i * g.columns.stride);
    index_t next = 0;
    for (index_t oy = 0; oy < g.rows.out; ++oy, out += g.columns.out) {
      const index_t y0 = g.rows.begin(oy), y1 = g.rows.end(oy);
      for (next = (std::max)(next, y0); next < y1; ++next) {
        const T* row = in + next * g.columns.in;
        if (row - from.begin < before || from.end - row < reach) {  // the first and the last rows of all
          for (index_t i = 0; i < most_line; ++i) line[i] = i >= before && i < before + g.columns.in ? row[i - before] : T{0};
          row = line + before;
        }
        if (g.columns.stride == 1)
          across<1, V>(g.columns, lane, row, maxima[next % most_rows]);
        else
          across<2, V>(g.columns, lane, row, maxima[next % most_rows]);
      }
      // The last vector runs into the next row, which is made later, but not past `out_end`.
      for (index_t ox = 0; ox < g.columns.out; ox += lanes) {
        vec<T, V> best, value;
        load<V>(best, maxima[y0 % most_rows] + ox);
        for (index_t y = y0 + 1; y < y1; ++y) {
          load<V>(value, maxima[y % most_rows] + ox);
          best = value > best ? value : best;
        }
        if (out_end - out - ox >= lanes) {
          store<V>(out + ox, best);
        } else {
          const vec<T, V> rest = best;  // of which the address is taken: `best` stays in a register
          store_part<V>(out + ox, rest, g.columns.out - ox);
        }
      }
    }
  }

 private:
  /// to[o] = the largest cell of window o of a row. Vectors at the row's ends also load what lies beside it, and leave it out.
  template <int Stride, class V, class T>
  MINICNN_INLINE static void across(const pool_axis& axis, const vec<T, V>& lane, const T* row, T* to) {
    constexpr int lanes = V::template lanes<T>;
    // One comparison says whether a cell is in the row, by its distance from the middle: two, joined, g++ 12 makes lane by lane.
    const T middle = static_cast<T>(axis.in - 1) / 2, most = middle * middle;
    for (index_t o = 0; o < axis.out; o += lanes) {
      const index_t start = o * Stride - axis.before;
      const bool inside = start >= 0 && start + (lanes - 1) * Stride + axis.kernel <= axis.in;
      vec<T, V> best = vec<T, V>{} - std::numeric_limits<T>::infinity(), value{}, odd{};
      const auto lowest = best;
      for (index_t dx = 0; dx < axis.kernel; dx += Stride) {
        if constexpr (Stride == 2)
          load_pairs<V>(value, odd, row + start + dx);
        else
          load<V>(value, row + start + dx);
        MINICNN_UNROLL
        for (int s = 0; s < Stride; ++s) {
          if (dx + s == axis.kernel) break;
          vec<T, V> cell = s == 0 ? value : odd;
          if (!inside) {
            const vec<T, V> away = lane + (static_cast<T>(start + dx + s) - middle);
            cell = away * away > most ? lowest : cell;
          }
          best = cell > best ? cell : best;
        }
      }
      store<V>(to + o, best);
    }
  }
};

}  // namespace minicnn::inline MINICNN_ABI::kernels
