#include "minicnn/analysis/grad_cam.hpp"

#include <doctest/doctest.h>

#include "minicnn/alexnet.hpp"
#include "minicnn/inception_v3.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/pooling.hpp"
#include "minicnn/resnet.hpp"
#include "minicnn/train/loss.hpp"
#include "minicnn/train/sgd.hpp"

using namespace minicnn;

namespace {

/// x -> relu of (x, -x) -> means -> logits (3 a + b, 2 b).
network<float> two_maps() {
  graph<float> g;
  auto x = g.input({1, 2, 2});
  x = global_avg_pool(relu(conv2d(x, {.filters = 2, .kernel = 1})));
  network<float> net(std::move(g), {dense(flatten(x), 2)}, {.threads = 1});
  const auto set = [&](const char* name, std::vector<float> values) {
    std::copy(values.begin(), values.end(), net.parameter(name).begin());
  };
  set("conv1.weight", {1, -1});
  set("conv1.bias", {0, 0});
  set("fc1.weight", {3, 1, 0, 2});
  set("fc1.bias", {0, 0});
  return net;
}

tensor<float> random_images(const shape& dims, std::uint64_t seed) {
  tensor<float> images(dims);
  random_stream random{random_key(seed)};
  for (float& v : images) v = static_cast<float>(random.normal());
  return images;
}

bool same(const view<const float>& a, const view<const float>& b) {
  return a.dims() == b.dims() && std::equal(a.begin(), a.end(), b.begin());
}

}  // namespace

TEST_CASE("the map is the sum of feature maps weighted by mean gradients, cut at 0") {
  network<float> net = two_maps();
  const tensor<float> images({2, 1, 2, 2}, {4, -8, 0, 2, 1, 1, -1, -1});
  grad_cam<float> explain(net);
  CHECK(explain.node() == "relu1");
  const std::vector<index_t> classes{0, 1};
  const tensor<float> maps = explain(images, classes);
  REQUIRE(maps.dims() == shape{2, 2, 2});
  // Image 0, class 0: 3/4 relu(x) + 1/4 relu(-x). Image 1, class 1: 2/4 relu(-x).
  const float wanted[] = {3, 2, 0, 1.5F, 0, 0, 0.5F, 0.5F};
  for (index_t i = 0; i < 8; ++i) CHECK(maps[i] == doctest::Approx(wanted[i]));
  CHECK(explain.logits()[0] == doctest::Approx(3 * 1.5 + 2));
  CHECK(explain.logits()[1] == doctest::Approx(4));

  // The class that the network names: 0 for the first, 0 for the second (3 x 0.5 + 0.5 against 1).
  const tensor<float> named = explain(images);
  CHECK(named[4] == doctest::Approx(0.75));
  CHECK(named[6] == doctest::Approx(0.25));
}

TEST_CASE("what speaks against a class is cut off") {
  network<float> net = two_maps();
  net.parameter("fc1.weight")[1] = -1;  // logit 0 = 3 a - b
  grad_cam<float> explain(net);
  const tensor<float> images({1, 1, 2, 2}, {4, -8, 0, 2});
  const std::vector<index_t> classes{0};
  const tensor<float> map = explain(images, classes);
  CHECK(map[0] == doctest::Approx(3));
  CHECK(map[1] == 0);
}

TEST_CASE("one logit stands for class 1 against class 0") {
  graph<float> g;
  auto x = relu(conv2d(g.input({1, 2, 2}), {.filters = 1, .kernel = 1}));
  network<float> net(std::move(g), {dense(flatten(global_avg_pool(x)), 1)}, {.threads = 1});
  for (const char* name : {"conv1.weight", "fc1.weight"}) net.parameter(name)[0] = 1;
  net.parameter("conv1.bias")[0] = net.parameter("fc1.bias")[0] = 0;
  grad_cam<float> explain(net);
  const tensor<float> image({1, 1, 2, 2}, {4, 0, 0, 0});
  const std::vector<index_t> one{1}, zero{0}, two{2};
  CHECK(explain(image, one)[0] == doctest::Approx(1));
  CHECK(explain(image, zero)[0] == 0);
  CHECK_THROWS_AS(explain(image, two), option_error);
}

