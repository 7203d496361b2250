#pragma once
/// Gradient of a convolution with respect to its weights by Winograd: the chain rule through At [(G w Gt) * (Bt d B)] A. With
/// the gradients of the outputs taken to points (A g At) it is, for each of the 36 points, a product summed over all tiles,
/// and Gt [...] G of the sums.

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"
#include "minicnn/kernels/winograd/winograd.hpp"

namespace minicnn::inline MINICNN_ABI::kernels::winograd {

template <class T>
struct weight_plan {
  tiling tiles;
  padded_layout in, out;
  index_t filters, channels;  ///< of a group
  index_t images;             ///< copied at a time
  bool fused;                 ///< whether a thread takes its tiles to sums of its own, without waiting for others
  index_t chunk;              ///< tiles at a time: of all threads, or fused of each
  index_t slices;             ///< sums, added in order at the end; their number depends on the shape alone

  weight_plan(index_t batch, const conv_geometry& g)
      : tiles(g),
        in(tiles.planes(g.channels, g.height, g.width, g.pad_top, g.pad_left, side, sizeof(T))),
        out(tiles.planes(g.filters, g.out_height(), g.out_width(), 0, 0, tiles.outputs, sizeof(T))),
        filters(g.group_filters()),
        channels(g.group_channels()) {
    images = (std::min)(batch, (std::min)(in.images_at_a_time(sizeof(T)), out.images_at_a_time(sizeof(T))));
    const index_t all = images * tiles.count();
    fused = few_filters<T>(filters, channels) && all >= least_tiles;
    chunk = fused ? tiles_per_thread<T>(channels, filters) : (std::min)(chunk_tiles<T>(channels, filters, 256), all);
    slices = fused ? most_slices(all) : 1;
  }

  /// Fewer tiles are too few to keep threads busy with slices.
  static constexpr index_t least_tiles = 128;
  /// Slices of 16 tiles or more, whose sums take 8 MB or less.
  index_t most_slices(index_t all) const {
    const index_t most = (index_t{8} << 20) / (sums() * static_cast<index_t>(sizeof(T)));
    return std::clamp((std::min)(all / 16, most), index_t{1}, index_t{32});
  }

  index_t padded_filters() const { return filters + most_tile_rows; }
  index_t padded_channels() const { return round_up(channels, most_tile_columns<T>); }
  index_t sums() const { return tile_elements * padded_filters() * padded_channels(); }
  index_t chunk_bytes(index_t count) const {
    return scratch::bytes_for<T>(tile_elements * padded_channels() * count) +
           scratch::bytes_for<T>(tile_elements * padded_filters() * count) + scratch::bytes_for<index_t>(2 * count);
  }
  /// Buffers of all chunks at a time.
  index_t chunks_bytes(int threads) const { return (fused ? threads : 1) * chunk_bytes(chunk); }
  index_t bytes(int threads) const {
    // A smaller batch may go the other way.
    const index_t chunks = fused ? (std::max)(chunks_bytes(threads), chunk_bytes(least_tiles)) : chunks_bytes(threads);
    return scratch::bytes_for<T>(images * in.image_size() + pack_slack<T>) +
           scratch::bytes_for<T>(images * out.image_size() + pack_slack<T>) + scratch::bytes_for<T>(slices * sums()) + chunks;
  }
};

/// A chunk of tiles and its buffers.
template <class T>
struct weight_chunk {
  index_t count, steps;
  T *v, *gradient;
  index_t *in_offset, *out_offset;

  /// Takes the buffers of `plan.chunk_bytes(plan.chunk)`.
  weight_chunk(const weight_plan<T>& plan, scratch& work)
      : count(0),
        steps(0),
        v(work.take<T>(tile_elements * plan.padded_channels() * plan.chunk)),
        gradient(work.take<T>(tile_elements * plan.padded_filters() * plan.chunk)),
        in_offset(work.take<index_t>(2 * plan.chunk)),
        out_offset(in_offset + plan.chunk) {}

  void choose(const weight_plan<T>& plan, index_t first, index_t tiles, int together) {
    count = tiles, steps = divide_up(tiles, together);
    tile_offsets(plan.tiles, plan.in, first, count, count, in_offset);
    tile_offsets(plan.tiles, plan.out, first, count, count, out_offset);
  }
};

/// The steps from copied maps to sums, for parts of a chunk.
template <class T>
struct weight_pass {
  const context& ctx;
  const weight_plan<T>& plan;
  const T *copy_in, *copy_out;
  index_t group;

  isa i = ctx.instruction_set;
  kernels::tile<T> tile = product_tile<T>(ctx, plan.filters);
  int together = steps_together<T>(ctx);
  index_t width = tile.columns, lanes = width / 2;
  index_t row_tiles = divide_up(plan.filters, tile.rows), panels = divide_up(plan.channels, width);
  panel_layout sum{panels, row_tiles* tile.rows, width};

