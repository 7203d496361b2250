#pragma once
/// Winograd convolution: forward, and the gradient of the input, which is a forward convolution with rotated filters.

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/winograd/winograd.hpp"

namespace minicnn::inline MINICNN_ABI::kernels::winograd {

/// The filter for (output channel f, input channel c) of a group is at data + group * group_stride + f * row_stride +
/// c * step_stride. `packed`: all groups transformed by `prepack_weights`; null: they are transformed on the way.
template <class T>
struct filter_source {
  const T* data;
  index_t group_stride, row_stride, step_stride;
  bool turned;
  const T* packed = nullptr;
};

/// Depth of a product's chunk: a panel of a chunk fits the first-level cache.
inline index_t product_depth(index_t steps) { return even_piece(steps, 256, 1); }

/// Elements of the transformed filters of a group.
inline index_t transformed_size(index_t filters, index_t channels) {
  return tile_elements * (filters + most_tile_rows) * channels;
}

template <class T>
struct forward_plan {
  tiling tiles;
  padded_layout planes;
  index_t filters, channels;  ///< of a group
  index_t images;             ///< copied at a time
  bool fused;                 ///< whether a thread takes its tiles from patches to outputs, without waiting for others
  index_t chunk;              ///< tiles at a time: of all threads, or fused of each

  forward_plan(index_t batch, const conv_geometry& g)
      : tiles(g),
        planes(tiles.planes(g.channels, g.height, g.width, g.pad_top, g.pad_left, side, sizeof(T))),
        filters(g.group_filters()),
        channels(g.group_channels()),
        fused(few_filters<T>(filters, channels)) {
    images = (std::min)(batch, planes.images_at_a_time(sizeof(T)));
    chunk = fused ? tiles_per_thread<T>(channels, filters)
                  : (std::min)(chunk_tiles<T>(channels, filters, 512), images * tiles.count());
  }

  index_t padded_filters() const { return filters + most_tile_rows; }
  index_t weights() const { return transformed_size(filters, channels); }
  index_t copied() const { return images * planes.image_size() + pack_slack<T>; }
  /// Buffers of a chunk of so many tiles.
  index_t chunk_bytes(index_t count) const {
    const index_t padded = round_up(count, most_tile_columns<T>);
    return scratch::bytes_for<T>(tile_elements * channels * padded) +
           scratch::bytes_for<T>(tile_elements * padded_filters() * padded) + scratch::bytes_for<index_t>(padded);
  }
  /// Buffers of all chunks at a time; fused they suffice for one chunk of a panel a thread, too.
  index_t chunks_bytes(int threads) const { return (fused ? threads : 1) * chunk_bytes(chunk); }
  index_t bytes(int threads, bool prepacked) const {
    return (prepacked ? 0 : scratch::bytes_for<T>(weights())) + scratch::bytes_for<T>(copied()) +
           scratch::bytes_for<index_t>(channels) + chunks_bytes(threads);
  }
};

/// U: transformed filters, packed for the tile, chunks of the depth one after the other.
template <class T>
void transform_filters(const context& ctx, index_t kernel, index_t filters, index_t channels, const filter_source<T>& from,
                       index_t group, int tile_rows, T* to) {
  const int together = steps_together<T>(ctx);
  const index_t steps = divide_up(channels, together), depth = product_depth(steps), chunks = divide_up(steps, depth);
  const index_t panels = divide_up(filters, tile_rows), point_size = panels * tile_rows * steps;
  parallel_tasks(ctx.threads, panels * chunks, [&](index_t task, int) {
    const index_t panel = task % panels, k0 = task / panels * depth, length = (std::min)(depth, steps - k0);
    const index_t c0 = k0 * together, count = (std::min)(length * together, channels - c0);
    index_t line[2 * most_tile_rows + most_tile_columns<float>];
    line_offsets(panel * tile_rows, filters - 1, from.row_stride, tile_rows + most_tile_columns<float>, line);
    T* const place = to + k0 * panels * tile_rows + panel * tile_rows * length;
    const T* const first = from.data + group * from.group_stride + c0 * from.step_stride;
    const index_t* const lines = line;
    const index_t width = tile_rows;
    if (kernel == 3)
      dispatch_transform<filter_kernel, 3>(ctx.instruction_set, together, first, from.step_stride, count, lines, width,
                                           from.turned, place, point_size);
    else
      dispatch_transform<filter_kernel, 5>(ctx.instruction_set, together, first, from.step_stride, count, lines, width,
                                           from.turned, place, point_size);
  });
}

/// A chunk of tiles and its buffers.
template <class T>
struct forward_chunk {
  index_t first, count, panels;
  T *v, *products;
  index_t* tile_offset;

