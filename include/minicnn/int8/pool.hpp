#pragma once
/// Pooling of bytes that lie channel last: neighbouring channels are lanes.

#include <algorithm>
#include <cstdint>

#include "minicnn/int8/elements.hpp"
#include "minicnn/kernels/pool/pooling.hpp"

namespace minicnn::inline MINICNN_ABI::int8 {

/// One result of max pooling: every channel of the cells [y0, y1) x [x0, x1), bytes `stored` apart.
struct max_kernel {
  template <class V>
  MINICNN_INLINE static void run(const std::uint8_t* x, index_t row, index_t stored, kernels::pool_geometry g, index_t oy,
                                 std::uint8_t* y) {
    using bytes = vec<std::uint8_t, V>;
    const index_t y0 = g.rows.begin(oy), y1 = g.rows.end(oy);
    for (index_t ox = 0; ox < g.columns.out; ++ox, y += stored) {
      const index_t x0 = g.columns.begin(ox), x1 = g.columns.end(ox);
      index_t c = 0;
      for (; c + V::bytes <= stored; c += V::bytes) {
        bytes most{}, cell;
        for (index_t i = y0; i < y1; ++i)
          for (index_t j = x0; j < x1; ++j) {
            load<V>(cell, x + i * row + j * stored + c);
            most = cell > most ? cell : most;
          }
        store<V>(y + c, most);
      }
      for (; c < stored; c += 4) {
        std::uint8_t most[4] = {};
        for (index_t i = y0; i < y1; ++i)
          for (index_t j = x0; j < x1; ++j)
            for (index_t k = 0; k < 4; ++k) {
              const std::uint8_t cell = x[i * row + j * stored + c + k];
              most[k] = cell > most[k] ? cell : most[k];
            }
        for (index_t k = 0; k < 4; ++k) y[c + k] = most[k];
      }
    }
  }
};

/// A row of averages: nearest((sum of bytes - cells * x_zero) * factor / cells + zero), cells of the padding counted as 0 or not
/// at all.
struct average_kernel {
  template <class V>
  MINICNN_INLINE static void run(const std::uint8_t* x, index_t row, index_t stored, kernels::pool_geometry g, index_t oy,
                                 bool count_padding, std::int32_t x_zero, float factor, float zero, std::uint8_t* y) {
    constexpr index_t lanes = V::template lanes<std::int32_t>;
    const index_t y0 = g.rows.begin(oy), y1 = g.rows.end(oy);
    for (index_t ox = 0; ox < g.columns.out; ++ox, y += stored) {
      const index_t x0 = g.columns.begin(ox), x1 = g.columns.end(ox);
      const auto cells = static_cast<std::int32_t>((y1 - y0) * (x1 - x0));
      const float divided = factor / static_cast<float>(g.rows.cells(oy, count_padding) * g.columns.cells(ox, count_padding));
      for (index_t c = 0; c < stored; c += lanes) {
        vec<std::int32_t, V> sum{}, cell;
        for (index_t i = y0; i < y1; ++i)
          for (index_t j = x0; j < x1; ++j) {
            load_bytes<V>(cell, x + i * row + j * stored + c, stored - c);
            sum += cell;
          }
        vec<float, V> mean = __builtin_convertvector(sum - cells * x_zero, vec<float, V>) * divided;
        rounded_product(mean);
        bounded_bytes<V>(sum, mean + zero, 0, 255);
        store_bytes<V>(y + c, sum, stored - c);
      }
    }
  }
};

/// Calls `body(image, row of results)` for all of them.
template <class F>
void each_pooled_row(const context& ctx, const extents& e, const kernels::pool_geometry& g, const F& body) {
  const index_t cost = g.columns.out * e.stored() * (std::max)(g.in_size() / (std::max)(g.out_size(), index_t{1}), index_t{1});
  parallel_for(ctx.threads, e.images * g.rows.out, 1 + byte_grain / (std::max)(cost, index_t{1}),
               [&](index_t begin, index_t end) {
                 for (index_t r = begin; r < end; ++r) body(r / g.rows.out, r % g.rows.out);
               });
}

/// y (n, oh, ow, padded c) = maxima of windows of x (n, h, w, padded c); `e` is x's.
template <class X>
void max_pool(const context& ctx, const extents& e, const kernels::pool_geometry& g, const X* x, X* y) {
  const index_t row = g.columns.in * e.stored();
  each_pooled_row(ctx, e, g, [&](index_t n, index_t oy) {
    kernels::dispatch<max_kernel>(ctx.instruction_set, x + n * g.in_size() * e.stored(), row, e.stored(), g, oy,
                                  y + (n * g.rows.out + oy) * g.columns.out * e.stored());
  });
}

/// The same for means.
template <class X>
void avg_pool(const context& ctx, const extents& e, const kernels::pool_geometry& g, bool count_padding, const X* x,
              quantization from, quantization to, X* y) {
  const index_t row = g.columns.in * e.stored();
  each_pooled_row(ctx, e, g, [&](index_t n, index_t oy) {
    kernels::dispatch<average_kernel>(ctx.instruction_set, x + n * g.in_size() * e.stored(), row, e.stored(), g, oy,
                                      count_padding, static_cast<std::int32_t>(from.zero), from.scale / to.scale,
                                      static_cast<float>(to.zero), y + (n * g.rows.out + oy) * g.columns.out * e.stored());
  });
}

}  // namespace minicnn::inline MINICNN_ABI::int8
