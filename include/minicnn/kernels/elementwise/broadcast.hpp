#pragma once
/// Element by element over two operands of which each may be repeated along axes (broadcast), and the sums that its gradients
/// need.
///
/// A formula is a struct with a constant `reads`, the operands that it reads (1: g, 2: a, 4: b, added), and
///
///     template <class V> MINICNN_INLINE void operator()(vec<T, V>& y, const vec<T, V>& g, const vec<T, V>& a, const vec<T, V>&
///     b)
///
/// where g has the result's size (in backward the gradient of the result) and a and b are what meets there.

#include <algorithm>
#include <array>

#include "minicnn/kernels/elementwise/elementwise.hpp"
#include "minicnn/kernels/simd/lanes.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Axes of a result, outermost first, with what lies between neighbours along them in each operand: 0 where it is repeated. Axes
/// of one element are left out, neighbours that can be walked as one axis are joined.
struct broadcast_axes {
  using numbers = std::array<index_t, shape::max_rank + 1>;
  int count = 0;  ///< at least 1
  numbers extent{}, g{}, a{}, b{};

  /// The axes for `result`; `a` and `b` have its extents or 1, and may have fewer axes (those before count as 1).
  broadcast_axes(const shape& result, const shape& first, const shape& second) {
    const auto step = [&](const shape& operand, int axis, index_t& size) {
      const int own = axis - (result.rank() - operand.rank());
      if (own < 0 || operand[own] == 1) return index_t{0};
      const index_t here = size;
      size *= operand[own];
      return here;
    };
    index_t size = 1, size_a = 1, size_b = 1;
    for (int axis = result.rank() - 1; axis >= 0; --axis) {  // collected innermost first
      const index_t n = result[axis];
      const index_t step_a = step(first, axis, size_a), step_b = step(second, axis, size_b);
      if (n == 1) continue;
      const auto inner = static_cast<std::size_t>(count - 1);
      if (count > 0 && step_a == extent[inner] * a[inner] && step_b == extent[inner] * b[inner]) {
        extent[inner] *= n;
      } else {
        const auto here = static_cast<std::size_t>(count++);
        extent[here] = n, g[here] = size, a[here] = step_a, b[here] = step_b;
      }
      size *= n;
    }
    if (count == 0) extent[0] = g[0] = a[0] = b[0] = count = 1;
    for (numbers* list : {&extent, &g, &a, &b}) std::reverse(list->begin(), list->begin() + count);
  }
};

/// Operands of a formula; those that it does not read may be null.
template <class T>
struct broadcast_operands {
  const T *g, *a, *b;
};

/// One of three operands along a line: `step` 1, or 0 for one value everywhere.
template <class V, class T>
MINICNN_INLINE void load_operand(vec<T, V>& v, const T* from, index_t step, index_t i, index_t count) {
  if (step == 0)
    v = *from + vec<T, V>{};
  else if (count >= V::template lanes<T>)
    load<V>(v, from + i);
  else
    load_part<V>(v, from + i, count, T{1});
}

template <class V, class T, class F>
MINICNN_INLINE void apply_formula(vec<T, V>& y, const F& formula, const broadcast_operands<T>& p, index_t step_a, index_t step_b,
                                  index_t i, index_t count) {
  vec<T, V> g{}, a{}, b{};
  if constexpr ((F::reads & 1) != 0) load_operand<V>(g, p.g, 1, i, count);
  if constexpr ((F::reads & 2) != 0) load_operand<V>(a, p.a, step_a, i, count);
  if constexpr ((F::reads & 4) != 0) load_operand<V>(b, p.b, step_b, i, count);
  formula.template operator()<V>(y, g, a, b);
}

/// y[i] = (or += if `add`) formula, for i < count.
template <class V, class T, class F>
MINICNN_INLINE void map_line(const F& formula, const broadcast_operands<T>& p, index_t step_a, index_t step_b, T* y,
                             index_t count, bool add) {
  constexpr index_t lanes = V::template lanes<T>;
  for (index_t i = 0; i < count; i += lanes) {
    const index_t here = (std::min)(count - i, lanes);
    vec<T, V> value, before;
    apply_formula<V>(value, formula, p, step_a, step_b, i, here);
    if (add) load_operand<V>(before, static_cast<const T*>(y), 1, i, here), value += before;
    if (here == lanes)
      store<V>(y + i, value);
    else
      store_part<V>(y + i, value, here);
  }
}

