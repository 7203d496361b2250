#include "minicnn/resnet.hpp"

#include <doctest/doctest.h>

#include "minicnn/graph/summary.hpp"
#include "networks/against_torch.hpp"

using namespace minicnn;
using against_torch::unset;

namespace {
constexpr int imagenet_depths[] = {18, 34, 50, 101, 152}, cifar_depths[] = {20, 32, 44, 56, 110};

shape dims_of(const network<float>& net, std::string_view name) {
  for (const auto& n : net.nodes())
    if (n.name == name) return n.dims;
  return {};
}
}  // namespace

TEST_CASE("parameter counts are the published ones") {
  const index_t published[] = {11689512, 21797672, 25557032, 44549160, 60192808};
  for (int i = 0; i < 5; ++i)
    CHECK(resnet({.depth = imagenet_depths[i], .classes = 1000, .network = unset}).parameter_count() == published[i]);
  // Table 6 has 0.27, 0.46, 0.66, 0.85 and 1.7 million.
  const index_t cifar[] = {269722, 464154, 658586, 853018, 1727962};
  for (int i = 0; i < 5; ++i) CHECK(resnet_cifar({.depth = cifar_depths[i], .network = unset}).parameter_count() == cifar[i]);
}

TEST_CASE("multiply-adds and map sizes of table 1") {
  const auto net = resnet({.depth = 50, .classes = 1000, .network = unset});
  CHECK(summarize(net).multiply_adds == 4089184256);  // the paper's 3.8e9 has the stride in the 1x1 convolutions
  CHECK(dims_of(net, "conv1") == shape{1, 64, 112, 112});
  CHECK(dims_of(net, "layer1.2.add1") == shape{1, 256, 56, 56});
  CHECK(dims_of(net, "layer2.3.add1") == shape{1, 512, 28, 28});
  CHECK(dims_of(net, "layer3.5.add1") == shape{1, 1024, 14, 14});
  CHECK(dims_of(net, "layer4.2.add1") == shape{1, 2048, 7, 7});
  const auto small = resnet_cifar({.depth = 20, .network = unset});
  CHECK(dims_of(small, "layer1.2.add1") == shape{1, 16, 32, 32});
  CHECK(dims_of(small, "layer2.2.add1") == shape{1, 32, 16, 16});
  CHECK(dims_of(small, "layer3.2.add1") == shape{1, 64, 8, 8});
}

TEST_CASE("other depths are refused") {
  CHECK_THROWS_WITH_AS(resnet({.depth = 20}), doctest::Contains("wanted 18"), option_error);
  CHECK_THROWS_WITH_AS(resnet_cifar({.depth = 18}), doctest::Contains("6 n + 2"), option_error);
}

TEST_CASE("logits are torchvision's") {
  for (const int depth : imagenet_depths)
    against_torch::check_logits(text_of("resnet", depth), {2, 3, 64, 80}, [&](auto element) {
      return resnet<decltype(element)>({.depth = depth, .classes = 10, .network = unset});
    });
}

TEST_CASE("CIFAR networks: logits as PyTorch computes them") {
  for (const int depth : {20, 110})
    against_torch::check_logits(text_of("resnet", depth), {2, 3, 32, 32}, [&](auto element) {
      return resnet_cifar<decltype(element)>({.depth = depth, .network = unset});
    });
}

TEST_CASE("ResNet-18: the gradients of a training step are torchvision's") {
  const resnet_options o{.depth = 18, .classes = 10, .network = unset};
  against_torch::check_step("resnet18_step", resnet<double>(o), 64, 4, 1e-10, 1e-8);
  // One of 700,000 ReLUs lies within 1e-6 of zero and may fall to either side in float.
  against_torch::check_step("resnet18_step", resnet<float>(o), 64, 4, 1e-4, 1e-2);
}

TEST_CASE("for 32 pixels: stride 1, no pool, maps of 32, 16, 8 and 4, and the published count of the CIFAR-10 variant") {
  const auto net = resnet({.classes = 10, .image_size = 32, .small_stem = true, .network = unset});
  CHECK(net.parameter_count() == 11173962);
  CHECK(summarize(net).multiply_adds == 555422720);
  const auto dims = [&](std::string_view name) {
    for (const auto& n : net.nodes())
      if (n.name == name) return n.dims;
    return shape{};
  };
  CHECK(dims("conv1") == shape{1, 64, 32, 32});
  CHECK(dims("layer1.1.conv2") == shape{1, 64, 32, 32});
  CHECK(dims("layer4.1.conv2") == shape{1, 512, 4, 4});
}

TEST_CASE("zero_init: each block begins as the identity") {
  for (const int depth : {18, 50}) {
    const auto net = resnet({.depth = depth, .classes = 10, .image_size = 32, .width = 8, .zero_init = true});
    const std::string last = depth == 18 ? ".bn2.weight" : ".bn3.weight";
    for (const parameter_info& p : net.parameters()) {
      if (!p.name.ends_with("weight") || p.dims.rank() != 1) continue;
      for (const float w : net.parameter(p.name)) CHECK(w == (p.name.ends_with(last) ? 0.0F : 1.0F));
    }
  }
  const auto small = resnet_cifar({.depth = 8, .zero_init = true});
  CHECK(small.parameter("layer2.0.bn2.weight")[3] == 0.0F);
  CHECK(small.parameter("layer2.0.bn1.weight")[3] == 1.0F);
}
