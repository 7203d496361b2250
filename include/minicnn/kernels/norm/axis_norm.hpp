#pragma once
/// Normalisation and softmax along one axis: x is (outer, length, inner), and each of the outer * inner lines along the middle
/// axis is a vector of its own. Lines whose elements lie side by side (inner = 1) are walked by vectors; else vectors lie across
/// neighbours.

#include <algorithm>
#include <limits>

#include "minicnn/kernels/elementwise/elementwise.hpp"
#include "minicnn/kernels/simd/lanes.hpp"
#include "minicnn/kernels/simd/square_root.hpp"
#include "minicnn/kernels/simd/vector_math.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

struct axis_extents {
  index_t outer, length, inner;
  index_t lines() const { return outer * inner; }

  /// Of axis `axis` of `x`.
  static axis_extents of(const shape& x, int axis) {
    index_t before = 1;
    for (int i = 0; i < axis; ++i) before *= x[i];
    return {before, x[axis], x.size_from(axis + 1)};
  }
};

/// The steps of a vector along one line (`Row`), or along as many neighbouring lines as it has lanes.
template <class V, class T, bool Row>
struct axis_walk {
  static constexpr index_t lanes = V::template lanes<T>;
  index_t length, inner;
  index_t width;  ///< lanes in use; in a row all but those behind its end
  index_t start;  ///< of the first element

  /// For lines from `line` to at most `end`; moves `line` behind those that it takes.
  MINICNN_INLINE axis_walk(const axis_extents& e, index_t& line, index_t end) : length(e.length), inner(e.inner) {
    const index_t o = line / inner, i = line - o * inner;
    start = o * length * inner + i;
    width = Row ? lanes : (std::min)((std::min)(lanes, inner - i), end - line);
    line += Row ? 1 : width;
  }
  MINICNN_INLINE index_t steps() const { return Row ? (length + lanes - 1) / lanes : length; }
  MINICNN_INLINE index_t at(index_t s) const { return start + (Row ? s * lanes : s * inner); }
  MINICNN_INLINE index_t used(index_t s) const { return Row ? (std::min)(lanes, length - s * lanes) : width; }

  MINICNN_INLINE void get(vec<T, V>& v, const T* from, index_t s, T rest = T{0}) const {
    const index_t n = used(s);
    if (n == lanes)
      load<V>(v, from + at(s));
    else
      load_part<V>(v, from + at(s), n, rest);
  }
  MINICNN_INLINE void put(T* to, vec<T, V>& v, index_t s, bool add) const {
    const index_t n = used(s);
    if (add) {
      vec<T, V> before;
      get(before, to, s);
      v += before;
    }
    if (n == lanes)
      store<V>(to + at(s), v);
    else
      store_part<V>(to + at(s), v, n);
  }
  /// A number an element of the axis: w[s] for all neighbours, or its own for each lane of a row.
  MINICNN_INLINE void weight(vec<T, V>& v, const T* w, index_t s) const {
    if constexpr (!Row)
      v = w[s] + vec<T, V>{};
    else if (used(s) == lanes)
      load<V>(v, w + s * lanes);
    else
      load_part<V>(v, w + s * lanes, used(s));
  }
  /// Of a row the sum of all lanes, in each.
  MINICNN_INLINE static void total(vec<T, V>& v) {
    if constexpr (Row) v = sum_of_lanes<V, T>(v) + vec<T, V>{};
  }
};

/// What layer normalisation reads and writes besides x and y; `mean` and `rate` (1 / deviation) have a number a line.
template <class T>
struct layer_norm_parts {
  const T *weight, *bias;  ///< null: none
  T *mean, *rate;          ///< null in forward: not kept
};

template <class T, bool Row>
struct layer_norm_kernel {
  template <class V>
  MINICNN_INLINE static void run(axis_extents e, T eps, layer_norm_parts<T> p, const T* x, T* y, index_t line, index_t end) {
    while (line < end) {
      const index_t first = line;
      const axis_walk<V, T, Row> walk(e, line, end);
      vec<T, V> mean{}, rate{}, v, w;
      for (index_t s = 0; s < walk.steps(); ++s) walk.get(v, x, s), mean += v;
      walk.total(mean);
      mean = mean / static_cast<T>(e.length);
      for (index_t s = 0; s < walk.steps(); ++s) {
        walk.get(v, x, s, mean[0]);
        v = v - mean;
        rate += v * v;
      }
      walk.total(rate);
      rate = rate / static_cast<T>(e.length) + eps;
      square_root<V, T>(rate);
      rate = T{1} / rate;
      if (p.mean != nullptr) {
        store_part<V>(p.mean + first, mean, line - first);
        store_part<V>(p.rate + first, rate, line - first);
      }
      for (index_t s = 0; s < walk.steps(); ++s) {
        walk.get(v, x, s);
        v = (v - mean) * rate;
        if (p.weight != nullptr) walk.weight(w, p.weight, s), v *= w, walk.weight(w, p.bias, s), v += w;
        walk.put(y, v, s, false);
      }
    }
  }
};

