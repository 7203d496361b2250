#include "minicnn/densenet.hpp"

#include <doctest/doctest.h>

#include "minicnn/graph/summary.hpp"
#include "networks/against_torch.hpp"

using namespace minicnn;
using against_torch::unset;

TEST_CASE("parameter counts are torchvision's") {
  const std::pair<int, index_t> published[] = {{121, 7978856}, {161, 28681000}, {169, 14149480}, {201, 20013928}};
  for (const auto& [depth, count] : published)
    CHECK(densenet({.depth = depth, .classes = 1000, .network = unset}).parameter_count() == count);
  CHECK_THROWS_WITH_AS(densenet({.depth = 100}), "densenet: depth is 100, wanted 121, 161, 169 or 201", option_error);
}

TEST_CASE("map sizes of table 1, and the smallest image") {
  const auto net = densenet({.classes = 1000, .network = unset});
  CHECK(summarize(net).multiply_adds == 2834161664);
  const auto dims_of = [&](std::string_view name) {
    for (const auto& n : net.nodes())
      if (n.name == name) return n.dims;
    return shape{};
  };
  CHECK(dims_of("features.denseblock1.denselayer6.concat1") == shape{1, 256, 56, 56});
  CHECK(dims_of("features.transition1.conv") == shape{1, 128, 56, 56});
  CHECK(dims_of("features.denseblock4.denselayer16.concat1") == shape{1, 1024, 7, 7});
  CHECK(densenet({.image_size = 29, .network = unset}).output_dims() == shape{1, 2});
  CHECK_THROWS_WITH_AS(densenet({.image_size = 28, .network = unset}), doctest::Contains("features.transition3.pool1"),
                       shape_error);
}

TEST_CASE("logits are torchvision's") {
  for (const int depth : {121, 161})
    against_torch::check_logits(
        text_of("densenet", depth), {2, 3, 64, 80},
        [&](auto element) { return densenet<decltype(element)>({.depth = depth, .classes = 10, .network = unset}); },
        "recent_models");
}

TEST_CASE("DenseNet-121: the gradients of a training step are torchvision's") {
  const densenet_options o{.classes = 10, .network = unset};
  against_torch::check_step("densenet121_step", densenet<double>(o), 64, 4, 1e-10, 1e-8);
  // In float ReLUs within rounding of 0 fall to either side, and all layers before see it: PyTorch's own gradients differ
  // by 1.5e-2.
  against_torch::check_step("densenet121_step", densenet<float>(o), 64, 4, 1e-4, 1e-1);
}
