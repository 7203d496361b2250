#include <doctest/doctest.h>

#include <cmath>

#include "golden/golden.hpp"
#include "minicnn/train/adam.hpp"
#include "train/toy_network.hpp"

using namespace minicnn;

namespace {
doctest::Approx near(double x) { return doctest::Approx(x).epsilon(1e-9); }
}  // namespace

TEST_CASE("F23 Adam by the book") {
  for (const isa set : toy::instruction_sets()) {
    auto net = toy::vector<double>({1.0, 1.0});
    net.instruction_set(set);
    adam<double> opt(net);
    const auto w = net.parameter("w.weight"), g = net.parameter_gradient("w.weight");
    const double gradients[] = {1.0, -1.0, 2.0}, want[] = {0.99900000001, 0.9990526315884, 0.9985543894480};
    for (int i = 0; i < 3; ++i) {
      g[0] = gradients[i];
      opt.step();
      CHECK(w[0] == doctest::Approx(want[i]).epsilon(1e-12));
      CHECK(w[1] == 1.0);  // zero gradient: no change
    }
    auto single = toy::vector<float>({1.0, 1.0});
    single.instruction_set(set);
    adam<float> narrow(single);
    for (int i = 0; i < 3; ++i) {
      single.parameter_gradient("w.weight")[0] = static_cast<float>(gradients[i]);
      narrow.step();
      CHECK(single.parameter("w.weight")[0] == doctest::Approx(want[i]).epsilon(1e-6));
      CHECK(single.parameter("w.weight")[1] == 1.0f);
    }
  }
}

TEST_CASE("F27 weight decay of Adam: decoupled or through the moments") {
  auto net = toy::vector<double>({1.0});
  adam<double> decoupled(net, adamw(0.1, 0.1));
  decoupled.step();
  CHECK(net.parameter("w.weight")[0] == near(0.99));
  auto other = toy::vector<double>({1.0});
  adam<double> penalty(other, {.learning_rate = 0.1, .weight_decay = 0.1});
  penalty.step();
  CHECK(other.parameter("w.weight")[0] == doctest::Approx(0.9).epsilon(1e-7));  // 1 - 0.1 * 0.1 / (0.1 + 1e-8)
}

TEST_CASE("F63 Adam's moments decay to zero and not into denormals, with any number of threads") {
  for (const isa set : toy::instruction_sets())
    for (const int threads : {1, 2, 3})
      for (const index_t size : {index_t{0}, index_t{40'000}}) {
        if (size > 0 && set != toy::instruction_sets().back()) continue;
        auto net = toy::mixed<float>(threads, size);
        net.instruction_set(set);
        adam<float> opt(net);
        for (float& g : net.parameter_gradient("fc1.weight")) g = 1e-3f;
        opt.step();
        std::fill(net.gradient_arena().begin(), net.gradient_arena().end(), 0.0f);
        const int steps = size == 0 ? 5000 : 1000;  // the mean is below the smallest normal number after 772 steps
        for (int i = 1; i < steps; ++i) opt.step();
        for (const auto& s : opt.state()) {
          index_t denormals = 0, zeros = 0;
          for (const float x : s.data) denormals += std::fpclassify(x) == FP_SUBNORMAL, zeros += x == 0.0f;
          CHECK(denormals == 0);
          if (s.name == "adam.m.fc1.weight") CHECK(zeros == s.data.size());
          if (s.name == "adam.v.fc1.weight") CHECK(zeros == 0);
        }
        for (const float w : net.parameter_arena()) REQUIRE(is_finite(w));
      }
}

TEST_CASE("Adam does what PyTorch does, step by step") {
  const auto file = golden::open("optimizer");
  const auto check = [&](const std::string& name, const adam_options& options) {
    CAPTURE(name);
    const tensor<double> want = file.load<double>(name + ".parameters");
    for (const isa set : toy::instruction_sets()) {
      auto net = toy::vector<double>(std::vector<double>(9));
      auto narrow = toy::vector<float>(std::vector<double>(9));
      net.instruction_set(set), narrow.instruction_set(set);
      golden::fill(net.parameter("w.weight"), golden::parameter);
      golden::fill(narrow.parameter("w.weight"), golden::parameter);
      adam<double> opt(net, options);
      adam<float> narrow_opt(narrow, options);
      for (index_t s = 0; s < want.dim(0); ++s) {
        golden::fill(net.parameter_gradient("w.weight"), golden::step + static_cast<std::uint64_t>(s), 2.0);
        golden::fill(narrow.parameter_gradient("w.weight"), golden::step + static_cast<std::uint64_t>(s), 2.0);
        opt.step(), narrow_opt.step();
        const view<const double> row = static_cast<view<const double>>(want).at(s);
        CHECK(golden::relative_difference(net.parameter("w.weight"), row) < 1e-12);
        CHECK(golden::relative_difference(narrow.parameter("w.weight"), row) < 1e-6);
      }
    }
  };
  check("adam", {.learning_rate = 0.01});
  check("adam_betas_eps", {.learning_rate = 0.02, .beta1 = 0.8, .beta2 = 0.95, .eps = 0.1});
  check("adam_l2", {.learning_rate = 0.01, .weight_decay = 0.1});
  check("adamw", adamw(0.01, 0.1));
}
