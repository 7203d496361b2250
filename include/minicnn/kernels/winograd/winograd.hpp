#pragma once
/// Winograd convolution: which convolutions it supports, how their maps are cut into tiles, and the kernels between maps and
/// tiles. transform.hpp has the arithmetic, forward.hpp and backward_weight.hpp the passes.
///
/// A pass works through chunks of some hundred tiles: patches are transformed into the packed panels that the tile of
/// tile.hpp reads, 36 matrix products follow, one for each point of the tile, and their results are transformed back. Where
/// filters are few each thread does all of this for some tiles of its own; else threads share each step.

#include <algorithm>

#include "minicnn/kernels/conv/padded_input.hpp"
#include "minicnn/kernels/product/packed_product.hpp"
#include "minicnn/kernels/product/tile_amx.hpp"
#include "minicnn/kernels/product/tile_bf16.hpp"
#include "minicnn/kernels/simd/lanes.hpp"
#include "minicnn/kernels/winograd/transform.hpp"

namespace minicnn::inline MINICNN_ABI::kernels::winograd {

/// Whether F(4 x 4, 3 x 3) or F(2 x 2, 5 x 5) can compute this convolution and its gradients.
inline bool is_supported(const conv_geometry& g) {
  const index_t most = g.kernel_h - 1;
  return g.kernel_h == g.kernel_w && (g.kernel_h == 3 || g.kernel_h == 5) && g.stride_h == 1 && g.stride_w == 1 &&
         g.dilation_h == 1 && g.dilation_w == 1 && g.pad_top <= most && g.pad_bottom <= most && g.pad_left <= most &&
         g.pad_right <= most;
}

/// The convolution whose output is the gradient of `g`'s input: filters and channels change places, padding its complement.
inline conv_geometry of_input_gradient(const conv_geometry& g) {
  conv_geometry back = g;
  back.channels = g.filters, back.filters = g.channels;
  back.height = g.out_height(), back.width = g.out_width();
  back.pad_top = g.kernel_h - 1 - g.pad_top, back.pad_bottom = g.kernel_h - 1 - g.pad_bottom;
  back.pad_left = g.kernel_w - 1 - g.pad_left, back.pad_right = g.kernel_w - 1 - g.pad_right;
  return back;
}

/// Tiles of the output maps.
struct tiling {
  index_t outputs;        ///< along a side of a tile
  index_t rows, columns;  ///< tiles of a map

  explicit tiling(const conv_geometry& g)
      : outputs(outputs_of(g.kernel_h)), rows(divide_up(g.out_height(), outputs)), columns(divide_up(g.out_width(), outputs)) {}

  index_t count() const { return rows * columns; }

