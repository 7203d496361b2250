#pragma once
/// Version, and the inline namespace that keeps differently built translation units apart.
///
/// Every public name lives in `minicnn::<abi tag>`. The tag holds the version, whether OpenMP is on and the widest
/// vector ISA that the compiler was told to assume. Two units built with different flags therefore have different
/// symbols: each works on its own, and passing a minicnn type from one to the other fails at link time
/// ("undefined reference to minicnn::v0_1_omp_avx2::...") instead of mixing two versions of one inline function.

#define MINICNN_VERSION_MAJOR 0
#define MINICNN_VERSION_MINOR 1
#define MINICNN_VERSION_PATCH 0

#if defined(_OPENMP)
#define MINICNN_ABI_THREADS omp
#else
#define MINICNN_ABI_THREADS serial
#endif

#if defined(__AVX512F__)
#define MINICNN_ABI_ISA avx512
#elif defined(__AVX2__)
#define MINICNN_ABI_ISA avx2
#elif defined(__AVX__)
#define MINICNN_ABI_ISA avx
#else
#define MINICNN_ABI_ISA base
#endif

#define MINICNN_ABI_JOIN_(major, minor, threads, isa) v##major##_##minor##_##threads##_##isa
#define MINICNN_ABI_JOIN(major, minor, threads, isa) MINICNN_ABI_JOIN_(major, minor, threads, isa)
#define MINICNN_ABI MINICNN_ABI_JOIN(MINICNN_VERSION_MAJOR, MINICNN_VERSION_MINOR, MINICNN_ABI_THREADS, MINICNN_ABI_ISA)

/// Forces inlining: kernel bodies must end up inside the wrapper that carries the `target` attribute.
#if defined(__GNUC__)
#define MINICNN_INLINE inline __attribute__((always_inline))
#else
#define MINICNN_INLINE inline
#endif

namespace minicnn::inline MINICNN_ABI {

/// The library's version as text, for messages and file metadata.
inline constexpr const char* version_string = "0.1.0";

}  // namespace minicnn::inline MINICNN_ABI
