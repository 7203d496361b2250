#include "minicnn/train/lars.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "train/toy_network.hpp"

using namespace minicnn;

namespace {
doctest::Approx near(double x) { return doctest::Approx(x).epsilon(1e-9); }
}  // namespace

TEST_CASE("LARS by hand: the step of a weight tensor has its length, whatever the gradient's; biases go by SGD") {
  for (const isa set : toy::instruction_sets()) {
    auto net = toy::mixed<double>(2);
    net.instruction_set(set);
    const auto w = net.parameter("conv1.weight"), b = net.parameter("conv1.bias");
    for (double& x : w) x = 2.0;
    for (double& x : b) x = 2.0;
    lars<double> opt(net, {.learning_rate = 0.5, .momentum = 0.5, .trust = 0.1, .weight_decay = 0.25});
    for (double& g : net.parameter_gradient("conv1.weight")) g = 8.0;
    for (double& g : net.parameter_gradient("conv1.bias")) g = 8.0;
    // 15 weights: |w| = 2 sqrt 15, |g| = 4 sqrt 15 with the gradients halved; trust 0.1 * 2 / (4 + 0.5)
    opt.step(1.0, 0.5);
    const double trust = 0.2 / 4.5, first = trust * (4.0 + 0.5);
    CHECK(w[0] == near(2.0 - 0.5 * first));
    CHECK(w[14] == near(2.0 - 0.5 * first));
    CHECK(b[6] == near(2.0 - 0.5 * 4.0));
    const double now = 2.0 - 0.5 * first, second = 0.1 * now;  // the trust cancels what it divides by
    opt.step(1.0, 0.5);
    CHECK(w[3] == near(now - 0.5 * (0.5 * first + second)));
    CHECK(b[0] == near(0.0 - 0.5 * (2.0 + 4.0)));
    for (double& x : w) x = 0.0;
    lars<double> fresh(net, {.learning_rate = 0.5, .momentum = 0.0});
    fresh.step();
    CHECK(w[2] == near(-4.0));
  }
}

TEST_CASE("the same bits for any number of threads; options outside their range are refused") {
  std::vector<float> first;
  for (const int threads : {1, 3}) {
    auto net = toy::mixed<float>(threads, 100'001);
    lars<float> opt(net, {.weight_decay = 1e-4});
    toy::random_gradients(net, 1);
    opt.step();
    opt.step(0.5);
    const std::vector<float> now(net.parameter_arena().begin(), net.parameter_arena().end());
    if (first.empty()) first = now;
    CHECK(now == first);
    CHECK(opt.state()[0].name == "lars.velocity.conv1.weight");
    CHECK_THROWS_AS(lars<float>(net, {.momentum = 1.0}), option_error);
    CHECK_THROWS_AS(lars<float>(net, {.trust = 0.0}), option_error);
  }
}
