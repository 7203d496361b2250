// A layer of your own: checked against finite differences, then trained inside a residual network to tell whether stripes run
// across or down. The layer is in channel_scale.hpp.

#include <minicnn/layers/activation.hpp>
#include <minicnn/layers/add.hpp>
#include <minicnn/layers/conv2d.hpp>
#include <minicnn/layers/dense.hpp>
#include <minicnn/layers/flatten.hpp>
#include <minicnn/layers/pooling.hpp>
#include <minicnn/testing/gradient_check.hpp>
#include <minicnn/train/adam.hpp>
#include <minicnn/train/loss.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

#include "channel_scale.hpp"

using namespace minicnn;

namespace {

constexpr index_t batch_size = 32, pixels = 16;

/// Fills `images` (n, 1, pixels, pixels) with noisy stripes of random spacing and place; label 1: they run down.
void draw_stripes(random_stream& random, tensor<float>& images, std::vector<std::int32_t>& labels) {
  for (index_t n = 0; n < batch_size; ++n) {
    const bool down = random.chance(0.5);
    const double frequency = random.uniform(0.5, 1.5), phase = random.uniform(0.0, 6.28);
    for (index_t y = 0; y < pixels; ++y)
      for (index_t x = 0; x < pixels; ++x)
        images(n, 0, y, x) =
            static_cast<float>(std::sin(frequency * static_cast<double>(down ? x : y) + phase) + random.normal());
    labels[static_cast<std::size_t>(n)] = down ? 1 : 0;
  }
}

}  // namespace

int main() {
  // First the derivatives, in every way that a network may call the layer.
  const gradient_check_result check =
      check_gradients(mine::channel_scale_op<double>({}), mine::channel_scale_op<float>({}), {{1, 3, 5, 7}});
  if (!check.failure.empty()) return std::fprintf(stderr, "%s\n", check.failure.c_str()), 1;
  std::printf("%d derivatives agree with finite differences\n", static_cast<int>(check.derivatives));

  // Then a network: the layer stands among the library's as if it were one of them.
  graph<float> g;
  node<float> x = relu(conv2d(g.input({1, pixels, pixels}), {.filters = 8, .kernel = 5, .padding = 2}));
  const node<float> branch = conv2d(x, {.filters = 8, .kernel = 3, .padding = 1});
  x = relu(add(x, mine::channel_scale(branch, {.init = 0.1})));
  x = dense(flatten(max_pool(x, {.kernel = 4})), 2);
  network<float> net(std::move(g), {x});
  session<float> run(net);

  adam<float> optimizer(net, {.learning_rate = 0.003});
  const softmax_cross_entropy<float> loss;
  random_stream random(random_key(1));
  tensor<float> images({batch_size, 1, pixels, pixels});
  std::vector<std::int32_t> labels(batch_size);
  for (int step = 1; step <= 150; ++step) {
    draw_stripes(random, images, labels);
    run.forward(images);
    const double value = loss(run, labels);
    if (step % 50 == 0 || step == 1) std::printf("step %d: loss %.3f\n", step, value);
    run.backward();
    optimizer.step();
  }

  std::printf("factors, 0.1 at first:");
  for (const float factor : net.parameter("scale1.factor")) std::printf(" %.3f", static_cast<double>(factor));
  std::printf("\n");
}
