#pragma once
/// Version, and the inline namespace that keeps differently built translation units apart.
///
/// Every public name lives in `minicnn::<abi tag>`. The tag holds the version and what the compiler was told that changes
/// the code of inline functions: OpenMP, the instruction set, -ffast-math, checked standard containers, MINICNN_X86_VECTORS. Two
/// units built with different flags therefore have different symbols: each works on its own, and passing a minicnn type from one
/// to the other fails at link time ("undefined reference to minicnn::v0_1_omp_avx2fma::...") instead of running one unit's
/// instructions in the other. How to read such an error: docs/errors.md.

#define MINICNN_VERSION_MAJOR 0
#define MINICNN_VERSION_MINOR 1
#define MINICNN_VERSION_PATCH 0

#if !defined(_MSVC_LANG) && __cplusplus < 202002L
#error "minicnn needs C++20: compile with -std=c++20 or later"
#endif
#if defined(__GNUC__) && !defined(__EXCEPTIONS)
#error "minicnn reports errors by exceptions: compile the files that include it without -fno-exceptions"
#endif

#if defined(_OPENMP)
#define MINICNN_ABI_THREADS omp
#else
#define MINICNN_ABI_THREADS serial
#endif

// What the compiler may use, by the steps in which processors got it. Between two steps lie flags like -mavx512vbmi: each
// instruction set that changes code in plain loops has a step of its own.
#if defined(__AVX512FP16__)
#define MINICNN_ABI_ISA avx512fp16
#elif defined(__AVX512BF16__)
#define MINICNN_ABI_ISA avx512bf16
#elif defined(__AVX512VNNI__) && defined(__AVX512VBMI__)
#define MINICNN_ABI_ISA avx512vnnivbmi
#elif defined(__AVX512VNNI__)
#define MINICNN_ABI_ISA avx512vnni
#elif defined(__AVX512VBMI__)
#define MINICNN_ABI_ISA avx512vbmi
#elif defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define MINICNN_ABI_ISA avx512
#elif defined(__AVX512F__)
#define MINICNN_ABI_ISA avx512f
#elif defined(__AVX2__) && defined(__FMA__)
#define MINICNN_ABI_ISA avx2fma
#elif defined(__AVX2__)
#define MINICNN_ABI_ISA avx2
#elif defined(__AVX__) && defined(__FMA__)
#define MINICNN_ABI_ISA avxfma
#elif defined(__AVX__) && defined(__F16C__)
#define MINICNN_ABI_ISA avxf16c
#elif defined(__AVX__)
#define MINICNN_ABI_ISA avx
#elif defined(__SSE4_1__) || defined(__SSE3__) || defined(__POPCNT__)
#define MINICNN_ABI_ISA sse4
#else
#define MINICNN_ABI_ISA base
#endif

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#define MINICNN_ABI_MATH _fast
#else
#define MINICNN_ABI_MATH
#endif

#if defined(_GLIBCXX_DEBUG)
#define MINICNN_ABI_CHECKS _checked
#else
#define MINICNN_ABI_CHECKS
#endif

#if defined(MINICNN_X86_VECTORS)  // by the user: see core/context.hpp
#define MINICNN_ABI_VECTORS MINICNN_X86_VECTORS
#else
#define MINICNN_ABI_VECTORS
#endif

#define MINICNN_ABI_JOIN_(a, b, threads, isa, math, checks, vectors) v##a##_##b##_##threads##_##isa##math##checks##vectors
#define MINICNN_ABI_JOIN(a, b, threads, isa, math, checks, vectors) MINICNN_ABI_JOIN_(a, b, threads, isa, math, checks, vectors)
#define MINICNN_ABI                                                                                                      \
  MINICNN_ABI_JOIN(MINICNN_VERSION_MAJOR, MINICNN_VERSION_MINOR, MINICNN_ABI_THREADS, MINICNN_ABI_ISA, MINICNN_ABI_MATH, \
                   MINICNN_ABI_CHECKS, MINICNN_ABI_VECTORS)

/// Forces inlining: kernel bodies must end up inside the wrapper that carries the `target` attribute.
#if defined(__GNUC__)
#define MINICNN_INLINE inline __attribute__((always_inline))
/// The same for a lambda, behind its parameters.
#define MINICNN_INLINE_LAMBDA __attribute__((always_inline))
/// Marks what does not run within a step: compiled for size and never inlined.
#define MINICNN_COLD __attribute__((cold, noinline))
#else
#define MINICNN_INLINE inline
#define MINICNN_INLINE_LAMBDA
#define MINICNN_COLD
#endif

namespace minicnn::inline MINICNN_ABI {

/// The library's version as text, for messages and file metadata.
inline constexpr const char* version_string = "0.1.0";

}  // namespace minicnn::inline MINICNN_ABI
