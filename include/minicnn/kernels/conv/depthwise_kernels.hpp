#pragma once
/// The inner loops of depthwise convolution: one plane and one filter at a time.

#include <algorithm>

#include "minicnn/kernels/conv/padded_input.hpp"
#include "minicnn/kernels/simd/lanes.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// A plane on its way into a buffer of rows x columns: cell (y, x) goes to (top + y * step_h, left + x * step_w).
template <class T>
struct depthwise_plane {
  index_t height, width, top, left, step_h, step_w;
  index_t rows, columns;
  const T *from, *from_end;  ///< the plane; the end of all planes, up to which vectors may be loaded
  T* padded;                 ///< rows * columns + depthwise_slack<T>

  index_t size() const { return rows * columns; }
};

/// Read behind a buffer: a vector of results of stride 2 at its last cell.
template <class T>
inline constexpr index_t depthwise_slack = 4 * pack_slack<T>;

/// A filter over a buffered plane, and where results go.
template <class T>
struct depthwise_filter {
  index_t kernel_h, kernel_w, stride_h, stride_w;
  index_t out_rows, out_columns;
  const T* taps;  ///< kernel_h x kernel_w
  bool turned;    ///< last tap first
  T bias;
  bool relu, add;
  T* out;
};

/// Copies a plane to its buffer, with zeros around it and behind it.
struct depthwise_pad_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const depthwise_plane<T>* plane) {
    const depthwise_plane<T> p = *plane;
    const T* const end = p.padded + p.size() + depthwise_slack<T>;
    const index_t count = (std::min)(p.width, (p.columns - p.left + p.step_w - 1) / p.step_w);
    T* to = p.padded;
    for (index_t r = 0; r < p.rows; ++r, to += p.columns) {
      const index_t y = r - p.top;
      const bool outside = y < 0 || y % p.step_h != 0 || y / p.step_h >= p.height;
      const T* const row = p.from + (outside ? 0 : y / p.step_h * p.width);
      if (outside || p.step_w != 1) {
        zero_run<V>(to, end, p.columns);
        if (!outside)
          for (index_t x = 0; x < count; ++x) to[p.left + x * p.step_w] = row[x];
        continue;
      }
      zero_run<V>(to, end, p.left);
      copy_strided<V>(to + p.left, end, row, p.from_end, 1, count);
      zero_run<V>(to + p.left + count, end, p.columns - p.left - count);
    }
    zero_run<V>(to, end, depthwise_slack<T>);
  }
};

struct depthwise_kernel {
  /// The buffer of `plane` is filled already (depthwise_pad_kernel).
  template <class V, class T>
  MINICNN_INLINE static void run(const depthwise_plane<T>* plane, const depthwise_filter<T>* filter) {
    const depthwise_filter<T> f = *filter;
    if (f.kernel_h == 3 && f.kernel_w == 3) {
      index_t oy = 0;
      if (f.stride_h == 1 && f.stride_w == 1)
        for (; oy + 2 <= f.out_rows; oy += 2) rows_of_3x3<V, 1, 2>(plane->padded, plane->columns, f, oy);
      for (; oy < f.out_rows; ++oy)
        if (f.stride_w == 1)
          rows_of_3x3<V, 1, 1>(plane->padded, plane->columns, f, oy);
        else
          rows_of_3x3<V, 2, 1>(plane->padded, plane->columns, f, oy);
    } else if (f.stride_w == 1) {
      convolve<V, 1>(plane->padded, plane->columns, f);
    } else {
      convolve<V, 2>(plane->padded, plane->columns, f);
    }
  }

 private:
  /// Results `ox` and on of a row, a vector or what is left of it. `room`: how many may be written, some to be written over.
  template <class V, class T>
  MINICNN_INLINE static void finish(const depthwise_filter<T>& f, const vec<T, V>& value, index_t ox, index_t room, T* out) {
    constexpr int lanes = V::template lanes<T>;
    vec<T, V> sum = value;
    if (f.out_columns - ox >= lanes || (!f.add && room >= lanes)) {
      if (f.add) {
        vec<T, V> before;
        load<V>(before, out + ox);
        sum += before;
      }
      if (f.relu) sum = sum < T{0} ? vec<T, V>{} : sum;
      store<V>(out + ox, sum);
    } else {
      T rest[lanes];
      store<V>(rest, sum);
      for (index_t i = 0; i < f.out_columns - ox; ++i) {
        const T result = f.add ? out[ox + i] + rest[i] : rest[i];
        out[ox + i] = f.relu && result < T{0} ? T{0} : result;
      }
    }
  }

