#pragma once
/// Batch normalisation: moments of each channel over a batch, the scaling, and both backwards.
///
/// One channel is finished before the next is begun, so its second reading comes from cache. Moments are found in chunks: the
/// chunk's own mean first, then sums about it, then chunks are joined in double and in order (Chan, Golub and LeVeque,
/// "Updating formulae and a pairwise algorithm for computing sample variances", 1979). That is accurate when the mean is large
/// against the deviation, and gives the same bits for any number of threads.

#include <algorithm>
#include <cmath>

#include "minicnn/kernels/context.hpp"
#include "minicnn/kernels/lanes.hpp"

namespace minicnn::inline MINICNN_ABI {

/// A batch as normalisation sees it; (n, c) has one pixel.
struct norm_extents {
  index_t images = 0;
  index_t channels = 0;
  index_t pixels = 0;

  /// Values of a channel.
  index_t count() const { return images * pixels; }
};

/// Mean and 1 / sqrt(variance + eps) of a channel.
struct norm_statistics {
  double mean = 0;
  double inverse = 1;
};

namespace detail {

inline constexpr int norm_lanes = 16;        ///< at most; floats of an AVX-512 vector
inline constexpr index_t norm_chunk = 4096;  ///< values that are summed in `T` before doubles take over

/// `rows` rows of `length` contiguous values, `stride` apart.
struct norm_rows {
  index_t rows = 0;
  index_t stride = 0;
  index_t length = 0;
};

/// Channels that are worked on at a time: one, or a vector of them where each has one pixel per image. All values of lane i of
/// any vector then belong to one channel, so coefficients are one vector and sums are one vector.
template <class T>
struct norm_blocks {
  norm_blocks(const context& ctx, const norm_extents& extents)
      : e(extents), width(extents.pixels > 1 ? 1 : vector_bytes(ctx.instruction_set) / static_cast<index_t>(sizeof(T))) {}

  index_t count() const { return (e.channels + width - 1) / width; }
  index_t first(index_t block) const { return block * width; }
  index_t channels(index_t block) const { return (std::min)(width, e.channels - first(block)); }
  index_t offset(index_t block) const { return first(block) * e.pixels; }
  norm_rows all(index_t block) const { return {e.images, e.channels * e.pixels, e.pixels > 1 ? e.pixels : channels(block)}; }
  /// Blocks that are not worth a second thread.
  index_t grain() const { return 1 + 16384 / (e.count() * width + 1); }

  /// Calls body(offset, rows) for each chunk of the block, in order: images together while they are small.
  template <class F>
  void for_chunks(index_t block, const F& body) const {
    const norm_rows r = all(block);
    const index_t together = (std::max)(norm_chunk / (std::max)(r.length, index_t{norm_lanes}), index_t{1});
    for (index_t row = 0; row < r.rows; row += together)
      for (index_t p = 0; p < r.length; p += norm_chunk)
        body(offset(block) + row * r.stride + p,
             norm_rows{(std::min)(together, r.rows - row), r.stride, (std::min)(norm_chunk, r.length - p)});
  }

  static index_t vector_bytes(isa i) { return i == isa::avx512 ? 64 : i == isa::avx2 ? 32 : 16; }

