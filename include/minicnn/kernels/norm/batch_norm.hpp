#pragma once
/// Batch normalisation: moments of each channel over a batch, the scaling, and both backwards.
///
/// Moments are found in parts, some images of a channel each: the part's own mean first, then sums about it, then parts are
/// joined in double and in order (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
/// variances", 1979). That is accurate when the mean is large against the deviation, and gives the same bits for any number of
/// threads.
///
/// Threads share the channels, and finish one before they begin the next, so that its second reading comes from cache; or, where
/// the whole batch stays in cache anyway, the images, as convolutions do, so that each thread finds what it wrote itself.

#include <algorithm>
#include <cmath>

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/norm/batch_norm_blocks.hpp"
#include "minicnn/kernels/norm/batch_norm_kernels.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Moments of each channel of a group's block, to parts[0, channels).
template <class T>
void norm_moments(const context& ctx, const norm_blocks<T>& blocks, index_t group, index_t block, const T* x, norm_part* parts) {
  const index_t channels = blocks.channels(block);
  std::fill(parts, parts + channels, norm_part{});
  double count = 0;
  blocks.for_chunks(group, block, [&](index_t offset, const norm_rows& r) {
    norm_coefficients<T> about;
    alignas(64) T sum[norm_lanes] = {}, square[norm_lanes] = {};
    const double more = static_cast<double>(channels == 1 ? r.rows * r.length : r.rows);
    dispatch<norm_moments_kernel>(ctx.instruction_set, x + offset, r, static_cast<const T*>(about.center), sum + 0, square + 0);
    gather_lanes(sum, channels);
    for (index_t c = 0; c < channels; ++c) about.center[c] = static_cast<T>(static_cast<double>(sum[c]) / more);
    about.spread(channels);
    dispatch<norm_moments_kernel>(ctx.instruction_set, x + offset, r, static_cast<const T*>(about.center), sum + 0, square + 0);
    gather_lanes(sum, channels);
    gather_lanes(square, channels);
    for (index_t c = 0; c < channels; ++c) {
      const double rest = static_cast<double>(sum[c]);
      join_moments(parts[c], count,
                   {static_cast<double>(about.center[c]) + rest / more, static_cast<double>(square[c]) - rest * rest / more},
                   more);
    }
    count += more;
  });
}

template <class T>
double value_or(const T* values, index_t c, double otherwise) {
  return values == nullptr ? otherwise : static_cast<double>(values[c]);
}

/// What a block's values are scaled by: (x - center) * scale + shift. The part of the mean that `T` cannot hold goes into the
/// shift.
template <class T, class F>
norm_coefficients<T> norm_scaling(const norm_blocks<T>& blocks, index_t block, const F& statistic, const T* weight,
                                  const T* bias) {
  norm_coefficients<T> k;
  for (index_t i = 0; i < blocks.channels(block); ++i) {
    const index_t c = blocks.first(block) + i;
    const norm_statistics s = statistic(c);
    const double scale = s.inverse * value_or(weight, c, 1.0);
    k.center[i] = static_cast<T>(s.mean);
    k.scale[i] = static_cast<T>(scale);
    k.shift[i] = static_cast<T>(value_or(bias, c, 0.0) - (s.mean - static_cast<double>(k.center[i])) * scale);
  }
  k.spread(blocks.channels(block));
  return k;
}

/// y of a block's images [begin, end).
template <class T, class F>
void norm_apply(const context& ctx, const norm_blocks<T>& blocks, index_t block, index_t begin, index_t end, const F& statistic,
                const T* weight, const T* bias, const fused_activation<T>& activation, const T* x, T* y) {
  const norm_coefficients<T> k = norm_scaling(blocks, block, statistic, weight, bias);
  const index_t offset = blocks.offset(block, begin);
  const norm_rows rows = blocks.rows(block, begin, end);
  dispatch<norm_apply_kernel>(ctx.instruction_set, x + offset, y + offset, rows, static_cast<const T*>(k.center),
                              static_cast<const T*>(k.scale), static_cast<const T*>(k.shift), &activation);
  activation.finish(y + offset, rows.length, rows.rows, rows.stride);
}

