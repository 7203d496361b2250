#pragma once
/// Convolution of 8-bit numbers, and dense layers, which are convolutions with a window as large as the image.
///
/// Maps are stored with the channels of a pixel side by side (channel last), as many as `padded_channels` says. So a row of a
/// filter's taps is one stretch of memory, and patches need not be gathered: a few rows with their padding are copied to a buffer
/// in the cache (none where nothing is padded), and products read them there.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "minicnn/core/arena.hpp"
#include "minicnn/core/context.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/int8/product.hpp"
#include "minicnn/kernels/conv/geometry.hpp"

namespace minicnn::inline MINICNN_ABI::int8 {

using kernels::conv_geometry;

/// Channels of a pixel in memory: groups of four. What lies in the last ones behind the real ones has weight 0.
inline constexpr index_t padded_channels(index_t channels) { return (channels + 3) / 4 * 4; }

/// value = (byte - zero) * scale.
struct quantization {
  float scale = 1;
  int zero = 0;
};

/// What a convolution is made of, in real numbers but for the weights: `weight` (filters, channels / groups, kernel_h, kernel_w)
/// holds integers from -127 to 127.
template <class T>
struct conv_parameters {
  const T* weight;
  const T* scale;                               ///< of the weights, one a filter
  const T* bias = nullptr;                      ///< null: 0
  const T *factor = nullptr, *shift = nullptr;  ///< y = max(x, 0) * factor + shift, one a filter; null: y = x
  quantization input, output;
  bool real_output = false;  ///< y are the values themselves, not bytes
};

/// Bounds of the result as bytes, and a sum of bytes to be added.
struct conv_result {
  bool relu_first = false;  ///< sums are made at least 0 before they are scaled
  float low = 0, high = 255;
  const std::uint8_t* addend = nullptr;
  quantization addend_is = {};
  float addend_scale = 0;  ///< addend_is.scale / output.scale
  std::uint8_t* y = nullptr;
  float* values = nullptr;
};

/// Whether every channel has one filter of its own.
inline bool has_filter_a_channel(const conv_geometry& g) {
  return g.groups > 1 && g.group_channels() == 1 && g.group_filters() == 1;
}

/// Stretches of neighbouring bytes in a filter: a row of taps, or where groups or dilation part them the channels of one.
struct filter_runs {
  index_t count, taps_in_one, groups;

  explicit filter_runs(const conv_geometry& g) {
    const bool rows = g.groups == 1 && g.dilation_w == 1;
    taps_in_one = rows ? g.kernel_w : 1;
    count = g.taps() / taps_in_one;
    groups = taps_in_one * padded_channels(g.group_channels()) / 4;
  }
};

/// Where the parts of packed weights lie.
struct packed_layout {
  index_t groups, group_filters, panel, panels, panel_bytes, filters;

