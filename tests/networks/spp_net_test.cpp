#include "minicnn/spp_net.hpp"
#include "minicnn/graph/session.hpp"

#include <doctest/doctest.h>

#include "io/temporary_folder.hpp"
#include "minicnn/io/checkpoint.hpp"
#include "minicnn/train/adam.hpp"
#include "networks/against_torch.hpp"

using namespace minicnn;
using against_torch::unset;

TEST_CASE("77,037,672 parameters at 1000 classes, whatever the image's size") {
  CHECK(spp_net({.classes = 1000, .network = unset}).parameter_count() == 77037672);
  CHECK(spp_net({.classes = 1000, .image_size = 180, .network = unset}).parameter_count() == 77037672);
}

TEST_CASE("maps of the paper: 13 pixels a side from 224, 10 from 180") {
  for (const std::pair<int, int>& sides : {std::pair{224, 13}, std::pair{180, 10}}) {
    const auto [size, side] = sides;
    const auto net = spp_net({.image_size = size, .network = unset});
    for (const auto& n : net.nodes()) {
      if (n.name == "conv5") CHECK(n.dims == shape{1, 256, side, side});
      if (n.name == "spp.concat") CHECK(n.dims == shape{1, 12800});
    }
  }
}

TEST_CASE("too small an image names the node") {
  CHECK_THROWS_WITH_AS(spp_net({.image_size = 8, .network = unset}), doctest::Contains("conv2"), shape_error);
}

TEST_CASE("logits as PyTorch computes them, of a picture that is not square") {
  against_torch::check_logits("spp_net", {2, 3, 100, 66}, [](auto element) {
    return spp_net<decltype(element)>({.classes = 10, .dense_units = 64, .network = unset});
  });
}

TEST_CASE("trains with 180 and 224 pixels in turn; one weights file predicts 180, 224 and 300x200") {
  auto net = spp_net({.dense_units = 64, .dropout = 0.0, .dense_init = initializer::he(), .network = {.seed = 3}});
  session run(net);
  adam<float> optimizer(net, {.learning_rate = 3e-4});
  const softmax_cross_entropy<float> loss;
  const std::vector<std::int32_t> labels{0, 1, 1, 0};
  // Label 1: brighter in red than in green, as far as pictures of any size can be told apart.
  const auto pictures = [&](index_t height, index_t width) {
    tensor<float> x = golden::filled<float>({4, 3, height, width}, golden::input, 2.0);
    for (index_t n = 0; n < 4; ++n)
      for (index_t i = 0; i < height * width; ++i)
        x[n * 3 * height * width + i] += labels[static_cast<std::size_t>(n)] ? 1.F : -1.F;
    return x;
  };
  double first = 0, last = 0;
  for (int epoch = 0; epoch < 16; ++epoch) {
    const index_t size = epoch % 2 == 0 ? 180 : 224;
    const tensor<float> x = pictures(size, size);
    CHECK(run.forward(x).dims() == shape{4, 2});
    last = loss(run, labels);
    if (epoch == 0) first = last;
    run.backward();
    optimizer.step();
  }
  CHECK(last < first / 4);
  const temporary_folder folder;
  save_weights(net, folder / "spp.safetensors");
  auto loaded = spp_net({.image_size = 300, .dense_units = 64, .network = unset});
  load_weights(loaded, folder / "spp.safetensors");
  for (const std::pair<int, int>& sides : {std::pair{180, 180}, std::pair{224, 224}, std::pair{300, 200}, std::pair{200, 300}}) {
    CAPTURE(sides.first);
    const tensor<float> x = pictures(sides.first, sides.second);
    const tensor<float> logits = loaded.predict(x);
    for (index_t n = 0; n < 4; ++n) CHECK((logits[2 * n + 1] > logits[2 * n]) == (labels[static_cast<std::size_t>(n)] == 1));
  }
}
