#pragma once
/// Gradient of a convolution with respect to its input.
///
/// Itself a convolution of dy, one for each phase of the input position (conv_phases.hpp): a dense product with stride 1, no
/// scattering and no multiplication by zero.

#include "minicnn/kernels/conv/depthwise.hpp"
#include "minicnn/kernels/conv/implicit_gemm.hpp"
#include "minicnn/kernels/conv/padded_input.hpp"
#include "minicnn/kernels/conv/phases.hpp"
#include "minicnn/kernels/product/pack.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Sizes of an input gradient that depend on the shape alone.
template <class T>
struct input_gradient_plan {
  phase_planes phases;
  padded_layout gradient;  ///< dy, with the zeros around it that taps reach
  index_t filters, channels, taps, images;

  input_gradient_plan(index_t batch, const conv_geometry& g)
      : phases(g), gradient{g.filters, g.out_height(), g.out_width()}, filters(g.group_filters()), channels(g.group_channels()) {
    phases.h.extent(gradient.before_h, gradient.rows);
    phases.w.extent(gradient.before_w, gradient.columns);
    taps = filters * g.taps();
    images = batch;
    if (!gradient.is_copy()) images = (std::min)(images, gradient.images_at_a_time(sizeof(T)));
    if (!phases.direct()) images = (std::min)(images, images_within(phases.image_size() * static_cast<index_t>(sizeof(T))));
  }

  /// Copies of dy; zeros may be read on both sides.
  index_t copied() const { return (gradient.is_copy() ? 0 : images * gradient.image_size()) + 2 * pack_slack<T>; }
  /// Phases of dx before they are joined.
  index_t joined() const { return phases.direct() ? 0 : images * phases.image_size() + pack_slack<T>; }
  /// Packed weights of all phases.
  index_t packed() const { return chunked_size<T>(channels, taps) + phases.used_h * phases.used_w * pack_slack<T>; }
  index_t bytes(int threads) const {
    return 2 * scratch::bytes_for<index_t>(taps) + scratch::bytes_for<T>(packed()) + scratch::bytes_for<T>(copied()) +
           scratch::bytes_for<T>(joined()) + implicit_gemm_scratch_bytes<T>(threads, channels, taps);
  }
};

/// Bytes of scratch for `conv_backward_input`; never less for a bigger batch or thread count.
template <class T>
index_t conv_backward_input_scratch_bytes(int threads, index_t batch, const conv_geometry& g) {
  if (is_depthwise(g)) return depthwise_scratch_bytes<T>(threads, g);
  return input_gradient_plan<T>(batch, g).bytes(threads);
}

/// Taps of all phases, phase after phase: where they read dy and the weights of channel 0.
inline void phase_tap_offsets(const conv_geometry& g, const phase_planes& phases, const padded_layout& planes,
                              index_t* tap_offset, index_t* weight_offset) {
  for_phases(phases, [&](index_t phase_h, index_t phase_w, index_t) {
    for (index_t f = 0; f < g.group_filters(); ++f)
      for (index_t kh = 0; kh < g.kernel_h; ++kh)
        for (index_t kw = 0; kw < g.kernel_w; ++kw) {
          if (!phases.h.meets(phase_h, kh) || !phases.w.meets(phase_w, kw)) continue;
          *tap_offset++ = f * planes.channel_size() + planes.offset(phases.h.shift(phase_h, kh) + planes.before_h,
                                                                    phases.w.shift(phase_w, kw) + planes.before_w);
          *weight_offset++ = (f * g.group_channels() * g.kernel_h + kh) * g.kernel_w + kw;
        }
  });
}

