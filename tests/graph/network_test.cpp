#include "minicnn/graph/session.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <type_traits>

#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/add.hpp"
#include "minicnn/layers/concat.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/pooling.hpp"
#include "noise.hpp"

using namespace minicnn;

namespace {

/// A residual block, a branch that joins again, a value used twice, an auxiliary output: all that memory planning must get right.
template <class T>
network<T> tangled(network_options o = {}) {
  graph<T> g;
  auto x = g.input({2, 9, 9});
  auto y = relu(conv2d(x, {.filters = 4, .kernel = 3, .padding = 1}));
  auto z = conv2d(y, {.filters = 4, .kernel = 3, .padding = 1});
  y = relu(add(z, y));
  auto aux = dense(flatten(max_pool(y, {.kernel = 3, .stride = 3})), 3, {.name = "aux"});
  y = concat({relu(conv2d(y, {.filters = 3, .kernel = 1, .bias_init = 0.1})), y,
              relu(conv2d(y, {.filters = 2, .kernel = 5, .padding = 2, .bias_init = 0.1}))});
  y = add(y, y);
  y = flatten(avg_pool(y, {.kernel = 3, .stride = 2}));
  return network<T>(std::move(g), {dense(relu(dense(y, 6)), 3, {.name = "logits"}), aux}, o);
}

/// Sum of outputs times fixed numbers; writes its gradient.
double pull(session<double>& run) {
  double sum = 0;
  for (int o = 0; o < 2; ++o) {
    const auto out = run.output(o);
    const auto gradient = run.output_gradient(o);
    for (index_t i = 0; i < out.size(); ++i) {
      const double factor = std::cos(static_cast<double>(3 * i + o)) * (o == 0 ? 1.0 : 0.3);
      sum += factor * out[i];
      gradient[i] = factor;
    }
  }
  return sum;
}

template <class T>
std::vector<std::remove_const_t<T>> copy_of(const view<T>& v) {
  return {v.begin(), v.end()};
}

}  // namespace

TEST_CASE("a tangled network's gradients agree with central differences") {
  auto net = tangled<double>();
  session run(net);
  const auto x = noise<double>({3, 2, 9, 9}, 1);
  run.forward(x);
  pull(run);
  run.backward();
  const std::vector<double> gradients = copy_of(net.gradient_arena());
  const view<double> values = net.parameter_arena();
  random_stream r(random_key(2));
  for (const parameter_info& p : net.parameters()) {
    for (int probe = 0; probe < 4; ++probe) {
      const index_t i = p.offset + r.below(p.dims.size());
      const double h = 1e-6, before = values[i];
      values[i] = before + h;
      run.forward(x);
      const double high = pull(run);
      values[i] = before - h;
      run.forward(x);
      const double low = pull(run);
      values[i] = before;
      INFO(p.name);
      CHECK(gradients[static_cast<std::size_t>(i)] == doctest::Approx((high - low) / (2 * h)).epsilon(1e-5));
    }
  }
}

TEST_CASE("sharing memory changes nothing: retaining every node gives the same bits") {
  auto net = tangled<float>(), kept = tangled<float>();
  std::vector<std::string> every;
  for (std::size_t i = 1; i < kept.nodes().size(); ++i) every.push_back(kept.nodes()[i].name);
  session net_run(net), kept_run(kept, {.retain = every});
  const auto x = noise<float>({3, 2, 9, 9}, 1);
  for (session<float>* n : {&net_run, &kept_run}) {
    n->forward(x);
    for (int o = 0; o < 2; ++o)
      for (index_t i = 0; i < 9; ++i) n->output_gradient(o)[i] = static_cast<float>(i) - 4;
    n->backward();
  }
  CHECK(copy_of(net_run.output()) == copy_of(kept_run.output()));
  CHECK(copy_of(net.gradient_arena()) == copy_of(kept.gradient_arena()));
  CHECK(net_run.memory_bytes() < kept_run.memory_bytes());
}

