#pragma once
/// Orders in which every class comes as often as the others.

#include <cstddef>
#include <vector>

#include "minicnn/core/random.hpp"
#include "minicnn/data/dataset.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Draws the order of one epoch after the other, in memory that it keeps.
class balanced_order {
 public:
  /// Fills `order` with some of `samples`: rounds of one picture of each class, the classes of a round in random order, the
  /// pictures of a class in an order that is drawn anew whenever all have had their turn. Throws option_error if no sample has a
  /// class.
  void draw(const image_dataset& data, const sample_indices& samples, random_stream random, sample_indices& order) {
    by_class_.resize(data.classes.size());
    for (sample_indices& members : by_class_) members.clear();
    for (const index_t i : samples)
      if (const int label = data.samples[static_cast<std::size_t>(i)].label; label >= 0)
        by_class_[static_cast<std::size_t>(label)].push_back(i);
    round_.clear();
    for (std::size_t c = 0; c < by_class_.size(); ++c)
      if (!by_class_[c].empty()) round_.push_back(c);
    if (round_.empty()) fail<option_error>("loader: pictures without classes cannot be balanced");
    turns_.assign(by_class_.size(), 0);
    for (std::size_t place = 0; place < order.size(); ++place) {
      if (place % round_.size() == 0) random.shuffle(round_);
      const std::size_t c = round_[place % round_.size()], count = by_class_[c].size();
      if (turns_[c] % count == 0) random.shuffle(by_class_[c]);
      order[place] = by_class_[c][turns_[c]++ % count];
    }
  }

 private:
  std::vector<sample_indices> by_class_;
  std::vector<std::size_t> round_, turns_;  ///< classes of the round; pictures taken of each class
};

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
