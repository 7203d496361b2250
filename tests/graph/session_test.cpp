#include "minicnn/graph/session.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/pooling.hpp"
#include "minicnn/train/ema.hpp"
#include "minicnn/train/sgd.hpp"
#include "noise.hpp"

using namespace minicnn;

namespace {

network<float> small(std::uint64_t seed = 3) {
  graph<float> g;
  auto x = relu(batch_norm(conv2d(g.input({2, 8, 8}), {.filters = 4, .kernel = 3})));
  x = dropout(flatten(max_pool(x, {.kernel = 2, .stride = 2})), 0.5);
  auto aux = dense(x, 2, {.name = "aux"});
  return network<float>(std::move(g), {dense(x, 3, {.name = "logits"}), aux}, {.seed = seed, .threads = 1});
}

template <class Values>
std::vector<float> copy_of(const Values& v) {
  return {v.begin(), v.end()};
}
template <class Run>
std::vector<float> gradients_of(network<float>& net, Run& run, const tensor<float>& x) {
  run.forward(x);
  for (float& g : run.output_gradient()) g = 0.5F;
  run.backward();
  return copy_of(net.gradient_arena());
}

}  // namespace

TEST_CASE("a session refuses a network that ends with the statement") {
  static_assert(std::is_constructible_v<session<float>, network<float>&>);
  static_assert(std::is_constructible_v<session<float>, const network<float>&>);
  static_assert(!std::is_constructible_v<session<float>, network<float>>);
  static_assert(!std::is_constructible_v<session<float>, const network<float>>);
}

TEST_CASE("a session of a const network predicts and explains, but does not train, and writes nothing of it") {
  auto net = small();
  const network<float>& fixed = net;
  const auto x = noise<float>({3, 2, 8, 8});
  const auto parameters = copy_of(fixed.parameter_arena()), buffers = copy_of(fixed.buffer_arena());
  session<float> run(fixed);
  CHECK(copy_of(run.predict(x)) == copy_of(net.predict(x)));
  CHECK_THROWS_WITH_AS(run.forward(x), doctest::Contains("const network"), error);
  CHECK_THROWS_AS(run.reserve({3, 2, 8, 8}), error);
  CHECK_THROWS_AS(run.backward(), error);

  session<float> explain(fixed, {.retain = {"conv1", "input"}, .frozen = true});
  for (float& g : net.gradient_arena()) g = 7;
  for (int i = 0; i < 2; ++i) {
    CHECK(copy_of(explain.forward(x)) == copy_of(run.predict(x)));  // dropout off, running statistics
    for (float& g : explain.output_gradient()) g = 1;
    explain.backward();
  }
  const view<const float> slope = explain.gradient("conv1");
  CHECK(std::any_of(slope.begin(), slope.end(), [](float g) { return g > 0 || g < 0; }));
  CHECK(explain.gradient("input").dims() == shape{3, 2, 8, 8});
  CHECK(copy_of(fixed.parameter_arena()) == parameters);
  CHECK(copy_of(fixed.buffer_arena()) == buffers);
  for (const float g : net.gradient_arena()) CHECK(g == 7);
  CHECK(net.step() == 0);
  // The same for a session that could write.
  session<float> own(net, {.retain = {"conv1"}, .frozen = true});
  own.forward(x);
  own.backward();
  CHECK(copy_of(fixed.buffer_arena()) == buffers);
  for (const float g : net.gradient_arena()) CHECK(g == 7);
}

