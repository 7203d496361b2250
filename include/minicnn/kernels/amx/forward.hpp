#pragma once
/// Convolution of stride 1 on AMX, forward: lines of positions times filters, tap by tap, nothing gathered.

#include "minicnn/kernels/amx/filters.hpp"

#if MINICNN_AMX

namespace minicnn::inline MINICNN_ABI::kernels::amx {

/// Blocks of positions of a task.
inline constexpr index_t task_blocks = 16;

/// Lines of `count` images of maps.
inline void make_lines(const context& ctx, const convolution_plan& plan, index_t count, const float* x, std::uint32_t* to) {
  const conv_geometry& g = plan.g;
  const index_t lines = plan.lines(count), plane = g.height * g.width;
  constexpr index_t most = 16;
  parallel_for(ctx.threads, divide_up(lines / 16, most), 1, [&](index_t begin, index_t end) {
    const map_source source{x, plane, g.channels};
    for (index_t i = begin * most; i < (std::min)(end * most, lines / 16); i += most) {
      window windows[most];
      const index_t n = (std::min)(most, lines / 16 - i);
      for (index_t w = 0; w < n; ++w)
        windows[w] = window_at(plan.space, count, g.height, g.width, g.channels * plane, (i + w) * 16 - plan.space.lead);
      dispatch_native<channel_lines_kernel>(&source, static_cast<const window*>(windows), n, lines, to + i * 16 * line_words);
    }
  });
}

/// Multiplies the lines of `count` images.
inline void multiply_lines(const context& ctx, const convolution_plan& plan, index_t count, const std::uint32_t* lines,
                           const index_t* offsets, const std::uint32_t* weights, const conv_operands<float>& o) {
  const conv_geometry& g = plan.g;
  const index_t pixels = g.out_height() * g.out_width(), blocks = divide_up(count * plan.space.image(), block_positions);
  const index_t groups = divide_up(blocks, task_blocks);
  const index_t filter_groups = std::clamp(divide_up(4 * (ctx.threads - 1), groups), index_t{1}, plan.filter_blocks);
  parallel_tasks(ctx.threads, groups * filter_groups, [&](index_t task, int) {
    const index_t group = task % groups, part = task / groups;
    const index_t block = blocks * group / groups, end = blocks * (group + 1) / groups;
    const index_t first = plan.filter_blocks * part / filter_groups, last = plan.filter_blocks * (part + 1) / filter_groups;
    const index_t filter = first * block_filters;
    window windows[2 * task_blocks];
    for (index_t w = 0; w < 2 * (end - block); ++w)
      windows[w] = window_at(plan.space, count, g.out_height(), g.out_width(), o.image_step(g), block * block_positions + w * 16);
    const line_product product{.lines = lines + block * block_positions * line_words,
                               .offsets = offsets,
                               .steps = plan.steps,
                               .weights = weights + first * plan.steps * 2 * tile_elements,
                               .windows = windows,
                               .blocks = end - block,
                               .filters = (std::min)(last * block_filters, g.filters) - filter,
                               .y = o.y + filter * pixels,
                               .plane = pixels,
                               .bias = o.bias == nullptr ? nullptr : o.bias + filter,
                               .activation = o.activation,
                               .add = o.add};
    dispatch_native<line_product_kernel>(&product);
  });
}

/// y = the lines of o.x times `filters`, or, unless it is null, what `packed` has of them.
inline void convolve(const context& ctx, index_t batch, const conv_geometry& g, const filter_source& filters,
                     const std::uint32_t* packed, conv_operands<float> o, scratch& work) {
  const convolution_plan plan(batch, g);
  index_t* const offsets = work.take<index_t>(plan.steps);
  if (packed == nullptr) {
    auto* const to = work.take<std::uint32_t>(plan.packed_words());
    pack_filters(ctx, plan, filters, work.take<float>(ctx.threads * plan.thread_room()), to);
    packed = to;
  }
  auto* const lines = work.take<std::uint32_t>(plan.channel_blocks * plan.lines(plan.images) * line_words);
  for (index_t n0 = 0; n0 < batch; n0 += plan.images) {
    const index_t count = (std::min)(plan.images, batch - n0);
    index_t* offset = offsets;
    for (index_t block = 0; block < plan.channel_blocks; ++block)
      for (index_t kh = 0; kh < g.kernel_h; ++kh)
        for (index_t kw = 0; kw < g.kernel_w; ++kw)
          *offset++ = (block * plan.lines(count) + plan.space.tap(g, kh, kw)) * line_words;
    make_lines(ctx, plan, count, o.x + n0 * g.channels * g.height * g.width, lines);
    multiply_lines(ctx, plan, count, lines, offsets, packed, o);
    o.y += count * o.image_step(g);
  }
}

/// The filters of a forward pass.
inline filter_source filters_of(const conv_geometry& g, const float* weight) {
  return {weight, g.channels * g.taps(), g.taps(), g.filters * g.channels * g.taps()};
}

inline index_t packed_weight_bytes(const conv_geometry& g) { return convolution_plan(1, g).packed_words() * index_t{4}; }

/// Packs weights into `packed` (`packed_weight_bytes`) for any number of forward passes.
inline void prepack_weights(const context& ctx, const conv_geometry& g, const float* weight, float* packed) {
  const convolution_plan plan(1, g);
  aligned_buffer<float> room(ctx.threads * plan.thread_room());
  pack_filters(ctx, plan, filters_of(g, weight), room.data(), reinterpret_cast<std::uint32_t*>(packed));
}

/// Bytes of scratch for `forward`, with or without packed weights; never less for a bigger batch or thread count.
inline index_t forward_scratch_bytes(int threads, index_t batch, const conv_geometry& g, bool prepacked = false) {
  return convolution_plan(batch, g).bytes(threads, prepacked);
}

/// `conv_forward` by lines. Requires `is_supported(g)` and `has_amx`, which asks the system for tiles. `o.packed_weights` are
/// from `prepack_weights`.
inline void forward(const context& ctx, index_t batch, const conv_geometry& g, const conv_operands<float>& o, scratch& work) {
  convolve(ctx, batch, g, filters_of(g, o.weight), reinterpret_cast<const std::uint32_t*>(o.packed_weights), o, work);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels::amx

#endif
