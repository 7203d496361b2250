#pragma once
/// Counter-based random numbers (Philox 4x32-10; Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
///
/// A value is a pure function of a key and a position: who asks, on which thread and in what order does not matter.
/// Keys are derived by naming what the numbers are for: `random_key(seed).of(epoch).of(sample)`.

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// 128 random bits for a 64-bit key and a 64-bit counter (with a second 64-bit stream number).
inline std::array<std::uint32_t, 4> philox(std::uint64_t key, std::uint64_t counter, std::uint64_t stream = 0) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  std::array<std::uint32_t, 4> x{static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
                                 static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)};
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53U} * x[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57U} * x[2];
    x = {static_cast<std::uint32_t>(b >> 32) ^ x[1] ^ k0, static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ x[3] ^ k1, static_cast<std::uint32_t>(a)};
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return x;
}

/// Names a stream of random numbers. Copyable, stateless.
class random_key {
 public:
  explicit random_key(std::uint64_t seed = 0) : key_(seed) {}

  /// A key for one part of what this key stands for: an epoch, a sample, a node.
  random_key of(std::uint64_t part) const {
    const auto x = philox(key_, part, 0x6B657973ULL);
    return random_key((std::uint64_t{x[1]} << 32) | x[0]);
  }

  /// Four 32-bit words at position `counter`.
  std::array<std::uint32_t, 4> words(std::uint64_t counter) const { return philox(key_, counter); }

  std::uint64_t value() const { return key_; }

 private:
  std::uint64_t key_;
};

/// Draws one number after another from a key.
class random_stream {
 public:
  explicit random_stream(random_key key) : key_(key) {}

  std::uint32_t bits() {
    if (used_ == 4) {
      block_ = key_.words(counter_++);
      used_ = 0;
    }
    return block_[used_++];
  }

  /// In [0, 1), multiples of 2^-53.
  double uniform() {
    const std::uint64_t high = bits() >> 5, low = bits() >> 6;
    return static_cast<double>((high << 26) | low) * 0x1.0p-53;
  }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  /// An integer in [0, count), without bias.
  index_t below(index_t count) {
    const auto range = static_cast<std::uint64_t>(count);
    const std::uint64_t limit = ~std::uint64_t{0} - (~std::uint64_t{0} % range + 1) % range;
    for (;;) {
      const std::uint64_t high = bits();
      const std::uint64_t value = (high << 32) | bits();
      if (value <= limit) return static_cast<index_t>(value % range);
    }
  }

  bool chance(double probability) { return uniform() < probability; }

  /// Standard normal (Box and Muller, 1958).
  double normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    const double angle = 2.0 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }

  /// Standard normal, redrawn until it lies within `cut` deviations (TensorFlow's truncated_normal: cut = 2).
  double truncated_normal(double cut = 2.0) {
    for (;;) {
      const double x = normal();
      if (std::abs(x) <= cut) return x;
    }
  }

  /// Fisher-Yates: every order is equally likely.
  template <class T>
  void shuffle(std::vector<T>& items) {
    for (std::size_t i = items.size(); i > 1; --i)
      std::swap(items[i - 1], items[static_cast<std::size_t>(below(static_cast<index_t>(i)))]);
  }

 private:
  random_key key_;
  std::uint64_t counter_ = 0;
  std::array<std::uint32_t, 4> block_{};
  std::size_t used_ = 4;
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace minicnn::inline MINICNN_ABI
