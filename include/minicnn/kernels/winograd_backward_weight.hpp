#pragma once
/// Gradient of a convolution with respect to its weights by Winograd: the chain rule through At [(G w Gt) * (Bt d B)] A. With
/// the gradients of the outputs taken to points (A g At) it is, for each of the 36 points, a product summed over all tiles,
/// and Gt [...] G of the sums.

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/context.hpp"
#include "minicnn/kernels/elementwise.hpp"
#include "minicnn/kernels/winograd.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace winograd::detail {

template <class T>
struct weight_plan {
  tiling tiles;
  plane_layout in, out;
  index_t filters, channels, images, chunk;

  weight_plan(index_t batch, const conv_geometry& g)
      : tiles(g),
        in(tiles.planes(g.channels, g.height, g.width, g.pad_top, g.pad_left, side, sizeof(T))),
        out(tiles.planes(g.filters, g.out_height(), g.out_width(), 0, 0, tiles.outputs, sizeof(T))),
        filters(g.group_filters()),
        channels(g.group_channels()) {
    images = (std::min)(batch, (std::min)(in.images_at_a_time(sizeof(T)), out.images_at_a_time(sizeof(T))));
    chunk = (std::min)(chunk_tiles<T>(channels, filters, 256), images * tiles.count());
  }

  index_t padded_filters() const { return filters + most_tile_rows; }
  index_t padded_channels() const { return round_up(channels, most_tile_columns<T>); }
  index_t bytes() const {
    return scratch::bytes_for<T>(images * in.image_size() + overshoot<T>) +
           scratch::bytes_for<T>(images * out.image_size() + overshoot<T>) +
           scratch::bytes_for<T>(points * padded_channels() * chunk) + scratch::bytes_for<T>(points * padded_filters() * chunk) +
           scratch::bytes_for<T>(points * padded_filters() * padded_channels()) + scratch::bytes_for<index_t>(2 * chunk);
  }
};

}  // namespace winograd::detail

/// Bytes of scratch for `winograd_backward_weight`; never less for a bigger batch.
template <class T>
index_t winograd_backward_weight_scratch_bytes([[maybe_unused]] int threads, index_t batch, const conv_geometry& g) {
  return winograd::detail::weight_plan<T>(batch, g).bytes();
}