  /// Maps copied with zeros all around: every tile of `extent` pixels a side can be read whole. Channels are kept from being a
  /// multiple of 1 KiB apart, where sixteen of them would share a few places of the first-level cache: by more columns, and by
  /// one more row where rows are so many that columns change nothing (256 of float).
  padded_layout planes(index_t channels, index_t height, index_t width, index_t before_h, index_t before_w, index_t extent,
                       index_t element_bytes) const {
    padded_layout p{channels, height, width, before_h, before_w};
    p.rows = rows * outputs + extent - outputs;
    p.columns = columns * outputs + extent - outputs;
    p.rows += p.rows * element_bytes % 1024 == 0;
    while ((p.channel_size() * element_bytes + 64) % 1024 < 128) p.columns += 1;
    return p;
  }
};

/// Whether Winograd is worth its transforms, judged by the shape alone. Per tile an element costs filters * channels
/// multiplications and transforms that grow with filters + channels; weights are transformed once for all tiles, or, if they are
/// `prepacked`, read from memory once. Direct convolution multiplies taps * pixels. The factors of the terms are rough
/// costs in multiply-adds, not a fit: `bench_conv` times both ways, and a test holds what the rule decides for layers of
/// networks.
inline bool is_profitable(index_t batch, const conv_geometry& g, bool prepacked = false) {
  if (!is_supported(g)) return false;
  const tiling t(g);
  const double tiles = static_cast<double>(batch * t.count());
  const double channels = static_cast<double>(g.group_channels()), filters = static_cast<double>(g.group_filters());
  const double pixels = static_cast<double>(batch * g.out_height() * g.out_width());
  const double direct = pixels * static_cast<double>(g.taps()) * channels * filters;
  const double once = prepacked ? 12 : 24;
  const double here =
      tile_elements * (1.15 * tiles * channels * filters + 20 * tiles * (channels + filters) + once * channels * filters);
  return channels >= 16 && filters >= 16 && here < direct;
}

/// Whether a convolution goes by Winograd, in all passes: one rule by shape, and by what the caller allows. AMX is faster at the
/// direct product than fewer multiplications in float.
template <class T>
bool is_chosen(const context& ctx, index_t batch, const conv_geometry& g, bool prepacked = false) {
  const bool amx = ctx.bf16 && std::is_same_v<T, float> && has_amx(ctx.instruction_set);
  return ctx.winograd && !amx && is_profitable(batch, g, prepacked);
}

/// Tiles of a chunk: transformed patches and products of about 12 MB, so that they and the filters stay in a cache of 32 MB, and
/// enough tiles that the transformed weights are not read too often. Depends on the shape alone.
template <class T>
index_t chunk_tiles(index_t channels, index_t filters, index_t most) {
  const index_t bytes = tile_elements * (channels + filters) * static_cast<index_t>(sizeof(T));
  return std::clamp((index_t{12} << 20) / bytes / most_tile_columns<T> * most_tile_columns<T>, index_t{64}, most);
}

/// Whether a group's filters x channels are so few that all points of them, transformed filters or sums of gradients, stay in a
/// second-level cache while a thread takes some tiles through all steps.
template <class T>
bool few_filters(index_t filters, index_t channels) {
  return tile_elements * filters * channels * static_cast<index_t>(sizeof(T)) <= 640 * 1024;
}

/// Tiles that a thread takes through all steps where filters are few: half a megabyte of points or less, but at least a panel.
template <class T>
index_t tiles_per_thread(index_t channels, index_t filters) {
  const index_t bytes = tile_elements * (channels + filters) * static_cast<index_t>(sizeof(T)), unit = most_tile_columns<T>;
  return (std::max)((index_t{1} << 19) / bytes / unit, index_t{1}) * unit;
}

/// Cuts `tiles` into shares of at most `most`, whole multiples of `unit`: nearly equal, and about a multiple of `threads` of
/// them. Results must not depend on it.
inline index_t share_of_tiles(index_t tiles, index_t most, int threads, index_t unit) {
  const index_t shares = round_up(divide_up(tiles, most), threads);
  return round_up(divide_up(tiles, shares), unit);
}

/// Where tiles begin: offsets[t] in the copied planes for t in [first, first + count), numbered image by image, row by row. The
/// last is repeated up to `padded`.
inline void tile_offsets(const tiling& t, const padded_layout& planes, index_t first, index_t count, index_t padded,
                         index_t* offsets) {
  for (index_t i = 0; i < padded; ++i) {
    const index_t tile = first + (std::min)(i, count - 1), image = tile / t.count(), within = tile % t.count();
    offsets[i] = image * planes.image_size() + within / t.columns * t.outputs * planes.columns + within % t.columns * t.outputs;
  }
}

/// offsets[i] = min(first + i, last) * stride.
inline void line_offsets(index_t first, index_t last, index_t stride, index_t count, index_t* offsets) {
  for (index_t i = 0; i < count; ++i) offsets[i] = (std::min)(first + i, last) * stride;
}

/// Rows of outputs that several tiles of a vector share: values [from, from + count) of each interleaved row go to
/// target + row * width of the map, for `rows` rows.
struct output_run {
  index_t target;
  int from, count, rows;
};

/// The runs of tiles [first, last), at most one a tile; `from` counts from `first`. Returns how many.
inline index_t output_runs(const tiling& t, const conv_geometry& g, index_t map, index_t first, index_t last, output_run* runs) {
  index_t count = 0;
  for (index_t tile = first; tile < last;) {
    const index_t image = tile / t.count(), row = tile % t.count() / t.columns, column = tile % t.columns;
    const index_t tiles = (std::min)(last - tile, t.columns - column), begin = column * t.outputs;
    runs[count++] = {image * map + row * t.outputs * g.out_width() + begin, static_cast<int>((tile - first) * t.outputs),
                     static_cast<int>((std::min)(tiles * t.outputs, g.out_width() - begin)),
                     static_cast<int>((std::min)(t.outputs, g.out_height() - row * t.outputs))};
    tile += tiles;
  }
  return count;
}

/// Packed panels of one operand: point p, panel j, step k, line i at [((p * panels + j) * steps + k) * width + i].
struct panel_layout {
  index_t panels, steps, width;
  index_t panel_size() const { return steps * width; }
  index_t point_size() const { return panels * panel_size(); }
  index_t size() const { return tile_elements * point_size(); }
};

/// Steps of the summed dimension that one step of a packed panel holds: two if operands are rounded to bfloat16.
template <class T>
int steps_together(const context& ctx) {
  return std::is_same_v<T, float> && ctx.bf16 && native_bf16(ctx.instruction_set) ? 2 : 1;
}

/// The tile of the products of `filters` rows.
template <class T>
tile<T> product_tile(const context& ctx, index_t filters) {
  const int rows = choose_tile_rows(ctx.instruction_set, filters);
  if constexpr (std::is_same_v<T, float>) {
    if (steps_together<T>(ctx) == 2) return bf16_pairs_tile(ctx.instruction_set, rows);
  }
  return plain_tile<T>(ctx.instruction_set, rows);
}

/// Stores point (r, j) of `Together` steps for all r: as they are, or two rounded to bfloat16 in one word.
template <class V, int Together, class T>
MINICNN_INLINE void store_points(const vec<T, V> (&column)[Together][side], int j, T* to, index_t point_size, index_t left) {
  constexpr index_t lanes = V::template lanes<T>;
  MINICNN_UNROLL
  for (int r = 0; r < side; ++r) {
    vec<T, V> out = column[0][r];
    if constexpr (Together == 2) {
      word_vec<V> words;
      pair_native<V>(words, column[0][r], column[1][r]);
      out = reinterpret_cast<vec<T, V>>(words);
    }
    // The next steps overwrite what a store writes past the panel's width; behind the last ones is another panel.
    T* const place = to + (r * side + j) * point_size;
    if (left >= lanes)
      store<V>(place, out);
    else
      store_part<V>(place, out, left);
  }
}

/// Patches of Count x Count values to points: `lines` of the `width` lines of each of `steps` steps (the rest of a panel
/// is not read), line l of step s at `from[step[s] + line[l]]` with rows `row_stride` apart. Count = 6: patches of the input (Bt
/// d B); 4 or 2: gradients of outputs (A g At). `Together` steps become one of the panel.
template <int Count, int Together = 1>
struct patch_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const T* from, index_t row_stride, const index_t* step, index_t steps, const index_t* line,
                                 index_t lines, index_t width, T* to, index_t point_size) {
    constexpr int lanes = V::template lanes<T>;
    const index_t words = (steps + Together - 1) / Together;
    for (index_t s = 0; s < words; ++s, to += width)
      for (index_t i = 0; i < lines; i += lanes) {
        vec<T, V> rows[Together][Count][side];
        for (int n = 0; n < Together; ++n) {
          const bool there = s * Together + n < steps;
          const T* const patch = from + step[there ? s * Together + n : 0];
          for (int r = 0; r < Count; ++r) {
            if constexpr (Count == side) {
              load_row<V, side>(rows[n][r], patch + r * row_stride, line + i);
              transform_patch<T>(rows[n][r]);
            } else {
              vec<T, V> row[Count];
              load_row<V, Count>(row, patch + r * row_stride, line + i);
              transform_gradient<T>(row, rows[n][r]);
            }
            for (int j = 0; Together > 1 && !there && j < side; ++j) rows[n][r][j] = vec<T, V>{};
          }
        }
        for (int j = 0; j < side; ++j) {
          vec<T, V> column[Together][side];
          MINICNN_UNROLL
          for (int n = 0; n < Together; ++n) {
            if constexpr (Count == side) {
              MINICNN_UNROLL
              for (int r = 0; r < side; ++r) column[n][r] = rows[n][r][j];
              transform_patch<T>(column[n]);
            } else {
              vec<T, V> half[Count];
              MINICNN_UNROLL
              for (int r = 0; r < Count; ++r) half[r] = rows[n][r][j];
              transform_gradient<T>(half, column[n]);
            }
          }
          store_points<V, Together>(column, j, to + i, point_size, (words - s) * width - i);
        }
      }
  }
};

