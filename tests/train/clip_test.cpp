#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "golden/golden.hpp"
#include "minicnn/train/adam.hpp"
#include "minicnn/train/clip.hpp"
#include "minicnn/train/sgd.hpp"
#include "train/toy_network.hpp"

using namespace minicnn;

TEST_CASE("F29 gradients are clipped by their global norm") {
  auto net = toy::mixed<float>();
  net.parameter_gradient("conv1.bias")[0] = 3.0f;
  net.parameter_gradient("fc1.weight")[32] = 4.0f;
  const gradient_clip clip = clip_gradients(net, 1.0);
  CHECK(clip.norm == 5.0);
  CHECK(clip.scale == 0.2);
  CHECK(clip.finite());
  sgd<float> opt(net, {.learning_rate = 1.0});
  net.parameter("conv1.bias")[0] = net.parameter("fc1.weight")[32] = 0.0f;
  CHECK(opt.step(1.0, clip));
  CHECK(net.parameter("conv1.bias")[0] == doctest::Approx(-0.6).epsilon(1e-6));
  CHECK(net.parameter("fc1.weight")[32] == doctest::Approx(-0.8).epsilon(1e-6));
  CHECK(clip_gradients(net, 10.0).scale == 1.0);
  CHECK(clip_gradients(net, 0.0).scale == 1.0);
  CHECK(clip_gradients(net, 1.0, 0.5).norm == 2.5);
  CHECK(clip_gradients(net, 1.0, 0.5).scale == 0.2);
  CHECK_THROWS_AS(clip_gradients(net, -1.0), option_error);
  net.freeze("fc1");
  CHECK(clip_gradients(net, 1.0).norm == 3.0);
}

TEST_CASE("F29 a gradient that is not finite: the step is skipped and reported, nothing changes") {
  for (const isa set : toy::instruction_sets())
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
      auto net = toy::mixed<float>();
      net.instruction_set(set);
      adam<float> opt(net);
      toy::random_gradients(net, 1);
      opt.step();
      net.parameter_gradient("fc1.weight")[17] = bad;
      net.parameter_gradient("bn1.bias")[1] = bad;
      const gradient_clip clip = clip_gradients(net, 1.0);
      CHECK(clip.non_finite == 2);
      CHECK(!clip.finite());
      const std::vector<float> before(net.parameter_arena().begin(), net.parameter_arena().end());
      CHECK(!opt.step(1.0, clip));
      CHECK(opt.steps() == 1);
      CHECK(std::memcmp(before.data(), net.parameter_arena().data(), before.size() * sizeof(float)) == 0);
      for (const auto& s : opt.state()) CHECK(non_finite_count<float>(s.data) == 0);
    }
}

TEST_CASE("the norm has the same bits for every number of threads and every instruction set") {
  double first = 0.0;
  for (const isa set : toy::instruction_sets())
    for (const int threads : {1, 2, 3}) {
      auto net = toy::mixed<float>(threads, 300'001);
      net.instruction_set(set);
      toy::random_gradients(net, 9);
      const double norm = clip_gradients(net, 1.0).norm;
      if (first == 0.0) first = norm;
      CHECK(norm == first);
    }
  auto net = toy::mixed<float>(1, 300'001);
  toy::random_gradients(net, 9);
  double sum = 0.0;
  for (const float g : net.gradient_arena()) sum += static_cast<double>(g) * static_cast<double>(g);
  CHECK(first == doctest::Approx(std::sqrt(sum)).epsilon(1e-12));
}

TEST_CASE("the norm is PyTorch's; the scale lacks its 1e-6") {
  const auto file = golden::open("optimizer");
  auto net = toy::mixed<double>();
  const auto first = net.parameter_gradient("conv1.bias");  // 7 elements
  const auto second = view<double>(net.parameter_gradient("conv1.weight").data(), {2, 3});
  golden::fill(first, golden::step, 2.0);
  golden::fill(second, golden::step + 1, 2.0);
  const gradient_clip clip = clip_gradients(net, 0.5);
  const double length = file.load<double>("clip_norm.length")[0];
  CHECK(clip.norm == doctest::Approx(length).epsilon(1e-12));
  const double factor = clip.scale * clip.norm / (clip.norm + 1e-6);
  for (double& g : first) g *= factor;
  for (double& g : second) g *= factor;
  CHECK(golden::relative_difference(first, file, "clip_norm.first") < 1e-12);
  CHECK(golden::relative_difference(second, file, "clip_norm.second") < 1e-12);
}
