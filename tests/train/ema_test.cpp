#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "minicnn/train/ema.hpp"
#include "train/toy_network.hpp"

using namespace minicnn;

namespace {
doctest::Approx near(double x) { return doctest::Approx(x).epsilon(1e-9); }

std::vector<float> copy_of(const view<float>& x) { return std::vector<float>(x.begin(), x.end()); }
bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}
}  // namespace

TEST_CASE("bias-corrected averages by hand, buffers included") {
  for (const isa set : toy::instruction_sets()) {
    auto net = toy::mixed<double>();
    net.instruction_set(set);
    ema<double> average(net, 0.5);
    const auto w = net.parameter("fc1.weight"), b = net.buffer("bn1.mean");
    const double values[] = {4.0, 1.0, 3.0};
    // 4; (4 / 2 + 1) / 1.5; (4 / 4 + 1 / 2 + 3) / 1.75
    const double want[] = {4.0, 2.0, 4.5 / 1.75};
    for (int i = 0; i < 3; ++i) {
      for (double& x : w) x = values[i];
      for (double& x : b) x = -values[i];
      average.update();
      {
        const auto scope = average.use();
        CHECK(w[0] == near(want[i]));
        CHECK(w[32] == near(want[i]));
        CHECK(b[2] == near(-want[i]));
        CHECK_THROWS_AS(average.update(), error);
      }
      CHECK(w[0] == values[i]);
      CHECK(b[2] == -values[i]);
    }
  }
}

TEST_CASE("swapping restores every bit; averages have the same bits for any number of threads") {
  std::vector<float> first;
  for (const int threads : {1, 2, 3}) {
    auto net = toy::mixed<float>(threads, 200'001);
    ema<float> average(net, 0.9);
    for (std::uint64_t i = 0; i < 4; ++i) net.initialize(i), average.update();
    const auto trained = copy_of(net.parameter_arena());
    average.swap();
    const auto averaged = copy_of(net.parameter_arena());
    average.swap();
    CHECK(same_bits(copy_of(net.parameter_arena()), trained));
    CHECK(!same_bits(averaged, trained));
    if (first.empty()) first = averaged;
    CHECK(same_bits(averaged, first));
  }
}

TEST_CASE("averages restored in a new object continue bit for bit") {
  auto net = toy::mixed<float>();
  ema<float> whole(net, 0.9), begun(net, 0.9), resumed(net, 0.9);
  for (std::uint64_t i = 0; i < 6; ++i) {
    net.initialize(i);
    whole.update();
    if (i < 3) begun.update();
    if (i == 3) {
      std::copy(begun.parameter_averages().begin(), begun.parameter_averages().end(), resumed.parameter_averages().begin());
      std::copy(begun.buffer_averages().begin(), begun.buffer_averages().end(), resumed.buffer_averages().begin());
      resumed.updates(begun.updates());
    }
    if (i >= 3) resumed.update();
  }
  CHECK(same_bits(copy_of(whole.parameter_averages()), copy_of(resumed.parameter_averages())));
  CHECK_THROWS_AS(ema<float>(net, 1.0), option_error);
}

namespace {

/// A run of four steps of a toy network whose weights are set by hand.
class toy_run final : public training_run {
 public:
  explicit toy_run(index_t steps) { state.total_steps = steps; }
  index_t epochs() const override { return 1; }
  index_t steps_per_epoch() const override { return state.total_steps; }
  index_t training_images() const override { return 1; }
  index_t validation_images() const override { return 0; }
  index_t validate_every() const override { return 1; }
  bool resizable() const override { return false; }
  void resize(index_t) override {}
  double uninformed_loss() const override { return 0; }
  std::string diagnose() override { return ""; }
};

}  // namespace

TEST_CASE("lookahead: every second step the network goes on from averages whose decay grows, and ends with them") {
  auto net = toy::mixed<double>();
  const auto w = net.parameter("fc1.weight"), b = net.buffer("bn1.mean");
  ema<double> average(net, {.decay = 0.8, .every = 2, .growth = 1.0, .copy_back = true});
  for (double& x : w) x = 8.0;  // before the run begins, as filters are whitened
  toy_run run(5);
  average.on_begin(run);
  step_report step;
  step.updated = true;
  const auto set = [&](double value) {
    for (double& x : w) x = value;
    for (double& x : b) x = value;
    run.state.step += 1;
    average.on_step(step);
  };
  set(4.0);
  CHECK(w[0] == 4.0);
  set(0.0);  // decay 0.8 * 2/5 = 0.32: 8 + 0.68 * (0 - 8)
  CHECK(w[0] == near(2.56));
  CHECK(b[1] == near(0.5 * 0.32));  // the buffer began with 0.5
  set(1.0);
  CHECK(w[32] == 1.0);
  set(10.0);  // decay 0.64: 2.56 + 0.36 * 7.44
  CHECK(w[32] == near(5.2384));
  step.updated = false;  // a step that was left out
  set(7.0);              // the last one: the slow weights
  CHECK(w[0] == near(5.2384));
  CHECK(average.updates() == 4);
  CHECK_THROWS_AS(ema<double>(net, {.every = 0}), option_error);
  CHECK_THROWS_AS(ema<double>(net, {.growth = -1}), option_error);
}

TEST_CASE("an average of every third step corrects for as many values as it has seen") {
  auto net = toy::mixed<double>();
  ema<double> average(net, {.decay = 0.5, .every = 3});
  const auto w = net.parameter("fc1.weight");
  for (int i = 1; i <= 7; ++i) {
    for (double& x : w) x = i;
    average.update();
  }
  average.swap();
  CHECK(w[0] == near((3.0 / 4 + 6.0 / 2) / 0.75));  // of steps 3 and 6
}
