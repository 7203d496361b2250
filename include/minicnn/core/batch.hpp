#pragma once
/// What a training step gets from a data set.

#include <cstdint>
#include <span>

#include "minicnn/core/tensor.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Views into memory of the data's own, valid until it is asked for the next batch. Which of `labels` and `targets` are there is
/// for the data to decide, and for the task to ask for.
template <class T>
struct batch {
  view<const T> images = {};                  ///< (n, channels, height, width)
  std::span<const std::int32_t> labels = {};  ///< n class numbers; -1 where there is none
  std::span<const index_t> indices = {};      ///< n places in the data set
  view<const T> targets = {};                 ///< (n, columns): 0 or 1 for each of several labels, or real numbers
  view<const T> soft_labels = {};             ///< (n, classes): probabilities in place of `labels`, where training mixes pictures

  index_t size() const { return images.dims().rank() < 1 ? 0 : images.dim(0); }
};

/// The members that a batch of the user's own has: `images`, and the others where they are there.
template <class T, class Batch>
batch<T> as_batch(const Batch& b) {
  batch<T> out;
  out.images = b.images;
  if constexpr (requires { out.labels = b.labels; }) out.labels = b.labels;
  if constexpr (requires { out.indices = b.indices; }) out.indices = b.indices;
  if constexpr (requires { out.targets = b.targets; }) out.targets = b.targets;
  if constexpr (requires { out.soft_labels = b.soft_labels; }) out.soft_labels = b.soft_labels;
  return out;
}

}  // namespace minicnn::inline MINICNN_ABI