  norm_extents e;
  index_t width;
};

/// Adds up the lanes if they belong to one channel.
template <class T>
void gather_lanes(T* lanes, index_t channels) {
  for (int half = norm_lanes / 2; channels == 1 && half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
}

template <class V, class T>
MINICNN_INLINE void load_up_to(vec<T, V>& out, const T* from, index_t count, T rest) {
  if (count >= V::template lanes<T>)
    load<V>(out, from);
  else
    load_part<V>(out, from, count, rest);
}

template <class V, class T>
MINICNN_INLINE void store_up_to(T* to, const vec<T, V>& value, index_t count) {
  if (count >= V::template lanes<T>)
    store<V>(to, value);
  else
    store_part<V, T>(to, value, count);
}

/// Lane sums of x - center and of its square.
struct norm_moments_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const T* x, norm_rows r, const T* center, T* sums, T* squares) {
    vec<T, V> middle, sum{}, square{}, value;
    load<V>(middle, center);
    for (index_t row = 0; row < r.rows; ++row, x += r.stride)
      for (index_t i = 0; i < r.length; i += V::template lanes<T>) {
        load_up_to<V, T>(value, x + i, r.length - i, center[0]);
        value -= middle;
        sum += value;
        square += value * value;
      }
    store<V>(sums, sum);
    store<V>(squares, square);
  }
};

/// Lane sums of g and of g * (x - center).
struct norm_products_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const T* x, const T* g, norm_rows r, const T* center, T* sums, T* products) {
    vec<T, V> middle, sum{}, product{}, value, gradient;
    load<V>(middle, center);
    for (index_t row = 0; row < r.rows; ++row, x += r.stride, g += r.stride)
      for (index_t i = 0; i < r.length; i += V::template lanes<T>) {
        load_up_to<V, T>(value, x + i, r.length - i, center[0]);
        load_up_to<V, T>(gradient, g + i, r.length - i, T{0});
        sum += gradient;
        product += gradient * (value - middle);
      }
    store<V>(sums, sum);
    store<V>(products, product);
  }
};

/// y = (x - center) * scale + shift
struct norm_apply_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const T* x, T* y, norm_rows r, const T* center, const T* scale, const T* shift, bool relu) {
    vec<T, V> middle, factor, term, value;
    load<V>(middle, center);
    load<V>(factor, scale);
    load<V>(term, shift);
    for (index_t row = 0; row < r.rows; ++row, x += r.stride, y += r.stride)
      for (index_t i = 0; i < r.length; i += V::template lanes<T>) {
        load_up_to<V, T>(value, x + i, r.length - i, T{0});
        value = (value - middle) * factor + term;
        if (relu) value = value < T{0} ? vec<T, V>{} : value;
        store_up_to<V, T>(y + i, value, r.length - i);
      }
  }
};

/// dx = g * scale + (x - center) * slope + shift; without `x` dx = g * scale. `dx` may be `g`.
struct norm_gradient_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const T* x, const T* g, T* dx, norm_rows r, const T* center, const T* scale, const T* slope,
                                 const T* shift, bool add) {
    vec<T, V> middle, factor, rise, term, value, gradient;
    load<V>(middle, center);
    load<V>(factor, scale);
    load<V>(rise, slope);
    load<V>(term, shift);
    for (index_t row = 0; row < r.rows; ++row)
      for (index_t i = 0; i < r.length; i += V::template lanes<T>) {
        const index_t at = row * r.stride + i, count = r.length - i;
        load_up_to<V, T>(gradient, g + at, count, T{0});
        gradient *= factor;
        if (x != nullptr) {
          load_up_to<V, T>(value, x + at, count, T{0});
          gradient += (value - middle) * rise + term;
        }
        if (add) {
          load_up_to<V, T>(value, static_cast<const T*>(dx + at), count, T{0});
          gradient += value;
        }
        store_up_to<V, T>(dx + at, gradient, count);
      }
  }
};

/// Coefficients of a block, one per lane.
template <class T>
struct norm_coefficients {
  alignas(64) T center[norm_lanes] = {}, scale[norm_lanes] = {}, slope[norm_lanes] = {}, shift[norm_lanes] = {};

  /// The first channel's in all lanes, where there is but one.
  void spread(index_t channels) {
    for (int i = 1; channels == 1 && i < norm_lanes; ++i)
      center[i] = center[0], scale[i] = scale[0], slope[i] = slope[0], shift[i] = shift[0];
  }
};