  /// Whether only the first vector of a panel of channels is real.
  bool one_vector(index_t panel) const { return together == 1 && 2 * (plan.channels - panel * width) <= width; }

  /// A panel of channels to points.
  void transform_input(const weight_chunk<T>& c, index_t panel) const {
    index_t line[most_tile_columns<float>];
    const panel_layout b{panels, c.steps, width};
    line_offsets(group * plan.channels + panel * width, (group + 1) * plan.channels - 1, plan.in.channel_size(), width, line);
    dispatch_transform<patch_kernel, side>(i, together, copy_in, plan.in.columns, static_cast<const index_t*>(c.in_offset),
                                           c.count, static_cast<const index_t*>(line), one_vector(panel) ? lanes : width, width,
                                           c.v + panel * b.panel_size(), b.point_size());
  }

  /// A panel of filters' gradients to points.
  void transform_gradient(const weight_chunk<T>& c, index_t panel) const {
    index_t line[most_tile_rows + most_tile_columns<float>];
    const panel_layout a{row_tiles, c.steps, tile.rows};
    line_offsets(group * plan.filters + panel * tile.rows, (group + 1) * plan.filters - 1, plan.out.channel_size(),
                 tile.rows + lanes, line);
    const auto transform = [&](auto size) {
      dispatch_transform<patch_kernel, decltype(size)::value>(
          i, together, copy_out, plan.out.columns, static_cast<const index_t*>(c.out_offset), c.count,
          static_cast<const index_t*>(line), index_t{tile.rows}, index_t{tile.rows}, c.gradient + panel * a.panel_size(),
          a.point_size());
    };
    if (plan.tiles.outputs == 4)
      transform(std::integral_constant<int, 4>{});
    else
      transform(std::integral_constant<int, 2>{});
  }

  /// sums = (or += unless `first`) a point's products of panels [begin, end).
  void multiply(const weight_chunk<T>& c, index_t point, index_t begin, index_t end, T* sums, bool first) const {
    const panel_layout a{row_tiles, c.steps, tile.rows}, b{panels, c.steps, width};
    multiply_packed<T>(tile,
                       {.steps = c.steps,
                        .chunk = c.steps,
                        .steps_together = together,
                        .a = c.gradient + point * a.point_size(),
                        .row_panels = row_tiles,
                        .b = c.v + point * b.point_size(),
                        .columns = plan.channels,
                        .sums = sums + point * sum.point_size(),
                        .first = first},
                       begin, end);
  }
};

/// Tiles of some images, a chunk at a time: threads share each step of a chunk.
template <class T>
void sum_chunks(const weight_pass<T>& pass, index_t tiles, bool first, T* sums, scratch work) {
  const int threads = pass.ctx.threads;
  weight_chunk<T> c(pass.plan, work);
  const index_t chunk = even_piece(tiles, pass.plan.chunk, 1);
  for (index_t t0 = 0; t0 < tiles; t0 += chunk) {
    c.choose(pass.plan, t0, (std::min)(chunk, tiles - t0), pass.together);
    parallel_tasks(threads, pass.panels + pass.row_tiles, [&](index_t task, int) {
      if (task < pass.panels)
        pass.transform_input(c, task);
      else
        pass.transform_gradient(c, task - pass.panels);
    });
    const index_t shares = (std::min)(pass.panels, index_t{threads <= 9 ? 1 : divide_up(threads, 9)});
    parallel_tasks(threads, tile_elements * shares, [&](index_t task, int) {
      const index_t share = task % shares;
      pass.multiply(c, task / shares, share * pass.panels / shares, (share + 1) * pass.panels / shares, sums, first && t0 == 0);
    });
  }
}

/// Tiles of some images: each task takes a slice of them to the slice's sums, in its thread's second-level cache.
template <class T>
void sum_slices(const weight_pass<T>& pass, index_t tiles, bool first, T* sums, scratch work) {
  const index_t bytes = pass.plan.chunk_bytes(pass.plan.chunk), slices = pass.plan.slices;
  std::byte* const block = work.take<std::byte>(pass.ctx.threads * bytes);
  parallel_tasks(pass.ctx.threads, slices, [&](index_t slice, int thread) {
    scratch mine(block + thread * bytes, bytes);
    weight_chunk<T> c(pass.plan, mine);
    const index_t begin = tiles * slice / slices, end = tiles * (slice + 1) / slices;
    const index_t chunk = even_piece(end - begin, pass.plan.chunk, 1);
    for (index_t t0 = begin; t0 < end; t0 += chunk) {
      c.choose(pass.plan, t0, (std::min)(chunk, end - t0), pass.together);
      for (index_t panel = 0; panel < pass.panels; ++panel) pass.transform_input(c, panel);
      for (index_t panel = 0; panel < pass.row_tiles; ++panel) pass.transform_gradient(c, panel);
      for (index_t point = 0; point < tile_elements; ++point)
        pass.multiply(c, point, 0, pass.panels, sums + slice * pass.plan.sums(), first && t0 == begin);
    }
  });
}

/// to[e] += the sum of `slices` slices, `apart` elements from each other, in order.
struct add_slices_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(T* to, const T* from, index_t apart, index_t slices, index_t count) {
    constexpr index_t lanes = V::template lanes<T>;
    for (index_t e = 0; e < count; e += lanes) {
      vec<T, V> sum, more;
      load<V>(sum, static_cast<const T*>(to + e));
      for (index_t slice = 0; slice < slices; ++slice) {
        load<V>(more, from + slice * apart + e);
        sum += more;
      }
      store<V>(to + e, sum);
    }
  }
};

