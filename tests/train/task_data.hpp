#pragma once
/// Points in three dimensions with class numbers, several labels or real numbers that follow from where they lie.

#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "minicnn/core/batch.hpp"
#include "minicnn/core/random.hpp"

namespace task_data {

using minicnn::index_t;

class points {
 public:
  using label_rule = std::function<std::int32_t(const float*)>;
  using target_rule = std::function<std::vector<double>(const float*)>;

  points(index_t count, label_rule label, target_rule target, std::uint64_t seed = 1)
      : label_(std::move(label)), target_(std::move(target)), x_({count, 3}) {
    minicnn::random_stream r{minicnn::random_key(seed)};
    for (float& v : x_) v = static_cast<float>(2 * r.uniform() - 1);
    for (index_t i = 0; i < count; ++i) {
      const float* p = x_.data() + 3 * i;
      if (label_) labels_.push_back(label_(p));
      if (target_)
        for (const double t : target_(p)) targets_.push_back(t), values_.push_back(static_cast<float>(t));
    }
  }

  const std::vector<double>& targets() const { return targets_; }
  points with_seed(std::uint64_t seed) const { return points(size(), label_, target_, seed); }

  index_t size() const { return x_.dim(0); }
  index_t batches() const { return (size() + batch_size - 1) / batch_size; }
  void start_epoch(index_t, index_t first_batch) { next_ = first_batch * batch_size; }
  const minicnn::batch<float>* next() {
    if (next_ >= size()) return nullptr;
    const index_t n = (std::min)(batch_size, size() - next_), columns = static_cast<index_t>(values_.size()) / size();
    batch_ = {};
    batch_.images = minicnn::view<const float>(x_.data() + 3 * next_, {n, 3});
    if (label_)
      batch_.labels =
          std::span<const std::int32_t>(labels_).subspan(static_cast<std::size_t>(next_), static_cast<std::size_t>(n));
    if (target_) batch_.targets = minicnn::view<const float>(values_.data() + columns * next_, {n, columns});
    next_ += n;
    return &batch_;
  }

 private:
  static constexpr index_t batch_size = 16;
  label_rule label_;
  target_rule target_;
  index_t next_ = 0;
  minicnn::tensor<float> x_;
  std::vector<std::int32_t> labels_;
  std::vector<double> targets_;
  std::vector<float> values_;
  minicnn::batch<float> batch_;
};

inline points two_classes(index_t count) {
  return {count, [](const float* p) { return p[0] + p[1] > 0.2F ? 1 : 0; }, {}};
}
inline points several_labels(index_t count) {
  return {count, {}, [](const float* p) {
            return std::vector<double>{p[0] > 0 ? 1.0 : 0.0, p[1] > 0.3F ? 1.0 : 0.0, p[0] + p[2] > 0 ? 1.0 : 0.0};
          }};
}
/// Two numbers of very different size, and a class.
inline points numbers(index_t count) {
  return {count, [](const float* p) { return p[2] > 0 ? 1 : 0; },
          [](const float* p) {
            return std::vector<double>{0.5 * static_cast<double>(p[0]), 100.0 + 30.0 * static_cast<double>(p[1] - p[2])};
          }};
}
inline points ranks(index_t count) {
  return {count, [](const float* p) { return static_cast<std::int32_t>(2 * (p[0] + 1)); }, {}};
}
inline points other(const points& like) { return like.with_seed(2); }

}  // namespace task_data
