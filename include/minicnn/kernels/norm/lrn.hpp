#pragma once
/// Local response normalisation across channels: y_i = x_i / (k + alpha * sum of x_j^2 over a window of channels)^beta.
///
/// Vectors run over pixels; each sum is added up afresh from its few channels, so that no rounding error builds up along the
/// channels. Backward computes the sums again: they cost a few multiply-adds on data that is in cache, whereas saving them
/// would move another tensor to memory and back, and hold it from forward to backward.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/simd/lanes.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// The window of channel i is i - before to i + after, cut off at the first and last channel.
struct lrn_window {
  index_t before = 2;
  index_t after = 2;
  double alpha = 1e-4;
  double beta = 0.75;
  double k = 2.0;
};

/// A batch of images as LRN sees it.
struct lrn_extents {
  index_t images = 0;
  index_t channels = 0;
  index_t pixels = 0;  ///< height times width
};

/// out = s^-0.75 for s > 0, to about one unit in the last place. A first guess of s^-0.25 from the exponent bits (3.2 % off) is
/// refined by Newton's steps for w^-4 = s; the last step is one for v^-4 = s^3, since cubing a rounded w would triple its error.
template <class V, class T>
MINICNN_INLINE void inverse_three_quarters(vec<T, V>& out, const vec<T, V>& s) {
  using integer = lane_int<T>;
  constexpr integer magic = static_cast<integer>(sizeof(T) == 4 ? 0x4F5847AE : 0x4FEB08F5C28F5C00);
  using ints = vec<integer, V>;
  const ints bits = magic - (reinterpret_cast<ints>(s) >> 2);
  vec<T, V> w = reinterpret_cast<vec<T, V>>(bits);
  const vec<T, V> quarter = s * T(0.25);
  for (int step = 0; step < (sizeof(T) == 4 ? 2 : 3); ++step) {
    const vec<T, V> square = w * w;
    w *= T(1.25) - quarter * (square * square);
  }
  const vec<T, V> v = w * w * w;
  const vec<T, V> sv = s * v;
  out = v + v * (T(0.25) - (quarter * v) * (sv * sv) * v);  // v + v / 4 * (1 - s^3 v^4)
}

/// An ordinary function, compiled once for all instruction sets.
template <class T>
void raise_to(T* values, int count, T exponent) {
  for (int i = 0; i < count; ++i) values[i] = std::pow(values[i], exponent);
}

/// out = s^-beta
template <class V, class T>
MINICNN_INLINE void inverse_power(vec<T, V>& out, const vec<T, V>& s, double beta) {
  if (beta == 0.75) return inverse_three_quarters<V, T>(out, s);
  T lanes[V::template lanes<T>];
  store<V>(lanes, s);
  raise_to(lanes, V::template lanes<T>, static_cast<T>(-beta));
  load<V>(out, lanes);
}

/// `Whole`: a full vector of pixels is there. Otherwise nothing from `end` on may be read.
template <bool Whole, class V, class T>
MINICNN_INLINE void load_pixels(vec<T, V>& out, const T* from, const T* end) {
  if (Whole || end - from >= V::template lanes<T>)
    load<V>(out, from);
  else
    load_part<V>(out, from, end - from);
}

template <bool Whole, class V, class T>
MINICNN_INLINE void store_pixels(T* to, const vec<T, V>& value, index_t count) {
  if (Whole)
    store<V>(to, value);
  else
    store_part<V, T>(to, value, count);
}

/// s = k + alpha * sum of squares in the window of channel c; `first` is the pixel in channel 0.
template <bool Whole, class V, class T>
MINICNN_INLINE void lrn_scale(vec<T, V>& s, const lrn_extents& e, const lrn_window& w, const T* first, const T* end, index_t c) {
  const index_t from = (std::max)(c - w.before, index_t{0}), to = (std::min)(c + w.after, e.channels - 1);
  vec<T, V> sum{}, x;
  const T* pixel = first + from * e.pixels;
  for (index_t j = from; j <= to; ++j, pixel += e.pixels) {
    load_pixels<Whole, V, T>(x, pixel, end);
    sum += x * x;
  }
  s = static_cast<T>(w.k) + static_cast<T>(w.alpha) * sum;
}

