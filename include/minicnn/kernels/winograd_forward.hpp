#pragma once
/// Winograd convolution: forward, and the gradient of the input, which is a forward convolution with turned filters.

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/context.hpp"
#include "minicnn/kernels/winograd.hpp"

namespace minicnn::inline MINICNN_ABI {
namespace winograd {

/// The filter for (output channel f, input channel c) of a group is at data + group * group_stride + f * row_stride +
/// c * step_stride. `prepared`: all groups transformed by `winograd_prepare`; null: they are transformed on the way.
template <class T>
struct filter_source {
  const T* data;
  index_t group_stride, row_stride, step_stride;
  bool turned;
  const T* prepared = nullptr;
};

namespace detail {

/// Depth of a product's chunk: a panel of a chunk fits the first-level cache.
inline index_t product_depth(index_t steps) { return even_piece(steps, 256, 1); }

/// Elements of the transformed filters of a group.
inline index_t transformed_size(index_t filters, index_t channels) { return points * (filters + most_tile_rows) * channels; }

template <class T>
struct forward_plan {
  tiling tiles;
  plane_layout planes;
  index_t filters, channels;  ///< of a group
  index_t images;             ///< copied at a time
  index_t chunk;              ///< tiles at a time

  forward_plan(index_t batch, const conv_geometry& g)
      : tiles(g),
        planes(tiles.planes(g.channels, g.height, g.width, g.pad_top, g.pad_left, side, sizeof(T))),
        filters(g.group_filters()),
        channels(g.group_channels()) {
    images = (std::min)(batch, planes.images_at_a_time(sizeof(T)));
    chunk = (std::min)(chunk_tiles<T>(channels, filters, 512), images * tiles.count());
  }

