// A trained network inside another program: sixteen lines. The weights are those that examples/quickstart.cpp saves.
#include <minicnn/alexnet.hpp>
#include <minicnn/data/image.hpp>
#include <minicnn/data/transform.hpp>
#include <minicnn/io/checkpoint.hpp>

#include <cstdio>

int main(int argc, char** argv) try {
  using namespace minicnn;
  auto net = alexnet_bn<float>({.classes = 2, .image_size = 96, .network = {.initialize = false}});
  load_weights(net, argc > 1 ? argv[1] : "weights.safetensors");
  const image_transform look{.size = 96, .normalize = {.mean = {124, 116, 104}, .deviation = {58, 57, 57}}};
  image_workspace pictures;
  workspace<float> space;  // one a thread, if several threads predict
  space.fixed_weights(true);
  tensor<float> input({1, 3, look.size, look.size});
  for (int i = 2; i < argc; ++i) {
    apply(load_image(argv[i]), look, random_key(), /*training=*/false, input.data(), pictures);
    const view<const float> logits = net.predict(input, space);
    std::printf("%s: %s\n", argv[i], logits[0] > logits[1] ? "cat" : "dog");
  }
} catch (const minicnn::error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
