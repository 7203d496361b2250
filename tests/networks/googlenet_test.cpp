#include "minicnn/googlenet.hpp"

#include <doctest/doctest.h>

#include "minicnn/graph/summary.hpp"
#include "networks/against_torch.hpp"

using namespace minicnn;
using against_torch::unset;

TEST_CASE("parameter counts are the published ones, without and with auxiliary heads") {
  CHECK(googlenet({.classes = 1000, .aux = false, .network = unset}).parameter_count() == 6624904);
  const auto net = googlenet({.classes = 1000, .network = unset});
  CHECK(net.parameter_count() == 13004888);
  const network_summary all = summarize(net), bare = summarize(net, false);
  CHECK(all.parameters == 13004888);
  CHECK(all.parameters_without_aux == 6624904);
  CHECK(bare.parameters == 6624904);
  CHECK(bare.multiply_adds == summarize(googlenet({.classes = 1000, .aux = false, .network = unset})).multiply_adds);
  CHECK(bare.layers.size() < all.layers.size());
}

TEST_CASE("maps have the sizes of table 1") {
  const auto net = googlenet({.network = unset});
  const auto dims = [&](std::string_view name) {
    for (const auto& n : net.nodes())
      if (n.name == name) return n.dims;
    return shape{};
  };
  CHECK(dims("conv1.conv") == shape{1, 64, 112, 112});
  CHECK(dims("conv3.conv") == shape{1, 192, 56, 56});
  CHECK(dims("inception3a.concat1") == shape{1, 256, 28, 28});
  CHECK(dims("inception3b.concat1") == shape{1, 480, 28, 28});
  CHECK(dims("inception4d.concat1") == shape{1, 528, 14, 14});
  CHECK(dims("inception4e.concat1") == shape{1, 832, 14, 14});
  CHECK(dims("inception5b.concat1") == shape{1, 1024, 7, 7});
  CHECK(dims("aux2.fc2") == shape{1, 2});
}

TEST_CASE("auxiliary heads count in training with 0.3 each and do not run in prediction") {
  auto net = googlenet({.image_size = 32, .network = unset});
  CHECK(net.loss_weights() == std::vector<double>{1.0, 0.3, 0.3});
  CHECK(net.output_count() == 3);
  // Weights of a head that are not finite would show in any value that depends on them.
  for (float& w : net.parameter("aux1.fc1.weight")) w = std::numeric_limits<float>::quiet_NaN();
  const tensor<float> x = golden::filled<float>({1, 3, 32, 32}, golden::input);
  const tensor<float> logits = net.predict(x);
  for (const float z : logits) CHECK(std::isfinite(z));
}

TEST_CASE("logits are torchvision's, as are those of its ported weights' input") {
  for (const bool transform : {false, true})
    against_torch::check_logits(transform ? "googlenet_transform" : "googlenet", {2, 3, 72, 64}, [&](auto element) {
      return googlenet<decltype(element)>({.classes = 10, .transform_input = transform, .network = unset});
    });
}

TEST_CASE("the gradients of a training step with auxiliary losses are torchvision's") {
  const googlenet_options o{.classes = 10, .dropout = 0.0, .aux_dropout = 0.0, .network = unset};
  against_torch::check_step("googlenet_step", googlenet<double>(o), 64, 4, 1e-10, 1e-8);
  // PyTorch's own float gradients differ from its double ones by up to 2e-4 in length, 6e-3 in an element.
  against_torch::check_step("googlenet_step", googlenet<float>(o), 64, 4, 1e-4, 1e-2);
}