/// `conv_backward_weight` by Winograd, for geometries that `winograd::serves`.
template <class T>
void winograd_backward_weight(const context& run, index_t batch, const conv_geometry& g, const T* x, const T* dy, T* dweight,
                              bool add_weight, T* dbias, bool add_bias, scratch& work) {
  using winograd::panel_layout, winograd::points, winograd::patch_kernel, winograd::filter_gradient_kernel,
      winograd::tile_offsets, winograd::line_offsets, winograd::dispatch_transform;
  const winograd::detail::weight_plan<T> plan(batch, g);
  const isa i = run.instruction_set;
  const winograd::tiling& tiles = plan.tiles;
  const index_t channels = plan.channels, filters = plan.filters, taps = g.taps();
  const int tile = choose_tile_rows(i, filters);
  const int together = winograd::steps_together<T>(run);
  const index_t width = tile_columns<T>(i), lanes = width / 2;
  const index_t row_tiles = divide_up(filters, tile), padded_filters = row_tiles * tile, panels = divide_up(channels, width);
  const panel_layout sum{panels, padded_filters, width};

  T* const copy_in = work.take<T>(plan.images * plan.in.image_size() + overshoot<T>);
  T* const copy_out = work.take<T>(plan.images * plan.out.image_size() + overshoot<T>);
  T* const v = work.take<T>(points * plan.padded_channels() * plan.chunk);
  T* const gradient = work.take<T>(points * plan.padded_filters() * plan.chunk);
  T* const sums = work.take<T>(points * plan.padded_filters() * plan.padded_channels());
  index_t* const in_offset = work.take<index_t>(2 * plan.chunk);
  index_t* const out_offset = in_offset + plan.chunk;

  if (dbias != nullptr) channel_sums(run, dy, batch, g.filters, g.out_height() * g.out_width(), dbias, add_bias);

  for (index_t group = 0; group < g.groups; ++group) {
    for (index_t n0 = 0; n0 < batch; n0 += plan.images) {
      const index_t images = (std::min)(plan.images, batch - n0), all = images * tiles.count();
      const index_t chunk = even_piece(all, plan.chunk, 1);
      if (group == 0 || plan.images < batch) {
        copy_planes(run, plan.in, images, x + n0 * g.channels * g.height * g.width, copy_in);
        copy_planes(run, plan.out, images, dy + n0 * g.filters * g.out_height() * g.out_width(), copy_out);
      }
      for (index_t t0 = 0; t0 < all; t0 += chunk) {
        const index_t count = (std::min)(chunk, all - t0);
        const index_t steps = divide_up(count, together);
        const panel_layout a{row_tiles, steps, tile}, b{panels, steps, width};
        tile_offsets(tiles, plan.in, t0, count, count, in_offset);
        tile_offsets(tiles, plan.out, t0, count, count, out_offset);

        parallel_tasks(run.threads, panels + row_tiles, [&](index_t task, int) {
          index_t line[most_tile_rows + most_tile_columns<float>];
          if (task < panels) {
            line_offsets(group * channels + task * width, (group + 1) * channels - 1, plan.in.channel_size(), width, line);
            dispatch_transform<patch_kernel, winograd::side>(
                i, together, static_cast<const T*>(copy_in), plan.in.columns, static_cast<const index_t*>(in_offset), count,
                static_cast<const index_t*>(line), width, width, v + task * b.panel_size(), b.point_size());
            return;
          }
          const index_t panel = task - panels, rows = tile;
          line_offsets(group * filters + panel * tile, (group + 1) * filters - 1, plan.out.channel_size(), tile + lanes, line);
          const auto transform = [&](auto size) {
            dispatch_transform<patch_kernel, decltype(size)::value>(
                i, together, static_cast<const T*>(copy_out), plan.out.columns, static_cast<const index_t*>(out_offset), count,
                static_cast<const index_t*>(line), rows, rows, gradient + panel * a.panel_size(), a.point_size());
          };
          if (tiles.outputs == 4)
            transform(std::integral_constant<int, 4>{});
          else
            transform(std::integral_constant<int, 2>{});
        });

        const index_t shares = (std::min)(panels, index_t{run.threads <= 9 ? 1 : divide_up(run.threads, 9)});
        parallel_tasks(run.threads, points * shares, [&](index_t task, int) {
          const index_t point = task / shares, begin = task % shares * panels / shares,
                        end = (task % shares + 1) * panels / shares;
          for (index_t panel = begin; panel < end; ++panel)
            winograd::multiply_points<T>(i, together, tile, steps, gradient + point * a.point_size(), row_tiles,
                                         v + point * b.point_size() + panel * b.panel_size(),
                                         sums + point * sum.point_size() + panel * sum.panel_size(), n0 == 0 && t0 == 0);
        });
      }
    }

    parallel_for(run.threads, filters, 1, [&](index_t begin, index_t end) {
      for (index_t f = begin; f < end; ++f)
        for (index_t c = 0; c < channels; c += lanes) {
          const T* const from = sums + c / width * sum.panel_size() + f * width + c % width;
          T* const to = dweight + ((group * filters + f) * channels + c) * taps;
          const index_t count = (std::min)(lanes, channels - c);
          if (g.kernel_h == 3)
            dispatch<filter_gradient_kernel<3>>(i, from, sum.point_size(), count, add_weight, to);
          else
            dispatch<filter_gradient_kernel<5>>(i, from, sum.point_size(), count, add_weight, to);
        }
    });
  }
}

MINICNN_COMPILED_FUNCTION(winograd_backward_weight);

}  // namespace minicnn::inline MINICNN_ABI
