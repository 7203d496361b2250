#pragma once
/// Square roots of whole vectors. The compilers' vector extensions have every operator but this one, and a loop over
/// `std::sqrt` stays scalar because of errno.

#include <cstddef>
#include <utility>

#include "minicnn/kernels/simd/dispatch.hpp"

#if defined(__has_builtin)
#if __has_builtin(__builtin_elementwise_sqrt)
#define MINICNN_ELEMENTWISE_SQRT 1
#endif
#endif

namespace minicnn::inline MINICNN_ABI::kernels {

template <class V, class T, std::size_t... I>
MINICNN_INLINE void split_vector(const vec<T, V>& x, vec<T, simd<V::bytes / 2>>& low, vec<T, simd<V::bytes / 2>>& high,
                                 std::index_sequence<I...>) {
  low = __builtin_shufflevector(x, x, I...);
  high = __builtin_shufflevector(x, x, (I + sizeof...(I))...);
}

template <class V, class T, std::size_t... I>
MINICNN_INLINE void join_vector(vec<T, V>& x, const vec<T, simd<V::bytes / 2>>& low, const vec<T, simd<V::bytes / 2>>& high,
                                std::index_sequence<I...>) {
  x = __builtin_shufflevector(low, high, I...);
}

/// Replaces every lane by its square root, correctly rounded.
template <class V, class T>
MINICNN_INLINE void square_root(vec<T, V>& x) {
#if defined(MINICNN_ELEMENTWISE_SQRT)
  x = __builtin_elementwise_sqrt(x);
#elif defined(__x86_64__) && defined(__GNUC__)
  // The wider instructions may only be named inside a function with their target, which a kernel's body is not. Four
  // 16-byte roots take as long as one of 64 bytes: the divider is no wider.
  if constexpr (V::bytes == 16) {
    if constexpr (sizeof(T) == sizeof(float))
      x = __builtin_ia32_sqrtps(x);
    else
      x = __builtin_ia32_sqrtpd(x);
  } else {
    using half = simd<V::bytes / 2>;
    vec<T, half> low, high;
    split_vector<V, T>(x, low, high, std::make_index_sequence<half::template lanes<T>>{});
    square_root<half, T>(low);
    square_root<half, T>(high);
    join_vector<V, T>(x, low, high, std::make_index_sequence<V::template lanes<T>>{});
  }
#else
  for (int i = 0; i < V::template lanes<T>; ++i) x[i] = static_cast<T>(__builtin_sqrt(static_cast<double>(x[i])));
#endif
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
