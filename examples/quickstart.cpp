// Trains AlexNet on a folder of pictures: cat.0.jpg, dog.0.jpg, ... or one folder a class.
#include <minicnn/alexnet.hpp>
#include <minicnn/data/image_folder.hpp>
#include <minicnn/data/loader.hpp>
#include <minicnn/data/split.hpp>
#include <minicnn/model/save_model.hpp>
#include <minicnn/train/fit.hpp>
#include <minicnn/train/sgd.hpp>

#include <cstdio>

int main(int argc, char** argv) {
  using namespace minicnn;
  const image_dataset pictures = read_image_folder(argc > 1 ? argv[1] : "pictures");
  const data_split split = stratified_split(pictures, all_samples(pictures), 0.1, /*seed=*/1);
  image_transform transform{.size = 96, .normalize = {.mean = {124, 116, 104}, .std = {58, 57, 57}}};
  loader<float> validation(pictures, split.validation, {.batch_size = 64, .transform = transform});
  transform.augment.flip = 0.5;
  loader<float> train(pictures, split.train, {.batch_size = 32, .transform = transform, .training = true});

  const int classes = static_cast<int>(pictures.classes.size());
  network<float> net = alexnet_bn<float>({.classes = classes, .image_size = 96});
  sgd<float> optimizer(net, {.learning_rate = 0.02, .momentum = 0.9, .nesterov = true});
  const classification<float> task;
  for (const epoch_record& e : fit(net, optimizer, task, train, validation, {.epochs = 5, .lr_schedule = one_cycle_schedule{}}))
    std::printf("epoch %d: loss %.3f, validation accuracy %.1f %%\n", int(e.epoch), e.train_loss, 100 * e.val_accuracy);
  save_model(net, {.config = {.name = "alexnet-bn", .classes = classes}, .classes = pictures.classes, .transform = transform},
             "weights.safetensors");
}
