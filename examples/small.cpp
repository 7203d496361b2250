// A trained network in a program of less than 450 kB, weights apart: with the layers of one network instead of all that there
// are. scripts/size.sh builds it for size, and for other networks.
#include <minicnn/data/image.hpp>
#include <minicnn/model/classifier.hpp>
#include <minicnn/resnet.hpp>

#include <cstdio>

// What the weights file's network is made by: the file says how many classes and pixels.
static minicnn::network<float> resnet18_small(const minicnn::model_config& c, const minicnn::network_options& n) {
  if (c.name != "resnet18-small") minicnn::fail("wanted a file of resnet18-small, got ", c.name.empty() ? "another" : c.name);
  return minicnn::resnet<float>({.classes = c.classes, .image_size = c.image_size, .width = 40, .network = n});
}

int main(int argc, char** argv) try {
  const auto model = minicnn::load_classifier(argc > 1 ? argv[1] : "weights.safetensors", resnet18_small);
  for (int i = 2; i < argc; ++i) {
    const auto top = model.predict(minicnn::load_image(argv[i])).front();
    std::printf("%s: %s, %.1f %%\n", argv[i], top.name.c_str(), 100 * top.probability);
  }
} catch (const minicnn::error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
