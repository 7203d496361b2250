#pragma once
/// Panels of patches, gathered while packing: a row of a panel is put together from pieces that are contiguous in memory.

#include <algorithm>
#include <type_traits>

#include "minicnn/core/parallel.hpp"
#include "minicnn/kernels/product/tile_shape.hpp"
#include "minicnn/kernels/simd/lanes.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Lanes [begin, end) of a vector of a packed row: lane l is source[base + offset of the row + l].
struct gather_piece {
  index_t base;
  int begin, end;
};

/// Memory that panels are gathered from: data[i] may be read for begin <= i < end.
template <class T>
struct gather_source {
  const T* data;
  index_t begin, end;
};

/// A panel of two vectors a row: vector v of a row consists of pieces [first[v], first[v + 1]), row k is offset[k] further on.
template <class T>
struct gathered_panel {
  const gather_piece* pieces;
  const index_t *first, *offset;
  index_t depth;
  gather_source<T> from;
  T* to;
  bool prefetch;  ///< the next panel, meanwhile
};

struct gather_kernel {
  /// `depth` rows of one vector each, put together from `Count` pieces (0: `count`, known only at run time).
  template <class V, int Count, class T>
  MINICNN_INLINE static void gather_vector(const gather_piece* pieces, index_t count, const index_t* offset, index_t depth,
                                           const T* source, T* to, bool prefetch = false) {
    constexpr int lanes = V::template lanes<T>;
    vec<lane_int<T>, V> lane;
    MINICNN_UNROLL
    for (int i = 0; i < lanes; ++i) lane[i] = i;
    constexpr int most = Count == 0 ? 1 : Count;
    vec<lane_int<T>, V> mask[most];
    MINICNN_UNROLL
    for (int i = 1; i < most; ++i) mask[i] = lane >= static_cast<lane_int<T>>(pieces[i].begin);
    for (index_t k = 0; k < depth; ++k, to += 2 * lanes) {
      const T* const from = source + offset[k];
      vec<T, V> x, y;
      load<V>(x, from + pieces[0].base);
      // Rows of a map's channels are pages apart, which the processor does not foresee. The next panel continues this one, and
      // its first line may be the last of this one, so the ends of vectors are prefetched.
      if constexpr (Count == 1)
        if (prefetch) __builtin_prefetch(from + pieces[0].base + 3 * lanes - 1, 0, 2);
      MINICNN_UNROLL
      for (int i = 1; i < most; ++i) {
        load<V>(y, from + pieces[i].base);
        x = mask[i] ? y : x;
      }
      if constexpr (Count == 0)
        for (index_t i = 1; i < count; ++i) {
          load<V>(y, from + pieces[i].base);
          x = lane >= static_cast<lane_int<T>>(pieces[i].begin) ? y : x;
        }
      store<V>(to, x);
    }
  }

  /// Packs a panel. Whole vectors are read where that stays within the source.
  template <class V, class T>
  MINICNN_INLINE static void run(const gathered_panel<T>* panel) {
    const auto [pieces, first, offset, depth, from, to, prefetch] = *panel;
    const auto [source, begin, end] = from;
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
            gather_vector<V, 1>(p, count, offset, depth, source, place, prefetch);
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

/// The pieces of some columns of a block, at most `Most`, vector after vector.
template <index_t Most>
struct gather_pieces {
  gather_piece piece[Most + 1];
  index_t first[Most + 2];  ///< vector v has pieces [first[v], first[v + 1])
  index_t count = 0, vectors = 0;

  void begin_vector() { first[vectors++] = count; }
  void add(index_t base, index_t begin, index_t end) { piece[count++] = {base, static_cast<int>(begin), static_cast<int>(end)}; }
  void finish() { first[vectors] = count; }
};

/// Packs the two vectors of panel `panel`: row k consists of its pieces, offset[k] further on.
template <class T, index_t Most>
void gather_panel(isa i, const gather_pieces<Most>& pieces, index_t panel, const gather_source<T>& from, const index_t* offset,
                  index_t depth, T* to, bool prefetch) {
  const gathered_panel<T> operands{pieces.piece, pieces.first + 2 * panel, offset, depth, from, to, prefetch};
  dispatch<gather_kernel>(i, &operands);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