/// Bytes of scratch for batch_norm_forward_batch and batch_norm_backward; never less for a bigger batch.
template <class T>
index_t batch_norm_scratch_bytes(const norm_extents& e) {
  return scratch::bytes_for<norm_part>(norm_blocks<T>::most_groups(e) * e.channels) +
         scratch::bytes_for<norm_slope<T>>(e.channels);
}

/// Normalises with the moments of the batch, which go to `statistics` (one per channel, for backward) and, with `momentum`,
/// into the running mean and the running unbiased variance. `weight` and `bias` may be null: 1 and 0.
template <class T>
void batch_norm_forward_batch(const context& ctx, const norm_extents& e, double eps, double momentum, const T* weight,
                              const T* bias, const fused_activation<T>& activation, const T* x, T* y, norm_statistics* statistics,
                              T* running_mean, T* running_variance, scratch& work) {
  const norm_blocks<T> blocks(ctx, e);
  auto* const parts = work.take<norm_part>(blocks.groups * e.channels);
  const double count = static_cast<double>(e.count());
  const auto move = [&](T& running, double now) {
    running = static_cast<T>((1.0 - momentum) * static_cast<double>(running) + momentum * now);
  };
  blocks.run(
      ctx.threads,
      [&](index_t group, index_t block) {
        norm_moments(ctx, blocks, group, block, x, parts + group * e.channels + blocks.first(block));
      },
      [&](index_t block) {
        for (index_t c = blocks.first(block); c < blocks.first(block) + blocks.channels(block); ++c) {
          norm_part all;
          for (index_t group = 0; group < blocks.groups; ++group)
            join_moments(all, static_cast<double>(blocks.begin(group) * e.pixels), parts[group * e.channels + c],
                         static_cast<double>((blocks.end(group) - blocks.begin(group)) * e.pixels));
          statistics[c] = {all.first, 1.0 / std::sqrt(all.second / count + eps)};
          move(running_mean[c], all.first);
          move(running_variance[c], all.second / (count - 1.0));
        }
      },
      [&](index_t block, index_t begin, index_t end) {
        const auto statistic = [statistics](index_t c) { return statistics[c]; };
        norm_apply(ctx, blocks, block, begin, end, statistic, weight, bias, activation, x, y);
      });
}

/// Normalises with given statistics: `statistic(c)` returns a `norm_statistics`.
template <class T, class F>
void batch_norm_forward(const context& ctx, const norm_extents& e, const F& statistic, const T* weight, const T* bias,
                        const fused_activation<T>& activation, const T* x, T* y) {
  const norm_blocks<T> blocks(ctx, e);
  parallel_for(ctx.threads, blocks.count(), blocks.grain(), [&](index_t begin, index_t end) {
    for (index_t block = begin; block < end; ++block)
      norm_apply(ctx, blocks, block, 0, e.images, statistic, weight, bias, activation, x, y);
  });
}

/// Where gradients go; null: not needed.
template <class T>
struct norm_gradients {
  T* x = nullptr;
  T* weight = nullptr;
  T* bias = nullptr;
  bool add_x = false, add_weight = false, add_bias = false;
};

