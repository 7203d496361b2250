#pragma once
/// Products of bfloat16 panels on AMX, the matrix unit of Intel's server processors since 2023: tiles of 16 x 16 sums in
/// registers of their own, 32 steps of the summed dimension an instruction. Linux grants a process the use of these registers on
/// request. Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18.

#include <algorithm>
#include <cstdint>

#include "minicnn/kernels/product/pack.hpp"
#include "minicnn/kernels/product/tile_bf16.hpp"

/// Whether instructions can be written as assembly in any function. clang refuses those that the function's target lacks.
#if MINICNN_NATIVE_BF16 && defined(__linux__)
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

/// Steps of a block of AMX: sixteen words of two.
inline constexpr index_t amx_depth = 32;
/// Rows of a tile of AMX, and of the panels of A that it reads.
inline constexpr int amx_rows = 16;

/// Rounds one packed panel of `amx_rows` lines in place, in pairs of steps: word s of line i of block b at [(b * 16 + i) * 16 +
/// s], the last block filled with zeros. Requires room for whole blocks, which a panel of 16 steps and more has.
struct bf16_lines_kernel {
  template <class V>
  MINICNN_INLINE static void run(index_t depth, float* panel) {
    auto* const words = reinterpret_cast<std::uint32_t*>(panel);
    for (index_t block = 0; block * amx_depth < depth; ++block) {
      word_vec<V> lines[amx_rows];
      for (int s = 0; s < amx_rows; ++s) {
        const index_t k = block * amx_depth + 2 * s;
        word_vec<V> low{}, high{};
        if (k < depth) load<V>(low, words + k * amx_rows);
        if (k + 1 < depth) load<V>(high, words + (k + 1) * amx_rows);
        round_lanes_to_bf16<V>(low);
        round_lanes_to_bf16<V>(high);
        lines[s] = (low >> 16) | (high & 0xFFFF0000U);
      }
      transpose_registers(lines);
      MINICNN_UNROLL
      for (int i = 0; i < amx_rows; ++i) store<V>(words + (block * amx_rows + i) * amx_rows, lines[i]);
    }
  }
};

#if MINICNN_AMX