/// Packs the weights of a group for all phases, phase after phase: channels by taps, `weight_offset` as above.
template <class T>
void pack_phase_weights(const context& ctx, const conv_geometry& g, const phase_planes& phases, const T* weight,
                        const index_t* weight_offset, T* to) {
  const index_t channels = g.group_channels();
  for_phases(phases, [&](index_t, index_t, index_t filter_taps) {
    const index_t taps = g.group_filters() * filter_taps;
    pack_chunked<T>(ctx, channels, taps, to, [&](int rows, index_t line, index_t lines, index_t k0, index_t depth, T* panel) {
      if (g.taps() == 1)
        return pack_panels<T>(ctx.instruction_set, {weight + k0 * channels + line, 1, channels, lines, depth}, rows, panel,
                              false);
      const T* const first = weight + line * g.taps();
      for (index_t step = 0; step < depth; ++step, panel += rows) {
        const T* const column = first + weight_offset[k0 + step];
        for (index_t c = 0; c < lines; ++c) panel[c] = column[c * g.taps()];
        for (index_t c = lines; c < rows; ++c) panel[c] = T{0};
      }
    });
    to += chunked_size<T>(channels, taps);
    weight_offset += taps;
  });
}

/// dx = (or += if `add`) the gradient with respect to x, for the gradient dy of the output.
template <class T>
void conv_backward_input(const context& ctx, index_t batch, const conv_geometry& g, const T* dy, const T* weight, T* dx, bool add,
                         scratch& work) {
  if (is_depthwise(g)) return depthwise_backward_input(ctx, batch, g, dy, weight, dx, add, work);
  const input_gradient_plan<T> plan(batch, g);
  const phase_planes& phases = plan.phases;
  const padded_layout& planes = plan.gradient;
  const index_t filters = plan.filters, channels = plan.channels, pixels = g.height * g.width;
  const index_t bytes = implicit_gemm_scratch_bytes<T>(ctx.threads, channels, plan.taps);
  const bool in_place = planes.is_copy(), direct = phases.direct();

  index_t* const tap_offset = work.take<index_t>(plan.taps);
  index_t* const weight_offset = work.take<index_t>(plan.taps);
  T* const packed = work.take<T>(plan.packed());
  T* const copy = work.take<T>(plan.copied()) + pack_slack<T>;
  T* const separate = work.take<T>(plan.joined());
  const scratch rest(work.take<std::byte>(bytes), bytes);
  phase_tap_offsets(g, phases, planes, tap_offset, weight_offset);

  for (index_t n0 = 0; n0 < batch; n0 += plan.images) {
    const index_t count = (std::min)(plan.images, batch - n0), slack = in_place ? 0 : pack_slack<T>;
    const T* const from = dy + n0 * g.filters * g.out_height() * g.out_width();
    T* const to = dx + n0 * g.channels * pixels;
    if (!in_place) pad_input(ctx, planes, count, from, copy);
    for (index_t group = 0; group < g.groups; ++group) {
      if (n0 == 0 || g.groups > 1)
        pack_phase_weights(ctx, g, phases, weight + group * filters * channels * g.taps(), weight_offset, packed);
      index_t first_tap = 0, plane = 0;
      const T* weights = packed;
      for_phases(phases, [&](index_t phase_h, index_t phase_w, index_t filter_taps) {
        const index_t taps = filters * filter_taps;
        T* const target = direct ? to + group * channels * pixels
                                 : separate + group * channels * phases.channel_size() + plane * phases.plane_size();
        const implicit_gemm_operands<T> product{.filters = channels,
                                                .taps = taps,
                                                .weights = weights,
                                                .source = {in_place ? from : copy, -slack, count * planes.image_size() + slack},
                                                .tap_offset = tap_offset + first_tap,
                                                .grid = {.images = count,
                                                         .rows = phases.h.positions(phase_h),
                                                         .columns = phases.w.positions(phase_w),
                                                         .source_origin = group * filters * planes.channel_size(),
                                                         .source_image = planes.image_size(),
                                                         .source_row = planes.columns,
                                                         .target_image = phases.image_size(),
                                                         .target_row = phases.columns,
                                                         .target_column = 1},
                                                .target = target,
                                                .target_filter = direct ? pixels : phases.channel_size(),
                                                .add = direct && add};
        implicit_gemm(ctx, product, rest);
        first_tap += taps;
        weights += chunked_size<T>(channels, taps);
        ++plane;
      });
    }
    if (!direct) join_phases(ctx, phases, count, static_cast<const T*>(separate), to, add);
  }
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
