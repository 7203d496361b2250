#include <doctest/doctest.h>

#include "minicnn/graph/summary.hpp"
#include "minicnn/mobilenet_v2.hpp"
#include "minicnn/mobilenet_v3.hpp"
#include "networks/against_torch.hpp"

using namespace minicnn;
using against_torch::unset;

namespace {
constexpr auto both = {mobilenet_v3_size::v3_small, mobilenet_v3_size::v3_large};
}  // namespace

TEST_CASE("parameter counts are the published ones") {
  CHECK(mobilenet_v2({.classes = 1000, .network = unset}).parameter_count() == 3504872);
  CHECK(mobilenet_v3({.classes = 1000, .network = unset}).parameter_count() == 2542856);
  CHECK(mobilenet_v3({.size = mobilenet_v3_size::v3_large, .classes = 1000, .network = unset}).parameter_count() == 5483032);
}

TEST_CASE("multiply-adds of the papers") {
  // 300, 56 and 219 million there; squeeze-and-excitation is in these.
  CHECK(summarize(mobilenet_v2({.classes = 1000, .network = unset})).multiply_adds == 300774272);
  CHECK(summarize(mobilenet_v3({.classes = 1000, .network = unset})).multiply_adds == 56510400);
  const auto large = mobilenet_v3({.size = mobilenet_v3_size::v3_large, .classes = 1000, .network = unset});
  CHECK(summarize(large).multiply_adds == 216589760);
}

TEST_CASE("widths are rounded to eights") {
  CHECK(detail::rounded_channels(16) == 16);
  CHECK(detail::rounded_channels(24 * 0.35) == 8);
  CHECK(detail::rounded_channels(32 * 0.35) == 16);  // 8 would be less than nine tenths of 11.2
  CHECK(detail::rounded_channels(3) == 8);
  // torchvision.models.mobilenet_v2(width_mult=0.35) and mobilenet_v3_large(width_mult=0.75)
  CHECK(mobilenet_v2({.classes = 1000, .width = 0.35, .network = unset}).parameter_count() == 1677128);
  CHECK(mobilenet_v3({.size = mobilenet_v3_size::v3_large, .classes = 1000, .width = 0.75, .network = unset}).parameter_count() ==
        3377576);
}

TEST_CASE("logits are torchvision's") {
  against_torch::check_logits(
      "mobilenet_v2", {2, 3, 64, 80},
      [](auto element) { return mobilenet_v2<decltype(element)>({.classes = 10, .network = unset}); }, "recent_models");
  for (const auto size : both)
    against_torch::check_logits(
        size == mobilenet_v3_size::v3_small ? "mobilenet_v3_small" : "mobilenet_v3_large", {2, 3, 64, 80},
        [&](auto element) { return mobilenet_v3<decltype(element)>({.size = size, .classes = 10, .network = unset}); },
        "recent_models");
}

TEST_CASE("MobileNet v3 small: the gradients of a training step are torchvision's") {
  const mobilenet_v3_options o{.classes = 10, .dropout = 0, .network = unset};
  against_torch::check_step("mobilenet_v3_small_step", mobilenet_v3<double>(o), 64, 4, 1e-10, 1e-8);
  against_torch::check_step("mobilenet_v3_small_step", mobilenet_v3<float>(o), 64, 4, 1e-4, 1e-2);
}
