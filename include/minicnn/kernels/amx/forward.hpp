#pragma once
/// Convolution on AMX, forward: lines of positions times filters, tap by tap, nothing gathered.

#include "minicnn/kernels/amx/filters.hpp"

#if MINICNN_AMX

namespace minicnn::inline MINICNN_ABI::kernels::amx {

/// Blocks of positions of a task.
inline constexpr index_t task_blocks = 16;

/// Lines of a block of channels, for `images` images.
inline index_t line_count(const position_space& s, index_t images) {
  return round_up(s.lead + round_up(images * s.image(), block_positions) + s.reach, 16);
}

/// Maps of some images that become lines.
struct line_source {
  const float* maps;
  index_t height, width, channels;
  index_t channel_step, image_step;
};

/// Lines of `images` images.
inline void make_lines(const context& ctx, const position_space& space, index_t images, const line_source& from,
                       std::uint32_t* to) {
  const index_t lines = line_count(space, images);
  constexpr index_t most = 16;
  parallel_for(ctx.threads, divide_up(lines / 16, most), 1, [&](index_t begin, index_t end) {
    const map_source source{from.maps, from.channel_step, from.channels};
    for (index_t i = begin * most; i < (std::min)(end * most, lines / 16); i += most) {
      window windows[most];
      const index_t n = (std::min)(most, lines / 16 - i);
      for (index_t w = 0; w < n; ++w)
        windows[w] = window_at(space, images, from.height, from.width, from.image_step, (i + w) * 16 - space.lead);
      dispatch_native<channel_lines_kernel>(&source, static_cast<const window*>(windows), n, lines, to + i * 16 * line_words);
    }
  });
}

/// Where taps read the lines of `images` images, in the order of a sum's steps: of all taps the first 32 channels, and so on.
inline void step_offsets(const position_space& space, index_t images, index_t channel_blocks, const line_tap* taps, index_t count,
                         index_t* to) {
  const index_t lines = line_count(space, images);
  for (index_t block = 0; block < channel_blocks; ++block)
    for (index_t t = 0; t < count; ++t)
      *to++ = ((taps[t].phase * channel_blocks + block) * lines + taps[t].position) * line_words;
}

/// Where a product's results go: filters of some images.
struct line_target {
  float* y;
  index_t height, width;  ///< of a map
  index_t filters, filter_step, image_step;
  const float* bias = nullptr;
  fused_activation<float> activation = {};
  bool add = false;
};

/// Multiplies the lines of `images` images by filters, of `steps` steps each.
inline void multiply_lines(const context& ctx, const position_space& space, index_t images, const std::uint32_t* lines,
                           const index_t* offsets, index_t steps, const std::uint32_t* weights, const line_target& to) {
  const index_t blocks = divide_up(images * space.image(), block_positions), filter_blocks = divide_up(to.filters, block_filters);
  const index_t groups = divide_up(blocks, task_blocks);
  const index_t filter_groups = std::clamp(divide_up(4 * (ctx.threads - 1), groups), index_t{1}, filter_blocks);
  parallel_tasks(ctx.threads, groups * filter_groups, [&](index_t task, int) {
    const index_t group = task % groups, part = task / groups;
    const index_t block = blocks * group / groups, end = blocks * (group + 1) / groups;
    const index_t first = filter_blocks * part / filter_groups, last = filter_blocks * (part + 1) / filter_groups;
    const index_t filter = first * block_filters;
    window windows[2 * task_blocks];
    for (index_t w = 0; w < 2 * (end - block); ++w)
      windows[w] = window_at(space, images, to.height, to.width, to.image_step, block * block_positions + w * 16);
    const line_product product{.lines = lines + block * block_positions * line_words,
                               .offsets = offsets,
                               .steps = steps,
                               .weights = weights + first * steps * 2 * tile_elements,
                               .windows = windows,
                               .blocks = end - block,
                               .filters = (std::min)(last * block_filters, to.filters) - filter,
                               .y = to.y + filter * to.filter_step,
                               .plane = to.filter_step,
                               .bias = to.bias == nullptr ? nullptr : to.bias + filter,
                               .activation = to.activation,
                               .add = to.add};
    dispatch_native<line_product_kernel>(&product);
  });
}

/// Sizes of a forward pass, which depend on the shape alone.
struct convolution_plan {
  conv_geometry g;
  input_maps maps;
  filter_sizes sizes;
  index_t images;

  convolution_plan(index_t batch, const conv_geometry& shape)
      : g(shape),
        maps(shape),
        sizes{g.filters, g.channels, g.taps()},
        images((std::min)(batch, images_within((blocks() * maps.space.image() * line_words + maps.copies(1)) * 4))) {}

