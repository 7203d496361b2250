#pragma once
/// How values are spread, and which 256 of them stand for all.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "minicnn/int8/conv.hpp"

namespace minicnn::inline MINICNN_ABI::int8 {

/// How the range of an activation is chosen.
enum class range_rule {
  least_error,  ///< the least mean square error of what calibration saw: rare large values are cut off
  all,          ///< everything that calibration saw is within
};

/// Counts of values within [-limit, limit]; the limit doubles when something larger comes.
class value_histogram {
 public:
  /// Throws error for a value that is not finite.
  template <class T>
  void add(std::span<const T> values) {
    double most = 0;
    for (const T v : values) {
      const double x = static_cast<double>(v);
      if (!std::isfinite(x)) fail("calibration: a value is ", x);
      most = (std::max)(most, std::abs(x));
      least_ = (std::min)(least_, x), largest_ = (std::max)(largest_, x);
    }
    if (!(most > 0)) return;
    if (!(limit_ > 0)) limit_ = std::exp2(std::ceil(std::log2(most)));
    while (most > limit_) widen();
    const double place = half / limit_;
    for (const T v : values)
      if (v != T{0}) {  // zeros are exact
        const auto k = static_cast<std::size_t>((static_cast<double>(v) + limit_) * place);
        counts_[(std::min)(k, counts_.size() - 1)] += 1;
      }
  }

  /// The real number 0 is one of the values. Nothing seen: a range of 1.
  quantization choose(range_rule rule) const {
    if (!(limit_ > 0)) return {1.0F / 255, 0};
    double best = 1, least = INFINITY;
    for (int step = 100; step >= 20 && rule == range_rule::least_error; --step)
      if (const double e = error(0.01 * step); e < least) least = e, best = 0.01 * step;
    return between(least_ * best, largest_ * best);
  }

 private:
  static constexpr int half = 2048;

  static quantization between(double low, double high) {
    const auto scale = static_cast<float>((std::max)((high - low) / 255, 1e-20));
    return {scale, static_cast<int>(std::nearbyint((std::min)(-low / static_cast<double>(scale), 255.0)))};
  }

  /// Sum of squares of what is lost with that share of the range: a step's rounding within, the distance to it outside.
  double error(double share) const {
    const double low = least_ * share, high = largest_ * share, step = (high - low) / 255;
    double sum = 0;
    for (std::size_t k = 0; k < counts_.size(); ++k) {
      if (counts_[k] == 0) continue;
      const double x = (static_cast<double>(k) + 0.5) / half * limit_ - limit_;
      const double outside = x > high ? x - high : x < low ? low - x : 0;
      sum += static_cast<double>(counts_[k]) * (outside > 0 ? outside * outside : step * step / 12);
    }
    return sum;
  }

  void widen() {
    std::vector<std::uint64_t> wider(counts_.size(), 0);
    for (std::size_t k = 0; k < counts_.size(); ++k) wider[half / 2 + k / 2] += counts_[k];
    counts_ = std::move(wider);
    limit_ *= 2;
  }

  double limit_ = 0, least_ = 0, largest_ = 0;
  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(2 * half, 0);
};

}  // namespace minicnn::inline MINICNN_ABI::int8
