#pragma once
/// Element by element over two operands of which each may be repeated along axes (broadcast), and the sums that its gradients
/// need.

#include <algorithm>
#include <array>
#include <cstring>

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

/// What is computed of a and b, which meet at each place of the result, and of g, which has the result's size (in backward its
/// gradient). A value of run time, so that one kernel computes them all.
enum class broadcast_form {
  sum,               ///< a + b; like the next three never summed over places
  difference,        ///< a - b
  prelu,             ///< a above 0, b * a below
  prelu_gradient,    ///< by a
  product,           ///< a * b
  quotient,          ///< a / b
  same,              ///< g
  negative,          ///< -g
  divisor_gradient,  ///< of the quotient by b
  slope_gradient     ///< of prelu by b
};

template <class T, broadcast_form Form>
struct broadcast_formula {
  using form = broadcast_form;
  /// The operands that it reads: 1 g, 2 a, 4 b, added.
  static constexpr int reads = Form == form::same || Form == form::negative                     ? 1
                               : Form == form::slope_gradient                                   ? 3
                               : Form == form::prelu_gradient || Form == form::divisor_gradient ? 7
                                                                                                : 6;
  template <class V>
  MINICNN_INLINE static void apply(vec<T, V>& y, const vec<T, V>& g, const vec<T, V>& a, const vec<T, V>& b) {
    if constexpr (Form == form::sum) y = a + b;
    if constexpr (Form == form::difference) y = a - b;
    if constexpr (Form == form::product) y = a * b;
    if constexpr (Form == form::quotient) y = a / b;
    if constexpr (Form == form::same) y = g;
    if constexpr (Form == form::negative) y = -g;
    if constexpr (Form == form::divisor_gradient) y = -g * a / (b * b);
    if constexpr (Form == form::prelu) y = a < T{0} ? b * a : a;
    if constexpr (Form == form::prelu_gradient) y = a > T{0} ? g : b * g;
    if constexpr (Form == form::slope_gradient) y = a < T{0} ? a * g : vec<T, V>{};
  }
};

/// Operands of a form; those that it does not read may be null.
template <class T>
struct broadcast_operands {
  const T *g, *a, *b;
};

/// Copies `count` elements, fewer than twice `Lanes`, in pieces of fixed size: for so few a call takes longer.
template <int Lanes, class T>
MINICNN_INLINE void copy_few(T* to, const T* from, index_t count) {
  if ((count & Lanes) != 0) std::memcpy(to, from, Lanes * sizeof(T)), to += Lanes, from += Lanes;
  if constexpr (Lanes > 1) copy_few<Lanes / 2>(to, from, count);
}

/// One of three operands along a line: `step` 1, or 0 for one value everywhere.
template <class V, class T>
MINICNN_INLINE void load_operand(vec<T, V>& v, const T* from, index_t step, index_t i, index_t count) {
  if (step == 0) {
    v = *from + vec<T, V>{};
  } else if (count >= V::template lanes<T>) {
    load<V>(v, from + i);
  } else {
    T lanes[V::template lanes<T>];
    for (T& lane : lanes) lane = T{1};
    copy_few<V::template lanes<T> / 2>(lanes, from + i, count);
    load<V>(v, lanes);
  }
}

template <class V, broadcast_form Form, class T>
MINICNN_INLINE void apply_formula(vec<T, V>& y, const broadcast_operands<T>& p, index_t step_a, index_t step_b, index_t i,
                                  index_t count) {
  using formula = broadcast_formula<T, Form>;
  vec<T, V> g{}, a{}, b{};
  if constexpr ((formula::reads & 1) != 0) load_operand<V>(g, p.g, 1, i, count);
  if constexpr ((formula::reads & 2) != 0) load_operand<V>(a, p.a, step_a, i, count);
  if constexpr ((formula::reads & 4) != 0) load_operand<V>(b, p.b, step_b, i, count);
  formula::template apply<V>(y, g, a, b);
}

/// y[i] = (or += if `add`) formula, for i < count.
template <class V, broadcast_form Form, class T>
MINICNN_INLINE void map_line(const broadcast_operands<T>& p, index_t step_a, index_t step_b, T* y, index_t count, bool add) {
  constexpr index_t lanes = V::template lanes<T>;
  for (index_t i = 0; i < count; i += lanes) {
    const index_t here = (std::min)(count - i, lanes);
    vec<T, V> value, before;
    apply_formula<V, Form>(value, p, step_a, step_b, i, here);
    if (add) load_operand<V>(before, static_cast<const T*>(y), 1, i, here), value += before;
    if (here == lanes) {
      store<V>(y + i, value);
    } else {
      T last[lanes];
      store<V>(last, value);
      copy_few<lanes / 2>(y + i, static_cast<const T*>(last), here);
    }
  }
}

/// sum += formula over i < count.
template <class V, broadcast_form Form, class T>
MINICNN_INLINE void sum_line(const broadcast_operands<T>& p, index_t step_a, index_t step_b, index_t count, T& sum) {
  constexpr index_t lanes = V::template lanes<T>;
  vec<T, V> total{}, value;
  index_t i = 0;
  for (; i + lanes <= count; i += lanes) apply_formula<V, Form>(value, p, step_a, step_b, i, lanes), total += value;
  sum += sum_of_lanes<V, T>(total);
  if (i == count) return;
  apply_formula<V, Form>(value, p, step_a, step_b, i, count - i);
  for (index_t lane = 0; lane < count - i; ++lane) sum += value[lane];
}

