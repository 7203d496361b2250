#pragma once
/// Loops over elements: one formula applied everywhere, and sums over rows.
///
/// A formula is a struct with one static or const member template
///
///     struct scale_by {
///       T factor;
///       template <class V> MINICNN_INLINE void operator()(vec<T, V>& y, const vec<T, V>& x) const { y = factor * x; }
///     };
///
/// which `transform_elements` applies to vectors of whatever width the processor has. The last, incomplete vector is padded and
/// takes the same path, so an element's bits do not depend on its position or how threads share the work. All pointers may be
/// unaligned. The result may take the place of an operand, but not overlap one otherwise.

#include <algorithm>

#include "minicnn/kernels/simd/dispatch.hpp"
#include "minicnn/kernels/simd/lanes.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Elements below which one thread does all the work: starting a team costs what this many simple operations cost.
inline constexpr index_t elementwise_grain = 32768;

/// The same for formulas with exponentials.
inline constexpr index_t transcendental_grain = 4096;

template <class V, class T, class F>
MINICNN_INLINE void map_vector(const F& formula, const T* a, const T* b, T* y, bool add) {
  vec<T, V> first, result;
  load<V>(first, a);
  if constexpr (F::operands == 2) {
    vec<T, V> second;
    load<V>(second, b);
    formula.template operator()<V>(result, first, second);
  } else {
    formula.template operator()<V>(result, first);
  }
  if (add) {
    vec<T, V> before;
    load<V>(before, static_cast<const T*>(y));
    result += before;
  }
  store<V>(y, result);
}

template <class T, class F>
struct map_kernel {
  template <class V>
  MINICNN_INLINE static void run(F formula, const T* a, const T* b, T* y, index_t count, bool add) {
    constexpr int lanes = V::template lanes<T>;
    const index_t rest = count % lanes;
    T last[3][lanes];
    T* end = nullptr;  // where the last elements go, fewer than a vector, which are mapped in `last`
    for (index_t vectors = count / lanes;; vectors = 1) {
      for (; vectors > 0; --vectors, a += lanes, y += lanes) {
        map_vector<V>(formula, a, b, y, add);
        if constexpr (F::operands == 2) b += lanes;
      }
      if (end != nullptr || rest == 0) break;
      for (T* const to : last) store<V>(to, vec<T, V>{});
      copy_run<lanes>(last[0], a, rest, false);
      if constexpr (F::operands == 2) copy_run<lanes>(last[1], b, rest, false);
      if (add) copy_run<lanes>(last[2], static_cast<const T*>(y), rest, false);
      end = y, a = last[0], b = last[1], y = last[2];
    }
    if (end != nullptr) copy_run<lanes>(end, static_cast<const T*>(last[2]), rest, false);
  }
};

template <class T>
struct column_sums_kernel {
  /// Columns in blocks of four vectors whose sums stay in registers, rows in order.
  template <class V>
  MINICNN_INLINE static void run(const T* x, index_t rows, index_t columns, index_t stride, T* y, bool add) {
    constexpr index_t lanes = V::template lanes<T>;
    index_t j = 0;
    for (; j + 4 * lanes <= columns; j += 4 * lanes) {
      vec<T, V> s0{}, s1{}, s2{}, s3{}, v;
      for (index_t i = 0; i < rows; ++i) {
        const T* from = x + i * stride + j;
        load<V>(v, from), s0 += v;
        load<V>(v, from + lanes), s1 += v;
        load<V>(v, from + 2 * lanes), s2 += v;
        load<V>(v, from + 3 * lanes), s3 += v;
      }
      put<V>(y + j, s0, add), put<V>(y + j + lanes, s1, add), put<V>(y + j + 2 * lanes, s2, add),
          put<V>(y + j + 3 * lanes, s3, add);
    }
    for (; j < columns; ++j) {
      T sum{};
      for (index_t i = 0; i < rows; ++i) sum += x[i * stride + j];
      y[j] = add ? y[j] + sum : sum;
    }
  }

 private:
  template <class V>
  MINICNN_INLINE static void put(T* y, vec<T, V>& sum, bool add) {
    vec<T, V> before;
    if (add) load<V>(before, static_cast<const T*>(y)), sum += before;
    store<V>(y, sum);
  }
};

template <class T>
struct line_sum_kernel {
  /// sum += x[0] + ... + x[count - 1]
  template <class V>
  MINICNN_INLINE static void run(const T* x, index_t count, T* sum) {
    constexpr index_t lanes = V::template lanes<T>;
    vec<T, V> partial{}, v;
    index_t i = 0;
    for (; i + lanes <= count; i += lanes) load<V>(v, x + i), partial += v;
    T total = *sum;
    for (index_t lane = 0; lane < lanes; ++lane) total += partial[lane];
    for (; i < count; ++i) total += x[i];
    *sum = total;
  }
};

template <class T>
struct relu_formula {
  static constexpr int operands = 1;
  template <class V>
  MINICNN_INLINE void operator()(vec<T, V>& y, const vec<T, V>& x) const {
    y = x < T{0} ? vec<T, V>{} : x;
  }
};

/// Of (output, output gradient).
template <class T>
struct relu_gradient_formula {
  static constexpr int operands = 2;
  template <class V>
  MINICNN_INLINE void operator()(vec<T, V>& dx, const vec<T, V>& y, const vec<T, V>& dy) const {
    dx = y > T{0} ? dy : vec<T, V>{};
  }
};