/// Mean and sum of squared differences from it, of each channel of a block.
template <class T>
void norm_moments(const context& ctx, const norm_blocks<T>& blocks, index_t block, const T* x, double* mean, double* squares) {
  const index_t channels = blocks.channels(block);
  double count = 0;
  std::fill(mean, mean + channels, 0.0);
  std::fill(squares, squares + channels, 0.0);
  blocks.for_chunks(block, [&](index_t offset, const norm_rows& r) {
    norm_coefficients<T> about;
    alignas(64) T sum[norm_lanes] = {}, square[norm_lanes] = {};
    const double more = static_cast<double>(channels == 1 ? r.rows * r.length : r.rows), total = count + more;
    dispatch<norm_moments_kernel>(ctx.instruction_set, x + offset, r, static_cast<const T*>(about.center), sum + 0, square + 0);
    gather_lanes(sum, channels);
    for (index_t c = 0; c < channels; ++c) about.center[c] = static_cast<T>(static_cast<double>(sum[c]) / more);
    about.spread(channels);
    dispatch<norm_moments_kernel>(ctx.instruction_set, x + offset, r, static_cast<const T*>(about.center), sum + 0, square + 0);
    gather_lanes(sum, channels);
    gather_lanes(square, channels);
    for (index_t c = 0; c < channels; ++c) {
      const double rest = static_cast<double>(sum[c]);
      const double difference = static_cast<double>(about.center[c]) + rest / more - mean[c];
      mean[c] += difference * more / total;
      squares[c] += static_cast<double>(square[c]) - rest * rest / more + difference * difference * count * more / total;
    }
    count = total;
  });
}

template <class T>
double value_or(const T* values, index_t c, double otherwise) {
  return values == nullptr ? otherwise : static_cast<double>(values[c]);
}

/// y of one block. The part of the mean that `T` cannot hold goes into the shift.
template <class T>
void norm_apply(const context& ctx, const norm_blocks<T>& blocks, index_t block, const norm_statistics* statistics,
                const T* weight, const T* bias, bool relu, const T* x, T* y) {
  norm_coefficients<T> k;
  for (index_t i = 0; i < blocks.channels(block); ++i) {
    const index_t c = blocks.first(block) + i;
    const double scale = statistics[i].inverse * value_or(weight, c, 1.0);
    k.center[i] = static_cast<T>(statistics[i].mean);
    k.scale[i] = static_cast<T>(scale);
    k.shift[i] = static_cast<T>(value_or(bias, c, 0.0) - (statistics[i].mean - static_cast<double>(k.center[i])) * scale);
  }
  k.spread(blocks.channels(block));
  const index_t offset = blocks.offset(block);
  dispatch<norm_apply_kernel>(ctx.instruction_set, x + offset, y + offset, blocks.all(block), static_cast<const T*>(k.center),
                              static_cast<const T*>(k.scale), static_cast<const T*>(k.shift), relu);
}

}  // namespace detail

/// Normalises with the moments of the batch, which go to `statistics` (one per channel, for backward) and, with `momentum`,
/// into the running mean and the running unbiased variance. `weight` and `bias` may be null: 1 and 0.
template <class T>
void batch_norm_forward_batch(const context& ctx, const norm_extents& e, double eps, double momentum, const T* weight,
                              const T* bias, bool relu, const T* x, T* y, norm_statistics* statistics, T* running_mean,
                              T* running_variance) {
  const detail::norm_blocks<T> blocks(ctx, e);
  const double count = static_cast<double>(e.count());
  const auto move = [&](T& running, double now) {
    running = static_cast<T>((1.0 - momentum) * static_cast<double>(running) + momentum * now);
  };
  parallel_for(ctx.threads, blocks.count(), blocks.grain(), [&](index_t begin, index_t end) {
    for (index_t block = begin; block < end; ++block) {
      double mean[detail::norm_lanes], squares[detail::norm_lanes];
      detail::norm_moments(ctx, blocks, block, x, mean, squares);
      const index_t first = blocks.first(block);
      for (index_t i = 0; i < blocks.channels(block); ++i) {
        statistics[first + i] = {mean[i], 1.0 / std::sqrt(squares[i] / count + eps)};
        move(running_mean[first + i], mean[i]);
        move(running_variance[first + i], squares[i] / (count - 1.0));
      }
      detail::norm_apply(ctx, blocks, block, statistics + first, weight, bias, relu, x, y);
    }
  });
}

