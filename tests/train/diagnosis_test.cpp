#include "minicnn/train/diagnosis.hpp"
#include "minicnn/graph/session.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/train/classification.hpp"

using namespace minicnn;

namespace {

network<float> classifier() {
  graph<float> g;
  auto x = relu(dense(g.input({4}), 8, {.name = "first"}), {.name = "rectified"});
  x = batch_norm(x, {.name = "norm"});
  return network<float>(std::move(g), {dense(x, 2, {.name = "last"})}, {.seed = 3, .threads = 1});
}

tensor<float> images() {
  tensor<float> x({6, 4});
  for (index_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>((i * 7) % 5) - 2.0F;
  return x;
}

const std::vector<std::int32_t> labels = {0, 1, 0, 1, 1, 0};

batch<float> of(const tensor<float>& x, const std::vector<std::int32_t>& y = labels) { return {x, y}; }

const classification what;
constexpr float infinite = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

}  // namespace

TEST_CASE("the first value that is not finite is named where it arises") {
  auto net = classifier();
  tensor<float> x = images();
  CHECK(first_non_finite(net, of(x), what).empty());

  x[5] = not_a_number;
  CHECK(first_non_finite(net, of(x), what) == "input: NaN at 1 of 24 places, first at 5");
  x = images();

  net.parameter("last.bias")[1] = infinite;
  CHECK(first_non_finite(net, of(x), what) == "parameter last.bias: infinity at 1 of 2 places, first at 1");
  net.parameter("last.bias")[1] = 0;

  // Finite weights whose products overflow: not the node that shows it at the end, but the one that made it.
  for (float& w : net.parameter("first.weight")) w = 3e38F;
  CHECK(first_non_finite(net, of(x), what).starts_with("node first (dense): "));
}

TEST_CASE("looking for it leaves running statistics and step counter alone") {
  auto net = classifier();
  session run(net);
  const tensor<float> x = images();
  run.forward(x);
  const std::vector<float> before(net.buffer_arena().begin(), net.buffer_arena().end());
  CHECK(first_non_finite(net, of(x), what).empty());
  CHECK(std::vector<float>(net.buffer_arena().begin(), net.buffer_arena().end()) == before);
  CHECK(net.step() == 1);
}

TEST_CASE("a stuck loss: what is conspicuous is said") {
  auto net = classifier();
  session run(net);
  const auto diagnosis = [&](const tensor<float>& x, const std::vector<std::int32_t>& y) {
    run.forward(x);
    softmax_cross_entropy<float>()(run, y);
    run.backward();
    return diagnose_stuck(net, of(x, y));
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  const std::string sane = diagnosis(images(), labels);
  CAPTURE(sane);
  CHECK(has(sane, "labels of a batch: 0: 3, 1: 3"));
  CHECK(has(sane, "first: "));
  CHECK(has(sane, "nothing conspicuous"));

  net.freeze("first");
  CHECK(has(diagnosis(images(), labels), "nothing conspicuous"));  // no gradient is wanted there
  CHECK_FALSE(has(diagnosis(images(), labels), "first: "));
  net.unfreeze("first");

  CHECK(has(diagnosis(images(), {1, 1, 1, 1, 1, 1}), "all labels of the batch are equal"));
  // A network for targets has no classes to count.
  batch<float> numbers;
  const tensor<float> x = images();
  numbers.images = x;
  CHECK_FALSE(has(diagnose_stuck(net, numbers), "labels of a batch"));
  tensor<float> large = images();
  for (float& v : large) v = 127 + 60 * v;
  CHECK(has(diagnosis(large, labels), "not normalised"));
  for (float& b : net.parameter("first.bias")) b = -1000;
  CHECK(has(diagnosis(images(), labels), "rectified 8 of 8"));
}
