#pragma once
/// Elements from one order to another: axes swapped, parts taken out or put back.

#include <array>

#include "minicnn/core/context.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Axes that are walked together in two arrays, outermost first, with what lies between neighbours along them in each.
struct strided_axes {
  int count = 0;
  std::array<index_t, shape::max_rank> extent{}, from{}, to{};

  /// One more axis, within the others. Joined with the one before if both arrays can be walked as one.
  void add(index_t n, index_t from_step, index_t to_step) {
    if (n == 1) return;
    if (count > 0) {
      const auto outer = static_cast<std::size_t>(count - 1);
      if (from[outer] == n * from_step && to[outer] == n * to_step) {
        extent[outer] *= n, from[outer] = from_step, to[outer] = to_step;
        return;
      }
    }
    const auto here = static_cast<std::size_t>(count++);
    extent[here] = n, from[here] = from_step, to[here] = to_step;
  }

  /// The same walk in the other direction.
  strided_axes reversed() const {
    strided_axes r = *this;
    std::swap(r.from, r.to);
    return r;
  }
};

/// to = (or += if `add`) from, along the axes.
template <class T>
void strided_copy(const context& ctx, const strided_axes& axes, const T* from, T* to, bool add) {
  const auto last = static_cast<std::size_t>(axes.count > 0 ? axes.count - 1 : 0);
  const index_t length = axes.count > 0 ? axes.extent[last] : 1;
  const index_t from_step = axes.count > 0 ? axes.from[last] : 1, to_step = axes.count > 0 ? axes.to[last] : 1;
  index_t lines = 1;
  for (std::size_t k = 0; k < last; ++k) lines *= axes.extent[k];
  const context here{1, ctx.instruction_set};
  parallel_for(ctx.threads, lines, 1 + elementwise_grain / 4 / (length + 1), [&](index_t begin, index_t end) {
    for (index_t line = begin; line < end; ++line) {
      const T* a = from;
      T* b = to;
      index_t rest = line;
      for (std::size_t k = last; k-- > 0;) {
        const index_t i = rest % axes.extent[k];
        rest /= axes.extent[k];
        a += i * axes.from[k], b += i * axes.to[k];
      }
      if (from_step == 1 && to_step == 1)
        copy_or_add(here, a, b, length, add);
      else if (add)
        for (index_t i = 0; i < length; ++i) b[i * to_step] += a[i * from_step];
      else
        for (index_t i = 0; i < length; ++i) b[i * to_step] = a[i * from_step];
    }
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
