// LeNet-5 on Fashion-MNIST: 28 x 28 grey pictures of ten kinds of clothes, 60,000 to learn from and 10,000 to be tested on.
//
//   fashion_mnist_lenet5 [FOLDER [EPOCHS]]     FOLDER holds train-images-idx3-ubyte.gz and the other three files
//                                              (Debian: dataset-fashion-mnist); MNIST's files are called the same

#include <minicnn/data/loader.hpp>
#include <minicnn/data/read_dataset.hpp>
#include <minicnn/data/statistics.hpp>
#include <minicnn/io/checkpoint.hpp>
#include <minicnn/lenet5.hpp>
#include <minicnn/train/callbacks.hpp>
#include <minicnn/train/sgd.hpp>

#include <cstdio>
#include <cstdlib>

using namespace minicnn;

namespace {

int run(const char* folder, index_t epochs) {
  // Both parts, each picture in memory once as bytes.
  const image_dataset pictures = read_dataset(folder);
  const image_dataset unseen = read_dataset(folder, {.part = data_part::test});

  // LeNet-5 looks at 32 x 32 pixels: two black ones are put on every side. Inputs have mean 0 and deviation 1.
  image_transform transform{.padding = 2, .size = 32};
  transform.normalize = colour_statistics(pictures, all_samples(pictures)).normalize();
  loader<float> test(unseen, all_samples(unseen), {.batch_size = 100, .transform = transform});

  // In training two pixels more, so that pictures move by up to two, and mirror images: clothes have no left and right.
  transform.padding = 4, transform.resize_to = 36;
  transform.augment.crop = crop_mode::random;
  transform.augment.flip = 0.5;
  loader<float> train(pictures, all_samples(pictures), {.batch_size = 64, .transform = transform, .training = true});

  auto net = lenet5<float>({.classes = static_cast<int>(pictures.classes.size()), .channels = pictures.channels});
  const classification<float> task;
  sgd<float> optimizer(net, {.learning_rate = 0.05, .momentum = 0.9, .nesterov = true, .weight_decay = 5e-4});
  lambda_callback rows({.on_epoch = [](const epoch_record& e, const evaluation&) {
    std::printf("epoch %d: loss %.3f, accuracy %.2f %%, %.0f s\n", static_cast<int>(e.epoch), e.train_loss,
                100 * e.train_accuracy, e.seconds);
    std::fflush(stdout);
  }});
  fit(net, optimizer, task, train, {.epochs = epochs, .lr_schedule = one_cycle_schedule{}, .callbacks = {&rows}});

  // The test pictures are looked at once, at the end.
  const evaluation e = evaluate(net, test, task);
  std::printf("test accuracy %.2f %%\n", 100 * e.accuracy);
  for (std::size_t c = 0; c < e.confusion.size(); ++c)
    std::printf("  %s: %.1f %%\n", pictures.classes[c].c_str(),
                100.0 * static_cast<double>(e.confusion[c][c]) / static_cast<double>(unseen.class_counts()[c]));
  save_weights(net, "fashion-mnist-lenet5.safetensors");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "/usr/share/datasets/fashion-mnist", argc > 2 ? std::atoi(argv[2]) : 12);
  } catch (const error& e) {
    std::fprintf(stderr, "fashion_mnist_lenet5: %s\n", e.what());
    return 1;
  }
}
