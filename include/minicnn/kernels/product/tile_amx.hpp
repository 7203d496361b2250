#pragma once
/// Products of bfloat16 panels on the matrix unit (AMX) of Intel's server processors since 2023: tiles of 16 x 16 sums in
/// registers of their own, 32 steps of the summed dimension an instruction. Linux grants a process the use of these registers on
/// request. Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.

#include <cstdint>

#include "minicnn/kernels/product/bf16_pack.hpp"

/// Whether instructions can be written as assembly in any function. clang refuses those that the function's target lacks.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define MINICNN_AMX 1
#include <sys/syscall.h>
#include <unistd.h>
#else
#define MINICNN_AMX 0
#endif

namespace minicnn::inline MINICNN_ABI::kernels {

/// Whether the processor has the unit and the system lets this process use it, on `avx512` alone.
inline bool has_amx([[maybe_unused]] isa i) {
#if MINICNN_AMX
  static const bool granted = [] {
    constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return __builtin_cpu_supports("amx-tile") != 0 && __builtin_cpu_supports("amx-bf16") != 0 &&
           __builtin_cpu_supports("avx512bf16") != 0 && ::syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  }();
  return i == isa::avx512 && granted;
#else
  return false;
#endif
}

#if MINICNN_AMX

/// What ldtilecfg reads: palette 1, and for each of eight tiles its bytes a row and its rows.
struct alignas(64) amx_configuration {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
inline constexpr amx_configuration amx_tiles{};

/// sums = (or += unless `first`) the product of `row_tiles` panels of A from `bf16_lines_kernel` and one panel of B of 32
/// columns narrowed to pairs, filled with zeros to whole blocks. Two panels of A at a time: sums in tiles 0 to 3, A in 4 and 5, B
/// in 6 and 7.
inline void multiply_amx_column(index_t depth, const float* a, index_t row_tiles, const float* b, float* sums, bool first) {
  constexpr index_t column_bytes = 32 * sizeof(float), line_bytes = amx_rows * sizeof(float), tile_sums = amx_rows * 32;
  constexpr index_t block_a = amx_rows * amx_rows, block_b = amx_rows * 32;
  const index_t panel_a = depth * amx_rows, blocks = divide_up(depth, amx_depth);
  __asm__ volatile("ldtilecfg %0" ::"m"(amx_tiles));
  for (index_t i = 0; i < row_tiles; i += 2) {
    const bool two = i + 1 < row_tiles;
    float* const upper = sums + i * tile_sums;
    float* const lower = two ? upper + tile_sums : upper;
    const float *upper_a = a + i * panel_a, *lower_a = two ? upper_a + panel_a : upper_a, *place_b = b;
    if (first)
      __asm__ volatile("tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3" ::);
    else
      __asm__ volatile(
          "tileloadd (%0,%2,1), %%tmm0\n\t"
          "tileloadd 64(%0,%2,1), %%tmm1\n\t"
          "tileloadd (%1,%2,1), %%tmm2\n\t"
          "tileloadd 64(%1,%2,1), %%tmm3" ::"r"(upper),
          "r"(lower), "r"(column_bytes)
          : "memory");
    for (index_t block = 0; block < blocks; ++block, upper_a += block_a, lower_a += block_a, place_b += block_b)
      __asm__ volatile(
          "tileloadd (%2,%4,1), %%tmm6\n\t"
          "tileloadd (%0,%3,1), %%tmm4\n\t"
          "tileloadd 64(%2,%4,1), %%tmm7\n\t"
          "tileloadd (%1,%3,1), %%tmm5\n\t"
          "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\t"
          "tdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"
          "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\t"
          "tdpbf16ps %%tmm7, %%tmm5, %%tmm3" ::"r"(upper_a),
          "r"(lower_a), "r"(place_b), "r"(line_bytes), "r"(column_bytes)
          : "memory");
    if (two)
      __asm__ volatile(
          "tilestored %%tmm2, (%0,%1,1)\n\t"
          "tilestored %%tmm3, 64(%0,%1,1)" ::"r"(lower),
          "r"(column_bytes)
          : "memory");
    __asm__ volatile(
        "tilestored %%tmm0, (%0,%1,1)\n\t"
        "tilestored %%tmm1, 64(%0,%1,1)" ::"r"(upper),
        "r"(column_bytes)
        : "memory");
  }
  __asm__ volatile("tilerelease" ::);  // a clean state costs nothing when threads are switched
}

#else

inline void multiply_amx_column(index_t, const float*, index_t, const float*, float*, bool) {}

#endif

}  // namespace minicnn::inline MINICNN_ABI::kernels

#undef MINICNN_AMX
