#pragma once
/// Tiles of operands rounded to bfloat16, with sums in float: by AVX512-BF16's vdpbf16ps, or rounded floats by the tile of
/// tile.hpp.
///
/// Panels are packed in float and converted in place (bf16_pack.hpp).

#include <cstdint>

#include "minicnn/kernels/product/bf16_pack.hpp"
#include "minicnn/kernels/product/plain_tile.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

#if MINICNN_NATIVE_BF16
/// sums = (or += unless `first`) the product of panels of pairs, `steps` words deep and `Line` words from step to step of A, by
/// vdpbf16ps. Written as assembly: its intrinsics want a compiler flag or <immintrin.h>, which costs more compile time than the
/// rest of the library.
template <class V, int Rows, int Line>
MINICNN_INLINE void multiply_bf16_tile(index_t steps, const std::uint32_t* a, const std::uint32_t* b, float* sums, bool first) {
  constexpr int lanes = V::template lanes<float>;
  vec<float, V> sum[Rows][2];
  MINICNN_UNROLL
  for (int i = 0; i < Rows; ++i) sum[i][0] = sum[i][1] = vec<float, V>{};
  for (index_t s = 0; s < steps; ++s, a += Line, b += 2 * lanes) {
    word_vec<V> pair0, pair1;
    load<V>(pair0, b);
    load<V>(pair1, b + lanes);
    MINICNN_UNROLL
    for (int i = 0; i < Rows; ++i) {
      const word_vec<V> x = word_vec<V>{} + a[i];
      __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum[i][0]) : "v"(x), "v"(pair0));
      __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum[i][1]) : "v"(x), "v"(pair1));
    }
  }
  MINICNN_UNROLL
  for (int i = 0; i < Rows; ++i)
    for (int half = 0; half < 2; ++half) {
      float* const to = sums + (i * 2 + half) * lanes;
      vec<float, V> before{};
      if (!first) load<V>(before, to);
      store<V>(to, vec<float, V>(sum[i][half] + before));
    }
}

/// Panels of `Line` rows, multiplied in parts of `Rows`. `panel_stride` says how far apart panels of A are: one that was
/// converted in place fills half of its room.
template <int Rows, int Line = Rows>
struct bf16_column_kernel {
  template <class V>
  MINICNN_INLINE static void run(const column_product<float>* product) {
    const column_product<float> p = *product;
    const auto* const words_b = reinterpret_cast<const std::uint32_t*>(p.b);
    constexpr index_t parts = Line / Rows;
    for (index_t part = 0; part < p.panels * parts; ++part) {
      const auto* const words_a =
          reinterpret_cast<const std::uint32_t*>(p.a + part / parts * p.panel_stride) + part % parts * Rows;
      multiply_bf16_tile<V, Rows, Line>((p.depth + 1) / 2, words_a, words_b, p.sums + part * Rows * 2 * V::template lanes<float>,
                                        p.first);
    }
  }
};

template <int Rows, int Line = Rows>
inline constexpr column_function<float> bf16_column = run_avx512<bf16_column_kernel<Rows, Line>, const column_product<float>*>;

/// The function for pairs of bfloat16, where `native_bf16`.
inline column_function<float> bf16_column_kernel_of(int rows) {
  return rows == 14   ? bf16_column<14>
         : rows == 12 ? bf16_column<12>
         : rows == 10 ? bf16_column<10>
         : rows == 8  ? bf16_column<8>
         : rows == 6  ? bf16_column<6>
         : rows == 4  ? bf16_column<4>
         : rows == 2  ? bf16_column<2>
                      : bf16_column<1>;
}
#else
inline column_function<float> bf16_column_kernel_of(int) { return nullptr; }
#endif

/// Tiles of `rows` rows of operands rounded to bfloat16 where `native_bf16`: two steps of a panel become one word.
inline tile<float> bf16_pairs_tile(isa i, int rows) {
  using tile_type = tile<float>;
  tile_type t = plain_tile<float>(i, rows);
  t.multiply = bf16_column_kernel_of(rows);
  t.multiply_one = t.multiply_four = nullptr, t.multiply_row = nullptr;
  t.convert_a = [](const tile_type& self, index_t panels, index_t depth, float* packed) {
    pack_bf16_pairs(panels, depth, self.rows, packed);
  };
  t.convert_b = [](const tile_type& self, index_t depth, float* packed) { pack_bf16_pairs(1, depth, self.columns, packed); };
  return t;
}

/// Tiles of operands rounded to bfloat16 that stay floats, for every processor.
inline tile<float> rounded_tile(isa i, int rows) {
  using tile_type = tile<float>;
  tile_type t = plain_tile<float>(i, rows);
  t.convert_a = [](const tile_type& self, index_t panels, index_t depth, float* packed) {
    round_to_bf16(self.instruction_set, panels * depth * self.rows, packed);
  };
  t.convert_b = [](const tile_type& self, index_t depth, float* packed) {
    round_to_bf16(self.instruction_set, depth * self.columns, packed);
  };
  return t;
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
