#pragma once
/// Gradient of a convolution with respect to its input.
///
/// Itself a convolution of dy, one for each phase of the input position: an input row h meets tap kh of output row
/// (h + pad - kh * dilation) / stride where that is whole. Rows h = phase + stride * i therefore meet the same taps at output
/// row i + a constant: a dense product with stride 1, no scattering and no multiplication by zero.

#include "minicnn/kernels/conv_gather.hpp"
#include "minicnn/kernels/conv_planes.hpp"
#include "minicnn/kernels/pack.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// One axis of the phases.
struct phase_axis {
  index_t size, out, kernel, stride, dilation, pad;

  /// Input positions of a phase.
  index_t positions(index_t phase) const { return phase < size ? divide_up(size - phase, stride) : 0; }
  bool meets(index_t phase, index_t tap) const { return (phase + pad - tap * dilation) % stride == 0; }
  /// Output position that input position `phase` meets at `tap`.
  index_t shift(index_t phase, index_t tap) const { return (phase + pad - tap * dilation) / stride; }
  index_t taps(index_t phase) const {
    index_t count = 0;
    for (index_t tap = 0; tap < kernel; ++tap) count += meets(phase, tap) ? 1 : 0;
    return count;
  }
  /// Zero rows needed before the first output row, and rows needed in all.
  void extent(index_t& before, index_t& rows) const {
    before = 0;
    index_t after = 0;
    for (index_t phase = 0; phase < stride; ++phase)
      for (index_t tap = 0; tap < kernel; ++tap) {
        if (positions(phase) == 0 || !meets(phase, tap)) continue;
        before = (std::max)(before, -shift(phase, tap));
        after = (std::max)(after, shift(phase, tap) + positions(phase));
      }
    rows = before + after;
  }
};

inline phase_axis phases_h(const conv_geometry& g) {
  return {g.height, g.out_height(), g.kernel_h, g.stride_h, g.dilation_h, g.pad_top};
}
inline phase_axis phases_w(const conv_geometry& g) {
  return {g.width, g.out_width(), g.kernel_w, g.stride_w, g.dilation_w, g.pad_left};
}

inline plane_layout gradient_planes(const conv_geometry& g) {
  plane_layout p{g.filters, g.out_height(), g.out_width()};
  phases_h(g).extent(p.before_h, p.rows);
  phases_w(g).extent(p.before_w, p.columns);
  return p;
}

}  // namespace detail

/// Bytes of scratch for `conv_backward_input`; never less for a bigger batch or thread count.
template <class T>
index_t conv_backward_input_scratch_bytes(int threads, index_t batch, const conv_geometry& g) {
  const plane_layout planes = detail::gradient_planes(g);
  const index_t taps = g.group_filters() * g.taps();
  const index_t images = planes.is_copy() ? 0 : (std::min)(batch, planes.images_at_a_time(sizeof(T)));
  return 2 * scratch::bytes_for<index_t>(taps) + scratch::bytes_for<T>(chunked_size<T>(g.group_channels(), taps)) +
         scratch::bytes_for<T>(images * planes.image_size() + 2 * overshoot<T>) +
         gather_scratch_bytes<T>(threads, g.group_channels(), taps);
}

/// dx = (or += if `add`) the gradient with respect to x, for the gradient dy of the output.
template <class T>
void conv_backward_input(const context& run, index_t batch, const conv_geometry& g, const T* dy, const T* weight, T* dx, bool add,
                         scratch& work) {
  const plane_layout planes = detail::gradient_planes(g);
  const detail::phase_axis axis_h = detail::phases_h(g), axis_w = detail::phases_w(g);
  const index_t filters = g.group_filters(), channels = g.group_channels(), most_taps = filters * g.taps();
  const index_t pixels = g.height * g.width;
  const bool in_place = planes.is_copy();
  const index_t images = in_place ? batch : (std::min)(batch, planes.images_at_a_time(sizeof(T)));
  const int tile = choose_tile_rows<T>(run, channels);

  index_t* const tap_offset = work.take<index_t>(most_taps);     // into the planes of dy
  index_t* const weight_offset = work.take<index_t>(most_taps);  // into the weights of channel 0
  T* const packed = work.take<T>(chunked_size<T>(channels, most_taps));
  T* const copy = work.take<T>((in_place ? 0 : images * planes.image_size()) + 2 * overshoot<T>) + overshoot<T>;
  scratch rest(work.take<std::byte>(gather_scratch_bytes<T>(run.threads, channels, most_taps)),
               gather_scratch_bytes<T>(run.threads, channels, most_taps));

  for (index_t n0 = 0; n0 < batch; n0 += images) {
    const index_t count = (std::min)(images, batch - n0);
    const T* const from = dy + n0 * g.filters * g.out_height() * g.out_width();
    if (!in_place) copy_planes(run, planes, count, from, copy);
    for (index_t group = 0; group < g.groups; ++group)
      for (index_t phase_h = 0; phase_h < g.stride_h; ++phase_h)
        for (index_t phase_w = 0; phase_w < g.stride_w; ++phase_w) {
          const index_t taps = filters * axis_h.taps(phase_h) * axis_w.taps(phase_w);
          if (taps == 0 && add) continue;
          index_t k = 0;
          for (index_t f = 0; f < filters; ++f)
            for (index_t kh = 0; kh < g.kernel_h; ++kh) {
              if (!axis_h.meets(phase_h, kh)) continue;
              for (index_t kw = 0; kw < g.kernel_w; ++kw) {
                if (!axis_w.meets(phase_w, kw)) continue;
                tap_offset[k] = f * planes.channel_size() + planes.offset(axis_h.shift(phase_h, kh) + planes.before_h,
                                                                          axis_w.shift(phase_w, kw) + planes.before_w);
                weight_offset[k++] = (f * channels * g.kernel_h + kh) * g.kernel_w + kw;
              }
            }
          if (n0 == 0 || g.groups * g.stride_h * g.stride_w > 1) {
            const T* const group_weight = weight + group * filters * channels * g.taps();
            pack_chunked<T>(run, channels, taps, packed, [&](index_t line, index_t lines, index_t k0, index_t depth, T* to) {
              const T* const first = group_weight + line * g.taps();
              for (index_t step = 0; step < depth; ++step, to += tile) {
                const T* const column = first + weight_offset[k0 + step];
                for (index_t c = 0; c < lines; ++c) to[c] = column[c * g.taps()];
                for (index_t c = lines; c < tile; ++c) to[c] = T{0};
              }
            });
          }
          const index_t first_filter = group * filters * planes.channel_size();
          gather_product<T> p{};
          p.filters = channels;
          p.taps = taps;
          p.weights = packed;
          p.source = (in_place ? from : copy);
          p.source_begin = in_place ? 0 : -overshoot<T>;
          p.source_end = count * planes.image_size() - p.source_begin;
          p.tap_offset = tap_offset;
          p.grid = {count,          axis_h.positions(phase_h), axis_w.positions(phase_w), first_filter, planes.image_size(),
                    planes.columns, g.channels * pixels,       g.stride_h * g.width,      g.stride_w};
          p.target = dx + (n0 * g.channels + group * channels) * pixels + phase_h * g.width + phase_w;
          p.target_filter = pixels;
          p.add = add;
          multiply_gathered(run, p, rest);
        }
  }
}

MINICNN_COMPILED_FUNCTION(conv_backward_input);

}  // namespace minicnn::inline MINICNN_ABI