/// Filters to points (G w Gt): line l of step s is the Taps x Taps filter at from[step_stride * s + line[l]], rotated by 180
/// degrees if `turned`. `Together` steps become one of the panel.
template <int Taps, int Together = 1>
struct filter_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const T* from, index_t step_stride, index_t steps, const index_t* line, index_t width,
                                 bool turned, T* to, index_t point_size) {
    constexpr int lanes = V::template lanes<T>, taps = Taps * Taps;
    const index_t words = (steps + Together - 1) / Together;
    T gathered[taps * lanes] = {};
    for (index_t s = 0; s < words; ++s, to += width)
      for (index_t i = 0; i < width; i += lanes) {
        vec<T, V> rows[Together][Taps][side];
        for (int n = 0; n < Together; ++n) {
          const bool there = s * Together + n < steps;
          for (int l = 0; l < lanes; ++l) {
            const T* const filter = from + (there ? s * Together + n : 0) * step_stride + line[i + l];
            for (int k = 0; k < taps; ++k) gathered[k * lanes + l] = there ? filter[turned ? taps - 1 - k : k] : T{0};
          }
          for (int r = 0; r < Taps; ++r) {
            vec<T, V> row[Taps];
            MINICNN_UNROLL
            for (int k = 0; k < Taps; ++k) load<V>(row[k], gathered + (r * Taps + k) * lanes);
            transform_filter<T>(row, rows[n][r]);
          }
        }
        for (int j = 0; j < side; ++j) {
          vec<T, V> out[Together][side];
          MINICNN_UNROLL
          for (int n = 0; n < Together; ++n) {
            vec<T, V> column[Taps];
            MINICNN_UNROLL
            for (int r = 0; r < Taps; ++r) column[r] = rows[n][r][j];
            transform_filter<T>(column, out[n]);
          }
          store_points<V, Together>(out, j, to + i, point_size, (words - s) * width - i);
        }
      }
  }
};

