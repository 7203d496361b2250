// Layers frozen in the middle of a network still pass gradients back to those that train before them.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>

#include "minicnn/graph/session.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/pooling.hpp"

using namespace minicnn;

namespace {

network<float> small_network() {
  graph<float> g;
  node<float> x = g.input({2, 9, 9});
  x = relu(conv2d(x, {.filters = 5, .kernel = 3}));
  x = max_pool(conv2d(x, {.filters = 4, .kernel = 3, .padding = 1}), {.kernel = 2, .stride = 2});
  return network<float>(std::move(g), {dense(flatten(x), 3)}, {.seed = 4, .threads = 2});
}

tensor<float> first_gradient(network<float>& net) {
  session run(net);
  tensor<float> x({3, 2, 9, 9});
  random_stream random(random_key(9));
  for (float& value : x) value = static_cast<float>(random.normal());
  run.forward(x);
  for (float& value : run.output_gradient()) value = static_cast<float>(random.normal());
  run.backward();
  return tensor<float>(view<const float>(net.parameter_gradient("conv1.weight")));
}

}  // namespace

TEST_CASE("gradients pass through frozen convolutions, pools and dense layers unchanged") {
  network<float> net = small_network();
  const tensor<float> wanted = first_gradient(net);
  for (const char* frozen : {"conv2", "pool1", "fc1", "relu1"}) {
    CAPTURE(frozen);
    network<float> other = small_network();
    other.freeze(frozen);
    const tensor<float> got = first_gradient(other);
    CHECK(std::equal(got.begin(), got.end(), wanted.begin()));
  }
}

TEST_CASE("a name freezes that node or scope, not nodes whose names go on") {
  graph<float> g;
  node<float> x = g.input({4});
  for (int i = 0; i < 10; ++i) x = dense(x, 4);  // fc1 to fc10
  {
    const auto scope = g.scope("block1");
    x = dense(dense(x, 4), 4);
  }
  {
    const auto scope = g.scope("block10");
    x = dense(x, 4, {.name = "a/b"});
  }
  network<float> net(std::move(g), {x}, {.threads = 1});
  const auto frozen = [&] {
    std::string names;
    for (const parameter_info& p : net.parameters())
      if (!p.trainable && p.name.ends_with(".weight")) names += p.name.substr(0, p.name.size() - 6);
    return names;
  };
  net.freeze("fc1");
  CHECK(frozen() == "fc1.");
  net.freeze("block1");
  CHECK(frozen() == "fc1.block1.fc1.block1.fc2.");
  net.unfreeze("block1.fc2.");
  CHECK(frozen() == "fc1.block1.fc1.");
  net.unfreeze("");
  CHECK(frozen().empty());
  net.freeze("block10/");
  CHECK(frozen() == "block10.a/b.");
  net.freeze("");
  net.unfreeze("block10.a");
  CHECK(frozen().find("block10") == std::string::npos);
  CHECK_THROWS_WITH_AS(net.freeze("fc"), doctest::Contains("no node, scope or parameter is called fc"), option_error);
  CHECK_THROWS_AS(net.freeze("block1.f"), option_error);
  CHECK_FALSE(selects("conv1", "conv10.weight"));
  CHECK(selects("conv1", "conv1.weight"));
}

TEST_CASE("a frozen parameter's gradient is left alone") {
  network<float> net = small_network();
  net.freeze("conv2");
  for (float& value : net.parameter_gradient("conv2.weight")) value = 7.0F;
  first_gradient(net);
  for (float value : net.parameter_gradient("conv2.weight")) CHECK(value == 7.0F);
}

TEST_CASE("a parameter's own name fixes it alone: the layer's others learn, and its gradient is not written") {
  network<float> net = small_network();
  const tensor<float> first = first_gradient(net);
  const tensor<float> bias(view<const float>(net.parameter_gradient("conv2.bias")));
  network<float> other = small_network();
  other.freeze("conv2.weight");
  const tensor<float> got = first_gradient(other);
  CHECK(std::equal(got.begin(), got.end(), first.begin()));
  for (const float g : other.parameter_gradient("conv2.weight")) CHECK(std::abs(g) == 0.0F);
  const view<float> trained = other.parameter_gradient("conv2.bias");
  for (index_t i = 0; i < 4; ++i) CHECK(trained[i] == doctest::Approx(bias[i]).epsilon(1e-5));
  CHECK(!other.parameters()[2].trainable);
  CHECK(other.parameters()[3].trainable);
  other.unfreeze("conv2");
  CHECK(other.parameters()[2].trainable);
  CHECK_THROWS_AS(other.freeze("conv2.weigh"), option_error);
}