  packed_layout(isa i, const conv_geometry& g) {
    const filter_runs runs(g);
    groups = has_filter_a_channel(g) ? 1 : g.groups;
    group_filters = g.filters / groups;
    panel = panel_filters(product_isa(i));
    panels = (group_filters + panel - 1) / panel;
    panel_bytes = runs.count * runs.groups * panel * 4;  // four bytes a step of a product, or a depthwise tap as a word
    filters = groups * panels * panel;
  }
  index_t bias() const { return filters / panel * panel_bytes; }
  index_t scale() const { return bias() + filters * 4; }
  index_t offset() const { return scale() + filters * 4; }
  index_t bytes() const { return offset() + filters * 4; }
};

inline index_t packed_weight_bytes(isa i, const conv_geometry& g) {
  return scratch::bytes_for<std::byte>(packed_layout(i, g).bytes());
}

/// A whole number within 2^30 of 0, whatever a file claims.
inline std::int32_t bounded_whole(double x) {
  constexpr double most = 1 << 30;
  return std::isfinite(x) ? static_cast<std::int32_t>(std::nearbyint((std::min)((std::max)(x, -most), most))) : 0;
}

/// Writes bias, scale and offset of filter `f`, whose weights add up to `sum`, to place `at`.
template <class T>
void pack_scales(const conv_parameters<T>& p, index_t f, index_t sum, std::int32_t* bias, float* scale, float* offset) {
  const double unit = static_cast<double>(p.input.scale) * static_cast<double>(p.scale[f]);
  const double constant = p.bias == nullptr ? 0.0 : static_cast<double>(p.bias[f]);
  *bias = bounded_whole(constant / unit) - static_cast<std::int32_t>(p.input.zero * sum);
  const double factor = p.factor == nullptr ? 1.0 : static_cast<double>(p.factor[f]);
  const double shift = p.shift == nullptr ? 0.0 : static_cast<double>(p.shift[f]);
  const double step = p.real_output ? 1.0 : static_cast<double>(p.output.scale);
  *scale = static_cast<float>(unit * factor / step);
  *offset = static_cast<float>(shift / step + (p.real_output ? 0 : p.output.zero));
}

/// Packs weights for `convolve` on the same instruction set.
template <class T>
void pack_weights(isa i, const conv_geometry& g, const conv_parameters<T>& p, std::byte* packed) {
  const packed_layout layout(i, g);
  const index_t stored = padded_channels(g.group_channels());
  std::memset(packed, 0, static_cast<std::size_t>(layout.bytes()));
  auto* const bias = reinterpret_cast<std::int32_t*>(packed + layout.bias());
  auto* const scale = reinterpret_cast<float*>(packed + layout.scale());
  auto* const offset = reinterpret_cast<float*>(packed + layout.offset());
  for (index_t f = 0; f < g.filters; ++f) {
    const index_t at = f / layout.group_filters * layout.panels * layout.panel + f % layout.group_filters;
    const index_t lane = at % layout.panel;
    auto* const to = reinterpret_cast<std::int8_t*>(packed + at / layout.panel * layout.panel_bytes);
    const T* from = p.weight + f * g.group_channels() * g.taps();
    index_t sum = 0;
    for (index_t c = 0; c < g.group_channels(); ++c)
      for (index_t tap = 0; tap < g.taps(); ++tap) {
        const std::int32_t w = (std::min)((std::max)(bounded_whole(static_cast<double>(*from++)), -127), 127);
        const index_t k = tap * stored + c;
        if (has_filter_a_channel(g))
          reinterpret_cast<std::int32_t*>(to)[tap * layout.panel + lane] = w;
        else
          to[(k / 4 * layout.panel + lane) * 4 + k % 4] = static_cast<std::int8_t>(w);
        sum += w;
      }
    pack_scales(p, f, sum, bias + at, scale + at, offset + at);
  }
}

/// How a convolution is shared out: tasks are some rows of results of the whole batch, times some panels of filters.
struct conv_tasks {
  index_t rows, row_tasks, filter_tasks;