/// Operands that walk over the places along the axes before the last that are kept (target step not 0) or summed over.
template <class T>
class place_walk {
 public:
  broadcast_operands<T> p;

  MINICNN_INLINE place_walk(const broadcast_axes& x, const broadcast_axes::numbers& target, bool kept,
                            const broadcast_operands<T>& from, index_t place)
      : p(from), x_(x), target_(target), kept_(kept) {
    for (int k = x.count - 2; k >= 0 && place > 0; --k) {
      const auto axis = static_cast<std::size_t>(k);
      if (skipped(axis)) continue;
      move(axis, at_[axis] = place % x.extent[axis]);
      place /= x.extent[axis];
    }
  }

  MINICNN_INLINE void next() {
    for (int k = x_.count - 2; k >= 0; --k) {
      const auto axis = static_cast<std::size_t>(k);
      if (skipped(axis)) continue;
      move(axis, 1);
      if (++at_[axis] < x_.extent[axis]) return;
      move(axis, -x_.extent[axis]);
      at_[axis] = 0;
    }
  }

 private:
  bool skipped(std::size_t axis) const { return (target_[axis] != 0) != kept_; }
  MINICNN_INLINE void move(std::size_t axis, index_t by) {
    p.g += by * x_.g[axis], p.a += by * x_.a[axis], p.b += by * x_.b[axis];
  }

  const broadcast_axes& x_;
  const broadcast_axes::numbers& target_;
  bool kept_;
  broadcast_axes::numbers at_{};
};

template <class T>
struct broadcast_kernel {
  /// Elements begin to end of the operand whose steps are `target`: each the sum of the formula over all places where it is met.
  template <class V>
  MINICNN_INLINE static void run(broadcast_form what, const broadcast_axes* x, const broadcast_axes::numbers* target,
                                 broadcast_operands<T> from, T* y, index_t begin, index_t end, bool add) {
    const auto last = static_cast<std::size_t>(x->count - 1);
    const bool whole_line = (*target)[last] != 0;
    const index_t length = x->extent[last], unit = whole_line ? length : 1, step_a = x->a[last], step_b = x->b[last];
    index_t lines = 1;  // that meet at one place
    for (std::size_t k = 0; k < last; ++k)
      if ((*target)[k] == 0) lines *= x->extent[k];
    const index_t place = begin / unit;
    index_t first = begin - place * unit;  // within the first line
    for (place_walk<T> home(*x, *target, true, from, place); begin < end; home.next(), first = 0) {
      const index_t count = (std::min)(end - begin, unit - first);
      const broadcast_operands<T> p{home.p.g + first, home.p.a + first * step_a, home.p.b + first * step_b};
      place_walk<T> met(*x, *target, false, p, 0);
      T sum = add ? y[begin] : T{0};
      for (index_t line = 0; line < lines; ++line) {
        if (line > 0) met.next();
        if (whole_line)
          map<V, form::product, form::sum, form::difference, form::quotient, form::same, form::negative, form::divisor_gradient,
              form::prelu, form::prelu_gradient, form::slope_gradient>(what, met.p, step_a, step_b, y + begin, count,
                                                                       add || line > 0);
        else
          add_up<V, form::same, form::product, form::quotient, form::negative, form::divisor_gradient, form::slope_gradient>(
              what, met.p, step_a, step_b, length, sum);
      }
      if (!whole_line) y[begin] = sum;
      begin += count;
    }
  }

 private:
  using form = broadcast_form;

  template <class V, form... Forms>
  MINICNN_INLINE static void map(form what, const broadcast_operands<T>& p, index_t step_a, index_t step_b, T* y, index_t count,
                                 bool add) {
    (void)((what == Forms && (map_line<V, Forms>(p, step_a, step_b, y, count, add), true)) || ...);
  }
  template <class V, form... Forms>
  MINICNN_INLINE static void add_up(form what, const broadcast_operands<T>& p, index_t step_a, index_t step_b, index_t count,
                                    T& sum) {
    (void)((what == Forms && (sum_line<V, Forms>(p, step_a, step_b, count, sum), true)) || ...);
  }
};

/// y = (or += if `add`) the sums of the form for each of the `count` elements of the operand whose steps are `target`: `x.a` or
/// `x.b`. `result` is the number of elements that are summed in all.
template <class T>
void broadcast_sum(const context& ctx, broadcast_form form, const broadcast_axes& x, const broadcast_axes::numbers& target,
                   const broadcast_operands<T>& p, T* y, index_t count, index_t result, bool add = false) {
  const index_t grain = (std::max)(elementwise_grain * count / (std::max)(result, index_t{1}), index_t{1});
  parallel_for(ctx.threads, count, grain, [&](index_t begin, index_t end) {
    dispatch<broadcast_kernel<T>>(ctx.instruction_set, form, &x, &target, p, y, begin, end, add);
  });
}

/// y = (or += if `add`) the form, y being of the result's size.
template <class T>
void broadcast_map(const context& ctx, broadcast_form form, const broadcast_axes& x, const broadcast_operands<T>& p, T* y,
                   index_t count, bool add = false) {
  broadcast_sum(ctx, form, x, x.g, p, y, count, count, add);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
