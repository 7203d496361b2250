#pragma once
/// Feature maps copied with their padding, so that windows need no bounds checks, and split by stride phase, so that the
/// pixels a row of windows meets at one tap are contiguous.

#include <algorithm>
#include <utility>

#include "minicnn/kernels/conv/geometry.hpp"
#include "minicnn/kernels/product/tile_shape.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Images of `bytes` each that are copied at a time: some megabytes, so that the copies stay near the cores, at least one.
inline index_t images_within(index_t bytes) { return (std::max)(index_t{1}, (index_t{8} << 20) / (std::max)(index_t{1}, bytes)); }

/// Layout of padded maps: padded row r, column s of a channel is in the phase plane (r mod stride_h, s mod stride_w) at
/// (r / stride_h, s / stride_w). With one phase along an axis only the multiples of the stride are kept.
struct padded_layout {
  index_t channels = 1, height = 1, width = 1;  ///< of the maps that are copied
  index_t before_h = 0, before_w = 0;           ///< padding above and to the left; what is missing below and right is zero too
  index_t stride_h = 1, stride_w = 1;
  index_t phases_h = 1, phases_w = 1;  ///< 1 or the stride
  index_t rows = 1, columns = 1;       ///< of one phase plane

  index_t phase_size() const { return rows * columns; }
  index_t channel_size() const { return phases_h * phases_w * phase_size(); }
  index_t image_size() const { return channels * channel_size(); }

  /// Offset of a padded row and column within a channel, for a window at the origin.
  index_t offset(index_t row, index_t column) const {
    const index_t phase = row % stride_h * phases_w + column % stride_w;
    return phase * phase_size() + row / stride_h * columns + column / stride_w;
  }

  /// Whether the maps can be read where they are.
  bool is_copy() const {
    return stride_h == 1 && stride_w == 1 && before_h == 0 && before_w == 0 && rows == height && columns == width;
  }

  /// Images copied at a time.
  index_t images_at_a_time(index_t element_bytes) const { return images_within(image_size() * element_bytes); }
};

/// The input of a convolution as its forward pass and its weight gradient read it.
inline padded_layout padded_input(const conv_geometry& g) {
  padded_layout p{g.channels, g.height, g.width, g.pad_top, g.pad_left, g.stride_h, g.stride_w};
  p.phases_h = g.kernel_h == 1 ? 1 : g.stride_h;
  p.phases_w = g.kernel_w == 1 ? 1 : g.stride_w;
  p.rows = g.out_height() + (g.kernel_h - 1) * g.dilation_h / g.stride_h;
  p.columns = g.out_width() + (g.kernel_w - 1) * g.dilation_w / g.stride_w;
  return p;
}

/// Every second lane of a pair of vectors.
template <class Vector, int... Lane>
MINICNN_INLINE void keep_even(Vector& a, const Vector& b, std::integer_sequence<int, Lane...>) {
  a = __builtin_shufflevector(a, b, (2 * Lane)...);
}

/// to[i] = from[i * Stride] for i < count, by whole vectors as long as none touches `to_end` or `from_end`. Returns how many.
template <class V, int Stride, class T>
MINICNN_INLINE index_t copy_vectors(T* to, const T* to_end, const T* from, const T* from_end, index_t count) {
  constexpr int lanes = V::template lanes<T>;
  constexpr auto sequence = std::make_integer_sequence<int, lanes>{};
  index_t i = 0;
  for (; i < count && to_end - (to + i) >= lanes && from_end - (from + i * Stride) >= lanes * Stride; i += lanes) {
    vec<T, V> x[Stride];
    MINICNN_UNROLL
    for (int u = 0; u < Stride; ++u) load<V>(x[u], from + i * Stride + u * lanes);
    if constexpr (Stride >= 2) keep_even(x[0], x[1], sequence);
    if constexpr (Stride == 4) {
      keep_even(x[2], x[3], sequence);
      keep_even(x[0], x[2], sequence);
    }
    store<V>(to + i, x[0]);
  }
  return i;
}

/// to[i] = from[i * stride] for i < count. May store or load some more, but nothing from `to_end` and `from_end` on.
template <class V, class T>
MINICNN_INLINE void copy_strided(T* to, const T* to_end, const T* from, const T* from_end, index_t stride, index_t count) {
  index_t i = 0;
  if (stride == 1) i = copy_vectors<V, 1>(to, to_end, from, from_end, count);
  if (stride == 2) i = copy_vectors<V, 2>(to, to_end, from, from_end, count);
  if (stride == 4) i = copy_vectors<V, 4>(to, to_end, from, from_end, count);
  for (; i < count; ++i) to[i] = from[i * stride];
}

/// Zeros to[0, count), and maybe what follows, but nothing from `to_end` on. Short runs: calling memset costs more than they do.
template <class V, class T>
MINICNN_INLINE void zero_run(T* to, const T* to_end, index_t count) {
  constexpr index_t lanes = V::template lanes<T>;
  index_t i = 0;
  for (; i < count && to_end - (to + i) >= lanes; i += lanes) store<V>(to + i, vec<T, V>{});
  for (; i < count; ++i) to[i] = T{0};
}

/// Copies channels [begin, end), counted across the images of a group. Rows are written in ascending order: the next one
/// overwrites what a row writes past its end.
struct pad_input_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const padded_layout* layout, const T* from, index_t group_channels, T* to, index_t begin,
                                 index_t end) {
    const padded_layout p = *layout;
    const T* const from_end = from + group_channels * p.height * p.width;
    const T* const to_end = to + end * p.channel_size();
    T* out = to + begin * p.channel_size();
    for (index_t channel = begin; channel < end; ++channel)
      for (index_t phase_h = 0; phase_h < p.phases_h; ++phase_h)
        for (index_t phase_w = 0; phase_w < p.phases_w; ++phase_w) {
          // Columns [first, last) of the phase plane are inside the map: 0 <= column * stride + shift < width.
          const index_t shift = phase_w - p.before_w;
          const index_t first = (std::min)(p.columns, shift >= 0 ? 0 : divide_up(-shift, p.stride_w));
          const index_t last =
              (std::max)(first, (std::min)(p.columns, shift >= p.width ? 0 : divide_up(p.width - shift, p.stride_w)));
          for (index_t r = 0; r < p.rows; ++r, out += p.columns) {
            const index_t row = r * p.stride_h + phase_h - p.before_h;
            if (row < 0 || row >= p.height) {
              zero_run<V>(out, to_end, p.columns);
              continue;
            }
            zero_run<V>(out, to_end, first);
            if (first < last)
              copy_strided<V>(out + first, to_end, from + (channel * p.height + row) * p.width + first * p.stride_w + shift,
                              from_end, p.stride_w, last - first);
            zero_run<V>(out + last, to_end, p.columns - last);
          }
        }
  }
};

/// Copies `images` maps into planes of `layout`; `to` has room for image_size() elements each.
template <class T>
void pad_input(const context& ctx, const padded_layout& layout, index_t images, const T* from, T* to) {
  const index_t channels = images * layout.channels;
  parallel_for(ctx.threads, channels, 1, [&](index_t begin, index_t end) {
    dispatch<pad_input_kernel>(ctx.instruction_set, &layout, from, channels, to, begin, end);
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
