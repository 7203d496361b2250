#pragma once
/// How a batch is cut into shards, and shards are dealt to processes. All of it follows from three counts, so every process knows
/// what the others do.

#include <algorithm>

#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Where part `i` of `parts` begins in `total` things: sizes differ by one at most.
inline index_t begin_of_part(index_t total, index_t parts, index_t i) { return total * i / parts; }

/// A half-open range.
struct index_range {
  index_t begin = 0, end = 0;
  index_t size() const { return end - begin; }
  bool has(index_t i) const { return i >= begin && i < end; }
};

/// Part `i` of `parts`.
inline index_range range_of_part(index_t total, index_t parts, index_t i) {
  return {begin_of_part(total, parts, i), begin_of_part(total, parts, i + 1)};
}

/// Shards of a batch of `count` images where `shards` are wanted: fewer in a small batch, so that each has two images at least,
/// whose statistics say something.
inline index_t shards_of_batch(index_t count, index_t shards) {
  return (std::max)((std::min)(shards, count / 2), (std::min)(count, index_t{1}));
}

/// The places in a batch of `count` images that the shards of process `rank` of `ranks` cover.
inline index_range images_of_rank(index_t count, index_t shards, index_t ranks, index_t rank) {
  const index_t used = shards_of_batch(count, shards);
  const index_range own = range_of_part(used, ranks, rank);
  return used == 0 ? index_range{} : index_range{begin_of_part(count, used, own.begin), begin_of_part(count, used, own.end)};
}

/// Whose images data is to load. In training every rank gets all batches, with all places, of which only its own shards' are
/// filled; in evaluation whole batches, its own alone: part `rank` of `ranks` of them.
struct deal_of_rank {
  index_t rank = 0, ranks = 1;
  index_t shards = 1;
  bool pairs = false;  ///< in training: for every place i of a batch of n place n - 1 - i too
};

}  // namespace minicnn::inline MINICNN_ABI
