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
#include "minicnn/kernels/context.hpp"
#include "minicnn/kernels/lanes.hpp"

namespace minicnn::inline MINICNN_ABI {

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

namespace detail {

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

/// out = s^-beta
template <class V, class T>
MINICNN_INLINE void inverse_power(vec<T, V>& out, const vec<T, V>& s, double beta) {
  if (beta == 0.75) return inverse_three_quarters<V, T>(out, s);
  T lanes[V::template lanes<T>];
  store<V>(lanes, s);
  for (T& lane : lanes) lane = std::pow(lane, static_cast<T>(-beta));
  load<V>(out, lanes);
}

/// Loads a vector, or what is left of it before `end`.
template <class V, class T>
MINICNN_INLINE void load_before(vec<T, V>& out, const T* from, const T* end) {
  if (end - from >= V::template lanes<T>)
    load<V>(out, from);
  else
    load_part<V>(out, from, end - from);
}

/// s = k + alpha * sum of squares in the window of channel c, at the pixels from p on.
template <class V, class T>
MINICNN_INLINE void lrn_scale(vec<T, V>& s, const lrn_extents& e, const lrn_window& w, const T* image, const T* end, index_t c,
                              index_t p) {
  const index_t last = (std::min)(c + w.after, e.channels - 1);
  vec<T, V> sum{}, x;
  for (index_t j = (std::max)(c - w.before, index_t{0}); j <= last; ++j) {
    load_before<V>(x, image + j * e.pixels + p, end);
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
    for (index_t c = c0; c < c1; ++c)
      for (index_t p = p0; p < p1; p += lanes) {
        vec<T, V> s, x;
        lrn_scale<V, T>(s, e, w, image, end, c, p);
        inverse_power<V, T>(s, s, w.beta);
        load_before<V>(x, image + c * e.pixels + p, end);
        x *= s;
        if (p1 - p >= lanes)
          store<V>(out + c * e.pixels + p, x);
        else
          store_part<V, T>(out + c * e.pixels + p, x, p1 - p);
      }
  }
};

/// With v_j = s_j^-beta and t_j = g_j x_j v_j / s_j, the gradient of x_i is g_i v_i - 2 alpha beta x_i * (sum of t_j over the
/// channels j whose windows hold i). Channels are walked once; the last t_j and g_j v_j wait in `ring`.
struct lrn_backward_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(lrn_extents e, lrn_window w, const T* image, const T* end, const T* upstream, T* out, bool add,
                                 T* ring, index_t pitch, index_t p0, index_t p1) {
    constexpr index_t lanes = V::template lanes<T>;
    const index_t size = w.before + w.after + 1;
    const T factor = static_cast<T>(-2.0 * w.alpha * w.beta);
    T* terms = ring;                  // `size` rows: t of channel j in row j % size, zero where there is no channel
    T* direct = ring + size * pitch;  // before + 1 rows: g_j v_j
    std::memset(terms, 0, static_cast<std::size_t>(size * pitch) * sizeof(T));
    index_t term_row = 0, direct_row = 0;
    for (index_t j = 0; j < e.channels + w.before; ++j) {
      const index_t c = j - w.before;  // the channel whose last term is t_j
      T* term = terms + term_row * pitch;
      T* next_direct = direct + direct_row * pitch;
      if (++term_row == size) term_row = 0;
      if (++direct_row == w.before + 1) direct_row = 0;
      const T* old_direct = direct + direct_row * pitch;  // of channel c: the row that is overwritten next
      for (index_t p = p0; p < p1; p += lanes) {
        const index_t r = p - p0, count = p1 - p;
        vec<T, V> x, value{};
        if (j < e.channels) {
          vec<T, V> s, v, g;
          lrn_scale<V, T>(s, e, w, image, end, j, p);
          inverse_power<V, T>(v, s, w.beta);
          load_before<V>(x, image + j * e.pixels + p, end);
          load_before<V>(g, upstream + j * e.pixels + p, upstream + j * e.pixels + p1);
          g *= v;
          store<V>(next_direct + r, g);
          value = g * x / s;
        }
        store<V>(term + r, value);
        if (c < 0) continue;
        vec<T, V> sum{}, gradient;
        for (index_t row = 0; row < size; ++row) {
          load<V>(value, terms + row * pitch + r);
          sum += value;
        }
        load_before<V>(x, image + c * e.pixels + p, end);
        load<V>(gradient, old_direct + r);
        gradient += factor * x * sum;
        T* place = out + c * e.pixels + p;
        if (add) {
          load_before<V>(value, static_cast<const T*>(place), static_cast<const T*>(place) + count);
          gradient += value;
        }
        if (count >= lanes)
          store<V>(place, gradient);
        else
          store_part<V, T>(place, gradient, count);
      }
    }
  }
};

}  // namespace detail

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
        dispatch<detail::lrn_forward_kernel>(ctx.instruction_set, e, w, in + offset, end, out + offset, c0, c1, p,
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
    dispatch<detail::lrn_backward_kernel>(ctx.instruction_set, e, w, in + offset, end, out_gradient + offset,
                                          in_gradient + offset, add, rings + thread * lrn_ring_size(w), lrn_chunk, p,
                                          (std::min)(p + lrn_chunk, e.pixels));
  });
}

}  // namespace minicnn::inline MINICNN_ABI
