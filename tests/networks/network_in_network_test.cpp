#include "minicnn/network_in_network.hpp"

#include <doctest/doctest.h>

#include "networks/against_torch.hpp"

using namespace minicnn;
using against_torch::unset;

TEST_CASE("parameter counts are those of the authors' models") {
  CHECK(network_in_network({.classes = 1000, .network = unset}).parameter_count() == 7595176);
  CHECK(network_in_network_cifar({.classes = 10, .image_size = 32, .network = unset}).parameter_count() == 966986);
  CHECK(network_in_network_cifar<float>({.classes = 5, .network = unset}).input_dims()[2] == 32);
}

TEST_CASE("ceiling sizes give the 6x6 maps that are averaged") {
  const auto net = network_in_network({.classes = 1000, .network = unset});
  for (const auto& n : net.nodes())
    if (n.name == "cccp8") CHECK(n.dims == shape{1, 1000, 6, 6});
}

TEST_CASE("too small an image names the node") {
  CHECK_THROWS_WITH_AS(network_in_network({.image_size = 10, .network = unset}), doctest::Contains("conv1"), shape_error);
}

TEST_CASE("logits as PyTorch computes them") {
  against_torch::check_logits("network_in_network", {2, 3, 80, 72}, [](auto element) {
    return network_in_network<decltype(element)>({.classes = 10, .network = unset});
  });
  against_torch::check_logits("network_in_network_cifar", {2, 3, 32, 32}, [](auto element) {
    return network_in_network_cifar<decltype(element)>({.classes = 10, .image_size = 32, .network = unset});
  });
}
