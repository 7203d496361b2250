#include <doctest/doctest.h>

#include "golden/golden.hpp"
#include "minicnn/train/sgd.hpp"
#include "train/toy_network.hpp"

using namespace minicnn;

namespace {
doctest::Approx near(double x) { return doctest::Approx(x).epsilon(1e-9); }
}  // namespace

TEST_CASE("F27 momentum when the rate changes: PyTorch's rule") {
  for (const isa set : toy::instruction_sets()) {
    auto net = toy::vector<double>({1.0});
    net.instruction_set(set);
    sgd<double> opt(net, {.learning_rate = 0.1, .momentum = 0.9});
    net.parameter_gradient("w.weight")[0] = 1.0;
    const double want[] = {0.9, 0.71, 0.6829};
    for (int i = 0; i < 3; ++i) {
      if (i == 2) opt.learning_rate(0.01);
      opt.step();
      CHECK(net.parameter("w.weight")[0] == near(want[i]));
    }
  }
}

TEST_CASE("Nesterov by hand") {
  auto net = toy::vector<double>({1.0});
  sgd<double> opt(net, {.learning_rate = 0.1, .momentum = 0.9, .nesterov = true});
  net.parameter_gradient("w.weight")[0] = 1.0;
  opt.step();  // b = 1, step 1 + 0.9
  CHECK(net.parameter("w.weight")[0] == near(0.81));
  net.parameter_gradient("w.weight")[0] = 2.0;
  opt.step();  // b = 2.9, step 2 + 2.61
  CHECK(net.parameter("w.weight")[0] == near(0.81 - 0.461));
}

TEST_CASE("F27 decay of plain SGD: weight_decay and decoupled agree without momentum") {
  for (const bool decoupled : {false, true}) {
    auto net = toy::vector<double>({1.0});
    sgd<double> opt(
        net, {.learning_rate = 0.1, .weight_decay = decoupled ? 0.0 : 0.1, .decoupled_weight_decay = decoupled ? 0.1 : 0.0});
    CHECK(opt.memory_bytes() == 0);
    opt.step();
    CHECK(net.parameter("w.weight")[0] == near(0.99));
  }
}

TEST_CASE("SGD does what PyTorch does, step by step") {
  const auto file = golden::open("optimizer");
  const auto check = [&](const std::string& name, const sgd_options& options) {
    CAPTURE(name);
    const tensor<double> want = file.load<double>(name + ".parameters");
    for (const isa set : toy::instruction_sets()) {
      auto net = toy::vector<double>(std::vector<double>(9));
      auto narrow = toy::vector<float>(std::vector<double>(9));
      net.instruction_set(set), narrow.instruction_set(set);
      golden::fill(net.parameter("w.weight"), golden::parameter);
      golden::fill(narrow.parameter("w.weight"), golden::parameter);
      sgd<double> opt(net, options);
      sgd<float> narrow_opt(narrow, options);
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
  check("sgd", {.learning_rate = 0.1});
  check("sgd_decay", {.learning_rate = 0.1, .weight_decay = 0.05});
  check("sgd_momentum", {.learning_rate = 0.1, .momentum = 0.9});
  check("sgd_momentum_decay", {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.05});
  check("sgd_nesterov_decay", {.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 0.05});
}