TEST_CASE("nodes are called by kind and number, or as asked, inside scopes") {
  graph<float> g;
  auto x = g.input({3, 8, 8});
  auto a = conv2d(x, {.filters = 2, .kernel = 3});
  auto b = conv2d(a, {.filters = 2, .kernel = 3, .name = "mine"});
  CHECK(a.name() == "conv1");
  CHECK(b.name() == "mine");
  {
    auto scope = g.scope("block");
    CHECK(relu(conv2d(b, {.filters = 2, .kernel = 1})).name() == "block.relu1");
  }
  CHECK(conv2d(b, {.filters = 2, .kernel = 1}).name() == "conv2");
  CHECK_THROWS_WITH_AS(conv2d(b, {.filters = 2, .kernel = 1, .name = "mine"}), "graph: two nodes are called mine", option_error);
}

TEST_CASE("a smaller last batch and another batch size give the same rows (F45)") {
  auto net = tangled<float>();
  session run(net);
  const auto x = noise<float>({5, 2, 9, 9}, 4);
  const auto all = net.predict(x);
  for (index_t n : {5, 1, 3, 5, 2}) {
    const auto y = run.forward(view<const float>(x.data(), {n, 2, 9, 9}));
    CHECK(y.dims() == shape{n, 3});
    for (index_t i = 0; i < y.size(); ++i) CHECK(y[i] == doctest::Approx(all[i]).epsilon(1e-5));
  }
  CHECK_THROWS_AS(run.forward(view<const float>(x.data(), {0, 2, 9, 9})), shape_error);
}

TEST_CASE("a wrong input or size names the node and both shapes (F54)") {
  auto net = tangled<float>();
  session run(net);
  const tensor<float> channels({1, 3, 9, 9}), size({1, 2, 12, 12}), rank({2, 9, 9});
  CHECK_THROWS_WITH_AS(run.forward(channels), doctest::Contains("conv1"), shape_error);
  CHECK_THROWS_WITH_AS(run.forward(size), doctest::Contains("adaptive"), shape_error);
  CHECK_THROWS_WITH_AS(run.forward(rank), doctest::Contains("1x2x9x9"), shape_error);
  CHECK_THROWS_WITH_AS(net.parameter("conv9.weight"), doctest::Contains("conv9.weight"), option_error);
  CHECK_THROWS_AS(run.value("conv1"), error);
  CHECK_THROWS_AS(net.freeze("nobody"), option_error);
}

TEST_CASE("a node used after its graph became a network is an error, and so is adding one") {
  graph<float> g;
  const node<float> x = g.input({4});
  const node<float> y = dense(x, 2);
  const network<float> net(std::move(g), {y});
  CHECK_THROWS_WITH_AS(y.name(), doctest::Contains("has moved into a network"), error);
  CHECK_THROWS_AS(x.dims(), error);
  CHECK_THROWS_AS(dense(y, 2), error);
  CHECK_THROWS_AS(g.input({4}), error);
  CHECK_THROWS_AS(node<float>({&g, -1}).dims(), error);
  CHECK_THROWS_AS(network<float>(std::move(g), {y}), error);
}

TEST_CASE("a temporary is no input of a training step, whose backward reads it again") {
  static_assert(std::is_invocable_v<decltype(&session<float>::forward), session<float>&, tensor<float>&>);
  static_assert(!std::is_invocable_v<decltype(&session<float>::forward), session<float>&, tensor<float>>);
}

TEST_CASE("a network without dense layers takes any image size") {
  graph<float> g;
  auto x = g.input({1, 8, 8});
  auto y = flatten(global_avg_pool(relu(conv2d(x, {.filters = 4, .kernel = 3}))));
  network<float> net(std::move(g), {dense(y, 2)});
  session run(net);
  CHECK(net.predict(tensor<float>({2, 1, 20, 30}, 1.0f)).dims() == shape{2, 2});
  run.reserve({4, 1, 16, 9});
  const tensor<float> wide({3, 1, 16, 9}, 1.0f);
  CHECK(run.forward(wide).dims() == shape{3, 2});
}

TEST_CASE("gradients accumulate on request") {
  auto net = tangled<float>();
  session net_run(net);
  const auto x = noise<float>({2, 2, 9, 9}, 5);
  const auto run = [&](bool accumulate) {
    net_run.forward(x);
    for (float& g : net_run.output_gradient(0)) g = 1;
    net_run.backward(accumulate);
    return copy_of(net.gradient_arena());
  };
  const auto once = run(false);
  CHECK(run(false) == once);
  const auto twice = run(true);
  for (std::size_t i = 0; i < once.size(); ++i) CHECK(twice[i] == doctest::Approx(2 * once[i]));
}

