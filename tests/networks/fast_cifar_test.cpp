#include "minicnn/fast_cifar.hpp"

#include <doctest/doctest.h>

#include "minicnn/graph/summary.hpp"
#include "networks/against_torch.hpp"

using namespace minicnn;
using against_torch::unset;

TEST_CASE("multiply-adds and parameters are those of the published networks") {
  const auto check = [](fast_cifar_options o, index_t multiply_adds, index_t parameters) {
    o.network = unset;
    const network<float> net = fast_cifar(o);
    CHECK(net.parameter_count() == parameters);
    CHECK(summarize(net).multiply_adds == multiply_adds);
  };
  check({}, 118147360, 1971640);
  check({.widths = {128, 384, 384}}, 301560864, 4604728);
  check({.widths = {128, 384, 512}, .depth = 3}, 451967264, 9915704);
}

TEST_CASE("maps have 31, 15, 7, 3 and 1 pixels a side, names are whiten, group1.conv1 to head") {
  const auto net = fast_cifar({.network = unset});
  const auto dims = [&](std::string_view name) {
    for (const auto& n : net.nodes())
      if (n.name == name) return n.dims;
    return shape{};
  };
  CHECK(dims("whiten") == shape{1, 24, 31, 31});
  CHECK(dims("group1.conv1") == shape{1, 64, 31, 31});
  CHECK(dims("group1.conv2") == shape{1, 64, 15, 15});
  CHECK(dims("group2.norm2") == shape{1, 256, 7, 7});
  CHECK(dims("group3.norm2") == shape{1, 256, 3, 3});
  CHECK(dims("logits") == shape{1, 10});
  std::string names;
  for (const parameter_info& p : net.parameters())
    if (p.name.starts_with("whiten") || p.name.starts_with("group1") || p.name.starts_with("head")) names += p.name + " ";
  CHECK(names ==
        "whiten.weight whiten.bias group1.conv1.weight group1.norm1.bias group1.conv2.weight group1.norm2.bias head.weight ");
  CHECK(fast_cifar({.image_size = 9, .network = unset}).output_dims() == shape{1, 10});
  CHECK_THROWS_AS(fast_cifar({.depth = 4}), option_error);
}

TEST_CASE("the logits are PyTorch's") {
  against_torch::check_logits(
      "fast_cifar", {2, 3, 32, 32},
      [&](auto element) {
        return fast_cifar<decltype(element)>({.widths = {16, 32, 32}, .network = unset});
      },
      "recipes");
  against_torch::check_logits(
      "fast_cifar_deep", {2, 3, 32, 32},
      [&](auto element) {
        return fast_cifar<decltype(element)>({.widths = {16, 32, 48}, .depth = 3, .network = unset});
      },
      "recipes");
}

TEST_CASE("the first filters of a convolution begin as the identity") {
  const auto net = fast_cifar({.network = {.seed = 3}});
  const view<const float> w = net.parameter("group1.conv1.weight");  // 64x24x3x3
  for (index_t f = 0; f < 24; ++f)
    for (index_t c = 0; c < 24; ++c)
      for (index_t k = 0; k < 9; ++k) REQUIRE(w[(f * 24 + c) * 9 + k] == (c == f && k == 4 ? 1.0F : 0.0F));
  double largest = 0, squares = 0;
  for (index_t i = 24 * 216; i < w.size(); ++i) {
    largest = (std::max)(largest, std::abs(static_cast<double>(w[i])));
    squares += static_cast<double>(w[i]) * static_cast<double>(w[i]) / (40 * 216);
  }
  const double limit = 1 / std::sqrt(216.0);  // of PyTorch's default: 1 / sqrt(fan_in)
  CHECK(largest <= limit);
  CHECK(squares == doctest::Approx(limit * limit / 3).epsilon(0.05));
}