  index_t padded_filters() const { return filters + most_tile_rows; }
  index_t padded_chunk() const { return round_up(chunk, most_tile_columns<T>); }
  index_t weights() const { return transformed_size(filters, channels); }
  index_t copied() const { return images * planes.image_size() + overshoot<T>; }
  index_t bytes(bool prepared) const {
    return (prepared ? 0 : scratch::bytes_for<T>(weights())) + scratch::bytes_for<T>(copied()) +
           scratch::bytes_for<T>(points * channels * padded_chunk()) +
           scratch::bytes_for<T>(points * padded_filters() * padded_chunk()) +
           scratch::bytes_for<index_t>(padded_chunk() + channels);
  }
};

/// U: transformed filters, packed for the tile, chunks of the depth one after the other.
template <class T>
void transform_filters(const context& run, index_t kernel, index_t filters, index_t channels, const filter_source<T>& from,
                       index_t group, int tile, T* to) {
  const int together = steps_together<T>(run);
  const index_t steps = divide_up(channels, together), depth = product_depth(steps), chunks = divide_up(steps, depth);
  const index_t panels = divide_up(filters, tile), point_size = panels * tile * steps;
  parallel_tasks(run.threads, panels * chunks, [&](index_t task, int) {
    const index_t panel = task % panels, k0 = task / panels * depth, length = (std::min)(depth, steps - k0);
    const index_t c0 = k0 * together, count = (std::min)(length * together, channels - c0);
    index_t line[2 * most_tile_rows + most_tile_columns<float>];
    line_offsets(panel * tile, filters - 1, from.row_stride, tile + most_tile_columns<float>, line);
    T* const place = to + k0 * panels * tile + panel * tile * length;
    const T* const first = from.data + group * from.group_stride + c0 * from.step_stride;
    const index_t* const lines = line;
    const index_t width = tile;
    if (kernel == 3)
      dispatch_transform<filter_kernel, 3>(run.instruction_set, together, first, from.step_stride, count, lines, width,
                                           from.turned, place, point_size);
    else
      dispatch_transform<filter_kernel, 5>(run.instruction_set, together, first, from.step_stride, count, lines, width,
                                           from.turned, place, point_size);
  });
}

}  // namespace detail

/// y = (or += if `add`) convolution of x (batch, channels, height, width) + bias, then ReLU if asked for.
template <class T>
void convolve(const context& run, index_t batch, const conv_geometry& g, const T* x, const filter_source<T>& weights,
              const T* bias, bool relu, bool add, T* y, scratch& work) {
  const detail::forward_plan<T> plan(batch, g);
  const isa i = run.instruction_set;
  const tiling& tiles = plan.tiles;
  const index_t channels = plan.channels, filters = plan.filters, map = g.out_height() * g.out_width();
  const int tile = choose_tile_rows(i, filters);
  const index_t width = tile_columns<T>(i), lanes = width / 2;
  const int together = steps_together<T>(run);
  const index_t steps = divide_up(channels, together), depth = detail::product_depth(steps);
  const index_t row_tiles = divide_up(filters, tile), padded_filters = row_tiles * tile;

  T* const u = weights.prepared == nullptr ? work.take<T>(plan.weights()) : nullptr;
  T* const copy = work.take<T>(plan.copied());
  T* const v = work.take<T>(points * channels * plan.padded_chunk());
  T* const products = work.take<T>(points * plan.padded_filters() * plan.padded_chunk());
  index_t* const tile_offset = work.take<index_t>(plan.padded_chunk() + channels);
  index_t* const channel_offset = tile_offset + plan.padded_chunk();

  for (index_t n0 = 0; n0 < batch; n0 += plan.images) {
    const index_t images = (std::min)(plan.images, batch - n0), all = images * tiles.count();
    const index_t chunk = even_piece(all, plan.chunk, width);
    copy_planes(run, plan.planes, images, x + n0 * g.channels * g.height * g.width, copy);
    for (index_t group = 0; group < g.groups; ++group) {
      const T* const transformed = weights.prepared == nullptr ? u : weights.prepared + group * plan.weights();
      if (weights.prepared == nullptr && (n0 == 0 || g.groups > 1))
        detail::transform_filters<T>(run, g.kernel_h, filters, channels, weights, group, tile, u);
      line_offsets(group * channels, group * channels + channels - 1, plan.planes.channel_size(), channels, channel_offset);
      T* const target = y + (n0 * g.filters + group * filters) * map;
      for (index_t t0 = 0; t0 < all; t0 += chunk) {
        const index_t count = (std::min)(chunk, all - t0), panels = divide_up(count, width);
        const panel_layout in{panels, steps, width}, out{panels, padded_filters, width};
        tile_offsets(tiles, plan.planes, t0, count, panels * width, tile_offset);

        // Few tiles, as those of one small map, may fill only the first vector of the last panel; narrowed ones are read whole.
        const auto one_vector = [&](index_t panel) { return together == 1 && 2 * (count - panel * width) <= width; };
        const index_t piece = 32, pieces = divide_up(channels, piece);
        parallel_tasks(run.threads, panels * pieces, [&](index_t task, int) {
          const index_t panel = task / pieces, c0 = task % pieces * piece, count_c = (std::min)(piece, channels - c0);
          dispatch_transform<patch_kernel, side>(
              i, together, static_cast<const T*>(copy), plan.planes.columns, static_cast<const index_t*>(channel_offset + c0),
              count_c, static_cast<const index_t*>(tile_offset + panel * width), one_vector(panel) ? lanes : width, width,
              v + panel * in.panel_size() + c0 / together * width, in.point_size());
        });

        // Where filters are small beside the pixels, each thread multiplies the panels that it has just transformed, point after
        // point, and transforms the products back itself: nothing goes from core to core. Else a task is a point, with few
        // threads: its filters stay in the second-level cache for all panels.
        const index_t pixels_size = count * (channels + filters);
        const bool own_panels = 2 * channels * filters < pixels_size && panels >= run.threads;
        const index_t shares =
            own_panels ? run.threads : (std::min)(panels, index_t{run.threads <= 9 ? 1 : divide_up(run.threads, 9)});
        parallel_tasks(run.threads, points * shares, [&](index_t task, int) {
          const index_t share = own_panels ? task / points : task % shares, point = own_panels ? task % points : task / shares;
          const index_t begin = share * panels / shares, end = (share + 1) * panels / shares;
          for (index_t k0 = 0; k0 < steps; k0 += depth) {
            const index_t length = (std::min)(depth, steps - k0);
            for (index_t panel = begin; panel < end; ++panel)
              multiply_points<T>(i, together, tile, length, transformed + point * padded_filters * steps + k0 * padded_filters,
                                 row_tiles, v + point * in.point_size() + panel * in.panel_size() + k0 * width,
                                 products + point * out.point_size() + panel * out.panel_size(), k0 == 0, one_vector(panel));
          }
        });

        const index_t rows = 16, blocks = divide_up(filters, rows);
        parallel_tasks(run.threads, panels * blocks, [&](index_t task, int) {
          const index_t panel = task / blocks, f0 = task % blocks * rows, count_f = (std::min)(rows, filters - f0);
          for (index_t half = 0; half < 2; ++half) {
            const index_t first = t0 + panel * width + half * lanes, last = (std::min)(first + lanes, t0 + count);
            if (first >= last) break;
            output_run runs[most_tile_columns<float>];
            const index_t run_count = output_runs(tiles, g, g.filters * map, first, last, runs);
            const T* const from = products + panel * out.panel_size() + f0 * width + half * lanes;
            const auto transform = [&](auto kernel) {
              dispatch<decltype(kernel)>(i, from, out.point_size(), width, count_f, static_cast<const output_run*>(runs),
                                         run_count, g.out_width(), bias == nullptr ? bias : bias + group * filters + f0, relu,
                                         add, target + f0 * map, map);
            };
            if (tiles.outputs == 4)
              transform(output_kernel<4>{});
            else
              transform(output_kernel<2>{});
          }
        });
      }
    }
  }
}

}  // namespace winograd
}  // namespace minicnn::inline MINICNN_ABI