TEST_CASE("outputs that the loss leaves out have gradient zero") {
  auto net = tangled<float>();
  session run(net);
  const auto x = noise<float>({2, 2, 9, 9}, 5);
  run.forward(x);
  for (float& g : run.output_gradient(0)) g = 1;
  run.backward();
  for (const float g : net.parameter_gradient("aux.weight")) CHECK(g == 0);
  run.forward(x);
  for (float& g : run.output_gradient(1)) g = 1;
  run.backward();
  float most = 0;
  for (const float g : net.parameter_gradient("aux.weight")) most = (std::max)(most, std::abs(g));
  CHECK(most > 0);
  for (const float g : net.parameter_gradient("logits.weight")) CHECK(g == 0);
}

TEST_CASE("a retained node has a value and a gradient, in prediction a value") {
  auto net = tangled<double>();
  session run(net, {.retain = {"conv1", "input"}});
  const auto x = noise<double>({1, 2, 9, 9}, 6);
  run.forward(x);
  pull(run);
  run.backward();
  CHECK(run.value("conv1").dims() == shape{1, 4, 9, 9});
  // The derivative with respect to the input, by differences.
  const std::vector<double> gradient = copy_of(run.gradient("input"));
  auto moved = x;
  const double h = 1e-6;
  for (const index_t i : {0, 40, 161}) {
    moved[i] = x[i] + h;
    run.forward(moved);
    const double high = pull(run);
    moved[i] = x[i] - h;
    run.forward(moved);
    const double low = pull(run);
    moved[i] = x[i];
    CHECK(gradient[static_cast<std::size_t>(i)] == doctest::Approx((high - low) / (2 * h)).epsilon(1e-5));
  }
  session<double> space(net, {.threads = 1, .retain = {"conv1", "relu1"}});
  space.predict(x);
  run.forward(x);
  for (index_t i = 0; i < 20; ++i) {
    CHECK(space.value("conv1")[i] == doctest::Approx(run.value("conv1")[i]));
    CHECK(space.value("relu1")[i] == (std::max)(space.value("conv1")[i], 0.0));
  }
  CHECK_THROWS_WITH_AS(space.value("conv2"), doctest::Contains("conv2"), option_error);
}

TEST_CASE("frozen nodes keep their parameters and stop backward; the rest still trains") {
  auto net = tangled<float>();
  session run(net);
  net.freeze("conv1");
  const auto x = noise<float>({2, 2, 9, 9}, 7);
  net.gradient_arena();
  for (float& g : net.gradient_arena()) g = 77;
  run.forward(x);
  for (float& g : run.output_gradient(0)) g = 1;
  run.backward();
  for (const float g : net.parameter_gradient("conv1.weight")) CHECK(g == 77);  // not written
  CHECK(net.parameter_gradient("conv2.weight")[0] != 77);
  net.unfreeze("conv1");
  run.forward(x);
  for (float& g : run.output_gradient(0)) g = 1;
  run.backward();
  CHECK(net.parameter_gradient("conv1.weight")[0] != 77);
}

TEST_CASE("predict repeats itself bit for bit, changes no state and ignores auxiliary outputs (F19, F59)") {
  graph<float> g;
  auto x = g.input({6});
  auto y = dropout(relu(dense(x, 50)), 0.5);
  network<float> net(std::move(g), {dense(y, 2)});
  session run(net);
  const auto a = noise<float>({4, 6}, 8), b = noise<float>({4, 6}, 9);
  session<float> space(net, {.threads = 1});
  const auto first = copy_of(space.predict(a));
  run.forward(a);
  for (int i = 0; i < 10; ++i) CHECK(copy_of(space.predict(a)) == first);
  const tensor<float> held = net.predict(a);
  net.predict(b);
  CHECK(std::vector<float>(held.begin(), held.end()) == first);
  // Training does use dropout, with a different mask each step.
  const auto one = copy_of(run.forward(a));
  CHECK(copy_of(run.forward(a)) != one);
}

