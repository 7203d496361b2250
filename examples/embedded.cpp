// A trained network inside another program: a weights file of minicnn train or examples/quickstart.cpp is enough by itself.
#include <minicnn/data/image.hpp>
#include <minicnn/minicnn.hpp>

#include <cstdio>

int main(int argc, char** argv) try {
  const auto model = minicnn::load_classifier(argc > 1 ? argv[1] : "weights.safetensors");
  for (int i = 2; i < argc; ++i) {
    const auto top = model.predict(minicnn::load_image(argv[i])).front();
    std::printf("%s: %s, %.0f %%\n", argv[i], top.name.c_str(), 100 * top.probability);
  }
} catch (const minicnn::error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
