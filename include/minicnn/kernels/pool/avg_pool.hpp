#pragma once
/// Average pooling.

#include <algorithm>
#include <cstring>

#include "minicnn/kernels/pool/pooling.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

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

/// Windows of stride 1 along rows. The rows of a window are added up first, and then these sums along the row, with zeros beside
/// them: kernel height + width loads a vector instead of height * width, and windows in the padding take the same way.
struct avg_pool_rows_kernel {
  template <class T>
  static constexpr index_t room = 4096 / static_cast<index_t>(sizeof(T));

  template <class T>
  static bool serve(const pool_geometry& g) {
    const pool_axis& c = g.columns;
    return !g.rows.adaptive() && !c.adaptive() && c.stride == 1 && c.kernel + c.before + c.in + c.after + 64 <= room<T>;
  }

  template <class V, class T>
  MINICNN_INLINE static void run(const pool_geometry* geometry, bool count_padding, const T* in, const T* in_end, T* out,
                                 const T* out_end) {
    constexpr index_t lanes = V::template lanes<T>;
    const pool_geometry g = *geometry;
    const pool_axis& c = g.columns;
    T sums[room<T>] = {}, cells[room<T>];
    for (index_t x = 0; x < c.out + lanes; ++x) cells[x] = x < c.out ? static_cast<T>(c.cells(x, count_padding)) : T{1};
    T* const line = sums + c.before;
    for (; out != out_end; in += g.in_size())
      for (index_t oy = 0; oy < g.rows.out; ++oy, out += c.out) {
        const index_t y0 = g.rows.begin(oy), y1 = g.rows.end(oy);
        for (index_t x = 0; x < c.in; x += lanes) {
          const T* row = in + y0 * c.in + x;
          const bool whole = in_end - row - (y1 - 1 - y0) * c.in >= lanes;
          vec<T, V> sum{}, value;
          for (index_t y = y0; y < y1; ++y, row += c.in) {
            if (whole)
              load<V>(value, row);
            else
              load_part<V>(value, row, c.in - x);
            sum += value;
          }
          store<V>(line + x, sum);
        }
        store<V>(line + c.in, vec<T, V>{});
        // The last vector runs into the next row, which is made later, but not past `out_end`.
        const T height = static_cast<T>(g.rows.cells(oy, count_padding));
        for (index_t ox = 0; ox < c.out; ox += lanes) {
          vec<T, V> sum{}, value;
          for (index_t d = 0; d < c.kernel; ++d) {
            load<V>(value, static_cast<const T*>(sums) + ox + d);
            sum += value;
          }
          load<V>(value, static_cast<const T*>(cells) + ox);
          const vec<T, V> mean = sum / (value * height);
          if (out_end - out - ox >= lanes)
            store<V>(out + ox, mean);
          else
            store_part<V>(out + ox, mean, c.out - ox);
        }
      }
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

/// Spreads gradients evenly over their windows, plane after plane; writes, or adds if `add`.
struct avg_pool_gradient_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(pool_geometry g, index_t planes, bool count_padding, const T* from, T* to, bool add) {
    const bool by_rows = g.columns.stride == 1 && 8 * g.columns.out >= g.columns.in &&
                         g.columns.kernel + g.columns.before + g.columns.in + g.columns.after + 64 <= room<T>;
    T shares[room<T>];
    if (by_rows) std::fill(shares, shares + room<T>, T{0});
    for (index_t p = 0; p < planes; ++p, from += g.out_size(), to += g.in_size()) {
      if (!add) std::memset(to, 0, static_cast<std::size_t>(g.in_size()) * sizeof(T));
      if (by_rows)
        rows<V>(g, count_padding, from, shares, to);
      else
        singles(g, count_padding, from, to);
    }
  }

 private:
  template <class T>
  static constexpr index_t room = 4096 / static_cast<index_t>(sizeof(T));

  /// Stride 1 along a row: what a row of windows gives to each row that it covers is summed once, by vectors, from the windows'
  /// shares, which have zeros before and behind them.
  template <class V, class T>
  MINICNN_INLINE static void rows(const pool_geometry& g, bool count_padding, const T* from, T* shares, T* to) {
    constexpr index_t lanes = V::template lanes<T>;
    const pool_axis& c = g.columns;
    T sums[room<T>];
    for (index_t oy = 0; oy < g.rows.out; ++oy, from += c.out) {
      const index_t y0 = g.rows.begin(oy), y1 = g.rows.end(oy);
      if (y0 >= y1) continue;
      const T height = static_cast<T>(g.rows.cells(oy, count_padding));
      for (index_t ox = 0; ox < c.out; ++ox)
        shares[c.kernel - 1 + ox] = from[ox] / (height * static_cast<T>((std::max)(index_t{1}, c.cells(ox, count_padding))));
      for (index_t x = 0; x < c.in; x += lanes) {
        vec<T, V> sum{}, share;
        for (index_t d = 0; d < c.kernel; ++d) {
          load<V>(share, static_cast<const T*>(shares) + c.before + x + d);
          sum += share;
        }
        store<V>(sums + x, sum);
      }
      for (index_t y = y0; y < y1; ++y) copy_run<lanes>(to + y * c.in, static_cast<const T*>(sums), c.in, true);
    }
  }

  template <class T>
  MINICNN_INLINE static void singles(const pool_geometry& g, bool count_padding, const T* from, T* to) {
    for (index_t oy = 0; oy < g.rows.out; ++oy) {
      const index_t y0 = g.rows.begin(oy), y1 = g.rows.end(oy), height = g.rows.cells(oy, count_padding);
      for (index_t ox = 0; ox < g.columns.out; ++ox) {
        const index_t x0 = g.columns.begin(ox), x1 = g.columns.end(ox);
        const T share = *from++ / static_cast<T>(height * g.columns.cells(ox, count_padding));
        for (index_t y = y0; y < y1; ++y)
          for (index_t x = x0; x < x1; ++x) to[y * g.columns.in + x] += share;
      }
    }
  }
};

/// Means of windows: `in` is (planes, rows.in, columns.in), `out` (planes, rows.out, columns.out). With `count_padding` padding
/// counts as zeros, else only cells of the image are averaged.
template <class T>
void avg_pool_forward(const context& ctx, const pool_geometry& g, index_t planes, bool count_padding, const T* in, T* out) {
  const index_t size = g.out_size();
  const bool global = g.global() && g.rows.cells(0, count_padding) * g.columns.cells(0, count_padding) == g.in_size();
  parallel_for(ctx.threads, planes, 1 + 16384 / (g.in_size() + 1), [&](index_t begin, index_t end) {
    if (global)
      dispatch<plane_mean_kernel>(ctx.instruction_set, in + begin * g.in_size(), g.in_size(), out + begin, end - begin);
    else if (avg_pool_rows_kernel::serve<T>(g))
      dispatch<avg_pool_rows_kernel>(ctx.instruction_set, &g, count_padding, in + begin * g.in_size(), in + planes * g.in_size(),
                                     out + begin * size, static_cast<const T*>(out + end * size));
    else
      dispatch<pool_kernel<avg_pool_body>>(ctx.instruction_set, g, in + begin * g.in_size(), in + planes * g.in_size(),
                                           out + begin * size, out + end * size, static_cast<std::uint8_t*>(nullptr),
                                           count_padding);
  });
}

/// Spreads each gradient of `out` evenly over its window. `add` adds to `in_gradient`, otherwise it is written.
template <class T>
void avg_pool_backward(const context& ctx, const pool_geometry& g, index_t planes, bool count_padding, const T* out_gradient,
                       T* in_gradient, bool add) {
  parallel_for(ctx.threads, planes, 1 + 16384 / (g.in_size() + 1), [&](index_t begin, index_t end) {
    dispatch<avg_pool_gradient_kernel>(ctx.instruction_set, g, end - begin, count_padding, out_gradient + begin * g.out_size(),
                                       in_gradient + begin * g.in_size(), add);
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