struct lrn_forward_kernel {
  /// Channels [c0, c1) and pixels [p0, p1) of one image; `end` is where the input's memory ends.
  template <class V, class T>
  MINICNN_INLINE static void run(lrn_extents e, lrn_window w, const T* image, const T* end, T* out, index_t c0, index_t c1,
                                 index_t p0, index_t p1) {
    constexpr index_t lanes = V::template lanes<T>;
    for (index_t c = c0; c < c1; ++c) {
      index_t p = p0;
      for (; p + lanes <= p1; p += lanes) pixels<true, V>(e, w, image + p, end, out + p, c, lanes);
      if (p < p1) pixels<false, V>(e, w, image + p, end, out + p, c, p1 - p);
    }
  }

  template <bool Whole, class V, class T>
  MINICNN_INLINE static void pixels(const lrn_extents& e, const lrn_window& w, const T* in, const T* end, T* out, index_t c,
                                    index_t count) {
    vec<T, V> s, x;
    lrn_scale<Whole, V, T>(s, e, w, in, end, c);
    inverse_power<V, T>(s, s, w.beta);
    load_pixels<Whole, V, T>(x, in + c * e.pixels, end);
    x *= s;
    store_pixels<Whole, V, T>(out + c * e.pixels, x, count);
  }
};

/// With v_j = s_j^-beta and t_j = g_j x_j v_j / s_j, the gradient of x_i is g_i v_i - 2 alpha beta x_i * (sum of t_j over the
/// channels j whose windows hold i). Channels are walked once; the last t_j and g_j v_j wait in rings.
struct lrn_backward_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(lrn_extents e, lrn_window w, const T* image, const T* end, const T* upstream, T* out, bool add,
                                 T* ring, index_t pitch, index_t p0, index_t p1) {
    constexpr index_t lanes = V::template lanes<T>;
    const index_t size = w.before + w.after + 1;
    T* terms = ring;                  // `size` rows: t of channel j in row j % size, zero where there is no channel
    T* direct = ring + size * pitch;  // before + 1 rows: g_j v_j
    std::memset(terms, 0, static_cast<std::size_t>(size * pitch) * sizeof(T));
    index_t term_row = 0, direct_row = 0;
    for (index_t j = 0; j < e.channels + w.before; ++j) {
      T* term = terms + term_row * pitch;
      T* next_direct = direct + direct_row * pitch;
      if (++term_row == size) term_row = 0;
      if (++direct_row == w.before + 1) direct_row = 0;
      const T* old_direct = direct + direct_row * pitch;
      index_t p = p0;
      for (; p + lanes <= p1; p += lanes) {
        enter<true, V>(e, w, image + p, end, upstream + p, j, lanes, term + p - p0, next_direct + p - p0);
        leave<true, V>(e, w, image + p, end, out + p, j, lanes, add, terms + p - p0, old_direct + p - p0, pitch);
      }
      if (p < p1) {
        enter<false, V>(e, w, image + p, end, upstream + p, j, p1 - p, term + p - p0, next_direct + p - p0);
        leave<false, V>(e, w, image + p, end, out + p, j, p1 - p, add, terms + p - p0, old_direct + p - p0, pitch);
      }
    }
  }

  /// t_j and g_j v_j; behind the last channel t is zero.
  template <bool Whole, class V, class T>
  MINICNN_INLINE static void enter(const lrn_extents& e, const lrn_window& w, const T* in, const T* end, const T* upstream,
                                   index_t j, index_t count, T* term, T* direct) {
    vec<T, V> x, t{}, s, v, g;
    if (j < e.channels) {
      lrn_scale<Whole, V, T>(s, e, w, in, end, j);
      inverse_power<V, T>(v, s, w.beta);
      load_pixels<Whole, V, T>(x, in + j * e.pixels, end);
      load_pixels<Whole, V, T>(g, upstream + j * e.pixels, upstream + j * e.pixels + count);
      g *= v;
      store<V>(direct, g);
      t = g * x / s;
    }
    store<V>(term, t);
  }

  /// The gradient of channel j - before, whose last term is t_j.
  template <bool Whole, class V, class T>
  MINICNN_INLINE static void leave(const lrn_extents& e, const lrn_window& w, const T* in, const T* end, T* out, index_t j,
                                   index_t count, bool add, const T* terms, const T* direct, index_t pitch) {
    const index_t c = j - w.before;
    if (c < 0) return;
    vec<T, V> sum{}, t, x, gradient;
    for (index_t row = 0; row <= w.before + w.after; ++row, terms += pitch) {
      load<V>(t, terms);
      sum += t;
    }
    load_pixels<Whole, V, T>(x, in + c * e.pixels, end);
    load<V>(gradient, direct);
    gradient += static_cast<T>(-2.0 * w.alpha * w.beta) * x * sum;
    T* place = out + c * e.pixels;
    if (add) {
      load_pixels<Whole, V, T>(t, static_cast<const T*>(place), static_cast<const T*>(place) + count);
      gradient += t;
    }
    store_pixels<Whole, V, T>(place, gradient, count);
  }
};

