#pragma once
/// Sorting of positions: one function for all comparisons, since every instance of std::sort is a tenth of a second to compile.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "minicnn/core/function_ref.hpp"

namespace minicnn::inline MINICNN_ABI {

/// 0, 1, ... count - 1 in the order of `less`, and in their own where it says neither.
MINICNN_COLD inline std::vector<std::size_t> sorted_indices(std::size_t count,
                                                            function_ref<bool(std::size_t, std::size_t)> less) {
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [less](std::size_t a, std::size_t b) { return less(a, b) || (a < b && !less(b, a)); });
  return order;
}

}  // namespace minicnn::inline MINICNN_ABI
