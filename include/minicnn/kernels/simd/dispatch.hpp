#pragma once
/// Vectors of a given width, and `dispatch`, which runs a kernel body compiled for an instruction set.
///
/// A kernel is a struct with one static member template
///
///     struct scale_kernel {
///       template <class V>   // V = simd<16>, simd<32> or simd<64>: the vector width in bytes
///       MINICNN_INLINE static void run(float* x, index_t n, float a) { ... }
///     };
///     dispatch<scale_kernel>(isa, x, n, a);
///
/// Its body is always-inline and written on compiler vector extensions; the three wrappers below give it a target.
/// Neither lambdas nor OpenMP regions may appear in a body: they do not inherit the target attribute.

#include "minicnn/core/context.hpp"
#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Unrolls the loop that follows completely: arrays of vectors must become registers.
#if defined(__clang__)
#define MINICNN_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define MINICNN_UNROLL _Pragma("GCC unroll 32")
#else
#define MINICNN_UNROLL
#endif

/// A vector width, and the vector types that have it.
template <int Bytes>
struct simd {
  static constexpr int bytes = Bytes;
  template <class T>
  static constexpr int lanes = Bytes / static_cast<int>(sizeof(T));
};

template <class T, int Bytes>
struct vector_type {
  typedef T type __attribute__((vector_size(Bytes)));
  typedef T unaligned __attribute__((vector_size(Bytes), aligned(alignof(T)), may_alias));
};

/// A full vector of `T` as wide as `V`.
template <class T, class V>
using vec = typename vector_type<T, V::bytes>::type;

/// Loads and stores at any address.
template <class V, class T>
MINICNN_INLINE void load(vec<T, V>& out, const T* from) {
  out = *reinterpret_cast<const typename vector_type<T, V::bytes>::unaligned*>(from);
}

template <class V, class T>
MINICNN_INLINE void store(T* to, const vec<T, V>& value) {
  *reinterpret_cast<typename vector_type<T, V::bytes>::unaligned*>(to) = value;
}

#if MINICNN_X86_VECTORS
#define MINICNN_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define MINICNN_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
template <class K, class... A>
MINICNN_TARGET_AVX2 void run_avx2(A... arguments) {
  K::template run<simd<32>>(arguments...);
}

#if MINICNN_X86_VECTORS >= 64
template <class K, class... A>
MINICNN_TARGET_AVX512 void run_avx512(A... arguments) {
  K::template run<simd<64>>(arguments...);
}
#endif
#undef MINICNN_TARGET_AVX2
#undef MINICNN_TARGET_AVX512
#endif

template <class K, class... A>
void run_baseline(A... arguments) {
  K::template run<simd<16>>(arguments...);
}

/// Kernel `K` compiled for the instruction set `i`, which the processor must have and which is not below `Least`: what is never
/// used is not compiled.
template <isa Least, class K, class... A>
auto dispatched_from([[maybe_unused]] isa i) -> void (*)(A...) {
#if MINICNN_X86_VECTORS >= 64
  if (Least == isa::avx512 || i == isa::avx512) return run_avx512<K, A...>;
#endif
#if MINICNN_X86_VECTORS
  if constexpr (Least < isa::avx512)
    if (Least == isa::avx2 || i == isa::avx2) return run_avx2<K, A...>;
#endif
  if constexpr (Least == isa::baseline) return run_baseline<K, A...>;
  return nullptr;
}

/// Runs kernel `K` on the instruction set `i`, which the processor must have.
template <class K, class... A>
void dispatch(isa i, A... arguments) {
  dispatched_from<isa::baseline, K, A...>(i)(arguments...);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
