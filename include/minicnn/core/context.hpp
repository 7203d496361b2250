#pragma once
/// How layers run: with how many threads, on which instruction set. Passed down explicitly; there is no global setting.

#include <cstdlib>
#include <string_view>

#include "minicnn/core/error.hpp"
#include "minicnn/core/parallel.hpp"

/// The widest vectors that code is compiled for on x86-64: 64 bytes (AVX-512, and all below), 32 (AVX2) or 0. A program that must
/// be small sets it by -DMINICNN_X86_VECTORS=32. g++ for Windows keeps vectors on a stack that is aligned to 16 bytes and moves
/// them as if to their size (GCC bug 54412). Its assembler mends that with -Wa,-muse-unaligned-vector-move: whoever gives this
/// option says so by MINICNN_UNALIGNED_VECTOR_MOVES, as CMake's target minicnn::minicnn does.
#if defined(MINICNN_X86_VECTORS)
#elif defined(__x86_64__) && defined(__GNUC__) && \
    (!defined(__MINGW32__) || defined(__clang__) || defined(MINICNN_UNALIGNED_VECTOR_MOVES))
#define MINICNN_X86_VECTORS 64
#else
#define MINICNN_X86_VECTORS 0
#endif

namespace minicnn::inline MINICNN_ABI {

/// Instruction sets with a code path of their own, in ascending order.
enum class isa { baseline, avx2, avx512 };

inline std::string_view name_of(isa i) { return i == isa::avx512 ? "avx512" : i == isa::avx2 ? "avx2" : "baseline"; }

/// The widest instruction set that this processor (and operating system) supports.
inline isa detect_isa() {
#if MINICNN_X86_VECTORS
  __builtin_cpu_init();
  if (MINICNN_X86_VECTORS >= 64 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
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

struct context {
  int threads = 1;                      ///< team size, at least 1
  isa instruction_set = default_isa();  ///< must be one that the processor has
  bool bf16 = false;                    ///< matrix products of float operands rounded to bfloat16
  bool winograd = true;                 ///< 3 x 3 and 5 x 5 convolutions by Winograd where it is profitable
};

}  // namespace minicnn::inline MINICNN_ABI