/// sum += formula over i < count.
template <class V, class T, class F>
MINICNN_INLINE void sum_line(const F& formula, const broadcast_operands<T>& p, index_t step_a, index_t step_b, index_t count,
                             T& sum) {
  constexpr index_t lanes = V::template lanes<T>;
  vec<T, V> total{}, value;
  index_t i = 0;
  for (; i + lanes <= count; i += lanes) apply_formula<V>(value, formula, p, step_a, step_b, i, lanes), total += value;
  sum += sum_of_lanes<V, T>(total);
  if (i == count) return;
  apply_formula<V>(value, formula, p, step_a, step_b, i, count - i);
  for (index_t lane = 0; lane < count - i; ++lane) sum += value[lane];
}

/// Moves the operands to place `index`, counted over the axes before the last that are kept (target step not 0) or summed over.
template <class T>
MINICNN_INLINE void move_operands(broadcast_operands<T>& p, const broadcast_axes& x, const broadcast_axes::numbers* target,
                                  bool kept, index_t index) {
  for (int k = x.count - 2; k >= 0; --k) {
    const auto axis = static_cast<std::size_t>(k);
    if (target != nullptr && ((*target)[axis] != 0) != kept) continue;
    const index_t i = index % x.extent[axis];
    index /= x.extent[axis];
    p.g += i * x.g[axis], p.a += i * x.a[axis], p.b += i * x.b[axis];
  }
}

template <class T, class F>
struct broadcast_kernel {
  /// Elements begin to end of the result.
  template <class V>
  MINICNN_INLINE static void run(F formula, const broadcast_axes* x, broadcast_operands<T> from, T* y, index_t begin, index_t end,
                                 bool add) {
    const auto last = static_cast<std::size_t>(x->count - 1);
    const index_t length = x->extent[last];
    while (begin < end) {
      const index_t line = begin / length, first = begin - line * length, count = (std::min)(end - begin, length - first);
      broadcast_operands<T> p = from;
      move_operands(p, *x, nullptr, true, line);
      p.g += first, p.a += first * x->a[last], p.b += first * x->b[last];
      map_line<V>(formula, p, x->a[last], x->b[last], y + begin, count, add);
      begin += count;
    }
  }
};

template <class T, class F>
struct broadcast_sum_kernel {
  /// Elements begin to end of the operand whose steps are `target`: each the sum of the formula over all places where it is met.
  template <class V>
  MINICNN_INLINE static void run(F formula, const broadcast_axes* x, const broadcast_axes::numbers* target,
                                 broadcast_operands<T> from, T* y, index_t begin, index_t end, bool add) {
    const auto last = static_cast<std::size_t>(x->count - 1);
    const bool whole_line = (*target)[last] != 0;
    const index_t length = x->extent[last], unit = whole_line ? length : 1;
    index_t lines = 1;  // that meet at one place
    for (std::size_t k = 0; k < last; ++k)
      if ((*target)[k] == 0) lines *= x->extent[k];
    while (begin < end) {
      const index_t place = begin / unit, first = begin - place * unit, count = (std::min)(end - begin, unit - first);
      broadcast_operands<T> home = from;
      move_operands(home, *x, target, true, place);
      home.g += first, home.a += first * x->a[last], home.b += first * x->b[last];
      T sum = add ? y[begin] : T{0};
      for (index_t line = 0; line < lines; ++line) {
        broadcast_operands<T> p = home;
        move_operands(p, *x, target, false, line);
        if (whole_line)
          map_line<V>(formula, p, x->a[last], x->b[last], y + begin, count, add || line > 0);
        else
          sum_line<V>(formula, p, x->a[last], x->b[last], length, sum);
      }
      if (!whole_line) y[begin] = sum;
      begin += count;
    }
  }
};

/// y = (or += if `add`) formula, y being of the result's size.
template <class T, class F>
void broadcast_map(const context& ctx, const F& formula, const broadcast_axes& x, const broadcast_operands<T>& p, T* y,
                   index_t count, bool add = false) {
  parallel_for(ctx.threads, count, elementwise_grain, [&](index_t begin, index_t end) {
    dispatch<broadcast_kernel<T, F>>(ctx.instruction_set, formula, &x, p, y, begin, end, add);
  });
}

/// y = (or += if `add`) the sums of the formula for each of the `count` elements of the operand whose steps are `target`: `x.a`
/// or `x.b`. `result` is the number of elements that are summed in all.
template <class T, class F>
void broadcast_sum(const context& ctx, const F& formula, const broadcast_axes& x, const broadcast_axes::numbers& target,
                   const broadcast_operands<T>& p, T* y, index_t count, index_t result, bool add = false) {
  const index_t grain = (std::max)(elementwise_grain * count / (std::max)(result, index_t{1}), index_t{1});
  parallel_for(ctx.threads, count, grain, [&](index_t begin, index_t end) {
    dispatch<broadcast_sum_kernel<T, F>>(ctx.instruction_set, formula, &x, &target, p, y, begin, end, add);
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