template <class T, bool Row>
struct layer_norm_backward_kernel {
  /// dx = rate * (h - mean of h - z * mean of h * z), with h = dy * weight and z = (x - mean) * rate.
  template <class V>
  MINICNN_INLINE static void run(axis_extents e, layer_norm_parts<T> p, const T* x, const T* dy, T* dx, bool add, index_t line,
                                 index_t end) {
    while (line < end) {
      const index_t first = line;
      const axis_walk<V, T, Row> walk(e, line, end);
      vec<T, V> mean, rate, h, z, w, sum{}, product{};
      if constexpr (Row)
        mean = p.mean[first] + vec<T, V>{}, rate = p.rate[first] + vec<T, V>{};
      else
        load_part<V>(mean, p.mean + first, line - first), load_part<V>(rate, p.rate + first, line - first);
      for (index_t s = 0; s < walk.steps(); ++s) {
        walk.get(h, dy, s), walk.get(z, x, s);
        if (p.weight != nullptr) walk.weight(w, p.weight, s), h *= w;
        sum += h, product += h * ((z - mean) * rate);
      }
      walk.total(sum), walk.total(product);
      sum = sum / static_cast<T>(e.length), product = product / static_cast<T>(e.length);
      for (index_t s = 0; s < walk.steps(); ++s) {
        walk.get(h, dy, s), walk.get(z, x, s);
        if (p.weight != nullptr) walk.weight(w, p.weight, s), h *= w;
        h = rate * (h - sum - (z - mean) * rate * product);
        walk.put(dx, h, s, add);
      }
    }
  }
};

template <class T, bool Row>
struct layer_norm_weight_kernel {
  /// Of elements begin to end of the axis the sums of dy * (x - mean) * rate and of dy over all lines, in their order.
  template <class V>
  MINICNN_INLINE static void run(axis_extents e, layer_norm_parts<T> p, const T* x, const T* dy, T* dweight, bool add_weight,
                                 T* dbias, bool add_bias, index_t begin, index_t end) {
    constexpr index_t lanes = V::template lanes<T>;
    for (index_t c = begin; c < end;) {
      const index_t count = Row ? (std::min)(lanes, end - c) : 1;
      vec<T, V> weight{}, bias{};
      for (index_t line = 0; line < e.lines(); line += Row ? 1 : 0) {
        const index_t o = line / e.inner, i = line - o * e.inner;
        const index_t width = Row ? count : (std::min)(lanes, e.inner - i), at = (o * e.length + c) * e.inner + i;
        vec<T, V> g, z, mean, rate;
        load_part<V>(g, dy + at, width), load_part<V>(z, x + at, width);
        if constexpr (Row)
          mean = p.mean[line] + vec<T, V>{}, rate = p.rate[line] + vec<T, V>{};
        else
          load_part<V>(mean, p.mean + line, width), load_part<V>(rate, p.rate + line, width), line += width;
        weight += g * ((z - mean) * rate), bias += g;
      }
      if constexpr (!Row) weight[0] = sum_of_lanes<V, T>(weight), bias[0] = sum_of_lanes<V, T>(bias);
      for (index_t k = 0; k < count; ++k) {
        if (dweight != nullptr) dweight[c + k] = weight[k] + (add_weight ? dweight[c + k] : T{0});
        if (dbias != nullptr) dbias[c + k] = bias[k] + (add_bias ? dbias[c + k] : T{0});
      }
      c += count;
    }
  }
};

template <class T, bool Row>
struct softmax_kernel {
  template <class V>
  MINICNN_INLINE static void run(axis_extents e, const T* x, T* y, index_t line, index_t end) {
    constexpr T lowest = std::numeric_limits<T>::lowest();
    while (line < end) {
      const axis_walk<V, T, Row> walk(e, line, end);
      vec<T, V> largest = lowest + vec<T, V>{}, sum{}, v;
      for (index_t s = 0; s < walk.steps(); ++s) walk.get(v, x, s, lowest), largest = v > largest ? v : largest;
      if constexpr (Row) {
        T most = largest[0];
        for (index_t k = 1; k < walk.lanes; ++k) most = (std::max)(most, static_cast<T>(largest[k]));
        largest = most + vec<T, V>{};
      }
      for (index_t s = 0; s < walk.steps(); ++s) {
        walk.get(v, x, s, lowest);
        v = v - largest;
        vector_exp<V, T>(v, v);
        if (Row && walk.used(s) < walk.lanes)
          for (index_t k = walk.used(s); k < walk.lanes; ++k) v[k] = T{0};
        sum += v;
        walk.put(y, v, s, false);
      }
      walk.total(sum);
      for (index_t s = 0; s < walk.steps(); ++s) {
        walk.get(v, y, s);
        v = v / sum;
        walk.put(y, v, s, false);
      }
    }
  }
};

template <class T, bool Row>
struct softmax_backward_kernel {
  /// dx = y * (dy - sum of dy * y).
  template <class V>
  MINICNN_INLINE static void run(axis_extents e, const T* y, const T* dy, T* dx, bool add, index_t line, index_t end) {
    while (line < end) {
      const axis_walk<V, T, Row> walk(e, line, end);
      vec<T, V> sum{}, v, g;
      for (index_t s = 0; s < walk.steps(); ++s) walk.get(v, y, s), walk.get(g, dy, s), sum += v * g;
      walk.total(sum);
      for (index_t s = 0; s < walk.steps(); ++s) {
        walk.get(v, y, s), walk.get(g, dy, s);
        v = v * (g - sum);
        walk.put(dx, v, s, add);
      }
    }
  }
};

/// Kernel<T, Row>::run(arguments..., line, end) on all lines, shared among the threads.
template <template <class, bool> class Kernel, class T, class... A>
void for_lines(const context& ctx, const axis_extents& e, const A&... arguments) {
  const index_t grain = (std::max)(transcendental_grain / (std::max)(e.length, index_t{1}), index_t{1});
  parallel_for(ctx.threads, e.lines(), grain, [&](index_t begin, index_t end) {
    if (e.inner == 1)
      dispatch<Kernel<T, true>>(ctx.instruction_set, e, arguments..., begin, end);
    else
      dispatch<Kernel<T, false>>(ctx.instruction_set, e, arguments..., begin, end);
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
