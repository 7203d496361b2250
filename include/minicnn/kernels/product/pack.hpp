#pragma once
/// Packing: panels of an operand laid out as the tile reads them (tile.hpp).
///
/// An operand whose panel dimension is contiguous is copied; one whose summed dimension is contiguous is transposed in
/// registers, a square block of vectors at a time. Stores may run past a row of a panel: the next row, written later,
/// overwrites that, and behind the last one there is room (`pack_slack`).

#include <utility>

#include "minicnn/kernels/product/tile_shape.hpp"
#include "minicnn/kernels/simd/lanes.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Part of a matrix to be packed: `count` lines (rows of A or columns of B), each `depth` long in the summed dimension.
/// Element (line i, k) is `data[i * line_stride + k * depth_stride]`; one of the strides is 1.
template <class T>
struct pack_source {
  const T* data;
  index_t line_stride, depth_stride;
  index_t count, depth;
};

/// Exchanges the lanes of a pair of rows whose index has bit `Step` set with the other row's that have it clear.
template <int Step, class Vector, int... Lane>
MINICNN_INLINE void exchange_lanes(Vector& a, Vector& b, std::integer_sequence<int, Lane...>) {
  constexpr int lanes = sizeof...(Lane);
  const Vector low = __builtin_shufflevector(a, b, ((Lane & Step) == 0 ? Lane : lanes + Lane - Step)...);
  b = __builtin_shufflevector(a, b, ((Lane & Step) == 0 ? Lane + Step : lanes + Lane)...);
  a = low;
}

/// Transposes a square block of registers: log2(lanes) rounds of exchanges.
template <int Lanes, class Vector, int Step = 1>
MINICNN_INLINE void transpose_registers(Vector (&rows)[Lanes]) {
  if constexpr (Step < Lanes) {
    MINICNN_UNROLL
    for (int i = 0; i < Lanes; ++i)
      if ((i & Step) == 0) exchange_lanes<Step>(rows[i], rows[i + Step], std::make_integer_sequence<int, Lanes>{});
    transpose_registers<Lanes, Vector, 2 * Step>(rows);
  }
}

/// to[k * width + i] = from[line[i] + k] for i < width, k < length. `line` has `width` entries rounded up to whole
/// vectors. Reads past `length` only if `loose`.
struct pack_across_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(T* to, index_t width, const T* from, const index_t* line, index_t length, bool loose) {
    constexpr int lanes = V::template lanes<T>;
    if (length < lanes && !loose) {
      for (index_t k = 0; k < length; ++k)
        for (index_t i = 0; i < width; ++i) to[k * width + i] = from[line[i] + k];
      return;
    }
    for (index_t k = 0; k < length; k += lanes) {
      const index_t at = loose || k + lanes <= length ? k : length - lanes;  // the last block may overlap the one before
      for (index_t i = (width - 1) / lanes * lanes; i >= 0; i -= lanes) {    // backwards: block 0 overwrites the excess
        vec<T, V> rows[lanes];
        MINICNN_UNROLL
        for (int r = 0; r < lanes; ++r) load<V>(rows[r], from + line[i + r] + at);
        transpose_registers(rows);
        MINICNN_UNROLL
        for (int r = 0; r < lanes; ++r) store<V>(to + (at + r) * width + i, rows[r]);
      }
    }
  }
};

/// to[k * width + i] = from[k * stride + i] for i < count, k < depth; anything for i in [count, width). Rows of `from` have
/// `room` elements that may be read. `prefetch_next`: the next panel is prefetched.
struct pack_along_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(T* to, index_t width, const T* from, index_t stride, index_t count, index_t room, index_t depth,
                                 bool prefetch_next) {
    constexpr int lanes = V::template lanes<T>;
    if (count == width && (width + lanes - 1) / lanes * lanes <= room) {
      for (index_t k = 0; k < depth; ++k)
        for (index_t i = 0; i < width; i += lanes) {
          vec<T, V> x;
          load<V>(x, from + k * stride + i);
          // Rows may be pages apart. The first line of the next panel may be the last of this one: prefetch the ends.
          if (prefetch_next) __builtin_prefetch(from + k * stride + i + width + lanes - 1, 0, 2);
          store<V>(to + k * width + i, x);
        }
      return;
    }
    index_t k = 0;
    // Whole vectors read on into the next rows, which are there but for the last ones; lanes beyond `count` are padding.
    for (const index_t end = (depth - 1) * stride + room; k * stride + width + lanes <= end; ++k)
      for (index_t i = 0; i < width; i += lanes) {
        vec<T, V> x;
        load<V>(x, from + k * stride + i);
        store<V>(to + k * width + i, x);
      }
    for (; k < depth; ++k) {
      for (index_t i = 0; i < count; ++i) to[k * width + i] = from[k * stride + i];
      for (index_t i = count; i < width; ++i) to[k * width + i] = T{0};
    }
  }
};

/// Packs all lines of `source` into panels of `width` lines. The last panel is padded with values that never reach a
/// real element of the product. `prefetch_next`: each next panel is prefetched while one is packed. Room needed:
/// round_up(count, width)
/// * depth + overshoot<T>.
template <class T>
void pack_panels(isa i, const pack_source<T>& source, index_t width, T* to, bool prefetch_next = true) {
  for (index_t line0 = 0; line0 < source.count; line0 += width, to += width * source.depth) {
    const index_t left = source.count - line0, count = left < width ? left : width;
    const T* const from = source.data + line0 * source.line_stride;
    if (source.depth_stride == 1) {
      index_t line[most_tile_columns<float>];
      for (index_t k = 0; k < most_tile_columns<float>; ++k) line[k] = (k < count ? k : count - 1) * source.line_stride;
      dispatch<pack_across_kernel>(i, to, width, from, static_cast<const index_t*>(line), source.depth, false);
    } else {
      dispatch<pack_along_kernel>(i, to, width, from, source.depth_stride, count, left, source.depth, prefetch_next);
    }
  }
}

/// A stretch of the summed dimension that is contiguous in memory.
struct pack_run {
  index_t from, length;
};

/// Packs lines of `runs` in panels of `width`: element (line, k-th of a run) is from[run.from + line[i] + k]; from[size] and on
/// may not be read. `line` ascends and has `count` entries and then one more tile width. Room needed:
/// round_up(count, width) * depth + overshoot<T> * most_tile_columns<T>.
template <class T>
void pack_runs(isa i, const T* from, index_t size, const index_t* line, index_t count, index_t width, const pack_run* runs,
               index_t run_count, T* to) {
  const index_t lanes = tile_columns<T>(i) / 2;
  for (index_t line0 = 0; line0 < count; line0 += width) {
    const index_t furthest = line[line0 + round_up(width, lanes) - 1];
    for (index_t r = 0; r < run_count; ++r) {
      const index_t length = runs[r].length;
      const bool loose = runs[r].from + furthest + round_up(length, lanes) <= size;
      dispatch<pack_across_kernel>(i, to, width, from + runs[r].from, line + line0, length, loose);
      to += length * width;
    }
  }
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
