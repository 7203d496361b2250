#pragma once
/// Max pooling. Forward notes where each maximum is, so that backward reads neither input nor output.
///
/// Of equal values the first in row-major order wins; a NaN wins against numbers (of several NaNs, the last); padding never
/// wins. Where a window has at most 256 cells the note is one byte, the cell's number in the window, else four bytes, its
/// offset in the plane.

#include <array>
#include <cstring>

#include "minicnn/kernels/pool/max_pool_rows.hpp"
#include "minicnn/kernels/pool/pooling.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Offset in the plane of the largest cell of rows [y0, y1) and columns [x0, x1).
template <class T>
MINICNN_INLINE index_t largest_cell(const T* in, index_t width, index_t y0, index_t y1, index_t x0, index_t x1) {
  index_t at = y0 * width + x0;
  T best = in[at];
  for (index_t y = y0; y < y1; ++y)
    for (index_t i = y * width + x0; i < y * width + x1; ++i)
      if (in[i] > best || in[i] != in[i]) best = in[i], at = i;  // NOLINT(misc-redundant-expression): NaN
  return at;
}

struct max_pool_body {
  /// Whether all cells are finite. The vector path ignores NaN: a second comparison per cell costs more than this
  /// pass over the plane, which also brings it into cache.
  template <class V, class T>
  MINICNN_INLINE static bool regular(const T* in, index_t cells) {
    constexpr index_t lanes = V::template lanes<T>;
    vec<T, V> first{}, second{}, value;
    index_t i = 0;
    for (; i + 2 * lanes <= cells; i += 2 * lanes) {
      load<V>(value, in + i);
      first += value * T{0};
      load<V>(value, in + i + lanes);
      second += value * T{0};
    }
    first += second;
    T sum = sum_of_lanes<V, T>(first);
    for (; i < cells; ++i) sum += in[i] * T{0};
    return sum == T{0};
  }

  template <int Stride, class V, class T>
  MINICNN_INLINE static void lanes(const pool_geometry& g, index_t oy, const T* corner, index_t y0, index_t y1, T* out,
                                   std::uint8_t* index, bool) {
    using ints = vec<lane_int<T>, V>;
    const index_t width = g.columns.kernel;
    vec<T, V> best, value, odd;
    load_strided<Stride, V>(best, corner);
    ints cell = ints{} + static_cast<lane_int<T>>((y0 - g.rows.start(oy)) * width);
    ints at = cell;
    for (index_t y = y0; y < y1; ++y, corner += g.columns.in) {
      index_t dx = 0;
      if constexpr (Stride == 2)
        for (; dx + 1 < width; dx += 2) {
          load_pairs<V>(value, odd, corner + dx);
          improve<V, T>(best, at, value, cell);
          improve<V, T>(best, at, odd, cell);
        }
      for (; dx < width; ++dx) {
        load_strided<Stride, V>(value, corner + dx);
        improve<V, T>(best, at, value, cell);
      }
    }
    store<V>(out, best);
    if (index == nullptr) return;
    typedef std::uint8_t bytes __attribute__((vector_size(V::template lanes<T>)));
    const bytes narrow = __builtin_convertvector(at, bytes);
    std::memcpy(index, &narrow, sizeof narrow);
  }

  /// Where `value` is larger than `best`, it is the best, at `cell`; then on to the next cell.
  template <class V, class T>
  MINICNN_INLINE static void improve(vec<T, V>& best, vec<lane_int<T>, V>& at, const vec<T, V>& value,
                                     vec<lane_int<T>, V>& cell) {
    at = value > best ? cell : at;
    best = value > best ? value : best;
    cell += lane_int<T>{1};
  }

  template <class T>
  MINICNN_INLINE static void single(const pool_geometry& g, index_t oy, index_t ox, const T* in, T* out, std::uint8_t* index,
                                    bool) {
    const index_t width = g.columns.in;
    const index_t at = largest_cell(in, width, g.rows.begin(oy), g.rows.end(oy), g.columns.begin(ox), g.columns.end(ox));
    out[ox] = in[at];
    if (index != nullptr)
      index[ox] =
          static_cast<std::uint8_t>((at / width - g.rows.start(oy)) * g.columns.kernel + at % width - g.columns.start(ox));
  }
};

