// Data of your own: anything with the five functions below trains a network; there need be no files.
// Here AlexNet, cut down to fit, learns whether stripes run across or down.

#include <minicnn/alexnet.hpp>
#include <minicnn/train/fit.hpp>
#include <minicnn/train/sgd.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

using namespace minicnn;

namespace {

/// Grey pictures of stripes with random spacing, place and noise.
class stripes {
 public:
  static constexpr index_t batch_size = 16, pixels = 67;

  /// What a step gets. Views and spans stay valid until the next call of next().
  struct batch {
    view<const float> images;              // (n, 1, pixels, pixels)
    std::span<const std::int32_t> labels;  // n
  };

  stripes(index_t count, std::uint64_t seed) : count_(count), key_(seed), images_({batch_size, 1, pixels, pixels}) {
    labels_.resize(static_cast<std::size_t>(batch_size));
  }

  index_t size() const { return count_; }
  index_t batches() const { return (count_ + batch_size - 1) / batch_size; }

  /// Epochs count from 0; a resumed run begins at a batch within one.
  void start_epoch(index_t epoch, index_t first_batch) { epoch_ = epoch, next_ = first_batch; }

  /// Null at the end of the epoch. The last batch may be smaller.
  const batch* next() {
    const index_t begin = next_++ * batch_size, n = std::min(batch_size, count_ - begin);
    if (n <= 0) return nullptr;
    for (index_t i = 0; i < n; ++i) labels_[static_cast<std::size_t>(i)] = draw(begin + i, view<float>(images_).at(i));
    batch_ = {view<const float>(images_.data(), {n, 1, pixels, pixels}), {labels_.data(), static_cast<std::size_t>(n)}};
    return &batch_;
  }

 private:
  /// The same picture for the same seed, epoch and number: runs can be repeated.
  std::int32_t draw(index_t number, view<float> image) const {
    random_stream random(key_.of(static_cast<std::uint64_t>(epoch_)).of(static_cast<std::uint64_t>(number)));
    const bool down = random.chance(0.5);
    const double frequency = 0.3 + 0.5 * random.uniform(), phase = 6.28 * random.uniform();
    for (index_t y = 0; y < pixels; ++y)
      for (index_t x = 0; x < pixels; ++x)
        image(0, y, x) = static_cast<float>(std::sin(frequency * static_cast<double>(down ? x : y) + phase) + random.normal());
    return down ? 1 : 0;
  }

  index_t count_;
  random_key key_;
  tensor<float> images_;
  std::vector<std::int32_t> labels_;
  batch batch_;
  index_t epoch_ = 0, next_ = 0;
};

}  // namespace

int main() {
  stripes train(320, /*seed=*/1), validation(160, /*seed=*/2);
  auto net = alexnet<float>(
      {.classes = 2, .channels = 1, .image_size = stripes::pixels, .filters = {16, 32, 32, 32, 32}, .dense_units = 64});
  sgd<float> optimizer(net, {.learning_rate = 0.01, .momentum = 0.9});
  const classification<float> task;
  for (const epoch_record& e : fit(net, optimizer, task, train, validation, {.epochs = 4}))
    std::printf("epoch %d: loss %.3f, validation accuracy %.1f %%\n", int(e.epoch), e.train_loss, 100 * e.val_accuracy);
}
