#pragma once
/// The tile of 8-bit products, and what becomes of its sums: a scale for each filter, an addend, bounds, rounding.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "minicnn/int8/bytes.hpp"
#include "minicnn/int8/dot.hpp"

namespace minicnn::inline MINICNN_ABI::int8 {

/// Filters of a panel of weights: two vectors of sums.
inline constexpr index_t panel_filters(isa i) { return i == isa::avx512 ? 32 : i == isa::avx2 ? 16 : 8; }

/// value = sum * scale[f] + offset[f] (+ (addend - addend_zero) * addend_scale), each step rounded to float; a byte is the
/// nearest integer (halves to even) within [low, high]. `sum` is first made at least 0 if `relu_first`. Pointers are those of the
/// panel's first filter, `y` and `addend` of the first pixel too.
struct requantization {
  const float *scale = nullptr, *offset = nullptr;
  bool relu_first = false;
  float low = 0, high = 255;
  const std::uint8_t* addend = nullptr;  ///< null: none
  float addend_scale = 0, addend_zero = 0;
  std::uint8_t* y = nullptr;  ///< bytes, or
  float* values = nullptr;    ///< the values as they are, without bounds
  index_t pixel_stride = 0;   ///< elements of y, values and addend from pixel to pixel
  index_t filters = 0;        ///< that are wanted
};

/// A panel of weights times some pixels.
struct panel_product {
  const std::uint8_t* x;          ///< where the pixels' offsets begin
  const index_t* pixels;          ///< offset of the first tap of each pixel
  index_t count;                  ///< of pixels, at least 1
  const index_t* runs;            ///< offsets of stretches of bytes that are neighbours in memory and in the filter
  index_t run_count, run_groups;  ///< stretches, and groups of four bytes in each
  const std::int8_t* weights;     ///< [run][group][filter of the panel][4]
  const std::int32_t* bias;       ///< where the sums begin, a number for each filter of the panel
  std::int32_t* sums;             ///< room for 14 rows of a panel's filters
  bool depthwise = false;         ///< the runs are taps, `weights` words [tap][filter], and filters read a channel each
  index_t channels = 0;           ///< depthwise: that a pixel has from `x` on
  requantization to;
};

/// The sums of `Rows` pixels, the last one again in place of those that `count` lacks. A function of its own for each number of
/// rows: registers hold the sums only where nothing else wants them.
template <int Rows>
struct tile_kernel {
  template <class V>
  MINICNN_INLINE static void run(const panel_product* product, const index_t* pixels, index_t count) {
    constexpr int lanes = V::template lanes<std::int32_t>;
    using words = vec<std::int32_t, V>;
    const panel_product& p = *product;
    words sum[Rows][2];
    const std::uint8_t* from[Rows];
    words first, second;
    load<V>(first, p.bias);
    load<V>(second, p.bias + lanes);
    MINICNN_UNROLL
    for (int i = 0; i < Rows; ++i) {
      sum[i][0] = first, sum[i][1] = second;
      from[i] = p.x + pixels[i < count ? i : count - 1];
    }
    const auto* w = reinterpret_cast<const std::int32_t*>(p.weights);
    for (index_t r = 0; r < p.run_count; ++r) {
      const index_t begin = p.runs[r], end = begin + 4 * p.run_groups;
      for (index_t k = begin; k < end; k += 4, w += 2 * lanes) {
        load<V>(first, w);
        load<V>(second, w + lanes);
        MINICNN_UNROLL
        for (int i = 0; i < Rows; ++i) {
          std::int32_t bytes;
          std::memcpy(&bytes, from[i] + k, 4);
          const words x = words{} + bytes;
          dot4<V>(sum[i][0], x, first);
          dot4<V>(sum[i][1], x, second);
        }
      }
    }
    std::int32_t* const to = p.sums;
    MINICNN_UNROLL
    for (int i = 0; i < Rows; ++i) {
      store<V>(to + 2 * i * lanes, sum[i][0]);
      store<V>(to + (2 * i + 1) * lanes, sum[i][1]);
    }
  }
};

/// The same for filters that read a channel each.
template <int Rows>
struct depthwise_kernel {
  template <class V>
  MINICNN_INLINE static void run(const panel_product* product, const index_t* pixels, index_t count) {
    constexpr int lanes = V::template lanes<std::int32_t>;
    for (int half = 0; half < 2 && half * lanes < product->channels; ++half)
      if (product->channels - half * lanes >= lanes)
        add_taps<V, true>(*product, pixels, count, half * lanes);
      else
        add_taps<V, false>(*product, pixels, count, half * lanes);
  }