  /// Takes the buffers of `plan.chunk_bytes(most)`.
  forward_chunk(const forward_plan<T>& plan, index_t most, scratch& work)
      : first(0),
        count(0),
        panels(0),
        v(work.take<T>(tile_elements * plan.channels * round_up(most, most_tile_columns<T>))),
        products(work.take<T>(tile_elements * plan.padded_filters() * round_up(most, most_tile_columns<T>))),
        tile_offset(work.take<index_t>(round_up(most, most_tile_columns<T>))) {}

  void choose(const forward_plan<T>& plan, index_t from, index_t tiles, index_t width) {
    first = from, count = tiles, panels = divide_up(tiles, width);
    tile_offsets(plan.tiles, plan.planes, first, count, panels * width, tile_offset);
  }
};

/// The three steps from copied maps to outputs, for parts of a chunk.
template <class T>
struct forward_pass {
  const context& ctx;
  const forward_plan<T>& plan;
  const conv_geometry& g;
  const T* bias;
  fused_activation<T> activation;
  bool add;
  index_t image;  ///< elements from image to image of the target
  const T* copy;
  const index_t* channel_offset;
  // of the current images and group
  const T* transformed = nullptr;
  T* target = nullptr;

  isa i = ctx.instruction_set;
  kernels::tile<T> tile = product_tile<T>(ctx, plan.filters);
  int together = steps_together<T>(ctx);
  index_t width = tile.columns, lanes = width / 2, steps = divide_up(plan.channels, together), depth = product_depth(steps);
  index_t row_tiles = divide_up(plan.filters, tile.rows), padded_filters = row_tiles * tile.rows,
          map = g.out_height() * g.out_width();

  panel_layout in(const forward_chunk<T>& c) const { return {c.panels, steps, width}; }
  panel_layout out(const forward_chunk<T>& c) const { return {c.panels, padded_filters, width}; }
  /// Few tiles, as those of one small map, may fill only the first vector of the last panel; panels of bfloat16 are read whole.
  bool one_vector(const forward_chunk<T>& c, index_t panel) const {
    return together == 1 && 2 * (c.count - panel * width) <= width;
  }

  /// Patches of channels [c0, c0 + count) to points.
  void transform(const forward_chunk<T>& c, index_t panel, index_t c0, index_t count) const {
    dispatch_transform<patch_kernel, side>(i, together, copy, plan.planes.columns, channel_offset + c0, count,
                                           static_cast<const index_t*>(c.tile_offset + panel * width),
                                           one_vector(c, panel) ? lanes : width, width,
                                           c.v + panel * in(c).panel_size() + c0 / together * width, in(c).point_size());
  }

  /// A point's filters times panels [begin, end).
  void multiply(const forward_chunk<T>& c, index_t point, index_t begin, index_t end) const {
    multiply_packed<T>(tile,
                       {.steps = steps,
                        .chunk = depth,
                        .steps_together = together,
                        .a = transformed + point * padded_filters * steps,
                        .row_panels = row_tiles,
                        .b = c.v + point * in(c).point_size(),
                        .columns = c.count,
                        .sums = c.products + point * out(c).point_size()},
                       begin, end);
  }

