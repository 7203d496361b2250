// Where does a network look? Grad-CAM of one picture, as a map in the terminal: grad_cam WEIGHTS PICTURE, with weights that
// the quick start wrote.

#include <algorithm>
#include <cstdio>
#include <minicnn/alexnet.hpp>
#include <minicnn/analysis/grad_cam.hpp>
#include <minicnn/data/image.hpp>
#include <minicnn/data/transform.hpp>
#include <minicnn/io/checkpoint.hpp>
#include <minicnn/report/heat_map.hpp>

int main(int argc, char** argv) try {
  using namespace minicnn;
  if (argc != 3) return std::fprintf(stderr, "grad_cam WEIGHTS PICTURE\n"), 2;
  auto net = alexnet_bn<float>({.classes = 2, .image_size = 96});
  load_weights(net, argv[1]);
  const image_transform transform{.size = 96, .normalize = {.mean = {124, 116, 104}, .std = {58, 57, 57}}};
  tensor<float> image({1, 3, 96, 96});
  image_workspace workspace;
  apply(load_image(argv[2]), transform, random_key(), false, image.data(), workspace);

  grad_cam<float> explain(net);
  const tensor<float> maps = explain(image);  // (1, h, w), of the class that the network names
  const tensor<float> map = enlarge(view<const float>(maps).at(0), 24, 48);
  const float top = *std::max_element(map.begin(), map.end());
  std::printf("%s says class %d\n", explain.node().c_str(), int(predicted_class(explain.logits().at(0))));
  for (index_t y = 0; y < 24; ++y) {
    for (index_t x = 0; x < 48; ++x) std::putchar(" .:-=+*#%@"[top > 0 ? int(9 * map(y, x) / top) : 0]);
    std::putchar('\n');
  }
} catch (const std::exception& e) {
  return std::fprintf(stderr, "%s\n", e.what()), 1;
}
