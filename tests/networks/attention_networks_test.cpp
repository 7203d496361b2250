#include <doctest/doctest.h>

#include "minicnn/convnext.hpp"
#include "minicnn/graph/summary.hpp"
#include "minicnn/vision_transformer.hpp"
#include "networks/against_torch.hpp"

using namespace minicnn;
using against_torch::unset;

namespace {

/// The one of make_models.py.
template <class T>
network<T> small_transformer() {
  return vision_transformer<T>(
      {.width = 96, .layers = 3, .heads = 4, .hidden = 192, .classes = 10, .image_size = 64, .network = unset});
}

}  // namespace

TEST_CASE("parameter counts are the published ones") {
  CHECK(convnext({.classes = 1000, .network = unset}).parameter_count() == 28589128);
  CHECK(vision_transformer({.classes = 1000, .network = unset}).parameter_count() == 86567656);
}

TEST_CASE("multiply-adds: 4.5 and, with attention, 17.6 billion") {
  CHECK(summarize(convnext({.classes = 1000, .network = unset})).multiply_adds == 4455531264);
  CHECK(summarize(vision_transformer({.classes = 1000, .network = unset})).multiply_adds == 17563828224);
}

TEST_CASE("sizes that do not fit") {
  CHECK(convnext({.image_size = 32, .network = unset}).output_dims() == shape{1, 2});
  CHECK_THROWS_WITH_AS(convnext({.image_size = 31, .network = unset}), doctest::Contains("features.6.1"), shape_error);
  CHECK_THROWS_WITH_AS(vision_transformer({.image_size = 100}), doctest::Contains("are not made of patches of 16"), shape_error);
  CHECK_THROWS_WITH_AS(vision_transformer({.heads = 7}), doctest::Contains("heads must divide the width of 768, got 7"),
                       option_error);
}

TEST_CASE("logits are torchvision's") {
  against_torch::check_logits(
      "convnext_tiny", {2, 3, 64, 80},
      [](auto element) { return convnext<decltype(element)>({.classes = 10, .network = unset}); }, "recent_models");
  against_torch::check_logits(
      "vision_transformer", {2, 3, 64, 64}, [](auto element) { return small_transformer<decltype(element)>(); }, "recent_models");
}

TEST_CASE("ConvNeXt: the gradients of a training step are torchvision's") {
  const convnext_options o{.classes = 10, .stochastic_depth = 0, .network = unset};
  against_torch::check_step("convnext_tiny_step", convnext<double>(o), 64, 4, 1e-10, 1e-8);
  against_torch::check_step("convnext_tiny_step", convnext<float>(o), 64, 4, 1e-4, 1e-2);
}

TEST_CASE("vision transformer: the gradients of a training step are torchvision's") {
  against_torch::check_step("vision_transformer_step", small_transformer<double>(), 64, 4, 1e-10, 1e-8);
  against_torch::check_step("vision_transformer_step", small_transformer<float>(), 64, 4, 1e-4, 1e-2);
}