  /// `Rows` rows of results, beside each other if there are two: these share two of four rows of the map.
  template <class V, int Stride, int Rows, class T>
  MINICNN_INLINE static void rows_of_3x3(const T* padded, index_t columns, const depthwise_filter<T>& f, index_t oy) {
    constexpr int lanes = V::template lanes<T>;
    T* const out = f.out + oy * f.out_columns;
    const T* const out_end = f.out + f.out_rows * f.out_columns;
    vec<T, V> tap[9];
    MINICNN_UNROLL
    for (int t = 0; t < 9; ++t) tap[t] = vec<T, V>{} + f.taps[f.turned ? 8 - t : t];
    const T* row = padded + oy * f.stride_h * columns;
    for (index_t ox = 0; ox < f.out_columns; ox += lanes, row += lanes * Stride) {
      vec<T, V> sum[Rows], x;
      MINICNN_UNROLL
      for (int o = 0; o < Rows; ++o) sum[o] = vec<T, V>{} + f.bias;
      MINICNN_UNROLL
      for (int r = 0; r < Rows + 2; ++r) {
        MINICNN_UNROLL
        for (int kw = 0; kw < 3; ++kw) {
          load_strided<Stride, V>(x, row + r * columns + kw);
          MINICNN_UNROLL
          for (int o = 0; o < Rows; ++o)
            if (r - o >= 0 && r - o < 3) sum[o] += tap[(r - o) * 3 + kw] * x;
        }
      }
      // A vector may run into the next row only if that is made later.
      MINICNN_UNROLL
      for (int o = 0; o < Rows; ++o)
        finish<V>(f, sum[o], ox, o + 1 < Rows ? 0 : out_end - out - o * f.out_columns - ox, out + o * f.out_columns);
    }
  }

  /// Filters of any size, row by row.
  template <class V, int Stride, class T>
  MINICNN_INLINE static void convolve(const T* padded, index_t columns, const depthwise_filter<T>& f) {
    constexpr index_t lanes = V::template lanes<T>;
    const index_t taps = f.kernel_h * f.kernel_w, step = f.turned ? -1 : 1;
    const T* const out_end = f.out + f.out_rows * f.out_columns;
    T* out = f.out;
    for (index_t oy = 0; oy < f.out_rows; ++oy, out += f.out_columns)
      for (index_t ox = 0; ox < f.out_columns; ox += lanes) {
        vec<T, V> sum = vec<T, V>{} + f.bias, x;
        const T* tap = f.turned ? f.taps + taps - 1 : f.taps;
        for (index_t kh = 0; kh < f.kernel_h; ++kh) {
          const T* const row = padded + (oy * f.stride_h + kh) * columns + ox * Stride;
          for (index_t kw = 0; kw < f.kernel_w; ++kw, tap += step) {
            load_strided<Stride, V>(x, row + kw);
            sum += *tap * x;
          }
        }
        finish<V>(f, sum, ox, out_end - out - ox, out);
      }
  }
};

/// What a plane adds to the gradient of its filter, taps row by row.
struct depthwise_weight_kernel {
  /// The buffer of `plane` is filled already.
  template <class V, class T>
  MINICNN_INLINE static void run(const depthwise_plane<T>* plane, const depthwise_filter<T>* filter, const T* dy, const T* dy_end,
                                 T* sums) {
    const depthwise_filter<T> f = *filter;
    for (index_t kh = 0; kh < f.kernel_h; ++kh)
      for (index_t kw = 0; kw < f.kernel_w; kw += 3) {
        const T* const corner = plane->padded + kh * plane->columns + kw;
        T* const to = sums + kh * f.kernel_w + kw;
        if (f.stride_w == 1)
          add_taps<V, 1>(corner, plane->columns, f, dy, dy_end, (std::min)(f.kernel_w - kw, index_t{3}), to);
        else
          add_taps<V, 2>(corner, plane->columns, f, dy, dy_end, (std::min)(f.kernel_w - kw, index_t{3}), to);
      }
  }

 private:
  /// Up to three taps beside each other: to[i] += the sum of dy times the cells that tap i meets.
  template <class V, int Stride, class T>
  MINICNN_INLINE static void add_taps(const T* corner, index_t columns, const depthwise_filter<T>& f, const T* dy,
                                      const T* dy_end, index_t count, T* to) {
    constexpr index_t lanes = V::template lanes<T>;
    vec<T, V> first{}, second{}, third{}, d, x, lane{};
    MINICNN_UNROLL
    for (int i = 0; i < static_cast<int>(lanes); ++i) lane[i] = static_cast<T>(i);
    for (index_t oy = 0; oy < f.out_rows; ++oy, dy += f.out_columns)
      for (index_t ox = 0; ox < f.out_columns; ox += lanes) {
        const index_t left = f.out_columns - ox;
        if (dy_end - dy - ox >= lanes) {
          load<V>(d, dy + ox);
          if (left < lanes) d = lane < static_cast<T>(left) ? d : vec<T, V>{};
        } else {
          T rest[lanes] = {};
          for (index_t i = 0; i < left; ++i) rest[i] = dy[ox + i];
          load<V>(d, static_cast<const T*>(rest));
        }
        const T* const row = corner + oy * f.stride_h * columns + ox * Stride;
        load_strided<Stride, V>(x, row);
        first += d * x;
        load_strided<Stride, V>(x, row + 1);
        second += d * x;
        load_strided<Stride, V>(x, row + 2);
        third += d * x;
      }
    to[0] += sum_of_lanes<V, T>(first);
    if (count > 1) to[1] += sum_of_lanes<V, T>(second);
    if (count > 2) to[2] += sum_of_lanes<V, T>(third);
  }
};

}  // namespace minicnn::inline MINICNN_ABI::kernels