namespace minicnn::inline MINICNN_ABI {

/// Bytes of scratch for `winograd_forward`, with or without prepared filters; never less for a bigger batch.
template <class T>
index_t winograd_forward_scratch_bytes(index_t batch, const conv_geometry& g, bool prepared = false) {
  return winograd::detail::forward_plan<T>(batch, g).bytes(prepared);
}

/// Bytes of the filters as `winograd_forward` reads them: transformed and packed, group after group.
template <class T>
index_t winograd_prepared_bytes(const conv_geometry& g) {
  return g.groups * winograd::detail::transformed_size(g.group_filters(), g.group_channels()) * static_cast<index_t>(sizeof(T));
}

namespace winograd::detail {
template <class T>
filter_source<T> forward_filters(const conv_geometry& g, const T* weight) {
  const index_t channels = g.group_channels(), filters = g.group_filters(), taps = g.taps();
  return {weight, filters * channels * taps, channels * taps, taps, false};
}
}  // namespace winograd::detail

/// Transforms the filters of all groups into `prepared` (`winograd_prepared_bytes`).
template <class T>
void winograd_prepare(const context& run, const conv_geometry& g, const T* weight, T* prepared) {
  const index_t channels = g.group_channels(), filters = g.group_filters();
  const int tile = choose_tile_rows(run.instruction_set, filters);
  for (index_t group = 0; group < g.groups; ++group)
    winograd::detail::transform_filters<T>(run, g.kernel_h, filters, channels, winograd::detail::forward_filters(g, weight),
                                           group, tile, prepared + group * winograd::detail::transformed_size(filters, channels));
}

/// `conv_forward` by Winograd, for geometries that `winograd::serves`. `prepared`: the filters transformed by
/// `winograd_prepare`; null: they are transformed here. `add`: the result is added to what y holds, before the ReLU.
template <class T>
void winograd_forward(const context& run, index_t batch, const conv_geometry& g, const T* x, const T* weight, const T* bias,
                      bool relu, T* y, scratch& work, const T* prepared = nullptr, bool add = false) {
  winograd::filter_source<T> from = winograd::detail::forward_filters(g, weight);
  from.prepared = prepared;
  winograd::convolve<T>(run, batch, g, x, from, bias, relu, add, y, work);
}

/// Bytes of scratch for `winograd_backward_input`; never less for a bigger batch.
template <class T>
index_t winograd_backward_input_scratch_bytes(index_t batch, const conv_geometry& g) {
  return winograd_forward_scratch_bytes<T>(batch, winograd::of_input_gradient(g));
}

/// `conv_backward_input` by Winograd.
template <class T>
void winograd_backward_input(const context& run, index_t batch, const conv_geometry& g, const T* dy, const T* weight, T* dx,
                             bool add, scratch& work) {
  const index_t channels = g.group_channels(), filters = g.group_filters(), taps = g.taps();
  const winograd::filter_source<T> from{weight, filters * channels * taps, taps, channels * taps, true};
  winograd::convolve<T>(run, batch, winograd::of_input_gradient(g), dy, from, nullptr, false, add, dx, work);
}

MINICNN_COMPILED_FUNCTION(winograd_forward);
MINICNN_COMPILED_FUNCTION(winograd_backward_input);

}  // namespace minicnn::inline MINICNN_ABI
