#pragma once
/// How gradients travel between processes: as they are, or in half as many bytes.

#include <cstdint>
#include <cstring>

#include "minicnn/core/shape.hpp"
#include "minicnn/kernels/product/bf16_pack.hpp"
#include "minicnn/kernels/simd/dispatch.hpp"

namespace minicnn::inline MINICNN_ABI {

/// bf16: the gradients of every shard are rounded to bfloat16 once, added up in float, and the sum is rounded once. On how many
/// processes the shards are does not matter to the result, but it is another one than with fp32.
enum class wire_format { fp32, bf16 };

namespace detail {

constexpr index_t wire_step = 16;  // elements: a line of float

/// The upper halves of `count` words, a multiple of 16.
struct narrow_words_kernel {
  template <class V>
  MINICNN_INLINE static void run(const float* from, std::uint16_t* to, index_t count) {
    for (index_t i = 0; i < count; i += wire_step) {
      std::uint32_t words[wire_step];
      std::memcpy(words, from + i, sizeof words);
      for (index_t k = 0; k < wire_step; ++k) to[i + k] = static_cast<std::uint16_t>(words[k] >> 16);
    }
  }
};

/// The other way round.
struct widen_words_kernel {
  template <class V>
  MINICNN_INLINE static void run(const std::uint16_t* from, float* to, index_t count) {
    for (index_t i = 0; i < count; i += wire_step) {
      std::uint32_t words[wire_step];
      for (index_t k = 0; k < wire_step; ++k) words[k] = std::uint32_t{from[i + k]} << 16;
      std::memcpy(to + i, words, sizeof words);
    }
  }
};

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
