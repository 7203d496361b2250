#pragma once
/// What fold_batch_norm needs to know of operations: interfaces that layers, ours or a user's, implement beside `op`
/// and give away by `op::as_channel_mapping` and `op::as_channel_map_producer`.

#include <memory>
#include <span>
#include <vector>

#include "minicnn/graph/op.hpp"

namespace minicnn::inline MINICNN_ABI {

/// y = (x - center) * scale + shift.
struct channel_map {
  double center = 0.0, scale = 1.0, shift = 0.0;
};

/// An operation that in evaluation mode maps each channel of its input by a `channel_map`.
template <class T>
class channel_mapping {
 public:
  channel_mapping() = default;
  channel_mapping(const channel_mapping&) = default;
  channel_mapping& operator=(const channel_mapping&) = default;
  virtual ~channel_mapping() = default;

  /// One map per channel, from the operation's parameters and buffers, in the order of its plan.
  virtual std::vector<channel_map> channel_maps(std::span<const view<const T>> parameters,
                                                std::span<const view<const T>> buffers) const = 0;
};

/// A linear operation that can do the channel mapping of the operation that follows, by other parameters.
template <class T>
class channel_map_producer {
 public:
  channel_map_producer() = default;
  channel_map_producer(const channel_map_producer&) = default;
  channel_map_producer& operator=(const channel_map_producer&) = default;
  virtual ~channel_map_producer() = default;

  /// The operation that does both.
  virtual std::shared_ptr<const op<T>> with_channel_map() const = 0;

  /// Writes the parameters `to` of `with_channel_map()`, from the parameters `from` of this operation; one map per output
  /// channel.
  virtual void fold(std::span<const channel_map> maps, std::span<const view<const T>> from,
                    std::span<const view<T>> to) const = 0;
};

}  // namespace minicnn::inline MINICNN_ABI
