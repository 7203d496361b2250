#pragma once
/// Shuffling for storage that reads neighbours faster than what lies anywhere: spinning disks, object stores.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "minicnn/core/random.hpp"
#include "minicnn/data/dataset.hpp"

namespace minicnn::inline MINICNN_ABI {

/// How training orders an epoch's pictures.
enum class shuffle_mode {
  full,  ///< any order, each as probable as the others
  /// Blocks of 1,024 neighbours in any order, sixteen of them read at a time, each from front to back: the next picture is the
  /// next of one of the sixteen. Neighbours are those of tar files, or of the list of files. Where blocks begin changes from
  /// epoch to epoch.
  blocks
};

namespace detail {

/// `samples` in the order in which they are stored.
inline sample_indices storage_order(const image_dataset& data, sample_indices samples) {
  const auto place = [&](index_t i) { return data.samples[static_cast<std::size_t>(i)].member; };
  std::sort(samples.begin(), samples.end(),
            [&](index_t a, index_t b) { return place(a) == place(b) ? a < b : place(a) < place(b); });
  return samples;
}

/// Draws the order of one epoch after the other, in memory that it keeps.
class block_order {
 public:
  static constexpr std::size_t length = 1024, at_once = 16;

  /// Fills `order` with `stored`, block by block as `shuffle_mode::blocks` says.
  void draw(const sample_indices& stored, random_stream random, sample_indices& order) {
    order.clear();
    blocks_.clear();
    open_.clear();
    // The first block is cut anew each epoch, so that blocks do not always hold the same pictures.
    std::size_t begin = 0, end = 1 + static_cast<std::size_t>(random.below(static_cast<index_t>(length)));
    for (; begin < stored.size(); begin = end, end += length) blocks_.push_back({begin, (std::min)(end, stored.size())});
    random.shuffle(blocks_);
    std::size_t opened = 0;
    while (order.size() < stored.size()) {
      while (open_.size() < at_once && opened < blocks_.size()) open_.push_back(blocks_[opened++]);
      const auto choice = static_cast<std::size_t>(random.below(static_cast<index_t>(open_.size())));
      block& b = open_[choice];
      order.push_back(stored[b.next++]);
      if (b.next < b.end) continue;
      b = open_.back();
      open_.pop_back();
    }
  }

 private:
  struct block {
    std::size_t next, end;
  };
  std::vector<block> blocks_, open_;
};

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