  /// Rows of results whose inputs fit a part of a second-level cache.
  static index_t most_rows(const conv_geometry& g) {
    constexpr index_t bytes = 256 << 10, pixels = 8192;
    const index_t row = (g.width + g.pad_left + g.pad_right) * padded_channels(g.channels) * g.stride_h;
    return (std::max)(index_t{1}, (std::min)(bytes / row, pixels / g.out_width()));
  }
  conv_tasks(int threads, index_t batch, const conv_geometry& g, index_t panels) {
    const index_t all = batch * g.out_height(), pixels = all * g.out_width();
    const index_t each = pixels >= 1024 * threads ? 4 : 1;  // few pixels: weights are read once for each task
    const bool few = pixels <= 256;
    row_tasks = (std::max)((all + most_rows(g) - 1) / most_rows(g), few ? index_t{1} : (std::min)(all, each * threads));
    rows = (all + row_tasks - 1) / row_tasks;
    filter_tasks = few && threads > 1 ? (std::min)(panels, index_t{2} * threads) : 1;
  }
};

/// One thread's memory.
struct conv_workspace {
  static index_t image_rows(index_t rows, const conv_geometry& g) {
    const index_t images = (rows + g.out_height() - 2) / g.out_height() + 1;
    return (std::min)(rows * g.stride_h + images * ((g.kernel_h - 1) * g.dilation_h + 1),
                      images * (g.height + g.pad_top + g.pad_bottom));
  }
  static bool copies(const conv_geometry& g) { return g.pad_top + g.pad_bottom + g.pad_left + g.pad_right > 0; }
  static index_t row_bytes(const conv_geometry& g) { return (g.width + g.pad_left + g.pad_right) * padded_channels(g.channels); }
  static index_t buffer_bytes(index_t rows, const conv_geometry& g) { return copies(g) ? image_rows(rows, g) * row_bytes(g) : 0; }
  static index_t bytes(index_t batch, const conv_geometry& g) {
    const index_t rows = (std::min)(conv_tasks::most_rows(g), batch * g.out_height());
    return scratch::bytes_for<std::uint8_t>(buffer_bytes(rows, g)) + scratch::bytes_for<index_t>(rows * g.out_width()) +
           scratch::bytes_for<index_t>(g.taps()) + scratch::bytes_for<std::int32_t>(14 * 32);
  }

