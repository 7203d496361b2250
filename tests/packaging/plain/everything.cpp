// A program outside the library's tree: it includes everything, builds a network and predicts.
#include "minicnn/minicnn.hpp"

#include <cstdio>

int main() {
  minicnn::graph<float> g;
  auto x = g.input({1, 4, 4});
  x = minicnn::relu(minicnn::conv2d(x, {.filters = 2, .kernel = 3, .padding = 1}));
  const minicnn::network<float> net(std::move(g), {minicnn::dense(minicnn::flatten(x), 3)});
  minicnn::session<float> space(net, {.threads = 1});
  const minicnn::tensor<> images({2, 1, 4, 4}, 0.5F);
  const auto logits = space.predict(images);
  std::printf("minicnn %s: %s\n", minicnn::version_string, logits.dims().text().c_str());
  return logits.dims() == minicnn::shape{2, 3} ? 0 : 1;
}