/// Gradients from `g`, that of the output behind the bounds of `activation`. `frozen`: the statistics are constants; else they
/// are those of the batch `x`, and depend on it. `out.x` may be `g`.
template <class T, class F>
void batch_norm_backward(const context& ctx, const norm_extents& e, const F& statistic, bool frozen, const T* weight,
                         const T* bias, const fused_activation<T>& activation, const T* x, const T* g,
                         const norm_gradients<T>& out, scratch& work) {
  const norm_blocks<T> blocks(ctx, e);
  auto* const parts = work.take<norm_part>(blocks.groups * e.channels);
  auto* const slopes = work.take<norm_slope<T>>(e.channels);
  const double count = static_cast<double>(e.count());
  const bool sums_needed = !frozen || out.weight != nullptr || out.bias != nullptr;
  blocks.run(
      ctx.threads,
      [&](index_t group, index_t block) {
        const index_t channels = blocks.channels(block), first = blocks.first(block);
        norm_part* const sums = parts + group * e.channels + first;
        std::fill(sums, sums + channels, norm_part{});
        if (!sums_needed) return;
        const norm_coefficients<T> k = norm_scaling(blocks, block, statistic, weight, bias);
        const norm_bounds<T> bounds{k.scale, k.shift, activation.low, activation.high};
        const norm_bounds<T>* const passed = activation.bounded ? &bounds : nullptr;
        blocks.for_chunks(group, block, [&](index_t offset, const norm_rows& r) {
          alignas(64) T sum[norm_lanes] = {}, product[norm_lanes] = {};
          dispatch<norm_products_kernel>(ctx.instruction_set, x + offset, g + offset, r, static_cast<const T*>(k.center), passed,
                                         sum + 0, product + 0);
          gather_lanes(sum, channels);
          gather_lanes(product, channels);
          for (index_t i = 0; i < channels; ++i) {
            sums[i].first += static_cast<double>(sum[i]);
            sums[i].second += static_cast<double>(product[i]);
          }
        });
      },
      [&](index_t block) {
        for (index_t c = blocks.first(block); c < blocks.first(block) + blocks.channels(block); ++c) {
          norm_part all;
          for (index_t group = 0; group < blocks.groups; ++group) {
            all.first += parts[group * e.channels + c].first;
            all.second += parts[group * e.channels + c].second;
          }
          const norm_statistics s = statistic(c);
          const double rest = s.mean - static_cast<double>(static_cast<T>(s.mean));
          const double along = s.inverse * (all.second - rest * all.first);  // sum of g times the normalised x
          const double scale = s.inverse * value_or(weight, c, 1.0);
          const double slope = frozen ? 0.0 : -scale * s.inverse * along / count;
          slopes[c] = {static_cast<T>(s.mean), static_cast<T>(scale), static_cast<T>(slope),
                       static_cast<T>(frozen ? 0.0 : -scale * all.first / count - slope * rest)};
          if (out.weight != nullptr) out.weight[c] = static_cast<T>(along) + (out.add_weight ? out.weight[c] : T{0});
          if (out.bias != nullptr) out.bias[c] = static_cast<T>(all.first) + (out.add_bias ? out.bias[c] : T{0});
        }
      },
      [&](index_t block, index_t begin, index_t end) {
        if (out.x == nullptr) return;
        norm_coefficients<T> k;
        for (index_t i = 0; i < blocks.channels(block); ++i) {
          const norm_slope<T>& s = slopes[blocks.first(block) + i];
          k.center[i] = s.center, k.scale[i] = s.scale, k.slope[i] = s.slope, k.shift[i] = s.shift;
        }
        k.spread(blocks.channels(block));
        const index_t offset = blocks.offset(block, begin);
        const norm_coefficients<T> forward = norm_scaling(blocks, block, statistic, weight, bias);
        const norm_bounds<T> bounds{forward.scale, forward.shift, activation.low, activation.high};
        const norm_bounds<T>* const passed = activation.bounded ? &bounds : nullptr;
        dispatch<norm_gradient_kernel>(ctx.instruction_set, frozen && passed == nullptr ? nullptr : x + offset, g + offset,
                                       out.x + offset, blocks.rows(block, begin, end), static_cast<const T*>(k.center),
                                       static_cast<const T*>(k.scale), static_cast<const T*>(k.slope),
                                       static_cast<const T*>(k.shift), passed, out.add_x);
      });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
