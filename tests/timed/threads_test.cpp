// Timings, left out of the presets: `ctest -L timed` on a quiet machine.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>

#include "field_cases/small_network.hpp"
#include "minicnn/graph/session.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/train/adam.hpp"

using namespace minicnn;

namespace {

/// Seconds of the quickest of five calls: what other programs take shows in the others.
template <class F>
double seconds(const F& work) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    best = (std::min)(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

}  // namespace

TEST_CASE("F55 small layers are not slower with all threads than with one") {
  const auto epoch = [](int threads) {
    graph<float> g;
    auto x = g.input({60});
    for (const int units : {60, 60, 60, 15}) x = relu(dense(x, units));
    network<float> net(std::move(g), {dense(x, 1)}, {.threads = threads});
    session run(net);
    adam<float> optimizer(net);
    constexpr index_t batch = 100;
    const tensor<float> pictures = small::noise({batch, 60}, 1);
    return seconds([&] {
      for (index_t done = 0; done < 14'000; done += batch) {
        run.forward(pictures);
        for (float& value : run.output_gradient()) value = 0.01F;
        run.backward();
        optimizer.step();
      }
    });
  };
  const double one = epoch(1), all = epoch(0);
  MESSAGE("one thread " << one << " s, all " << all << " s");
  CHECK(all <= 1.2 * one);
}

TEST_CASE("F63 denormal weights and moments cost no time") {
  const auto convolution = [](float weight) {
    graph<float> g;
    auto x = conv2d(g.input({64, 56, 56}), {.filters = 64, .kernel = 3, .padding = 1});
    network<float> net(std::move(g), {x});
    for (float& w : net.parameter("conv1.weight")) w = weight;
    const tensor<float> picture = small::noise({1, 64, 56, 56}, 1);
    session<float> space(net, {.threads = 0});
    space.predict(picture);
    return seconds([&] { space.predict(picture); });
  };
  const double ordinary = convolution(1e-2F), denormal = convolution(1e-40F);
  MESSAGE("ordinary " << ordinary << " s, denormal " << denormal << " s");
  CHECK(denormal <= 1.5 * ordinary);

  // 0.9^t takes the first moment through the denormals on the way to zero.
  graph<float> g;
  auto x = dense(g.input({300}), 300);
  network<float> net(std::move(g), {x}, {.threads = 1});
  adam<float> optimizer(net);
  for (float& v : net.gradient_arena()) v = 1e-3F;
  optimizer.step();
  for (float& v : net.gradient_arena()) v = 0;
  const auto steps = [&] {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 500; ++i) optimizer.step();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  std::vector<double> parts;
  for (int i = 0; i < 10; ++i) parts.push_back(steps());
  MESSAGE("500 steps: first " << parts.front() << " s, slowest " << *std::max_element(parts.begin(), parts.end()) << " s");
  std::sort(parts.begin(), parts.end());
  CHECK(parts[8] <= 1.5 * parts[0]);  // one of ten may be another program's
}

TEST_CASE("the gradient of relu6 takes no longer than a few copies of it") {
  const context ctx{1, default_isa()};
  const activation_op<float, kernels::clip_formula> op("clip", {0, 6});
  tensor<float> y = small::noise({1 << 18}, 1), dy = small::noise({1 << 18}, 2), dx({1 << 18});
  frame<float> f;
  const gradient_target<float> to{dx, false};
  f.ctx = ctx, f.output = y, f.output_gradient = dy, f.input_gradients = {&to, 1};
  const double copying = seconds([&] { kernels::scale_elements(ctx, 2.0F, dy.data(), dx.data(), dx.size()); });
  CHECK(seconds([&] { op.backward(f); }) <= 4 * copying);
}
