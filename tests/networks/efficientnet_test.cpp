#include "minicnn/efficientnet.hpp"

#include <doctest/doctest.h>

#include "minicnn/graph/summary.hpp"
#include "networks/against_torch.hpp"

using namespace minicnn;
using against_torch::unset;

TEST_CASE("parameter counts are torchvision's") {
  const index_t published[] = {5288548, 7794184, 9109994, 12233232, 19341616, 30389784, 43040704, 66347960};
  for (int version = 0; version < 8; ++version)
    CHECK(efficientnet({.version = version, .classes = 1000, .network = unset}).parameter_count() == published[version]);
  CHECK_THROWS_WITH_AS(efficientnet({.version = 8}), "efficientnet: version is 8, wanted 0 to 7", option_error);
}

TEST_CASE("multiply-adds of table 2") {  // 0.39 billion
  CHECK(summarize(efficientnet({.classes = 1000, .network = unset})).multiply_adds == 385814752);
}

TEST_CASE("later blocks are left out more often") {
  const auto net = efficientnet({.network = unset});
  std::vector<double> rates;
  for (const auto& n : net.nodes())
    if (n.operation && n.operation->kind() == "stochastic_depth")
      rates.push_back(std::get<double>(n.operation->describe()[0].second));
  REQUIRE(rates.size() == 9);  // blocks that keep their input's shape: numbers 2, 4, 6, 7, 9, 10, 12, 13 and 14 of 0 to 15
  CHECK(rates.front() == doctest::Approx(0.2 * 2 / 16));
  CHECK(rates.back() == doctest::Approx(0.2 * 14 / 16));
}

TEST_CASE("logits are torchvision's") {
  for (const int version : {0, 2})
    against_torch::check_logits(
        text_of("efficientnet_b", version), {2, 3, 64, 80},
        [&](auto element) { return efficientnet<decltype(element)>({.version = version, .classes = 10, .network = unset}); },
        "recent_models");
}

TEST_CASE("EfficientNet B0: the gradients of a training step are torchvision's") {
  const efficientnet_options o{.classes = 10, .dropout = 0, .stochastic_depth = 0, .network = unset};
  against_torch::check_step("efficientnet_b0_step", efficientnet<double>(o), 64, 4, 1e-10, 1e-8);
  against_torch::check_step("efficientnet_b0_step", efficientnet<float>(o), 64, 4, 1e-4, 1e-2);
}
