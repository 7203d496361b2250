#pragma once
/// Gradient of a convolution with respect to its input, on AMX: a convolution of dy for each phase of the input
/// (conv/phases.hpp), which is all of it where there are no strides.

#include "minicnn/kernels/amx/forward.hpp"
#include "minicnn/kernels/conv/phases.hpp"

#if MINICNN_AMX

namespace minicnn::inline MINICNN_ABI::kernels::amx {

/// Sizes of an input gradient, which depend on the shape alone.
struct input_gradient_plan {
  phase_planes phases;
  index_t before_h, before_w;  ///< how far taps reach back
  position_space space;        ///< of dy
  filter_sizes sizes;
  index_t images;

  input_gradient_plan(index_t batch, const conv_geometry& g) : phases(g), sizes{g.channels, g.filters, g.taps()} {
    phases.h.extent(before_h, space.rows);
    phases.w.extent(before_w, space.columns);
    // What taps reach behind a row or an image may be what others reach before the next one.
    space.rows = (std::max)({space.rows - before_h, g.out_height() + before_h, phases.rows});
    space.columns = (std::max)({space.columns - before_w, g.out_width() + before_w, phases.columns});
    space.widen();
    space.lead = before_h * space.columns + before_w;
    for_taps([&](index_t, index_t position) { space.reach = (std::max)(space.reach, position - space.lead); }, [](index_t) {});
    images = (std::min)(batch, images_within((sizes.channel_blocks() * space.image() * line_words + joined_image()) * 4));
  }

  index_t sums() const { return phases.used_h * phases.used_w; }
  index_t all_words() const { return sizes.channel_blocks() * line_count(space, images) * line_words; }
  /// Phases of dx before they are joined.
  index_t joined_image() const { return phases.direct() ? 0 : phases.image_size(); }
  index_t joined() const { return phases.direct() ? 0 : images * phases.image_size() + pack_slack<float>; }
  index_t bytes(int threads) const {
    return scratch::bytes_for<line_tap>(sizes.taps) + scratch::bytes_for<index_t>(sums()) +
           scratch::bytes_for<index_t>(sizes.steps()) + sizes.packing_bytes(threads) +
           scratch::bytes_for<std::uint32_t>(all_words()) + scratch::bytes_for<float>(joined());
  }

  /// Calls tap(which of a filter, position) for the taps of all phases, and sum(taps) after those of each.
  template <class Tap, class Sum>
  void for_taps(const Tap& tap, const Sum& sum) const {
    for_phases(phases, [&](index_t phase_h, index_t phase_w, index_t count) {
      for (index_t kh = phases.h.kernel; kh-- > 0;)
        for (index_t kw = phases.w.kernel; kw-- > 0;)
          if (phases.h.meets(phase_h, kh) && phases.w.meets(phase_w, kw))
            tap(kh * phases.w.kernel + kw,
                (phases.h.shift(phase_h, kh) + before_h) * space.columns + phases.w.shift(phase_w, kw) + before_w);
      sum(count);
    });
  }
};

/// Bytes of scratch for `backward_input`; never less for a bigger batch or thread count.
inline index_t backward_input_scratch_bytes(int threads, index_t batch, const conv_geometry& g) {
  return input_gradient_plan(batch, g).bytes(threads);
}

/// `conv_backward_input` by lines: dx phase by phase, some images at a time, and then joined. Requires `is_supported(g)` and
/// `has_amx`.
inline void backward_input(const context& ctx, index_t batch, const conv_geometry& g, const float* dy, const float* weight,
                           float* dx, bool add, scratch& work) {
  const input_gradient_plan plan(batch, g);
  const phase_planes& phases = plan.phases;
  const filter_sizes& sizes = plan.sizes;
  const index_t blocks = sizes.channel_blocks(), height = g.out_height(), width = g.out_width();
  const index_t dy_image = g.filters * height * width, dx_image = g.channels * g.height * g.width;
  auto* const taps = work.take<line_tap>(sizes.taps);
  auto* const counts = work.take<index_t>(plan.sums());
  auto* const offsets = work.take<index_t>(sizes.steps());
  auto* const packed = work.take<std::uint32_t>(sizes.packed_words());
  auto* const room = work.take<float>(ctx.threads * sizes.thread_room());
  auto* const lines = work.take<std::uint32_t>(plan.all_words());
  auto* const separate = work.take<float>(plan.joined());
  line_tap* next = taps;
  index_t* next_count = counts;
  plan.for_taps(
      [&](index_t tap, index_t position) {
        *next++ = {tap, 0, position};
      },
      [&](index_t count) { *next_count++ = count; });
  const filter_source filters{weight, g.taps(), g.channels * g.taps(), g.filters * g.channels * g.taps()};
  pack_filters(ctx, sizes, filters, {taps, counts, plan.sums()}, room, packed);
  for (index_t n0 = 0; n0 < batch; n0 += plan.images) {
    const index_t count = (std::min)(plan.images, batch - n0);
    float* const to = dx + n0 * dx_image;
    make_lines(ctx, plan.space, count, {dy + n0 * dy_image, height, width, g.filters, height * width, dy_image}, lines);
    const line_tap* own = taps;
    const std::uint32_t* weights = packed;
    for (index_t sum = 0; sum < plan.sums(); own += counts[sum++]) {
      const index_t steps = blocks * counts[sum];
      step_offsets(plan.space, count, blocks, own, counts[sum], offsets);
      multiply_lines(ctx, plan.space, count, lines, offsets, steps, weights,
                     {.y = phases.direct() ? to : separate + sum * phases.plane_size(),
                      .height = phases.rows,
                      .width = phases.columns,
                      .filters = g.channels,
                      .filter_step = phases.channel_size(),
                      .image_step = phases.image_size(),
                      .add = phases.direct() && add});
      weights += sizes.filter_blocks() * steps * 2 * tile_elements;
    }
    if (!phases.direct()) join_phases(ctx, phases, count, static_cast<const float*>(separate), to, add);
  }
}

}  // namespace minicnn::inline MINICNN_ABI::kernels::amx

#endif