template <class T>
struct identity_formula {
  static constexpr int operands = 1;
  template <class V>
  MINICNN_INLINE void operator()(vec<T, V>& y, const vec<T, V>& x) const {
    y = x;
  }
};

template <class T>
struct sum_formula {
  static constexpr int operands = 2;
  fused_activation<T> activation;
  template <class V>
  MINICNN_INLINE void operator()(vec<T, V>& y, const vec<T, V>& a, const vec<T, V>& b) const {
    y = a + b;
    activation.template bound<V>(y);
  }
};

template <class T>
struct scale_formula {
  static constexpr int operands = 1;
  T factor;
  template <class V>
  MINICNN_INLINE void operator()(vec<T, V>& y, const vec<T, V>& x) const {
    y = factor * x;
  }
};

/// The activation that applies `formula`, which must outlive it.
template <class T, class F>
fused_activation<T> activation_of(isa instructions, const F& formula) {
  const auto map = [](isa i, const void* of, T* values, index_t count) {
    dispatch<map_kernel<T, F>>(i, *static_cast<const F*>(of), static_cast<const T*>(values), static_cast<const T*>(nullptr),
                               values, count, false);
  };
  return {.map = map, .formula = &formula, .instructions = instructions};
}

/// y[i] = (or += if `add`) formula(a[i]) or formula(a[i], b[i]), for `count` elements.
template <class F, class T>
void transform_elements(const context& ctx, const F& formula, const T* a, const T* b, T* y, index_t count, bool add = false,
                        index_t grain = elementwise_grain) {
  parallel_for(ctx.threads, count, grain, [&](index_t begin, index_t end) {
    dispatch<map_kernel<T, F>>(ctx.instruction_set, formula, a + begin, F::operands == 2 ? b + begin : b, y + begin, end - begin,
                               add);
  });
}

/// y = max(x, 0). NaN stays NaN, so that a diverging run is noticed.
template <class T>
void relu_forward(const context& ctx, const T* x, T* y, index_t count) {
  transform_elements(ctx, relu_formula<T>{}, x, static_cast<const T*>(nullptr), y, count);
}

/// dx = (or += if `add`) dy where the output y is above 0, 0 elsewhere.
template <class T>
void relu_backward(const context& ctx, const T* y, const T* dy, T* dx, index_t count, bool add = false) {
  transform_elements(ctx, relu_gradient_formula<T>{}, y, dy, dx, count, add);
}

/// y = a + b, then the activation.
template <class T>
void add_elements(const context& ctx, const T* a, const T* b, const fused_activation<T>& activation, T* y, index_t count) {
  transform_elements(ctx, sum_formula<T>{activation}, a, b, y, count);
  if (activation.map != nullptr)
    parallel_for(ctx.threads, count, transcendental_grain,
                 [&](index_t begin, index_t end) { activation.finish(y + begin, end - begin); });
}

/// y = (or += if `add`) factor * x.
template <class T>
void scale_elements(const context& ctx, T factor, const T* x, T* y, index_t count, bool add = false) {
  transform_elements(ctx, scale_formula<T>{factor}, x, static_cast<const T*>(nullptr), y, count, add);
}

/// y += x.
template <class T>
void accumulate_elements(const context& ctx, const T* x, T* y, index_t count) {
  transform_elements(ctx, identity_formula<T>{}, x, static_cast<const T*>(nullptr), y, count, true);
}

/// y = x; nothing happens if they are the same memory.
template <class T>
void copy_elements(const context& ctx, const T* x, T* y, index_t count) {
  if (x == y) return;
  parallel_for(ctx.threads, count, elementwise_grain,
               [&](index_t begin, index_t end) { std::copy(x + begin, x + end, y + begin); });
}

/// y = x, or y += x if `add`.
template <class T>
void copy_or_add(const context& ctx, const T* x, T* y, index_t count, bool add) {
  if (add)
    accumulate_elements(ctx, x, y, count);
  else
    copy_elements(ctx, x, y, count);
}

/// y[j] = (or += if `add`) sum over i of x[i][j], rows `columns` apart; each sum runs over the rows in order.
template <class T>
void column_sums(const context& ctx, const T* x, index_t rows, index_t columns, T* y, bool add = false) {
  const index_t grain = (std::max)(elementwise_grain / (std::max)(rows, index_t{1}), index_t{64});
  parallel_for(ctx.threads, columns, grain, [&](index_t begin, index_t end) {
    dispatch<column_sums_kernel<T>>(ctx.instruction_set, x + begin, rows, end - begin, columns, y + begin, add);
  });
}

/// y[c] = (or += if `add`) sum of x[n][c][i] over n and i, x being (batch, channels, pixels): the gradient of a bias per channel.
template <class T>
void channel_sums(const context& ctx, const T* x, index_t batch, index_t channels, index_t pixels, T* y, bool add = false) {
  const index_t grain = elementwise_grain / (std::max)(batch * pixels, index_t{1});
  parallel_for(ctx.threads, channels, grain, [&](index_t begin, index_t end) {
    for (index_t c = begin; c < end; ++c) {
      T sum = add ? y[c] : T{0};
      for (index_t n = 0; n < batch; ++n)
        dispatch<line_sum_kernel<T>>(ctx.instruction_set, x + (n * channels + c) * pixels, pixels, &sum);
      y[c] = sum;
    }
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
