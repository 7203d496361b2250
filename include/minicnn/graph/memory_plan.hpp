#pragma once
/// Places buffers with known lifetimes in one block, so that buffers alive at different times share memory.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "minicnn/core/arena.hpp"
#include "minicnn/core/sort_indices.hpp"

namespace minicnn::inline MINICNN_ABI {

/// A buffer that must not be disturbed from time `first` to time `last` (both included).
struct planned_buffer {
  index_t bytes = 0;
  int first = 0;
  int last = 0;
  index_t offset = -1;  ///< set by `place_buffers`; -1 for an empty buffer
};

/// Sets every offset (a multiple of 64) and returns the block's size in bytes. Greedy by size: the largest buffer first, each
/// at the lowest offset where nothing alive at the same time lies. Lower bound: the largest sum of sizes alive at one time;
/// on chain-like networks the greedy plan reaches it or stays within a few per cent (Pisarchyk and Lee, 2020).
MINICNN_COLD inline index_t place_buffers(std::vector<planned_buffer>& buffers) {
  const std::vector<std::size_t> order =
      sorted_indices(buffers.size(), [&](std::size_t a, std::size_t b) { return buffers[a].bytes > buffers[b].bytes; });

  std::vector<const planned_buffer*> placed;  // by offset
  index_t total = 0;
  for (const std::size_t i : order) {
    planned_buffer& b = buffers[i];
    if (b.bytes == 0) continue;
    const index_t size = scratch::bytes_for<std::byte>(b.bytes);
    index_t offset = 0;
    for (const planned_buffer* other : placed) {
      if (other->last < b.first || b.last < other->first) continue;
      if (offset + size <= other->offset) break;
      offset = (std::max)(offset, other->offset + scratch::bytes_for<std::byte>(other->bytes));
    }
    b.offset = offset;
    total = (std::max)(total, offset + size);
    const auto place = std::upper_bound(placed.begin(), placed.end(), offset,
                                        [](index_t value, const planned_buffer* other) { return value < other->offset; });
    placed.insert(place, &b);
  }
  return total;
}

}  // namespace minicnn::inline MINICNN_ABI