TEST_CASE("sessions of several threads run one const network at once") {
  const auto net = small();
  const auto x = noise<float>({4, 2, 8, 8});
  const std::vector<float> wanted = copy_of(net.predict(x));
  session<float> first(net, {.retain = {"conv1"}, .frozen = true});
  first.forward(x);
  for (float& g : first.output_gradient()) g = 1;
  first.backward();
  const std::vector<float> slope = copy_of(first.gradient("conv1"));
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> team;
  for (std::size_t t = 0; t < 4; ++t)
    team.emplace_back([&, t] {
      session<float> predict(net, {.threads = 1, .prepack_weights = t % 2 == 0});
      session<float> explain(net, {.threads = 1, .retain = {"conv1"}, .frozen = true});
      for (int i = 0; i < 20; ++i) {
        const std::vector<float> y = copy_of(predict.predict(x));
        for (std::size_t k = 0; k < y.size(); ++k) wrong[t] += !(std::abs(y[k] - wanted[k]) <= 1e-5F);
        explain.forward(x);
        for (float& g : explain.output_gradient()) g = 1;
        explain.backward();
        wrong[t] += copy_of(explain.gradient("conv1")) != slope;
      }
    });
  for (std::thread& t : team) t.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("sessions, optimizers and averages follow a network that moves, and refuse one that is gone") {
  auto plain = small(), net = small();
  session<float> plain_run(plain), run(net);
  sgd<float> plain_steps(plain, {.learning_rate = 0.1}), steps(net, {.learning_rate = 0.1});
  ema<float> average(net);
  const auto x = noise<float>({4, 2, 8, 8});
  gradients_of(plain, plain_run, x);
  gradients_of(net, run, x);
  plain_steps.step(), steps.step();
  auto moved = std::make_unique<network<float>>(std::move(net));
  CHECK_THROWS_WITH_AS(net.parameters(), doctest::Contains("moved"), error);
  CHECK(gradients_of(*moved, run, x) == gradients_of(plain, plain_run, x));
  plain_steps.step(), steps.step();
  average.update();
  CHECK(copy_of(moved->parameter_arena()) == copy_of(plain.parameter_arena()));
  CHECK(copy_of(run.predict(x)) == copy_of(plain.predict(x)));

  *moved = small(5);  // another network in its place
  CHECK_THROWS_WITH_AS(run.forward(x), doctest::Contains("gone"), error);
  CHECK_THROWS_AS(run.predict(x), error);
  CHECK_THROWS_AS(run.backward(), error);
  CHECK_THROWS_AS(steps.step(), error);
  CHECK_THROWS_AS(average.update(), error);
  session<float> other(*moved);
  other.predict(x);
  moved.reset();
  CHECK_THROWS_AS(other.predict(x), error);
}

TEST_CASE("a session notices what is frozen, and keeps its own settings") {
  auto net = small();
  session<float> run(net, {.winograd = false});
  const auto x = noise<float>({4, 2, 8, 8});
  gradients_of(net, run, x);
  net.freeze("conv1");
  for (float& g : net.gradient_arena()) g = 7;
  run.forward(x);
  run.backward();
  for (const float g : net.parameter_gradient("conv1.weight")) CHECK(g == 7);
  CHECK(net.parameter_gradient("logits.weight")[0] != 7);
  net.threads(2);
  CHECK(run.threads() == 1);
  CHECK_FALSE(run.ctx().winograd);
  CHECK(session<float>(net).threads() == 2);
}

TEST_CASE("what was not retained, or does not exist, is named") {
  auto net = small();
  CHECK_THROWS_WITH_AS(session<float>(net, {.retain = {"conv9"}}), doctest::Contains("conv9"), option_error);
  session<float> run(net, {.retain = {"relu1"}});
  CHECK_THROWS_AS(run.value("relu1"), error);  // nothing has run
  const auto x = noise<float>({2, 2, 8, 8});
  run.predict(x);
  CHECK(run.value("relu1").dims() == shape{2, 4, 6, 6});
  CHECK(run.value("logits").dims() == shape{2, 3});
  CHECK_THROWS_WITH_AS(run.value("conv1"), doctest::Contains("not retained"), option_error);
  CHECK_THROWS_WITH_AS(run.value("nobody"), doctest::Contains("nobody"), option_error);
  CHECK_THROWS_AS(run.output(), error);
}
