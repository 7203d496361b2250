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