/// `dispatch<Kernel<Size, Together>>` for the number of steps that go together.
template <template <int, int> class Kernel, int Size, class T, class... A>
void dispatch_transform(isa i, int together, const T* from, A... arguments) {
  if constexpr (std::is_same_v<T, float>) {
    if (together == 2) return dispatch_native<Kernel<Size, 2>>(from, arguments...);
  }
  dispatch<Kernel<Size, 1>>(i, from, arguments...);
}

/// Products of `filters` filters and the tiles of one vector, and where their outputs go: point p of filter f is at
/// products[p * point_size + f * width], map f at y + f * map.
template <class T>
struct output_operands {
  const T* products;
  index_t point_size, width, filters;
  const output_run* runs;
  index_t run_count, out_width;
  const T* bias;  ///< null: none
  fused_activation<T> activation;
  bool add;
  T* y;
  index_t map;
};

/// Points to outputs (At m A). Bias, addition and then the activation's bounds on the way.
template <int Outputs>
struct output_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const output_operands<T>* operands) {
    auto [products, point_size, width, filters, runs, run_count, out_width, bias, activation, add, y, map] = *operands;
    constexpr int lanes = V::template lanes<T>, row = Outputs * lanes;
    T outputs[Outputs * row];
    for (index_t f = 0; f < filters; ++f, products += width, y += map) {
      vec<T, V> rows[side][Outputs];
      for (int j = 0; j < side; ++j) {
        vec<T, V> column[side];
        MINICNN_UNROLL
        for (int r = 0; r < side; ++r) load<V>(column[r], products + (r * side + j) * point_size);
        transform_products<T>(column, rows[j]);
      }
      const T shift = bias == nullptr ? T{0} : bias[f];
      for (int o = 0; o < Outputs; ++o) {
        vec<T, V> across[side], out[Outputs];
        MINICNN_UNROLL
        for (int j = 0; j < side; ++j) across[j] = rows[j][o];
        transform_products<T>(across, out);
        MINICNN_UNROLL
        for (int j = 0; j < Outputs; ++j) {
          out[j] += shift;
          if (!add) activation.template bound<V>(out[j]);
        }
        store_interleaved<V>(outputs + o * row, out);
      }
      for (index_t n = 0; n < run_count; ++n)
        for (int o = 0; o < runs[n].rows; ++o)
          copy_run<lanes>(y + runs[n].target + o * out_width, outputs + o * row + runs[n].from, runs[n].count, add,
                          add ? activation : fused_activation<T>{});
    }
  }
};

/// Points to the gradient of filters (Gt u G), a vector of channels at a time: `channels` lanes of it are stored at
/// to[channel * taps].
template <int Taps>
struct filter_gradient_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const T* products, index_t point_size, index_t channels, bool add, T* to) {
    constexpr int lanes = V::template lanes<T>, taps = Taps * Taps;
    vec<T, V> rows[side][Taps];
    for (int j = 0; j < side; ++j) {
      vec<T, V> column[side];
      MINICNN_UNROLL
      for (int r = 0; r < side; ++r) load<V>(column[r], products + (r * side + j) * point_size);
      transform_filter_gradient<T>(column, rows[j]);
    }
    T gathered[taps * lanes];
    for (int r = 0; r < Taps; ++r) {
      vec<T, V> across[side], out[Taps];
      MINICNN_UNROLL
      for (int j = 0; j < side; ++j) across[j] = rows[j][r];
      transform_filter_gradient<T>(across, out);
      MINICNN_UNROLL
      for (int k = 0; k < Taps; ++k) store<V>(gathered + (r * Taps + k) * lanes, out[k]);
    }
    for (index_t l = 0; l < channels; ++l, to += taps)
      for (int k = 0; k < taps; ++k) to[k] = add ? to[k] + gathered[k * lanes + l] : gathered[k * lanes + l];
  }
};

}  // namespace minicnn::inline MINICNN_ABI::kernels::winograd