/// What ldtilecfg reads: palette 1, and for each of eight tiles its bytes a row and its rows.
struct alignas(64) amx_configuration {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
inline constexpr amx_configuration amx_tiles{};

/// Four tiles of sums, two above each other by two side by side, in registers 0 to 3. Rows of a tile are `stride` bytes apart.
MINICNN_INLINE void zero_sums() {
  __asm__ volatile("tilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3" ::);
}

/// The tile on the right is `right` elements behind the one on the left.
MINICNN_INLINE void load_sums(const float* upper, const float* lower, index_t right, index_t stride) {
  __asm__ volatile(
      "tileloadd (%0,%4,1), %%tmm0\n\t"
      "tileloadd (%1,%4,1), %%tmm1\n\t"
      "tileloadd (%2,%4,1), %%tmm2\n\t"
      "tileloadd (%3,%4,1), %%tmm3" ::"r"(upper),
      "r"(upper + right), "r"(lower), "r"(lower + right), "r"(stride)
      : "memory");
}

/// `lower` first: it may be `upper`, where there is one row of tiles.
MINICNN_INLINE void store_sums(float* upper, float* lower, index_t right, index_t stride) {
  __asm__ volatile(
      "tilestored %%tmm2, (%2,%4,1)\n\t"
      "tilestored %%tmm3, (%3,%4,1)\n\t"
      "tilestored %%tmm0, (%0,%4,1)\n\t"
      "tilestored %%tmm1, (%1,%4,1)" ::"r"(upper),
      "r"(upper + right), "r"(lower), "r"(lower + right), "r"(stride)
      : "memory");
}

/// sums += two tiles of A by two of B, 32 steps. A in registers 4 and 5, B in 6 and 7.
MINICNN_INLINE void multiply_tiles(const void* upper_a, const void* lower_a, index_t stride_a, const void* left_b,
                                   const void* right_b, index_t stride_b) {
  __asm__ volatile(
      "tileloadd (%2,%5,1), %%tmm6\n\t"
      "tileloadd (%0,%4,1), %%tmm4\n\t"
      "tileloadd (%3,%5,1), %%tmm7\n\t"
      "tileloadd (%1,%4,1), %%tmm5\n\t"
      "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\t"
      "tdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"
      "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\t"
      "tdpbf16ps %%tmm7, %%tmm5, %%tmm3" ::"r"(upper_a),
      "r"(lower_a), "r"(left_b), "r"(right_b), "r"(stride_a), "r"(stride_b)
      : "memory");
}

/// The same where one tile of B is all that there is: the sums on the left.
MINICNN_INLINE void multiply_left_tiles(const void* upper_a, const void* lower_a, index_t stride_a, const void* b,
                                        index_t stride_b) {
  __asm__ volatile(
      "tileloadd (%2,%4,1), %%tmm6\n\t"
      "tileloadd (%0,%3,1), %%tmm4\n\t"
      "tileloadd (%1,%3,1), %%tmm5\n\t"
      "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\t"
      "tdpbf16ps %%tmm6, %%tmm5, %%tmm2" ::"r"(upper_a),
      "r"(lower_a), "r"(b), "r"(stride_a), "r"(stride_b)
      : "memory");
}

/// The product of panels of A from `bf16_lines_kernel` and one panel of B of 32 columns packed to pairs, filled with zeros to
/// whole blocks. Two panels of A at a time.
inline void multiply_amx_column(const column_product<float>* p) {
  constexpr index_t column_bytes = 32 * sizeof(float), line_bytes = amx_rows * sizeof(float), tile_sums = amx_rows * 32;
  constexpr index_t block_a = amx_rows * amx_rows, block_b = amx_rows * 32;
  const index_t blocks = divide_up(p->depth, amx_depth);
  __asm__ volatile("ldtilecfg %0" ::"m"(amx_tiles));
  for (index_t i = 0; i < p->panels; i += 2) {
    const bool two = i + 1 < p->panels;
    float* const upper = p->sums + i * tile_sums;
    float* const lower = two ? upper + tile_sums : upper;
    const float *upper_a = p->a + i * p->panel_stride, *lower_a = two ? upper_a + p->panel_stride : upper_a, *b = p->b;
    if (p->first)
      zero_sums();
    else
      load_sums(upper, lower, amx_rows, column_bytes);
    for (index_t block = 0; block < blocks; ++block, upper_a += block_a, lower_a += block_a, b += block_b)
      multiply_tiles(upper_a, lower_a, line_bytes, b, b + amx_rows, column_bytes);
    store_sums(upper, lower, amx_rows, column_bytes);
  }
  __asm__ volatile("tilerelease" ::);  // a clean state costs nothing when threads are switched
}

#else

inline void multiply_amx_column(const column_product<float>*) {}

#endif

/// Whether AMX multiplies a chunk of `depth` steps: at least half a block. vdpbf16ps multiplies shorter ones.
inline bool amx_multiplies(index_t depth) { return 2 * depth >= amx_depth; }

/// Tiles for AMX, where `has_amx`.
inline tile<float> amx_tile(isa i) {
  using tile_type = tile<float>;
  tile_type t = bf16_pairs_tile(i, 8);
  t.rows = amx_rows;
  t.multiply = [](const column_product<float>* p) {
    if (amx_multiplies(p->depth)) return multiply_amx_column(p);
#if MINICNN_NATIVE_BF16
    bf16_column<8, amx_rows>(p);
#endif
  };
  t.convert_a = [](const tile_type& self, index_t panels, index_t depth, float* packed) {
    if (!amx_multiplies(depth)) return pack_bf16_pairs(panels, depth, self.rows, packed);
    for (index_t p = 0; p < panels; ++p)
      dispatched_from<isa::avx512, bf16_lines_kernel, index_t, float*>(self.instruction_set)(depth,
                                                                                             packed + p * depth * self.rows);
  };
  t.convert_b = [](const tile_type& self, index_t depth, float* packed) {
    pack_bf16_pairs(1, depth, self.columns, packed);
    if (!amx_multiplies(depth)) return;
    const index_t from = divide_up(depth, index_t{2}), to = divide_up(depth, amx_depth) * amx_rows;
    std::fill(packed + from * self.columns, packed + to * self.columns, 0.0F);
  };
  return t;
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
