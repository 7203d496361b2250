// Two folders of your own photos, in one program: trains on from other weights, keeps what it has learned, and names new photos.
//
//   own_photos FOLDER WEIGHTS [PHOTO...]     FOLDER holds a folder a class; WEIGHTS: those in examples/weights, for example

#include <minicnn/alexnet.hpp>
#include <minicnn/data/folder_data.hpp>
#include <minicnn/model/transfer.hpp>
#include <minicnn/train/callbacks.hpp>

#include <cstdio>

int main(int argc, char** argv) try {
  using namespace minicnn;
  if (argc < 3) return std::fprintf(stderr, "usage: own_photos FOLDER WEIGHTS [PHOTO...]\n"), 2;
  folder_data data(argv[1]);
  auto net = alexnet_small<float>({.classes = data.classes(), .image_size = 128, .dropout = 0.2});
  transfer_weights(net, argv[2], {.skip = head_names(net)});  // all but the last layer, whose classes are others
  for (const epoch_record& e : fit(net, data, {.epochs = 8, .learning_rate = 0.005}))
    std::printf("epoch %d: loss %.3f, validation accuracy %.1f %%\n", int(e.epoch), e.train_loss, 100 * e.val_accuracy);
  save_weights(net, "photos.safetensors");

  const image_transform& transform = data.validation.options().transform;
  image_workspace pictures;
  session<float> run(net);
  tensor<float> input({1, 3, transform.size, transform.size}), probabilities({1, data.classes()});
  for (int i = 3; i < argc; ++i) {
    apply(load_image(argv[i]), transform, random_key(), /*training=*/false, input.data(), pictures);
    softmax(run.predict(input), view<float>(probabilities));
    const index_t best = predicted_class(view<const float>(probabilities).at(0));
    std::printf("%s: %s, %.0f %%\n", argv[i], data.pictures.classes[static_cast<std::size_t>(best)].c_str(),
                100 * double(probabilities(0, best)));
  }
} catch (const minicnn::error& e) {
  return std::fprintf(stderr, "%s\n", e.what()), 1;
}
