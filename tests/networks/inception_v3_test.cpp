#include "minicnn/inception_v3.hpp"

#include <doctest/doctest.h>

#include "minicnn/graph/summary.hpp"
#include "networks/against_torch.hpp"

using namespace minicnn;
using against_torch::unset;

TEST_CASE("parameter counts are the published ones, with and without the auxiliary head") {
  const auto net = inception_v3({.classes = 1000, .network = unset});
  CHECK(net.parameter_count() == 27161264);
  CHECK(summarize(net).parameters_without_aux == 23834568);
  CHECK(inception_v3({.classes = 1000, .aux = false, .network = unset}).parameter_count() == 23834568);
}

TEST_CASE("maps have the sizes of table 1") {
  const auto net = inception_v3({.network = unset});
  const auto dims = [&](std::string_view name) {
    for (const auto& n : net.nodes())
      if (n.name == name) return n.dims;
    return shape{};
  };
  CHECK(dims("Conv2d_1a_3x3.conv") == shape{1, 32, 149, 149});
  CHECK(dims("Conv2d_2b_3x3.conv") == shape{1, 64, 147, 147});
  CHECK(dims("Conv2d_4a_3x3.conv") == shape{1, 192, 71, 71});
  CHECK(dims("Mixed_5d.concat1") == shape{1, 288, 35, 35});
  CHECK(dims("Mixed_6e.concat1") == shape{1, 768, 17, 17});
  CHECK(dims("Mixed_7a.concat1") == shape{1, 1280, 8, 8});
  CHECK(dims("Mixed_7c.concat3") == shape{1, 2048, 8, 8});
  CHECK(dims("AuxLogits.conv0.conv") == shape{1, 128, 5, 5});
}

TEST_CASE("75 pixels are enough, with the auxiliary head; fewer name the node that does not fit") {
  const auto net = inception_v3({.image_size = 75, .network = unset});
  CHECK(net.output_dims(1) == shape{1, 2});
  CHECK(net.parameter_count() == inception_v3({.network = unset}).parameter_count());
  CHECK(net.loss_weights() == std::vector<double>{1.0, 0.4});
  CHECK_THROWS_WITH_AS(inception_v3({.image_size = 74, .network = unset}), doctest::Contains("Mixed_7a"), shape_error);
}

TEST_CASE("logits are torchvision's, as are those of its ported weights' input") {
  for (const bool transform : {false, true})
    against_torch::check_logits(transform ? "inception_v3_transform" : "inception_v3", {2, 3, 107, 96}, [&](auto element) {
      return inception_v3<decltype(element)>({.classes = 10, .transform_input = transform, .network = unset});
    });
}

TEST_CASE("the gradients of a training step with the auxiliary loss are torchvision's") {
  const inception_v3_options o{.classes = 10, .dropout = 0.0, .network = unset};
  against_torch::check_step("inception_v3_step", inception_v3<double>(o), 299, 3, 1e-10, 1e-8);
  // Badly conditioned: the head normalises three values a channel. PyTorch's own float gradients differ by up to 0.03 in length.
  against_torch::check_step("inception_v3_step", inception_v3<float>(o), 299, 3, 1e-3, 0.1);
}