TEST_CASE("adding a layer leaves the initial values of the others alone; only initialize draws anew (F26)") {
  const auto build = [](bool longer) {
    graph<float> g;
    auto x = relu(dense(g.input({5}), 7));
    if (longer) x = relu(dense(x, 7, {.name = "extra"}));
    return network<float>(std::move(g), {dense(x, 2, {.name = "last"})}, {.seed = 3});
  };
  auto a = build(false), b = build(true);
  session run(a);
  CHECK(copy_of(a.parameter("fc1.weight")) == copy_of(b.parameter("fc1.weight")));
  CHECK(copy_of(a.parameter("last.weight")) == copy_of(b.parameter("last.weight")));
  const auto before = copy_of(a.parameter_arena());
  const tensor<float> ones({2, 5}, 1.0f);
  run.forward(ones);
  run.reserve({9, 5});
  CHECK(copy_of(a.parameter_arena()) == before);
  a.initialize(4);
  CHECK(copy_of(a.parameter_arena()) != before);
  a.initialize(3);
  CHECK(copy_of(a.parameter_arena()) == before);
}

TEST_CASE("any number of threads gives the same bits") {
  std::vector<float> first;
  for (const int threads : {1, 2, 3}) {
    auto net = tangled<float>({.threads = threads});
    session run(net);
    const auto x = noise<float>({7, 2, 9, 9}, 10);
    run.forward(x);
    for (float& g : run.output_gradient(0)) g = 0.5f;
    run.backward();
    auto bits = copy_of(net.gradient_arena());
    if (first.empty()) first = bits;
    CHECK(std::memcmp(bits.data(), first.data(), bits.size() * sizeof(float)) == 0);
  }
}

TEST_CASE("graphs that make no network are refused") {
  graph<float> g, other;
  auto x = g.input({4});
  CHECK_THROWS_AS(add(x, other.input({4})), error);
  CHECK_THROWS_AS(network<float>(std::move(g), {}), option_error);
  graph<float> two;
  auto a = two.input({4}, "a"), b = two.input({4}, "b");
  auto sum = add(a, b);
  CHECK_THROWS_WITH_AS(network<float>(std::move(two), {sum}), "network: wanted one input, the graph has 2", option_error);
  graph<float> bare;
  const node<float> only = bare.input({1, 2, 2});
  CHECK_THROWS_WITH_AS(network<float>(std::move(bare), {only}), doctest::Contains("the input itself"), option_error);
}

TEST_CASE("bf16: a network of float computes near its fp32 self, one of double not differently") {
  const auto run = [](auto zero, bool bf16) {
    using T = decltype(zero);
    graph<T> g;
    auto x = relu(conv2d(g.input({3, 12, 12}), {.filters = 20, .kernel = 3, .stride = 2}));
    network<T> net(std::move(g), {dense(flatten(x), 10)}, {.bf16 = bf16});
    session net_run(net);
    tensor<T> images({16, 3, 12, 12});
    random_stream s{random_key(3)};
    for (index_t i = 0; i < images.size(); ++i) images.data()[i] = static_cast<T>(s.uniform(-1.0, 1.0));
    std::vector<double> seen;
    const auto keep = [&](const auto& values) {
      for (index_t i = 0; i < values.size(); ++i) seen.push_back(static_cast<double>(values.data()[i]));
    };
    keep(net_run.forward(images));
    const view<T> dy = net_run.output_gradient();
    for (index_t i = 0; i < dy.size(); ++i) dy.data()[i] = static_cast<T>(s.uniform(-1.0, 1.0));
    net_run.backward();
    keep(net.parameter_gradient("conv1.weight"));
    keep(net.parameter_gradient("fc1.weight"));
    return seen;
  };
  const auto exact = run(0.0F, false), narrow = run(0.0F, true);
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    difference += (exact[i] - narrow[i]) * (exact[i] - narrow[i]);
    size += exact[i] * exact[i];
  }
  CHECK(std::sqrt(difference / size) < 1.0 / 64);    // each factor is off by up to 2^-9, and some ReLUs near 0 change sides
  CHECK(std::sqrt(difference / size) > 1.0 / 4096);  // rounded indeed
  CHECK(run(0.0, false) == run(0.0, true));
}
