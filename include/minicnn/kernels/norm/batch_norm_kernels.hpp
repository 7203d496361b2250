#pragma once
/// Batch normalisation's passes over the values of a channel: sums of moments and of gradients, the scaling, and its gradient.

#include "minicnn/kernels/norm/batch_norm_blocks.hpp"
#include "minicnn/kernels/simd/lanes.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

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

/// The bounds of the activation behind a normalisation: its gradient passes where (x - center) * scale + shift lies between.
template <class T>
struct norm_bounds {
  const T *scale, *shift;
  T low, high;

  template <class V>
  MINICNN_INLINE void pass(vec<T, V>& gradient, const vec<T, V>& value, const vec<T, V>& middle) const {
    vec<T, V> factor, term;
    load<V>(factor, scale);
    load<V>(term, shift);
    const vec<T, V> y = (value - middle) * factor + term;
    gradient = (y - low) * (high - y) > T{0} ? gradient : vec<T, V>{};
  }
};

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

/// Lane sums of g and of g * (x - center), where g is the gradient that passes `bounds`; null: all of it.
struct norm_products_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const T* x, const T* g, norm_rows r, const T* center, const norm_bounds<T>* bounds, T* sums,
                                 T* products) {
    vec<T, V> middle, sum{}, product{}, value, gradient;
    load<V>(middle, center);
    for (index_t row = 0; row < r.rows; ++row, x += r.stride, g += r.stride)
      for (index_t i = 0; i < r.length; i += V::template lanes<T>) {
        load_up_to<V, T>(value, x + i, r.length - i, center[0]);
        load_up_to<V, T>(gradient, g + i, r.length - i, T{0});
        if (bounds != nullptr) bounds->template pass<V>(gradient, value, middle);
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
  MINICNN_INLINE static void run(const T* x, T* y, norm_rows r, const T* center, const T* scale, const T* shift,
                                 const fused_activation<T>* activation) {
    const fused_activation<T> fused = *activation;
    vec<T, V> middle, factor, term, value;
    load<V>(middle, center);
    load<V>(factor, scale);
    load<V>(term, shift);
    for (index_t row = 0; row < r.rows; ++row, x += r.stride, y += r.stride)
      for (index_t i = 0; i < r.length; i += V::template lanes<T>) {
        load_up_to<V, T>(value, x + i, r.length - i, T{0});
        value = (value - middle) * factor + term;
        fused.template bound<V>(value);
        store_up_to<V, T>(y + i, value, r.length - i);
      }
  }
};

/// dx = g * scale + (x - center) * slope + shift; with slope and shift of 0 dx = g * scale. `dx` may be `g`. g is the gradient
/// that passes `bounds`; null: all of it.
struct norm_gradient_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const T* x, const T* g, T* dx, norm_rows r, const T* center, const T* scale, const T* slope,
                                 const T* shift, const norm_bounds<T>* bounds, bool add) {
    vec<T, V> middle, factor, rise, term, value{}, gradient;
    load<V>(middle, center);
    load<V>(factor, scale);
    load<V>(rise, slope);
    load<V>(term, shift);
    for (index_t row = 0; row < r.rows; ++row)
      for (index_t i = 0; i < r.length; i += V::template lanes<T>) {
        const index_t at = row * r.stride + i, count = r.length - i;
        load_up_to<V, T>(gradient, g + at, count, T{0});
        if (x != nullptr) load_up_to<V, T>(value, x + at, count, T{0});
        if (bounds != nullptr) bounds->template pass<V>(gradient, value, middle);
        gradient *= factor;
        if (x != nullptr) gradient += (value - middle) * rise + term;
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

}  // namespace minicnn::inline MINICNN_ABI::kernels
