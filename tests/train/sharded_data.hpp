#pragma once
// What tests of several ranks train: a small network with noise of its own, on data drawn by seed.

#include <algorithm>
#include <vector>

#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/train/callbacks.hpp"
#include "minicnn/train/fit.hpp"

namespace sharded_data {

using namespace minicnn;

constexpr index_t side = 6;

/// Noise in which a bright half says the class; every epoch in another order. May throw at a batch.
class drawn {
 public:
  drawn(index_t count, index_t batch_size) : batch_size_(batch_size), x_({count, 2, side, side}), order_(x_) {
    random_stream r{random_key(3)};
    labels_.resize(static_cast<std::size_t>(count));
    ordered_.resize(static_cast<std::size_t>(count));
    for (index_t i = 0; i < count; ++i) {
      labels_[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(r.below(3));
      for (index_t k = 0; k < row; ++k)
        x_[i * row + k] = static_cast<float>(r.normal() + (k % 3 == labels_[static_cast<std::size_t>(i)] ? 1 : 0));
    }
  }
  index_t size() const { return x_.dim(0); }
  index_t batches() const { return (size() + batch_size_ - 1) / batch_size_; }
  void start_epoch(index_t epoch, index_t first_batch = 0) {
    next_ = first_batch * batch_size_;
    for (index_t i = 0; i < size(); ++i) {
      const index_t from = (i + 5 * epoch) % size();
      std::copy_n(x_.data() + from * row, row, order_.data() + i * row);
      ordered_[static_cast<std::size_t>(i)] = labels_[static_cast<std::size_t>(from)];
    }
  }
  const batch<float>* next() {
    if (next_ == fails_at) fail<file_error>("7.jpg: is gone");
    if (next_ >= size()) return nullptr;
    const index_t n = (std::min)(batch_size_, size() - next_);
    batch_.images = view<const float>(order_.data() + row * next_, {n, 2, side, side});
    batch_.labels = std::span<const std::int32_t>(ordered_).subspan(static_cast<std::size_t>(next_), static_cast<std::size_t>(n));
    next_ += n;
    return &batch_;
  }
  index_t fails_at = -1;

 private:
  static constexpr index_t row = 2 * side * side;
  index_t batch_size_, next_ = 0;
  tensor<float> x_, order_;
  std::vector<std::int32_t> labels_, ordered_;
  batch<float> batch_;
};

inline network<float> classifier(bool with_noise = true) {
  graph<float> g;
  auto x = conv2d(g.input({2, side, side}), {.filters = 5, .kernel = 3, .padding = 1});
  if (with_noise) x = batch_norm(x);
  x = flatten(relu(x));
  if (with_noise) x = dropout(x, 0.3);
  return network<float>(std::move(g), {dense(x, 3)}, {.seed = 5, .threads = 1});
}

inline const classification what;

/// Breaks a run off after so many steps of it.
class stop_after final : public training_callback {
 public:
  explicit stop_after(index_t steps) : left_(steps) {}
  void on_step(const step_report&) override { left_ -= 1; }
  bool stop() const override { return left_ == 0; }

 private:
  index_t left_;
};

}  // namespace sharded_data
