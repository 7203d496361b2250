#pragma once
/// Average pooling.

#include <cstring>

#include "minicnn/kernels/pooling.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

struct avg_pool_body {
  template <class V, class T>
  MINICNN_INLINE static bool regular(const T*, index_t) {
    return true;
  }

  template <int Stride, class V, class T>
  MINICNN_INLINE static void lanes(const pool_geometry& g, index_t oy, const T* corner, index_t y0, index_t y1, T* out,
                                   std::uint8_t*, bool count_padding) {
    vec<T, V> sum{};
    for (index_t y = y0; y < y1; ++y, corner += g.columns.in)
      for (index_t dx = 0; dx < g.columns.kernel; ++dx) {
        vec<T, V> value;
        load_strided<Stride, V>(value, corner + dx);
        sum += value;
      }
    store<V>(out, sum / static_cast<T>(g.rows.cells(oy, count_padding) * g.columns.kernel));
  }

  template <class T>
  MINICNN_INLINE static void single(const pool_geometry& g, index_t oy, index_t ox, const T* in, T* out, std::uint8_t*,
                                    bool count_padding) {
    T sum{};
    for (index_t y = g.rows.begin(oy); y < g.rows.end(oy); ++y)
      for (index_t x = g.columns.begin(ox); x < g.columns.end(ox); ++x) sum += in[y * g.columns.in + x];
    out[ox] = sum / static_cast<T>(g.rows.cells(oy, count_padding) * g.columns.cells(ox, count_padding));
  }
};

struct plane_mean_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const T* in, index_t cells, T* out, index_t planes) {
    constexpr index_t lanes = V::template lanes<T>;
    for (index_t p = 0; p < planes; ++p, in += cells) {
      vec<T, V> even{}, odd{}, value;
      index_t i = 0;
      for (; i + 2 * lanes <= cells; i += 2 * lanes) {
        load<V>(value, in + i);
        even += value;
        load<V>(value, in + i + lanes);
        odd += value;
      }
      even += odd;
      T sum = sum_of_lanes<V, T>(even);
      for (; i < cells; ++i) sum += in[i];
      out[p] = sum / static_cast<T>(cells);
    }
  }
};

}  // namespace detail

/// Means of windows: `in` is (planes, rows.in, columns.in), `out` (planes, rows.out, columns.out). With `count_padding` padding
/// counts as zeros, else only cells of the image are averaged.
template <class T>
void avg_pool_forward(const context& ctx, const pool_geometry& g, index_t planes, bool count_padding, const T* in, T* out) {
  const index_t size = g.out_size();
  const bool global = g.global() && g.rows.cells(0, count_padding) * g.columns.cells(0, count_padding) == g.in_size();
  parallel_for(ctx.threads, planes, 1 + 16384 / (g.in_size() + 1), [&](index_t begin, index_t end) {
    if (global)
      dispatch<detail::plane_mean_kernel>(ctx.instruction_set, in + begin * g.in_size(), g.in_size(), out + begin, end - begin);
    else
      dispatch<detail::pool_kernel<detail::avg_pool_body>>(ctx.instruction_set, g, in + begin * g.in_size(),
                                                           in + planes * g.in_size(), out + begin * size, out + end * size,
                                                           static_cast<std::uint8_t*>(nullptr), count_padding);
  });
}

/// Spreads each gradient of `out` evenly over its window. `add` adds to `in_gradient`, otherwise it is written.
template <class T>
void avg_pool_backward(const context& ctx, const pool_geometry& g, index_t planes, bool count_padding, const T* out_gradient,
                       T* in_gradient, bool add) {
  parallel_for(ctx.threads, planes, 1 + 16384 / (g.in_size() + 1), [&](index_t begin, index_t end) {
    for (index_t p = begin; p < end; ++p) {
      T* plane = in_gradient + p * g.in_size();
      const T* upstream = out_gradient + p * g.out_size();
      if (!add) std::memset(plane, 0, static_cast<std::size_t>(g.in_size()) * sizeof(T));
      for (index_t oy = 0; oy < g.rows.out; ++oy) {
        const index_t y0 = g.rows.begin(oy), y1 = g.rows.end(oy), height = g.rows.cells(oy, count_padding);
        for (index_t ox = 0; ox < g.columns.out; ++ox) {
          const index_t x0 = g.columns.begin(ox), x1 = g.columns.end(ox);
          const T share = *upstream++ / static_cast<T>(height * g.columns.cells(ox, count_padding));
          for (index_t y = y0; y < y1; ++y)
            for (index_t x = x0; x < x1; ++x) plane[y * g.columns.in + x] += share;
        }
      }
    }
  });
}

MINICNN_COMPILED_FUNCTION(avg_pool_forward);
MINICNN_COMPILED_FUNCTION(avg_pool_backward);

}  // namespace minicnn::inline MINICNN_ABI
