#pragma once
/// Which cells each output of a pooling layer covers, and the walk over planes that max and average pooling share.

#include <algorithm>
#include <cstdint>

#include "minicnn/kernels/simd/lanes.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Windows along one axis. Output `o` covers the cells from `begin(o)` up to `end(o)`, never outside the image.
struct pool_axis {
  index_t in = 0;
  index_t out = 0;
  index_t kernel = 0;  ///< 0: bins of unequal size (adaptive pooling)
  index_t stride = 0;
  index_t before = 0;  ///< padding
  index_t after = 0;

  /// Bins of adaptive pooling as PyTorch cuts them: from floor(o * in / out) to ceil((o + 1) * in / out).
  static pool_axis bins(index_t in, index_t out) {
    const index_t size = in % out == 0 ? in / out : 0;
    return {in, out, size, size, 0, 0};
  }

  bool adaptive() const { return kernel == 0; }
  /// Where the window of output `o` starts, in the padding perhaps.
  index_t start(index_t o) const { return adaptive() ? o * in / out : o * stride - before; }
  index_t begin(index_t o) const { return (std::max)(start(o), index_t{0}); }
  index_t end(index_t o) const {
    return adaptive() ? ((o + 1) * in + out - 1) / out : (std::min)(o * stride - before + kernel, in);
  }
  /// How many cells an average divides by: those in the image, or with `padding` those in image and padding.
  index_t cells(index_t o, bool padding) const {
    return padding && !adaptive() ? (std::min)(start(o) + kernel, in + after) - start(o) : end(o) - begin(o);
  }
  /// Outputs from `first_whole()` up to `end_whole()` have windows wholly inside the image.
  index_t first_whole() const { return adaptive() ? 0 : (std::min)((before + stride - 1) / stride, out); }
  index_t end_whole() const {
    if (adaptive() || in + before < kernel) return first_whole();
    return (std::max)(first_whole(), (std::min)((in + before - kernel) / stride + 1, out));
  }
};

/// Windows of a plane of rows.in x columns.in cells with rows.out x columns.out results.
struct pool_geometry {
  pool_axis rows;
  pool_axis columns;

  index_t in_size() const { return rows.in * columns.in; }
  index_t out_size() const { return rows.out * columns.out; }
  /// The cell in row 0 and column 0 of the window, as an offset into the plane; negative in the padding.
  index_t corner(index_t oy, index_t ox) const { return rows.start(oy) * columns.in + columns.start(ox); }
  /// Whether one byte can name a cell of a window.
  bool compact() const { return !rows.adaptive() && !columns.adaptive() && rows.kernel * columns.kernel <= 256; }
  /// Whether the one window is the plane.
  bool global() const {
    return out_size() == 1 && rows.begin(0) == 0 && columns.begin(0) == 0 && rows.end(0) == rows.in &&
           columns.end(0) == columns.in;
  }
};

/// Walks over the planes of [out, out_end) in order. Where windows are whole and the stride is 1 or 2, `Body::lanes` makes a
/// vector of neighbouring results at a time; for the rest `Body::single` makes one. The last vector of a row runs into the
/// next row of `out`, which is made later; it may not run past `out_end`, where another thread writes, nor past `in_end`.
/// Planes that `Body::regular` rejects are made one result at a time.
template <class Body>
struct pool_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(pool_geometry g, const T* in, const T* in_end, T* out, T* out_end, std::uint8_t* index,
                                 bool count_padding) {
    const index_t first = g.columns.first_whole(), last = g.columns.end_whole();
    for (; out != out_end; in += g.in_size(), out += g.out_size()) {
      const bool vectors = g.columns.stride <= 2 && Body::template regular<V>(in, g.in_size());
      for (index_t oy = 0; oy < g.rows.out; ++oy) {
        const index_t offset = oy * g.columns.out;
        std::uint8_t* row_index = index == nullptr ? nullptr : index + offset;
        index_t end = first;  // results of [first, end) are made by vectors
        if (vectors && g.columns.stride == 1)
          end = row<1, V>(g, oy, first, last, in, in_end, out + offset, out_end, row_index, count_padding);
        else if (vectors)
          end = row<2, V>(g, oy, first, last, in, in_end, out + offset, out_end, row_index, count_padding);
        // Inlined although it needs no vectors: an ordinary function is compiled to SSE instructions, and going over to those and
        // back between vectors makes padded pooling four times slower.
        index_t ox = first == 0 ? end : 0;
        while (ox < g.columns.out) {
          Body::single(g, oy, ox, in, out + offset, row_index, count_padding);
          if (++ox == first) ox = end;
        }
      }
      if (index != nullptr) index += g.out_size();
    }
  }

 private:
  /// Makes results from `first` on by vectors and returns the first that is left to do.
  template <int Stride, class V, class T>
  MINICNN_INLINE static index_t row(const pool_geometry& g, index_t oy, index_t first, index_t last, const T* in, const T* in_end,
                                    T* out, const T* out_end, std::uint8_t* index, bool count_padding) {
    constexpr index_t lanes = V::template lanes<T>;
    const index_t y0 = g.rows.begin(oy), y1 = g.rows.end(oy);
    index_t ox = first;
    for (; ox < last; ox += lanes) {
      const index_t x = ox * Stride - g.columns.before;
      const index_t reach = (y1 - 1) * g.columns.in + x + g.columns.kernel - 1 + lanes * Stride;
      if (out_end - out - ox < lanes || in_end - in < reach) break;
      Body::template lanes<Stride, V>(g, oy, in + y0 * g.columns.in + x, y0, y1, out + ox,
                                      index == nullptr ? nullptr : index + ox, count_padding);
    }
    return (std::min)(ox, last);
  }
};

}  // namespace minicnn::inline MINICNN_ABI::kernels