  /// Blocks of channels of all phases.
  index_t blocks() const { return maps.phases() * sizes.channel_blocks(); }
  index_t all_words() const { return blocks() * line_count(maps.space, images) * line_words; }
  index_t bytes(int threads, bool prepacked) const {
    return scratch::bytes_for<line_tap>(sizes.taps) + scratch::bytes_for<index_t>(sizes.steps()) +
           (prepacked ? 0 : sizes.packing_bytes(threads)) + scratch::bytes_for<float>(maps.copies(images)) +
           scratch::bytes_for<std::uint32_t>(all_words());
  }
};

/// All taps of a convolution.
inline void list_taps(const convolution_plan& plan, line_tap* to) {
  const conv_geometry& g = plan.g;
  for (index_t kh = 0; kh < g.kernel_h; ++kh)
    for (index_t kw = 0; kw < g.kernel_w; ++kw)
      *to++ = {kh * g.kernel_w + kw, plan.maps.phase(g, kh, kw), plan.maps.position(g, kh, kw)};
}

inline index_t packed_weight_bytes(const conv_geometry& g) { return convolution_plan(1, g).sizes.packed_words() * index_t{4}; }

inline void pack_weights(const context& ctx, const convolution_plan& plan, const float* weight, const line_tap* taps, float* room,
                         std::uint32_t* to) {
  const conv_geometry& g = plan.g;
  const filter_source filters{weight, g.channels * g.taps(), g.taps(), g.filters * g.channels * g.taps()};
  pack_filters(ctx, plan.sizes, filters, {taps, &plan.sizes.taps, 1}, room, to);
}

/// Packs weights into `packed` (`packed_weight_bytes`) for any number of forward passes.
inline void prepack_weights(const context& ctx, const conv_geometry& g, const float* weight, float* packed) {
  const convolution_plan plan(1, g);
  aligned_buffer<line_tap> taps(g.taps());
  aligned_buffer<float> room(ctx.threads * plan.sizes.thread_room());
  list_taps(plan, taps.data());
  pack_weights(ctx, plan, weight, taps.data(), room.data(), reinterpret_cast<std::uint32_t*>(packed));
}

/// Bytes of scratch for `forward`, with or without packed weights; never less for a bigger batch or thread count.
inline index_t forward_scratch_bytes(int threads, index_t batch, const conv_geometry& g, bool prepacked = false) {
  return convolution_plan(batch, g).bytes(threads, prepacked);
}

/// `conv_forward` by lines. Requires `is_supported(g)` and `has_amx`, which asks the system for tiles. `o.packed_weights` are
/// from `prepack_weights`.
inline void forward(const context& ctx, index_t batch, const conv_geometry& g, const conv_operands<float>& o, scratch& work) {
  const convolution_plan plan(batch, g);
  const input_maps& maps = plan.maps;
  const filter_sizes& sizes = plan.sizes;
  const index_t height = g.out_height(), width = g.out_width(), image_step = o.image_step(g);
  auto* const taps = work.take<line_tap>(sizes.taps);
  auto* const offsets = work.take<index_t>(sizes.steps());
  list_taps(plan, taps);
  const auto* weights = reinterpret_cast<const std::uint32_t*>(o.packed_weights);
  if (weights == nullptr) {
    auto* const packed = work.take<std::uint32_t>(sizes.packed_words());
    pack_weights(ctx, plan, o.weight, taps, work.take<float>(ctx.threads * sizes.thread_room()), packed);
    weights = packed;
  }
  auto* const copy = work.take<float>(maps.copies(plan.images));
  auto* const lines = work.take<std::uint32_t>(plan.all_words());
  for (index_t n0 = 0; n0 < batch; n0 += plan.images) {
    const index_t count = (std::min)(plan.images, batch - n0), blocks = sizes.channel_blocks();
    const float* x = o.x + n0 * g.channels * g.height * g.width;
    if (maps.copied) {
      pad_input(ctx, maps.copy, count, x, copy);
      x = copy;
    }
    for (index_t phase = 0; phase < maps.phases(); ++phase)
      make_lines(ctx, maps.space, count,
                 {x + phase * maps.plane(), maps.height, maps.width, g.channels, maps.channel_step(), maps.image_step(g)},
                 lines + phase * blocks * line_count(maps.space, count) * line_words);
    step_offsets(maps.space, count, blocks, taps, sizes.taps, offsets);
    multiply_lines(ctx, maps.space, count, lines, offsets, sizes.steps(), weights,
                   {o.y + n0 * image_step, height, width, g.filters, height * width, image_step, o.bias, o.activation, o.add});
  }
}

}  // namespace minicnn::inline MINICNN_ABI::kernels::amx

#endif
