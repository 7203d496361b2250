// Included by two units with different flags, which both define MINICNN_TEST_VALUES as the name of their function. The ABI tag
// of the library keeps their code apart.

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "field_cases/small_network.hpp"
#include "minicnn/train/clip.hpp"
#include "minicnn/train/loss.hpp"
#include "minicnn/train/metrics.hpp"
#include "minicnn/train/reductions.hpp"
#include "minicnn/train/sgd.hpp"

// Names and what was computed for them.
std::map<std::string, std::vector<double>> MINICNN_TEST_VALUES();

std::map<std::string, std::vector<double>> MINICNN_TEST_VALUES() {
  using namespace minicnn;
  std::map<std::string, std::vector<double>> out;
  const auto put = [&](const std::string& name, const auto& values) { out[name].assign(values.begin(), values.end()); };

  // Every activation between -100 and 100, and far beyond.
  tensor<float> x({1, 405});
  for (index_t i = 0; i <= 400; ++i) x[i] = static_cast<float>(i) / 2 - 100;
  x[401] = 1000, x[402] = -1000, x[403] = 3e38F, x[404] = -3e38F;
  const auto activation = [&](const std::string& name, const auto& make) {
    graph<float> g;
    auto in = g.input({405});
    const network<float> net(std::move(g), {make(in)});
    put(name, net.predict(x));
  };
  activation("tanh", [](auto n) { return minicnn::tanh(n); });
  activation("sigmoid", [](auto n) { return sigmoid(n); });
  activation("elu", [](auto n) { return elu(n); });
  activation("gelu", [](auto n) { return gelu(n); });
  activation("silu", [](auto n) { return silu(n); });
  activation("softplus", [](auto n) { return softplus(n); });
  activation("hard_swish", [](auto n) { return hard_swish(n); });
  activation("relu", [](auto n) { return relu(n); });

  // Losses at the ends of the range.
  const tensor<float> logits({4, 3}, {1000, -1000, 0, 90, 2, -2, 3e38F, 3e38F, 3e38F, -200, 200, 0});
  const std::vector<std::int32_t> labels{1, 0, 2, 0};
  tensor<float> gradient(logits.dims()), p(logits.dims());
  out["loss"] = {softmax_cross_entropy<float>().value(logits, labels, gradient)};
  put("loss gradient", gradient);
  softmax<float>(logits, p);
  put("softmax", p);
  out["log loss"] = {log_loss(std::vector<double>{0.9, 0.2, 0.5, 1.0}, std::vector<std::int32_t>{1, 0, 1, 0}, 1e-15)};

  // A few steps of a network with everything in it.
  auto net = small::network({.seed = 8, .threads = 2});
  session<float> run(net);
  // Not Adam: it turns the rounding noise of gradients that are zero (biases before batch norm) into whole steps.
  sgd<float> optimizer(net, {.learning_rate = 1e-2, .momentum = 0.9});
  small::images data(16, 8);
  for (int epoch = 0; epoch < 3; ++epoch) {
    data.start_epoch(epoch);
    while (const auto* b = data.next()) {
      run.forward(b->images);
      out["training loss"].push_back(softmax_cross_entropy<float>()(run, b->labels));
      run.backward();
      if (!optimizer.step(1.0, clip_gradients(net, 5.0))) out["training loss"].push_back(NAN);
    }
  }
  const tensor<float> prediction = net.predict(small::noise({4, 3, 16, 16}, 2));
  put("prediction", prediction);

  // The guards, asked about what must not be trained on: 1 is right.
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  std::vector<double>& guards = out["guards"];
  for (const float bad : {nan, -nan, infinity, -infinity}) guards.push_back(!is_finite(bad));
  guards.push_back(is_nan(nan) && !is_nan(infinity) && !is_nan(1.0F));
  for (const float bad : {nan, infinity}) {
    for (float& g : net.gradient_arena()) g = 1e-3F;
    net.parameter_gradient("fc1.weight")[17] = bad;
    const gradient_clip clip = clip_gradients(net, 1.0);
    const std::vector<float> before = small::copy_of(net.parameter_arena());
    guards.push_back(clip.non_finite == 1 && !clip.finite());
    guards.push_back(!optimizer.step(1.0, clip) && small::same_bits(small::copy_of(net.parameter_arena()), before));
  }
  // A NaN in one pixel. -Ofast lets the compiler lose it in a maximum (ReLU, pooling); it still reaches a gradient.
  tensor<float> holed({2, 3, 16, 16}, 0.5F);
  holed[300] = nan;
  run.forward(holed);
  softmax_cross_entropy<float>()(run, std::vector<std::int32_t>{0, 1});
  run.backward();
  guards.push_back(!clip_gradients(net, 0.0).finite());
  return out;
}
