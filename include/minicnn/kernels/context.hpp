#pragma once
/// How kernels run: with how many threads, on which instruction set. Passed down explicitly; there is no global setting.

#include "minicnn/core/parallel.hpp"
#include "minicnn/kernels/isa.hpp"

namespace minicnn::inline MINICNN_ABI {

struct context {
  int threads = 1;                      ///< team size, at least 1
  isa instruction_set = default_isa();  ///< must be one that the processor has
  bool bf16 = false;                    ///< matrix products of float operands rounded to bfloat16 (tile_bf16.hpp)
  bool winograd = true;                 ///< 3 x 3 and 5 x 5 convolutions by Winograd where it pays
};

}  // namespace minicnn::inline MINICNN_ABI
