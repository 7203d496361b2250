#pragma once
// A small network with everything that differs between training and prediction, and data for it.

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "minicnn/graph/network.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/lrn.hpp"
#include "minicnn/layers/pooling.hpp"
#include "noise.hpp"

namespace small {

using ::noise;

/// Convolutions, batch norm, LRN, pooling, dropout 0.5: 2 classes from (n, 3, 16, 16).
inline minicnn::network<float> network(minicnn::network_options o = {}) {
  using namespace minicnn;
  graph<float> g;
  auto x = relu(batch_norm(conv2d(g.input({3, 16, 16}), {.filters = 8, .kernel = 5, .padding = 2})));
  x = max_pool(lrn(x, {.size = 5}), {.kernel = 3, .stride = 2});
  x = relu(batch_norm(conv2d(x, {.filters = 12, .kernel = 3, .padding = 1})));
  x = dropout(relu(dense(flatten(max_pool(x, {.kernel = 3, .stride = 2})), 32)), 0.5);
  return minicnn::network<float>(std::move(g), {dense(x, 2)}, o);
}

/// Images of noise; class 1 where the mean of red is above that of blue.
class images {
 public:
  struct batch {
    minicnn::view<const float> images;
    std::span<const std::int32_t> labels;
  };
  images(minicnn::index_t count, minicnn::index_t batch_size) : batch_size_(batch_size), x_(noise({count, 3, 16, 16}, 3)) {
    for (minicnn::index_t n = 0; n < count; ++n) {
      float difference = 0;
      for (minicnn::index_t i = 0; i < 256; ++i) difference += x_[n * 768 + i] - x_[n * 768 + 512 + i];
      labels_.push_back(difference > 0);
    }
  }
  minicnn::index_t size() const { return x_.dim(0); }
  minicnn::index_t batches() const { return (size() + batch_size_ - 1) / batch_size_; }
  void start_epoch(minicnn::index_t, minicnn::index_t first_batch = 0) { next_ = first_batch * batch_size_; }
  const batch* next() {
    if (next_ >= size()) return nullptr;
    const minicnn::index_t n = batch_size_ < size() - next_ ? batch_size_ : size() - next_;
    batch_ = {minicnn::view<const float>(x_.data() + next_ * 768, {n, 3, 16, 16}),
              std::span<const std::int32_t>(labels_).subspan(static_cast<std::size_t>(next_), static_cast<std::size_t>(n))};
    next_ += n;
    return &batch_;
  }

 private:
  minicnn::index_t batch_size_, next_ = 0;
  minicnn::tensor<float> x_;
  std::vector<std::int32_t> labels_;
  batch batch_;
};

template <class V>
std::vector<float> copy_of(const V& v) {
  return {v.begin(), v.end()};
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Everything that a network remembers.
inline std::vector<float> state_of(const minicnn::network<float>& net) {
  std::vector<float> all = copy_of(net.parameter_arena());
  const std::vector<float> buffers = copy_of(net.buffer_arena());
  all.insert(all.end(), buffers.begin(), buffers.end());
  all.push_back(static_cast<float>(net.step()));
  return all;
}

}  // namespace small
