#pragma once
/// The tile of a product, chosen once by what the caller allows and what the processor has.

#include <type_traits>

#include "minicnn/kernels/product/tile_amx.hpp"
#include "minicnn/kernels/product/tile_bf16.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// The tile for a product of `rows` rows: in the type of the operands or, for float with `ctx.bf16`, in bfloat16 by the best unit
/// that the processor has. bf16 is a way to compute with float: other types ignore it.
template <class T>
tile<T> choose_tile(const context& ctx, index_t rows) {
  const isa i = ctx.instruction_set;
  if constexpr (std::is_same_v<T, float>) {
    if (ctx.bf16 && rows > 8 && has_amx(i)) return amx_tile(i);
    if (ctx.bf16)
      return native_bf16(i) ? bf16_pairs_tile(i, choose_tile_rows(i, rows)) : rounded_tile(i, choose_tile_rows(i, rows));
  }
  return plain_tile<T>(i, choose_tile_rows(i, rows));
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