/// Bytes of scratch for `backward_weight`; never less for a bigger batch or thread count.
template <class T>
index_t backward_weight_scratch_bytes(int threads, index_t batch, const conv_geometry& g) {
  return weight_plan<T>(batch, g).bytes(threads);
}

/// Adds the slices' sums to those of the first, in order.
template <class T>
void add_slices(const weight_pass<T>& pass, T* sums) {
  const index_t lanes = pass.lanes, size = pass.plan.sums();
  if (pass.plan.slices == 1) return;
  parallel_for(pass.ctx.threads, pass.sum.size() / lanes, 1024, [&](index_t begin, index_t end) {
    dispatch<add_slices_kernel>(pass.i, sums + begin * lanes, static_cast<const T*>(sums + size + begin * lanes), size,
                                pass.plan.slices - 1, (end - begin) * lanes);
  });
}

/// Sums to the gradient of a group's filters.
template <class T>
void store_filters(const weight_pass<T>& pass, const T* sums, index_t kernel, bool add, T* dweight) {
  const index_t channels = pass.plan.channels, width = pass.width, lanes = pass.lanes, point_size = pass.sum.point_size();
  parallel_for(pass.ctx.threads, pass.plan.filters, 1 + 4096 / channels, [&](index_t begin, index_t end) {
    for (index_t f = begin; f < end; ++f)
      for (index_t c = 0; c < channels; c += lanes) {
        const T* const from = sums + c / width * pass.sum.panel_size() + f * width + c % width;
        T* const to = dweight + (f * channels + c) * kernel * kernel;
        const index_t count = (std::min)(lanes, channels - c);
        if (kernel == 3)
          dispatch<filter_gradient_kernel<3>>(pass.i, from, point_size, count, add, to);
        else
          dispatch<filter_gradient_kernel<5>>(pass.i, from, point_size, count, add, to);
      }
  });
}

/// `conv_backward_weight` by Winograd. Requires `is_supported(g)`.
template <class T>
void backward_weight(const context& ctx, index_t batch, const conv_geometry& g, const weight_gradient_operands<T>& o,
                     scratch& work) {
  const weight_plan<T> plan(batch, g);
  const index_t pixels = g.out_height() * g.out_width();
  T* const copy_in = work.take<T>(plan.images * plan.in.image_size() + pack_slack<T>);
  T* const copy_out = work.take<T>(plan.images * plan.out.image_size() + pack_slack<T>);
  T* const sums = work.take<T>(plan.slices * plan.sums());
  const scratch rest(work.take<std::byte>(plan.chunks_bytes(ctx.threads)), plan.chunks_bytes(ctx.threads));

  if (o.dbias != nullptr) channel_sums(ctx, o.dy, batch, g.filters, pixels, o.dbias, o.add_bias);

  for (index_t group = 0; group < g.groups; ++group) {
    const weight_pass<T> pass{ctx, plan, copy_in, copy_out, group};
    for (index_t n0 = 0; n0 < batch; n0 += plan.images) {
      const index_t images = (std::min)(plan.images, batch - n0);
      if (group == 0 || plan.images < batch) {
        pad_input(ctx, plan.in, images, o.x + n0 * g.channels * g.height * g.width, copy_in);
        pad_input(ctx, plan.out, images, o.dy + n0 * g.filters * pixels, copy_out);
      }
      const auto sum_tiles = plan.fused ? sum_slices<T> : sum_chunks<T>;
      sum_tiles(pass, images * plan.tiles.count(), n0 == 0, sums, rest);
    }
    add_slices(pass, sums);
    store_filters(pass, static_cast<const T*>(sums), g.kernel_h, o.add_weight,
                  o.dweight + group * plan.filters * plan.channels * g.taps());
  }
}

}  // namespace minicnn::inline MINICNN_ABI::kernels::winograd