/// Normalises with given statistics: `statistic(c)` returns a `norm_statistics`.
template <class T, class F>
void batch_norm_forward(const context& ctx, const norm_extents& e, const F& statistic, const T* weight, const T* bias, bool relu,
                        const T* x, T* y) {
  const detail::norm_blocks<T> blocks(ctx, e);
  parallel_for(ctx.threads, blocks.count(), blocks.grain(), [&](index_t begin, index_t end) {
    for (index_t block = begin; block < end; ++block) {
      norm_statistics statistics[detail::norm_lanes];
      for (index_t i = 0; i < blocks.channels(block); ++i) statistics[i] = statistic(blocks.first(block) + i);
      detail::norm_apply(ctx, blocks, block, statistics, weight, bias, relu, x, y);
    }
  });
}

/// Where gradients go; null where nobody wants one.
template <class T>
struct norm_gradients {
  T* x = nullptr;
  T* weight = nullptr;
  T* bias = nullptr;
  bool add_x = false, add_weight = false, add_bias = false;
};

/// Gradients from `g`, that of the output. `frozen`: the statistics are constants; else they are those of the batch `x`, and
/// depend on it. `out.x` may be `g`.
template <class T, class F>
void batch_norm_backward(const context& ctx, const norm_extents& e, const F& statistic, bool frozen, const T* weight, const T* x,
                         const T* g, const norm_gradients<T>& out) {
  const detail::norm_blocks<T> blocks(ctx, e);
  const double count = static_cast<double>(e.count());
  const bool sums_needed = !frozen || out.weight != nullptr || out.bias != nullptr;
  parallel_for(ctx.threads, blocks.count(), blocks.grain(), [&](index_t begin, index_t end) {
    for (index_t block = begin; block < end; ++block) {
      const index_t channels = blocks.channels(block), first = blocks.first(block);
      norm_statistics statistics[detail::norm_lanes];
      detail::norm_coefficients<T> k;
      for (index_t i = 0; i < channels; ++i) {
        statistics[i] = statistic(first + i);
        k.center[i] = static_cast<T>(statistics[i].mean);
      }
      k.spread(channels);

      double sums[detail::norm_lanes] = {}, products[detail::norm_lanes] = {};
      if (sums_needed)
        blocks.for_chunks(block, [&](index_t offset, const detail::norm_rows& r) {
          alignas(64) T sum[detail::norm_lanes] = {}, product[detail::norm_lanes] = {};
          dispatch<detail::norm_products_kernel>(ctx.instruction_set, x + offset, g + offset, r, static_cast<const T*>(k.center),
                                                 sum + 0, product + 0);
          detail::gather_lanes(sum, channels);
          detail::gather_lanes(product, channels);
          for (index_t i = 0; i < channels; ++i) {
            sums[i] += static_cast<double>(sum[i]);
            products[i] += static_cast<double>(product[i]);
          }
        });

      for (index_t i = 0; i < channels; ++i) {
        const index_t c = first + i;
        const norm_statistics& s = statistics[i];
        const double rest = s.mean - static_cast<double>(k.center[i]);
        const double along = s.inverse * (products[i] - rest * sums[i]);  // sum of g times the normalised x
        const double scale = s.inverse * detail::value_or(weight, c, 1.0);
        const double slope = -scale * s.inverse * along / count;
        k.scale[i] = static_cast<T>(scale);
        k.slope[i] = static_cast<T>(slope);
        k.shift[i] = static_cast<T>(-scale * sums[i] / count - slope * rest);
        if (out.weight != nullptr) out.weight[c] = static_cast<T>(along) + (out.add_weight ? out.weight[c] : T{0});
        if (out.bias != nullptr) out.bias[c] = static_cast<T>(sums[i]) + (out.add_bias ? out.bias[c] : T{0});
      }
      if (out.x == nullptr) continue;
      k.spread(channels);
      const index_t offset = blocks.offset(block);
      dispatch<detail::norm_gradient_kernel>(ctx.instruction_set, frozen ? nullptr : x + offset, g + offset, out.x + offset,
                                             blocks.all(block), static_cast<const T*>(k.center), static_cast<const T*>(k.scale),
                                             static_cast<const T*>(k.slope), static_cast<const T*>(k.shift), out.add_x);
    }
  });
}

MINICNN_COMPILED_FUNCTION(batch_norm_forward_batch);

}  // namespace minicnn::inline MINICNN_ABI