/// Planes of [out, out_end) without notes, by rows; planes that are not `regular` one result at a time.
struct max_pool_unnoted_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const pool_geometry* geometry, const pool_source<T>* from, const T* in, T* out,
                                 const T* out_end) {
    const pool_geometry g = *geometry;
    for (; out != out_end; in += g.in_size(), out += g.out_size()) {
      if (max_pool_body::regular<V>(in, g.in_size())) {
        max_pool_rows::plane<V>(g, in, *from, out, out_end);
        continue;
      }
      for (index_t oy = 0; oy < g.rows.out; ++oy)
        for (index_t ox = 0; ox < g.columns.out; ++ox)
          max_pool_body::single(g, oy, ox, in, out + oy * g.columns.out, nullptr, false);
    }
  }
};

/// Bytes of notes for `planes` planes.
inline index_t max_pool_note_bytes(const pool_geometry& g, index_t planes) {
  return planes * g.out_size() * (g.compact() ? 1 : static_cast<index_t>(sizeof(std::int32_t)));
}

/// `in` is (planes, rows.in, columns.in), `out` (planes, rows.out, columns.out). `notes` (see `max_pool_note_bytes`) may be
/// null. A plane must have fewer than 2^31 cells unless `compact`.
template <class T>
void max_pool_forward(const context& ctx, const pool_geometry& g, index_t planes, const T* in, T* out, std::byte* notes) {
  const index_t size = g.out_size();
  parallel_for(ctx.threads, planes, 1 + 16384 / (g.in_size() + 1), [&](index_t begin, index_t end) {
    if (notes == nullptr && max_pool_rows::serve(g)) {
      const pool_source<T> from{in, in + planes * g.in_size()};
      dispatch<max_pool_unnoted_kernel>(ctx.instruction_set, &g, &from, in + begin * g.in_size(), out + begin * size,
                                        static_cast<const T*>(out + end * size));
      return;
    }
    if (g.compact()) {
      auto* index = reinterpret_cast<std::uint8_t*>(notes);
      dispatch<pool_kernel<max_pool_body>>(ctx.instruction_set, g, in + begin * g.in_size(), in + planes * g.in_size(),
                                           out + begin * size, out + end * size,
                                           index == nullptr ? nullptr : index + begin * size, false);
      return;
    }
    auto* offsets = reinterpret_cast<std::int32_t*>(notes);
    for (index_t p = begin; p < end; ++p)
      for (index_t i = 0; i < size; ++i) {
        const index_t oy = i / g.columns.out, ox = i % g.columns.out;
        const T* plane = in + p * g.in_size();
        const index_t at =
            largest_cell(plane, g.columns.in, g.rows.begin(oy), g.rows.end(oy), g.columns.begin(ox), g.columns.end(ox));
        out[p * size + i] = plane[at];
        if (offsets != nullptr) offsets[p * size + i] = static_cast<std::int32_t>(at);
      }
  });
}

/// Sends each gradient of `out` to the cell that was largest. `add` adds to `in_gradient`, otherwise it is written.
template <class T>
void max_pool_backward(const context& ctx, const pool_geometry& g, index_t planes, const T* out_gradient, const std::byte* notes,
                       T* in_gradient, bool add) {
  std::array<index_t, 256> cell_offset{};  // of a cell's number in the window, from the window's corner
  if (g.compact())
    for (index_t cell = 0; cell < g.rows.kernel * g.columns.kernel; ++cell)
      cell_offset[static_cast<std::size_t>(cell)] = cell / g.columns.kernel * g.columns.in + cell % g.columns.kernel;

  parallel_for(ctx.threads, planes, 1 + 16384 / (g.in_size() + 1), [&](index_t begin, index_t end) {
    for (index_t p = begin; p < end; ++p) {
      T* plane = in_gradient + p * g.in_size();
      const T* upstream = out_gradient + p * g.out_size();
      if (!add) std::memset(plane, 0, static_cast<std::size_t>(g.in_size()) * sizeof(T));
      if (!g.compact()) {
        const std::int32_t* offsets = reinterpret_cast<const std::int32_t*>(notes) + p * g.out_size();
        for (index_t i = 0; i < g.out_size(); ++i) plane[offsets[i]] += upstream[i];
        continue;
      }
      const std::uint8_t* cells = reinterpret_cast<const std::uint8_t*>(notes) + p * g.out_size();
      for (index_t oy = 0; oy < g.rows.out; ++oy) {
        index_t corner = g.corner(oy, 0);
        for (index_t ox = 0; ox < g.columns.out; ++ox, corner += g.columns.stride)
          plane[corner + cell_offset[*cells++]] += *upstream++;
      }
    }
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
