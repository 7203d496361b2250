#pragma once
/// The activation that a kernel applies to results on their way out, while they are in registers or in the first-level cache.

#include <limits>

#include "minicnn/kernels/simd/dispatch.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Bounds, min(max(x, low), high), which are ReLU, ReLU6 and every clip, and then a map. Bounds are applied in registers. A map
/// is called for stretches of finished results, so kernels hold no code of any kind of activation. NaN stays NaN.
template <class T>
struct fused_activation {
  bool bounded = false;
  T low = -std::numeric_limits<T>::infinity(), high = std::numeric_limits<T>::infinity();
  /// values[i] = formula(values[i]) for i < count; null: none. `formula` must outlive the call. Must not throw,
  /// nor multiply matrices: it is called between tiles.
  void (*map)(isa instructions, const void* formula, T* values, index_t count) = nullptr;
  const void* formula = nullptr;
  isa instructions = isa::baseline;  ///< for the map

  static fused_activation clip(T low, T high) { return {true, low, high}; }
  static fused_activation relu() { return clip(T{0}, std::numeric_limits<T>::infinity()); }

  T bound(T x) const { return !bounded ? x : x < low ? low : x > high ? high : x; }
  template <class V>
  MINICNN_INLINE void bound(vec<T, V>& x) const {
    if (!bounded) return;
    const vec<T, V> least = low - vec<T, V>{}, most = high - vec<T, V>{};  // "-": compilers keep an addition of 0, for -0 + 0
    x = x < least ? least : x;                                             // one instruction each
    x = x > most ? most : x;
  }

  /// The map over `rows` rows of finished results, `stride` apart.
  void finish(T* values, index_t count, index_t rows = 1, index_t stride = 0) const {
    for (; map != nullptr && rows > 0; --rows, values += stride) map(instructions, formula, values, count);
  }
};

}  // namespace minicnn::inline MINICNN_ABI::kernels
