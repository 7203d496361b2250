#include "minicnn/resnet_variants.hpp"

#include <doctest/doctest.h>

#include "minicnn/graph/summary.hpp"
#include "networks/against_torch.hpp"

using namespace minicnn;
using against_torch::unset;

TEST_CASE("parameter counts are the published ones") {
  CHECK(resnet_variant({.squeeze = 16, .classes = 1000, .network = unset}).parameter_count() == 28088024);
  CHECK(resnet_variant({.d = true, .classes = 1000, .network = unset}).parameter_count() == 25576264);
  for (const int depth : {18, 50})  // without variations ResNet itself
    CHECK(resnet_variant({.depth = depth, .classes = 1000, .network = unset}).parameter_count() ==
          resnet({.depth = depth, .classes = 1000, .network = unset}).parameter_count());
  CHECK_THROWS_WITH_AS(resnet_variant({.depth = 20}), doctest::Contains("wanted 18"), option_error);
}

TEST_CASE("logits as PyTorch computes them") {
  against_torch::check_logits(
      "se_resnet50", {2, 3, 64, 80},
      [](auto element) { return resnet_variant<decltype(element)>({.squeeze = 16, .classes = 10, .network = unset}); },
      "recent_models");
  against_torch::check_logits(
      "resnet50_d", {2, 3, 64, 80},
      [](auto element) { return resnet_variant<decltype(element)>({.d = true, .classes = 10, .network = unset}); },
      "recent_models");
  against_torch::check_logits(
      "se_resnet18_d", {2, 3, 64, 80},
      [](auto element) {
        return resnet_variant<decltype(element)>({.depth = 18, .squeeze = 16, .d = true, .classes = 10, .network = unset});
      },
      "recent_models");
}
