#include "minicnn/squeezenet.hpp"

#include <doctest/doctest.h>

#include "networks/against_torch.hpp"

using namespace minicnn;
using against_torch::unset;

TEST_CASE("parameter counts are the published ones") {
  CHECK(squeezenet({.version = squeezenet_version::v1_0, .classes = 1000, .network = unset}).parameter_count() == 1248424);
  CHECK(squeezenet({.version = squeezenet_version::v1_1, .classes = 1000, .network = unset}).parameter_count() == 1235496);
}

TEST_CASE("too small an image names the node") {
  CHECK(squeezenet({.image_size = 17, .network = unset}).output_dims() == shape{1, 2});
  CHECK_THROWS_WITH_AS(squeezenet({.image_size = 4, .network = unset}), doctest::Contains("pool1"), shape_error);
}

TEST_CASE("logits are torchvision's") {
  for (const auto version : {squeezenet_version::v1_0, squeezenet_version::v1_1})
    against_torch::check_logits(
        version == squeezenet_version::v1_0 ? "squeezenet1_0" : "squeezenet1_1", {2, 3, 64, 56},
        [&](auto element) { return squeezenet<decltype(element)>({.version = version, .classes = 10, .network = unset}); });
}