  conv_workspace(std::byte* block, index_t batch, const conv_geometry& g) {
    scratch mine(block, bytes(batch, g));
    const index_t rows = (std::min)(conv_tasks::most_rows(g), batch * g.out_height());
    buffer = mine.take<std::uint8_t>(buffer_bytes(rows, g));
    pixels = mine.take<index_t>(rows * g.out_width());
    runs = mine.take<index_t>(g.taps());
    sums = mine.take<std::int32_t>(14 * 32);
  }
  std::uint8_t* buffer;
  index_t *pixels, *runs;
  std::int32_t* sums;
};

inline index_t conv_scratch_bytes(int threads, index_t batch, const conv_geometry& g) {
  return threads * conv_workspace::bytes(batch, g);
}

/// Brings rows [begin, end) of results (of all images, one behind the other) within reach: copies with padding of value `zero`,
/// or `x` itself. Writes the offset of each result's first tap.
inline const std::uint8_t* gather_rows(const conv_geometry& g, const std::uint8_t* x, int zero, index_t begin, index_t end,
                                       conv_workspace& work) {
  const index_t pixel = padded_channels(g.channels), row = g.width * pixel, oh = g.out_height(), ow = g.out_width();
  const bool copy = conv_workspace::copies(g);
  const index_t wide = copy ? conv_workspace::row_bytes(g) : row;
  const index_t reach = (g.kernel_h - 1) * g.dilation_h + 1;
  index_t* to = work.pixels;
  std::uint8_t* line = work.buffer;
  for (index_t r = begin; r < end;) {
    const index_t image = r / oh, first = r - image * oh, last = (std::min)(oh, first + end - r);
    const std::uint8_t* const from = x + image * g.height * row;
    const index_t top = first * g.stride_h - g.pad_top, lines = (last - 1 - first) * g.stride_h + reach;
    const index_t start = copy ? line - work.buffer : (image * g.height + top) * row;
    for (index_t i = top; copy && i < top + lines; ++i, line += wide) {
      if (i < 0 || i >= g.height) {
        std::memset(line, zero, static_cast<std::size_t>(wide));
        continue;
      }
      std::memset(line, zero, static_cast<std::size_t>(g.pad_left * pixel));
      std::memcpy(line + g.pad_left * pixel, from + i * row, static_cast<std::size_t>(row));
      std::memset(line + g.pad_left * pixel + row, zero, static_cast<std::size_t>(g.pad_right * pixel));
    }
    for (index_t i = 0; i < last - first; ++i)
      for (index_t j = 0; j < ow; ++j) *to++ = start + i * g.stride_h * wide + j * g.stride_w * pixel;
    r += last - first;
  }
  for (index_t tap = 0, run = 0; run < filter_runs(g).count; ++run, tap += filter_runs(g).taps_in_one)
    work.runs[run] = tap / g.kernel_w * g.dilation_h * wide + tap % g.kernel_w * g.dilation_w * pixel;
  return copy ? work.buffer : x;
}

/// y = convolution of x (batch, height, width, padded channels) with packed weights, y of (batch, out_height(), out_width(),
/// padded filters), or of so many values without padding.
template <class T>
void convolve(const context& ctx, index_t batch, const conv_geometry& g, const T* x, int zero, const std::byte* packed,
              const conv_result& result, scratch& work) {
  const packed_layout layout(ctx.instruction_set, g);
  const filter_runs runs(g);
  const index_t all_panels = layout.groups * layout.panels, bytes = conv_workspace::bytes(batch, g), ow = g.out_width();
  const conv_tasks tasks(ctx.threads, batch, g, all_panels);
  const bool real = result.values != nullptr;
  const index_t stride = real ? g.filters : padded_channels(g.filters), pixel = padded_channels(g.channels);
  const bool depthwise = has_filter_a_channel(g);
  std::byte* const block = work.take<std::byte>(ctx.threads * bytes);
  const isa i = product_isa(ctx.instruction_set);
  parallel_tasks(ctx.threads, tasks.row_tasks * tasks.filter_tasks, [&](index_t task, int thread) {
    conv_workspace mine(block + thread * bytes, batch, g);
    const index_t row_task = task / tasks.filter_tasks, part = task % tasks.filter_tasks;
    const index_t all = batch * g.out_height();
    const index_t begin = all * row_task / tasks.row_tasks, end = all * (row_task + 1) / tasks.row_tasks;
    const std::uint8_t* const from = gather_rows(g, x, zero, begin, end, mine);
    const index_t last = all_panels * (part + 1) / tasks.filter_tasks;
    for (index_t panel = all_panels * part / tasks.filter_tasks; panel < last; ++panel) {
      const index_t group = panel / layout.panels, within = panel % layout.panels * layout.panel;
      const index_t filter = group * layout.group_filters + within, at = begin * ow * stride + filter;
      const index_t end_of_group = group + 1 == layout.groups ? stride : (group + 1) * layout.group_filters;
      const index_t channel = depthwise ? filter : group * g.group_channels();
      const auto floats = [&](index_t where) { return reinterpret_cast<const float*>(packed + where) + panel * layout.panel; };
      panel_product p{.x = from + channel,
                      .pixels = mine.pixels,
                      .count = (end - begin) * ow,
                      .runs = mine.runs,
                      .run_count = runs.count,
                      .run_groups = runs.groups,
                      .weights = reinterpret_cast<const std::int8_t*>(packed + panel * layout.panel_bytes),
                      .bias = reinterpret_cast<const std::int32_t*>(packed + layout.bias()) + panel * layout.panel,
                      .sums = mine.sums,
                      .depthwise = depthwise,
                      .channels = pixel - channel,
                      .to = {}};
      p.to = {.scale = floats(layout.scale()),
              .offset = floats(layout.offset()),
              .relu_first = result.relu_first,
              .low = result.low,
              .high = result.high,
              .addend = result.addend == nullptr ? nullptr : result.addend + at,
              .addend_scale = result.addend_scale,
              .addend_zero = static_cast<float>(result.addend_is.zero),
              .y = real ? nullptr : result.y + at,
              .values = real ? result.values + at : nullptr,
              .pixel_stride = stride,
              .filters = (std::min)(layout.panel, end_of_group - filter)};
      multiply_panel(i, p, x);
    }
  });
}

}  // namespace minicnn::inline MINICNN_ABI::int8
