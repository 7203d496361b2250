// Training works: a small network learns real cats and dogs. The pictures are those of Kaggle's "Dogs vs. Cats" in the folder
// train of the one that MINICNN_DOGS_VS_CATS names.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "minicnn/alexnet.hpp"
#include "minicnn/data/image_folder.hpp"
#include "minicnn/data/loader.hpp"
#include "minicnn/data/split.hpp"
#include "minicnn/train/fit.hpp"
#include "minicnn/train/sgd.hpp"

using namespace minicnn;

namespace {

/// Accuracy on 500 pictures after `epochs` passes over 2,000 others.
double accuracy_after(const std::string& folder, index_t epochs, std::uint64_t seed) {
  const image_dataset pictures = read_image_folder(folder);
  // A stratified draw of 2,500, a fifth of it to be tested on.
  const double share = 2500.0 / static_cast<double>(pictures.size());
  const sample_indices drawn = stratified_split(pictures, all_samples(pictures), share, seed).validation;
  const data_split split = stratified_split(pictures, drawn, 0.2, seed);

  image_transform transform{.size = 128, .normalize = {.mean = {124, 116, 104}, .std = {58, 57, 57}}};
  const std::int64_t cache = std::int64_t{1} << 30;
  loader<float> others(pictures, split.validation, {.batch_size = 100, .transform = transform, .cache_bytes = cache});
  transform.augment.crop = crop_mode::random_resized;
  transform.augment.crop_area = {0.5, 1.0};
  transform.augment.flip = 0.5;
  loader<float> train(pictures, split.train,
                      {.batch_size = 32, .transform = transform, .training = true, .seed = seed, .cache_bytes = cache});

  auto net = alexnet_small<float>({.image_size = 128, .dropout = 0.2, .network = {.seed = seed}});
  sgd<float> optimizer(net, {.learning_rate = 0.03, .momentum = 0.9, .nesterov = true});
  const auto history = fit(net, optimizer, classification<float>(), train, others,
                           {.epochs = epochs, .lr_schedule = one_cycle_schedule{}, .clip_norm = 5, .validate_every = epochs});
  return history.back().val_accuracy;
}

}  // namespace

// Seeds 1 to 5 reach 73.6, 77.2, 76.2, 75.4 and 75.0 % (28 November 2026; MINICNN_LEARNING_SEED chooses one).
TEST_CASE("F72 ten epochs on 2,000 pictures beat 70 % on 500 others") {
  const char* folder = std::getenv("MINICNN_DOGS_VS_CATS");
  if (folder == nullptr) {
    MESSAGE("MINICNN_DOGS_VS_CATS is not set: nothing is learned");
    return;
  }
  const char* seed = std::getenv("MINICNN_LEARNING_SEED");
  const double accuracy =
      accuracy_after(std::string(folder) + "/train", 10, seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10));
  MESSAGE("accuracy ", 100 * accuracy, " %");
  CHECK(accuracy > 0.70);
}