  /// Points of filters [f0, f0 + count) to outputs.
  void store(const forward_chunk<T>& c, index_t panel, index_t f0, index_t count) const {
    for (index_t half = 0; half < 2; ++half) {
      const index_t first = c.first + panel * width + half * lanes, last = (std::min)(first + lanes, c.first + c.count);
      if (first >= last) break;
      output_run runs[most_tile_columns<float>];
      const index_t run_count = output_runs(plan.tiles, g, image, first, last, runs);
      const output_operands<T> operands{.products = c.products + panel * out(c).panel_size() + f0 * width + half * lanes,
                                        .point_size = out(c).point_size(),
                                        .width = width,
                                        .filters = count,
                                        .runs = runs,
                                        .run_count = run_count,
                                        .out_width = g.out_width(),
                                        .bias = bias == nullptr ? bias : bias + f0,
                                        .activation = activation,
                                        .add = add,
                                        .y = target + f0 * map,
                                        .map = map};
      if (plan.tiles.outputs == 4)
        dispatch<output_kernel<4>>(i, &operands);
      else
        dispatch<output_kernel<2>>(i, &operands);
      for (index_t n = 0; activation.map != nullptr && n < run_count * count; ++n)
        activation.finish(operands.y + n / run_count * map + runs[n % run_count].target, runs[n % run_count].count,
                          runs[n % run_count].rows, g.out_width());
    }
  }
};

/// All tiles, a chunk at a time: threads share each step of a chunk. For filters that are too large for a second-level cache, and
/// fewer tiles than would keep all threads busy.
template <class T>
void convolve_chunks(const forward_pass<T>& pass, index_t tiles, scratch work) {
  const int threads = pass.ctx.threads;
  const index_t channels = pass.plan.channels, filters = pass.plan.filters;
  const index_t most = pass.plan.fused ? tiles : pass.plan.chunk, chunk = even_piece(tiles, most, pass.width);
  forward_chunk<T> c(pass.plan, most, work);
  for (index_t t0 = 0; t0 < tiles; t0 += chunk) {
    c.choose(pass.plan, t0, (std::min)(chunk, tiles - t0), pass.width);
    const index_t piece = 32, pieces = divide_up(channels, piece);
    parallel_tasks(threads, c.panels * pieces, [&](index_t task, int) {
      const index_t c0 = task % pieces * piece;
      pass.transform(c, task / pieces, c0, (std::min)(piece, channels - c0));
    });

    // Where filters are small beside the pixels, each thread multiplies the panels that it has just transformed, point after
    // point, and transforms the products back itself: nothing goes from core to core. Else a task is a point, with few
    // threads: its filters stay in the second-level cache for all panels.
    const bool own_panels = 2 * channels * filters < c.count * (channels + filters) && c.panels >= threads;
    const index_t shares = own_panels ? threads : (std::min)(c.panels, index_t{threads <= 9 ? 1 : divide_up(threads, 9)});
    parallel_tasks(threads, tile_elements * shares, [&](index_t task, int) {
      const index_t share = own_panels ? task / tile_elements : task % shares,
                    point = own_panels ? task % tile_elements : task / shares;
      pass.multiply(c, point, share * c.panels / shares, (share + 1) * c.panels / shares);
    });

    const index_t rows = 16, blocks = divide_up(filters, rows);
    parallel_tasks(threads, c.panels * blocks, [&](index_t task, int) {
      const index_t f0 = task % blocks * rows;
      pass.store(c, task / blocks, f0, (std::min)(rows, filters - f0));
    });
  }
}

/// All tiles, each task some of them from patches to outputs, in its thread's second-level cache beside the filters.
template <class T>
void convolve_fused(const forward_pass<T>& pass, index_t tiles, scratch work) {
  const index_t unit = tiles < pass.ctx.threads * pass.width ? pass.lanes : pass.width;
  const index_t bytes = pass.plan.chunk_bytes(pass.plan.chunk);
  const index_t chunk = share_of_tiles(tiles, pass.plan.chunk, pass.ctx.threads, unit);
  std::byte* const block = work.take<std::byte>(pass.ctx.threads * bytes);
  parallel_tasks(pass.ctx.threads, divide_up(tiles, chunk), [&](index_t task, int thread) {
    scratch mine(block + thread * bytes, bytes);
    forward_chunk<T> c(pass.plan, pass.plan.chunk, mine);
    c.choose(pass.plan, task * chunk, (std::min)(chunk, tiles - task * chunk), pass.width);
    for (index_t panel = 0; panel < c.panels; ++panel) pass.transform(c, panel, 0, pass.plan.channels);
    for (index_t point = 0; point < tile_elements; ++point) pass.multiply(c, point, 0, c.panels);
    for (index_t panel = 0; panel < c.panels; ++panel) pass.store(c, panel, 0, pass.plan.filters);
  });
}

/// Convolution of o.x with the filters of `weights`, instead of o.weight.
template <class T>
void convolve(const context& ctx, index_t batch, const conv_geometry& g, const conv_operands<T>& o,
              const filter_source<T>& weights, scratch& work) {
  const forward_plan<T> plan(batch, g);
  const index_t channels = plan.channels, filters = plan.filters;
  const bool packed = weights.packed != nullptr;
  T* const u = packed ? nullptr : work.take<T>(plan.weights());
  T* const copy = work.take<T>(plan.copied());
  index_t* const channel_offset = work.take<index_t>(channels);
  const scratch rest(work.take<std::byte>(plan.chunks_bytes(ctx.threads)), plan.chunks_bytes(ctx.threads));

  for (index_t n0 = 0; n0 < batch; n0 += plan.images) {
    const index_t images = (std::min)(plan.images, batch - n0);
    pad_input(ctx, plan.planes, images, o.x + n0 * g.channels * g.height * g.width, copy);
    for (index_t group = 0; group < g.groups; ++group) {
      forward_pass<T> pass{.ctx = ctx,
                           .plan = plan,
                           .g = g,
                           .bias = o.bias == nullptr ? nullptr : o.bias + group * filters,
                           .activation = o.activation,
                           .add = o.add,
                           .image = o.image_step(g),
                           .copy = copy,
                           .channel_offset = channel_offset};
      if (!packed && (n0 == 0 || g.groups > 1))
        transform_filters<T>(ctx, g.kernel_h, filters, channels, weights, group, pass.tile.rows, u);
      line_offsets(group * channels, group * channels + channels - 1, plan.planes.channel_size(), channels, channel_offset);
      pass.transformed = packed ? weights.packed + group * plan.weights() : u;
      pass.target = o.y + n0 * pass.image + group * filters * pass.map;
      const index_t tiles = images * plan.tiles.count();
      const auto all_tiles = plan.fused && tiles >= ctx.threads * pass.lanes ? convolve_fused<T> : convolve_chunks<T>;
      all_tiles(pass, tiles, rest);
    }
  }
}

/// Bytes of scratch for `forward`, with or without packed filters; never less for a bigger batch or thread count.
template <class T>
index_t forward_scratch_bytes(int threads, index_t batch, const conv_geometry& g, bool prepacked = false) {
  return forward_plan<T>(batch, g).bytes(threads, prepacked);
}

/// Bytes of the filters as `forward` reads them: transformed and packed, group after group.
template <class T>
index_t packed_weight_bytes(const conv_geometry& g) {
  return g.groups * transformed_size(g.group_filters(), g.group_channels()) * static_cast<index_t>(sizeof(T));
}

template <class T>
filter_source<T> forward_filters(const conv_geometry& g, const T* weight) {
  const index_t channels = g.group_channels(), filters = g.group_filters(), taps = g.taps();
  return {weight, filters * channels * taps, channels * taps, taps, false};
}

/// Transforms the filters of all groups into `packed` (`packed_weight_bytes`).
template <class T>
void prepack_weights(const context& ctx, const conv_geometry& g, const T* weight, T* packed) {
  const index_t channels = g.group_channels(), filters = g.group_filters();
  const int tile_rows = choose_tile_rows(ctx.instruction_set, filters);
  for (index_t group = 0; group < g.groups; ++group)
    transform_filters<T>(ctx, g.kernel_h, filters, channels, forward_filters(g, weight), group, tile_rows,
                         packed + group * transformed_size(filters, channels));
}

/// `conv_forward` by Winograd. Requires `is_supported(g)`. `o.packed_weights` are from `prepack_weights`.
template <class T>
void forward(const context& ctx, index_t batch, const conv_geometry& g, const conv_operands<T>& o, scratch& work) {
  filter_source<T> from = forward_filters(g, o.weight);
  from.packed = o.packed_weights;
  convolve<T>(ctx, batch, g, o, from, work);
}

/// Bytes of scratch for `backward_input`; never less for a bigger batch or thread count.
template <class T>
index_t backward_input_scratch_bytes(int threads, index_t batch, const conv_geometry& g) {
  return forward_scratch_bytes<T>(threads, batch, of_input_gradient(g));
}

/// `conv_backward_input` by Winograd.
template <class T>
void backward_input(const context& ctx, index_t batch, const conv_geometry& g, const T* dy, const T* weight, T* dx, bool add,
                    scratch& work) {
  const index_t channels = g.group_channels(), filters = g.group_filters(), taps = g.taps();
  const filter_source<T> from{weight, filters * channels * taps, taps, channels * taps, true};
  convolve<T>(ctx, batch, of_input_gradient(g), {.x = dy, .weight = weight, .y = dx, .add = add}, from, work);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels::winograd
