#pragma once
/// The one place that knows instruction sets: run-time choice, and `dispatch`, which runs a kernel body compiled for it.
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

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Instruction sets with a code path of their own, in ascending order.
enum class isa { baseline, avx2, avx512 };

inline std::string_view name_of(isa i) { return i == isa::avx512 ? "avx512" : i == isa::avx2 ? "avx2" : "baseline"; }

/// The widest instruction set that this processor (and operating system) supports.
inline isa detect_isa() {
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
    return isa::avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return isa::avx2;
#endif
  return isa::baseline;
}

/// What new networks use: `detect_isa()`, lowered by the environment variable MINICNN_ISA=baseline|avx2|avx512.
/// Throws option_error for another value, or one that this processor does not have.
inline isa default_isa() {
  static const isa detected = detect_isa();
  const char* wanted = std::getenv("MINICNN_ISA");
  if (wanted == nullptr || *wanted == '\0') return detected;
  for (isa i : {isa::baseline, isa::avx2, isa::avx512})
    if (name_of(i) == wanted) {
      if (i > detected) fail<option_error>("MINICNN_ISA=", wanted, ": this processor supports up to ", name_of(detected));
      return i;
    }
  fail<option_error>("MINICNN_ISA=", wanted, ": expected baseline, avx2 or avx512");
}

/// A vector width, and the vector types that have it.
template <int Bytes>
struct simd {
  static constexpr int bytes = Bytes;
  template <class T>
  static constexpr int lanes = Bytes / static_cast<int>(sizeof(T));
};

namespace detail {
template <class T, int Bytes>
struct vector_type {
  typedef T type __attribute__((vector_size(Bytes)));
  typedef T unaligned __attribute__((vector_size(Bytes), aligned(alignof(T)), may_alias));
};
}  // namespace detail

/// A full vector of `T` as wide as `V`.
template <class T, class V>
using vec = typename detail::vector_type<T, V::bytes>::type;

/// Loads and stores at any address.
template <class V, class T>
MINICNN_INLINE void load(vec<T, V>& out, const T* from) {
  out = *reinterpret_cast<const typename detail::vector_type<T, V::bytes>::unaligned*>(from);
}
template <class V, class T>
MINICNN_INLINE void store(T* to, const vec<T, V>& value) {
  *reinterpret_cast<typename detail::vector_type<T, V::bytes>::unaligned*>(to) = value;
}

namespace detail {
#if defined(__x86_64__) && defined(__GNUC__)
#define MINICNN_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define MINICNN_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
template <class K, class... A>
MINICNN_TARGET_AVX2 void run_avx2(A... arguments) {
  K::template run<simd<32>>(arguments...);
}
template <class K, class... A>
MINICNN_TARGET_AVX512 void run_avx512(A... arguments) {
  K::template run<simd<64>>(arguments...);
}
#undef MINICNN_TARGET_AVX2
#undef MINICNN_TARGET_AVX512
#endif
template <class K, class... A>
void run_baseline(A... arguments) {
  K::template run<simd<16>>(arguments...);
}
}  // namespace detail

/// Runs kernel `K` on the instruction set `i`, which the processor must have.
template <class K, class... A>
void dispatch([[maybe_unused]] isa i, A... arguments) {
#if defined(__x86_64__) && defined(__GNUC__)
  if (i == isa::avx512) return detail::run_avx512<K, A...>(arguments...);
  if (i == isa::avx2) return detail::run_avx2<K, A...>(arguments...);
#endif
  detail::run_baseline<K, A...>(arguments...);
}

}  // namespace minicnn::inline MINICNN_ABI