/// Pixels that are worked on at a time: a few thousand bytes of each channel in the window fit the first cache.
inline constexpr index_t lrn_chunk = 512;

/// `in` and `out` are (images, channels, pixels). k must be above 0.
template <class T>
void lrn_forward(const context& ctx, const lrn_extents& e, const lrn_window& w, const T* in, T* out) {
  const T* end = in + e.images * e.channels * e.pixels;
  parallel_for(ctx.threads, e.images * e.channels, 1 + 4096 / (e.pixels + 1), [&](index_t first, index_t last) {
    while (first < last) {
      const index_t offset = first / e.channels * e.channels * e.pixels;
      const index_t c0 = first % e.channels, c1 = (std::min)(e.channels, c0 + last - first);
      for (index_t p = 0; p < e.pixels; p += lrn_chunk)
        dispatch<lrn_forward_kernel>(ctx.instruction_set, e, w, in + offset, end, out + offset, c0, c1, p,
                                     (std::min)(p + lrn_chunk, e.pixels));
      first += c1 - c0;
    }
  });
}

/// Elements of a thread's ring in `lrn_backward`.
inline index_t lrn_ring_size(const lrn_window& w) { return (2 * w.before + w.after + 2) * lrn_chunk; }

template <class T>
index_t lrn_backward_scratch_bytes(int threads, const lrn_window& w) {
  return scratch::bytes_for<T>(threads * lrn_ring_size(w));
}

/// Gradient of the input from that of the output. `in_gradient` may be `out_gradient`; `add` adds to what is there.
template <class T>
void lrn_backward(const context& ctx, const lrn_extents& e, const lrn_window& w, const T* in, const T* out_gradient,
                  T* in_gradient, bool add, scratch work) {
  const T* end = in + e.images * e.channels * e.pixels;
  T* rings = work.take<T>(ctx.threads * lrn_ring_size(w));
  const index_t chunks = reduction_chunks(e.pixels, lrn_chunk);
  parallel_tasks(ctx.threads, e.images * chunks, [&](index_t task, int thread) {
    const index_t offset = task / chunks * e.channels * e.pixels, p = task % chunks * lrn_chunk;
    dispatch<lrn_backward_kernel>(ctx.instruction_set, e, w, in + offset, end, out_gradient + offset, in_gradient + offset, add,
                                  rings + thread * lrn_ring_size(w), lrn_chunk, p, (std::min)(p + lrn_chunk, e.pixels));
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
