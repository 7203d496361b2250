// Dogs against cats with AlexNet, the loop written out: what `fit` does for you, step by step.
//
//   dogs_vs_cats FOLDER [EPOCHS]     FOLDER holds cat.0.jpg, dog.0.jpg, ... (the training folder of Kaggle's competition)

#include <minicnn/alexnet.hpp>
#include <minicnn/data/image_folder.hpp>
#include <minicnn/data/loader.hpp>
#include <minicnn/data/split.hpp>
#include <minicnn/io/checkpoint.hpp>
#include <minicnn/train/fit.hpp>
#include <minicnn/train/sgd.hpp>

#include <cstdio>
#include <cstdlib>

using namespace minicnn;

namespace {

int run(const char* folder, index_t epochs) {
  // The pictures. Labels come from the names, a tenth of each class is held back to see how well the rest is learned.
  const image_dataset pictures = read_image_folder(folder);
  const data_split split = stratified_split(pictures, all_samples(pictures), 0.1, /*seed=*/0);

  // From a picture to the network's input: the shorter side to 128 pixels, the middle square, colours to mean 0 and
  // deviation 1. In training a random part of at least half of the picture instead, mirrored every second time.
  image_transform transform{.size = 128, .fit = fit_mode::crop, .normalize = {{124, 116, 104}, {58, 57, 57}}};
  loader<float> validation(pictures, split.validation, {.batch_size = 64, .transform = transform});
  transform.augment.crop = crop_mode::random_resized;
  transform.augment.crop_area = {0.5, 1.0};
  transform.augment.flip = 0.5;
  loader<float> train(pictures, split.train, {.batch_size = 64, .transform = transform, .training = true, .workers = 1});

  // The network, what it is to make small, and how.
  auto net = alexnet_bn<float>({.classes = static_cast<int>(pictures.classes.size()), .image_size = 128, .dropout = 0.2});
  session<float> training(net);
  const softmax_cross_entropy<float> loss;
  sgd<float> optimizer(net, {.learning_rate = 0.02, .momentum = 0.9, .nesterov = true, .weight_decay = 5e-4});
  const schedule rate = one_cycle_schedule{};

  // Five verbs a step: next batch, forward, loss, backward, step.
  const index_t total = epochs * train.batches();
  index_t step = 0;
  double best = INFINITY;
  for (index_t epoch = 1; epoch <= epochs; ++epoch) {
    train.start_epoch(epoch);
    double sum = 0;
    while (const batch<float>* b = train.next()) {
      training.forward(b->images);
      sum += loss(training, b->labels);
      training.backward();
      optimizer.step(rate.at(step++, total));
    }
    const evaluation e = evaluate(net, validation, classification<float>());
    std::printf("epoch %d: loss %.3f, validation loss %.3f, accuracy %.1f %%\n", static_cast<int>(epoch),
                sum / static_cast<double>(train.batches()), e.loss, 100 * e.accuracy);
    if (e.loss < best) save_weights(net, "dogs-vs-cats.safetensors");
    best = (std::min)(best, e.loss);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: dogs_vs_cats FOLDER [EPOCHS]\n");
    return 2;
  }
  try {
    return run(argv[1], argc > 2 ? std::atoi(argv[2]) : 10);
  } catch (const error& e) {
    std::fprintf(stderr, "dogs_vs_cats: %s\n", e.what());
    return 1;
  }
}