TEST_CASE("logits are those of predict, and training goes on as if nothing had been") {
  const auto make = [] {
    graph<float> g;
    auto x = relu(batch_norm(conv2d(g.input({3, 8, 8}), {.filters = 4, .kernel = 3})));
    x = dropout(flatten(max_pool(x, {.kernel = 2, .stride = 2})), 0.5);
    return network<float>(std::move(g), {dense(x, 3)}, {.seed = 5, .threads = 1});
  };
  network<float> plain = make(), explained = make();
  explained.freeze("conv1");
  plain.freeze("conv1");
  sgd<float> plain_steps(plain, {.learning_rate = 0.1}), explained_steps(explained, {.learning_rate = 0.1});
  session<float> plain_run(plain), explained_run(explained);
  const softmax_cross_entropy<float> loss;
  const std::vector<std::int32_t> labels{0, 1, 2, 1};
  for (int step = 0; step < 3; ++step) {
    const tensor<float> images = random_images({4, 3, 8, 8}, static_cast<std::uint64_t>(step));
    for (auto* side : {&plain_run, &explained_run}) {
      side->forward(images);
      loss(*side, labels);
      side->backward();
      (side == &plain_run ? plain_steps : explained_steps).step();
    }
    const network<float>& fixed = explained;
    const tensor<float> wanted = fixed.predict(images);
    const std::vector<float> gradients(explained.gradient_arena().begin(), explained.gradient_arena().end());
    grad_cam<float> explain(fixed);
    const tensor<float> maps = explain(images);
    CHECK(maps.dims() == shape{4, 6, 6});
    CHECK(std::equal(gradients.begin(), gradients.end(), explained.gradient_arena().begin()));
    for (index_t i = 0; i < wanted.size(); ++i) CHECK(explain.logits()[i] == doctest::Approx(wanted[i]).epsilon(1e-5));
  }
  CHECK(plain.step() == explained.step());
  CHECK(same(plain.parameter_arena(), explained.parameter_arena()));
  CHECK(same(plain.buffer_arena(), explained.buffer_arena()));
}

TEST_CASE("the default node is the last feature map before pooling") {
  CHECK(last_feature_maps(alexnet<float>({.classes = 2})) == "relu5");
  CHECK(feature_map_nodes(alexnet<float>({.classes = 2})) == std::vector<std::string>{"relu1", "relu2", "relu5"});
  const network<float> residual = resnet<float>({.depth = 18, .classes = 2, .width = 8});
  const std::string node = last_feature_maps(residual);
  CHECK(residual.nodes()[static_cast<std::size_t>(residual.topology().find(node))].dims.size_from(2) == 49);
  // Branches of the reductions go back and forth between sizes; auxiliary heads are not on the way to the output.
  const network<float> inception = inception_v3<float>({.classes = 2});
  const auto side = [&](const std::string& name) {
    return inception.nodes()[static_cast<std::size_t>(inception.topology().find(name))].dims[2];
  };
  std::vector<index_t> sides;
  for (const std::string& name : feature_map_nodes(inception)) sides.push_back(side(name));
  CHECK(std::is_sorted(sides.rbegin(), sides.rend()));
  CHECK(sides.back() == 8);
}

TEST_CASE("nodes that are no feature maps are refused") {
  network<float> net = two_maps();
  CHECK_THROWS_WITH_AS(grad_cam<float>(net, "fc1"), doctest::Contains("fc1"), option_error);
  CHECK_THROWS_WITH_AS(grad_cam<float>(net, "conv9"), doctest::Contains("conv9"), option_error);
  graph<float> g;
  auto x = g.input({4});
  network<float> flat(std::move(g), {dense(x, 2)}, {.threads = 1});
  CHECK_THROWS_AS(grad_cam<float>{flat}, option_error);
}