  /// A vector of channels, all of which a pixel has if `Whole`.
  template <class V, bool Whole>
  MINICNN_INLINE static void add_taps(const panel_product& p, const index_t* pixels, index_t count, index_t skip) {
    constexpr int lanes = V::template lanes<std::int32_t>;
    const auto* const weights = reinterpret_cast<const std::int32_t*>(p.weights) + skip;
    const std::uint8_t* from[Rows];
    vec<std::int32_t, V> sum[Rows], w, x;
    load<V>(w, p.bias + skip);
    MINICNN_UNROLL
    for (int i = 0; i < Rows; ++i) sum[i] = w, from[i] = p.x + pixels[i < count ? i : count - 1] + skip;
    for (index_t tap = 0; tap < p.run_count; ++tap) {
      load<V>(w, weights + tap * 2 * lanes);
      MINICNN_UNROLL
      for (int i = 0; i < Rows; ++i) {
        load_bytes<V>(x, from[i] + p.runs[tap], Whole ? lanes : p.channels - skip);
        sum[i] += x * w;
      }
    }
    MINICNN_UNROLL
    for (int i = 0; i < Rows; ++i) store<V>(p.sums + 2 * i * lanes + skip, sum[i]);
  }
};

/// One vector of sums to values.
template <class V>
MINICNN_INLINE void scaled_sums(vec<float, V>& value, const vec<std::int32_t, V>& sums, const requantization& to, index_t f) {
  vec<float, V> scale, offset;
  load<V>(scale, to.scale + f);
  load<V>(offset, to.offset + f);
  vec<std::int32_t, V> sum = sums;
  if (to.relu_first) sum = sum < 0 ? vec<std::int32_t, V>{} : sum;
  value = __builtin_convertvector(sum, vec<float, V>) * scale;
  rounded_product(value);
  value += offset;
}

/// value += (byte - zero) * scale, each step rounded.
template <class V>
MINICNN_INLINE void add_bytes(vec<float, V>& value, const std::uint8_t* from, index_t count, float zero, float scale) {
  vec<float, V> addend;
  load_bytes<V>(addend, from, count);
  addend = (addend - zero) * scale;
  rounded_product(addend);
  value += addend;
}

/// Writes the first `count` rows of sums.
struct write_kernel {
  template <class V>
  MINICNN_INLINE static void run(const std::int32_t* sums, index_t count, const requantization* how) {
    constexpr int lanes = V::template lanes<std::int32_t>;
    const index_t panel = 2 * lanes;
    const requantization& to = *how;
    for (index_t i = 0; i < count; ++i, sums += panel) {
      const index_t place = i * to.pixel_stride;
      for (index_t f = 0; f < panel && f < to.filters; f += lanes) {
        const index_t wanted = to.filters - f;
        vec<std::int32_t, V> sum;
        vec<float, V> value;
        load<V>(sum, sums + f);
        scaled_sums<V>(value, sum, to, f);
        if (to.values != nullptr) {
          for (index_t k = 0; k < lanes && k < wanted; ++k) to.values[place + f + k] = value[k];
          continue;
        }
        if (to.addend != nullptr) add_bytes<V>(value, to.addend + place + f, wanted, to.addend_zero, to.addend_scale);
        bounded_bytes<V>(sum, value, to.low, to.high);
        store_bytes<V>(to.y + place + f, sum, wanted);
      }
    }
  }
};

using tile_function = void (*)(const panel_product*, const index_t*, index_t);

template <int Rows>
tile_function tile_of(isa i) {
  return kernels::dispatched_from < Rows <= 4 ? isa::baseline : isa::avx512, tile_kernel<Rows>, const panel_product*,
         const index_t*, index_t > (i);
}

inline tile_function depthwise_tile(isa i) {
  return kernels::dispatched_from<isa::baseline, depthwise_kernel<4>, const panel_product*, const index_t*, index_t>(i);
}

/// All pixels of a panel, some at a time: as many as registers hold, then what is left by a smaller tile. `i`: a `product_isa`.
template <class X>
void multiply_panel(isa i, const panel_product& p, const X*) {
  const bool many = i == isa::avx512;
  for (index_t done = 0; done < p.count;) {
    const index_t left = p.count - done;
    const index_t rows = p.depthwise ? 4 : many && left > 8 ? 14 : many && left > 4 ? 8 : left > 1 ? 4 : 1;
    const tile_function tile = p.depthwise  ? depthwise_tile(i)
                               : rows == 14 ? tile_of<14>(i)
                               : rows == 8  ? tile_of<8>(i)
                               : rows == 4  ? tile_of<4>(i)
                                            : tile_of<1>(i);
    tile(&p, p.pixels + done, left);
    requantization to = p.to;
    if (to.y != nullptr) to.y += done * to.pixel_stride;
    if (to.values != nullptr) to.values += done * to.pixel_stride;
    if (to.addend != nullptr) to.addend += done * to.pixel_stride;
    const index_t wanted = (std::min)(rows, left);
    kernels::dispatch<write_kernel>(i, static_cast<const std::int32_t*>(p.sums), wanted, static_cast<const requantization*>(&to));
    done += rows;
  }
}

}  // namespace minicnn::inline MINICNN_ABI::int8
