#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "counted_new.hpp"
#include "minicnn/train/adam.hpp"
#include "minicnn/train/ema.hpp"
#include "minicnn/train/loss.hpp"
#include "minicnn/train/parse_schedule.hpp"
#include "minicnn/train/sgd.hpp"
#include "train/toy_network.hpp"

using namespace minicnn;

namespace {

template <class T>
std::vector<T> copy_of(const view<T>& x) {
  return std::vector<T>(x.begin(), x.end());
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

doctest::Approx near(double x) { return doctest::Approx(x).epsilon(1e-9); }

}  // namespace

TEST_CASE("learning-rate scales and both weight decays go where rules say") {
  auto net = toy::mixed<float>();
  adam<float> opt(net, {.decoupled_weight_decay = 0.5,
                        .rules = {{.kind = "dense", .weight_decay = 2.0},
                                  {.name = "conv1", .learning_rate_scale = 0.1},
                                  {.name = "bn1", .decoupled_weight_decay = 0.25, .all = true}}});
  const auto& s = opt.settings();  // conv1.weight, conv1.bias, bn1.bias, fc1.weight, fc1.bias
  REQUIRE(s.size() == 5);
  CHECK(s[0].decoupled_weight_decay == 0.5);
  CHECK(s[0].weight_decay == 0.0);
  CHECK(s[0].learning_rate_scale == 0.1);
  CHECK(s[1].decoupled_weight_decay == 0.0);
  CHECK(s[1].learning_rate_scale == 0.1);
  CHECK(s[2].decoupled_weight_decay == 0.25);
  CHECK(s[3].weight_decay == 2.0);
  CHECK(s[4].weight_decay == 0.0);
  CHECK(s[4].learning_rate_scale == 1.0);
  opt.configure([](const parameter_info& p, std::string_view kind, parameter_settings& each) {
    if (kind == "dense" && p.name == "fc1.bias") each.weight_decay = 3.0;
  });
  CHECK(s[4].weight_decay == 3.0);
  double want = 0.0;
  for (const float w : net.parameter("fc1.weight")) want += 2.0 / 2 * std::pow(static_cast<double>(w), 2);
  want += 3.0 / 2 * std::pow(static_cast<double>(net.parameter("fc1.bias")[0]), 2);
  CHECK(opt.regularization_loss() == near(want));
  net.freeze("fc1");
  CHECK(opt.regularization_loss() == 0.0);
  CHECK_THROWS_AS(adam<float>(net, {.rules = {{.name = "conv"}}}), option_error);  // a name, not its beginning
}

TEST_CASE("a rule's rate and decay act") {
  auto net = toy::mixed<double>();
  for (double& w : net.parameter("conv1.weight")) w = 1.0;
  for (double& w : net.parameter("fc1.weight")) w = 1.0;
  for (double& w : net.parameter("fc1.bias")) w = 1.0;
  sgd<double> opt(net, {.learning_rate = 0.1, .weight_decay = 0.5, .rules = {{.name = "conv1", .learning_rate_scale = 0.1}}});
  for (double& g : net.parameter_gradient("fc1.bias")) g = 2.0;
  opt.step(0.5, 0.25);  // rate 0.05, gradients a quarter
  CHECK(net.parameter("conv1.weight")[14] == near(1 - 0.005 * 0.5));
  CHECK(net.parameter("fc1.weight")[32] == near(1 - 0.05 * 0.5));
  CHECK(net.parameter("fc1.bias")[0] == near(1 - 0.05 * 0.5));
}

TEST_CASE("frozen parameters and their state are not touched, and move again when thawed") {
  auto net = toy::mixed<float>();
  adam<float> opt(net, {.decoupled_weight_decay = 0.1});
  toy::random_gradients(net, 1);
  opt.step();
  net.freeze("conv1");
  const auto before = copy_of(net.parameter("conv1.weight")), other = copy_of(net.parameter("fc1.weight"));
  const auto state = opt.state();
  const auto m = copy_of(state[0].data);
  CHECK(state[0].name == "adam.m.conv1.weight");
  opt.step();
  CHECK(same_bits(copy_of(net.parameter("conv1.weight")), before));
  CHECK(same_bits(copy_of(state[0].data), m));
  CHECK(!same_bits(copy_of(net.parameter("fc1.weight")), other));
  net.unfreeze("conv1");
  opt.step();
  CHECK(!same_bits(copy_of(net.parameter("conv1.weight")), before));
}

TEST_CASE("F24 reset clears moments and the step counter; state stays with its network") {
  SUBCASE("reset") {
    auto net = toy::vector<double>({1.0});
    adam<double> opt(net);
    for (int i = 0; i < 100; ++i) net.parameter_gradient("w.weight")[0] = 1.0, opt.step();
    opt.reset();
    CHECK(opt.steps() == 0);
    net.parameter("w.weight")[0] = 1.0;
    opt.step();
    CHECK(net.parameter("w.weight")[0] == near(0.999 + 1e-11));
  }
  SUBCASE("another network in the place of the first is refused") {
    auto net = toy::vector<float>({1.0});
    sgd<float> opt(net, {.momentum = 0.9});
    net.parameter_gradient("w.weight")[0] = 1.0f;
    opt.step();
    net = toy::vector<float>({5.0});
    CHECK_THROWS_AS(opt.step(), error);
    CHECK(net.parameter("w.weight")[0] == 5.0f);
    CHECK(opt.steps() == 1);
  }
}

TEST_CASE("F26 making an optimizer, stepping and resetting never draw parameters anew") {
  auto net = toy::mixed<float>();
  const auto before = copy_of(net.parameter_arena());
  adam<float> first(net);
  CHECK(same_bits(copy_of(net.parameter_arena()), before));
  toy::random_gradients(net, 4);
  first.step();
  const auto trained = copy_of(net.parameter_arena());
  adam<float> second(net);
  first.reset();
  CHECK(same_bits(copy_of(net.parameter_arena()), trained));
}

TEST_CASE_TEMPLATE("state and steps restored in a new optimizer continue bit for bit", Opt, adam<float>, sgd<float>) {
  const auto make = [](network<float>& net) {
    if constexpr (std::is_same_v<Opt, adam<float>>)
      return std::make_unique<Opt>(net, adam_options{.weight_decay = 0.01});
    else
      return std::make_unique<Opt>(net, sgd_options{.momentum = 0.9, .nesterov = true, .decoupled_weight_decay = 0.01});
  };
  auto net = toy::mixed<float>(), other = toy::mixed<float>();
  auto opt = make(net);
  std::unique_ptr<optimizer<float>> resumed;
  for (std::uint64_t i = 0; i < 20; ++i) {
    if (i == 10) {
      resumed = make(other);
      std::copy(net.parameter_arena().begin(), net.parameter_arena().end(), other.parameter_arena().begin());
      auto from = opt->state(), to = resumed->state();
      REQUIRE(from.size() == to.size());
      for (std::size_t k = 0; k < to.size(); ++k) std::copy(from[k].data.begin(), from[k].data.end(), to[k].data.begin());
      resumed->steps(opt->steps());
    }
    toy::random_gradients(net, i);
    opt->step(1.0 / static_cast<double>(i + 1));
    if (!resumed) continue;
    toy::random_gradients(other, i);
    resumed->step(1.0 / static_cast<double>(i + 1));
  }
  CHECK(same_bits(copy_of(net.parameter_arena()), copy_of(other.parameter_arena())));
}

TEST_CASE("same bits for any number of threads, on every instruction set; all sets agree closely") {
  std::vector<double> reference;
  for (const isa set : toy::instruction_sets()) {
    std::vector<float> first;
    for (const int threads : {1, 2, 3}) {
      auto net = toy::mixed<float>(threads, 100'001);
      net.instruction_set(set);
      adam<float> opt(net, {.weight_decay = 0.001, .decoupled_weight_decay = 0.01});
      sgd<float> more(net, {.learning_rate = 0.05, .momentum = 0.9, .nesterov = true});
      for (std::uint64_t i = 0; i < 3; ++i) {
        toy::random_gradients(net, i);
        const gradient_clip clip = clip_gradients(net, 1.0);
        CHECK(opt.step(1.0, clip));
        CHECK(more.step(1.0, clip));
      }
      const auto values = copy_of(net.parameter_arena());
      if (first.empty()) first = values;
      CHECK(same_bits(values, first));
    }
    if (reference.empty()) reference.assign(first.begin(), first.end());
    double worst = 0.0;
    for (std::size_t i = 0; i < first.size(); ++i)
      worst = (std::max)(worst, std::abs(static_cast<double>(first[i]) - reference[i]));
    CHECK(worst < 1e-6);
  }
}

TEST_CASE("gaps between parameters stay zero") {
  auto net = toy::mixed<float>();
  adam<float> opt(net, {.weight_decay = 0.1, .decoupled_weight_decay = 0.1});
  for (std::uint64_t i = 0; i < 5; ++i) toy::random_gradients(net, i), opt.step();
  std::vector<float> values = copy_of(net.parameter_arena());
  for (const auto& p : net.parameters()) std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(p.offset), p.dims.size(), 0.0f);
  CHECK(std::count(values.begin(), values.end(), 0.0f) == static_cast<std::ptrdiff_t>(values.size()));
}

TEST_CASE("loss, clipping, step and averaging allocate nothing") {
  for (const int threads : {1, 2}) {
    auto net = toy::mixed<float>(threads, 100'000);
    session run(net);
    adam<float> opt(net, {.decoupled_weight_decay = 0.1, .rules = {{.kind = "dense", .weight_decay = 0.1}}});
    sgd<float> other(net, {.momentum = 0.9});
    ema<float> average(net);
    const softmax_cross_entropy<float> loss({.label_smoothing = 0.1, .class_weights = {1.0, 2.0}});
    const schedule rate = parse_schedule("step:3,6", 1, 2);
    const tensor<float> x({2, 2}, {1, 2, 3, 4});
    const std::vector<std::int32_t> y{0, 1};
    const auto round = [&](index_t i) {
      run.forward(x);
      double sum = loss(run, y) + loss(run, {{0, 0.5}}, y);
      const gradient_clip clip = clip_gradients(net, 1.0);
      sum += opt.step(rate.at(i, 9), clip) && other.step(rate.at(i, 9), clip) ? 1.0 : 0.0;
      average.update();
      { const auto scope = average.use(); }
      return sum + opt.regularization_loss();
    };
    double sum = round(0);  // plans memory, starts the team
    const long before = counted_new::allocations;
    for (index_t i = 1; i < 4; ++i) sum += round(i);
    CHECK(counted_new::allocations == before);
    CHECK(is_finite(sum));
  }
}

TEST_CASE("options outside their range are refused") {
  auto net = toy::vector<float>({1.0});
  CHECK_THROWS_AS(adam<float>(net, {.learning_rate = -1.0}), option_error);
  CHECK_THROWS_AS(adam<float>(net, {.beta1 = 1.0}), option_error);
  CHECK_THROWS_AS(adam<float>(net, {.beta2 = -0.1}), option_error);
  CHECK_THROWS_AS(adam<float>(net, {.eps = 0.0}), option_error);
  CHECK_THROWS_AS(adam<float>(net, {.weight_decay = std::nan("")}), option_error);
  CHECK_THROWS_AS(sgd<float>(net, {.momentum = 1.5}), option_error);
  CHECK_THROWS_AS(sgd<float>(net, {.nesterov = true}), option_error);
}

TEST_CASE("rules by the end of a name and by the number of dimensions") {
  auto net = toy::mixed<float>();
  sgd<float> opt(net, {.weight_decay = 0.5,
                       .rules = {{.kind = "batch_norm", .suffix = ".bias", .learning_rate_scale = 64.0},
                                 {.rank = 2, .weight_decay = 0.25},
                                 {.suffix = "ias", .weight_decay = 0.125, .all = true}}});
  const auto& s = opt.settings();  // conv1.weight 3x5, conv1.bias, bn1.bias, fc1.weight 33, fc1.bias
  CHECK(s[0].weight_decay == 0.25);
  CHECK(s[1].weight_decay == 0.125);
  CHECK(s[1].learning_rate_scale == 1.0);
  CHECK(s[2].learning_rate_scale == 64.0);
  CHECK(s[3].weight_decay == 0.5);
  CHECK_THROWS_WITH_AS(sgd<float>(net, {.rules = {{.suffix = ".scale"}}}),
                       "optimizer: a rule matches no parameter (name \"\", kind \"\", suffix \".scale\", rank 0)", option_error);
}
