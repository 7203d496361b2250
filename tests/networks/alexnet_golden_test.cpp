// The article's AlexNet, an eighth as wide, against PyTorch: outputs, loss, gradients, and the weights after three Adam steps.
#include <doctest/doctest.h>

#include <vector>

#include "golden/golden.hpp"
#include "minicnn/alexnet.hpp"
#include "minicnn/train/adam.hpp"
#include "minicnn/train/loss.hpp"

using namespace minicnn;

namespace {

template <class T>
network<T> narrow_alexnet(isa instructions) {
  auto net = alexnet<T>({.filters = {12, 32, 48, 48, 32}, .dense_units = 64, .dropout = 0.0});
  net.instruction_set(instructions);
  const char* const layers[] = {"conv1", "conv2", "conv3", "conv4", "conv5", "fc1", "fc2", "logits_eval"};
  for (std::uint64_t j = 0; j < 8; ++j) {
    const std::string name = layers[j];
    const view<T> weight = net.parameter(name + ".weight");
    const double fan_in = static_cast<double>(weight.dims().size_from(1));
    golden::fill(weight, 20 + 2 * j, (j == 7 ? 1.0 / 16 : 1.0) * std::sqrt(24.0 / fan_in));
    golden::fill(net.parameter(name + ".bias"), 21 + 2 * j, 1.0);
  }
  return net;
}

template <class T>
void compare(isa instructions, double bound) {
  INFO(name_of(instructions));
  const safetensors_file file = golden::open("alexnet_narrow");
  auto net = narrow_alexnet<T>(instructions);
  const char* const nodes[] = {"conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2", "norm2", "conv3", "relu3",
                               "conv4", "relu4", "conv5", "relu5", "pool3", "fc1",   "relu6", "fc2",   "relu7", "logits_eval"};
  session_options retaining{.retain = {std::begin(nodes), std::end(nodes)}};
  retaining.retain.emplace_back("input");
  session<T> run(net, retaining);
  const tensor<T> x = golden::filled<T>({2, 3, 227, 227}, golden::input, 64.0);
  const std::vector<std::int32_t> labels{1, 0};
  const tensor<double> losses = file.load<double>("losses");
  const softmax_cross_entropy<T> loss;
  adam<T> optimizer(net, {.learning_rate = 0.001});

  run.forward(x);
  CHECK(loss(run, labels) == doctest::Approx(losses[0]).epsilon(bound));
  run.backward();
  for (const char* node : nodes) {
    const std::string name = node;
    INFO(name);
    const view<const T> value = run.value(name);
    CHECK(golden::length(value) == doctest::Approx(file.load<double>(name + ".length")[0]).epsilon(bound));
    for (const char* part : {".output", ".sample"})
      if (file.find(name + part)) CHECK(golden::relative_difference(value, file, name + part) < bound);
  }
  for (const parameter_info& p : net.parameters()) {
    INFO(p.name);
    const view<const T> gradient = net.parameter_gradient(p.name);
    CHECK(golden::relative_difference(gradient, file, p.name + ".gradient") < bound);
  }
  const view<const T> input_gradient = run.gradient("input");
  CHECK(golden::length(input_gradient) == doctest::Approx(file.load<double>("input.gradient.length")[0]).epsilon(bound));
  CHECK(golden::relative_difference(input_gradient, file, "input.gradient.sample") < bound);

  for (int step = 1; step <= 3; ++step) {
    optimizer.step();
    run.forward(x);
    CHECK(loss(run, labels) == doctest::Approx(losses[step]).epsilon(bound));
    run.backward();
  }
  for (const parameter_info& p : net.parameters()) {
    INFO(p.name);
    const view<const T> value = net.parameter(p.name);
    CHECK(golden::relative_difference(value, file, p.name + ".after_3_steps") < bound);
  }
}

}  // namespace

TEST_CASE("the narrow AlexNet agrees with PyTorch in double") {
  for (const isa i : {isa::baseline, isa::avx2, isa::avx512})
    if (i <= detect_isa()) compare<double>(i, 1e-9);
}

TEST_CASE("the narrow AlexNet agrees with PyTorch in float") {
  for (const isa i : {isa::baseline, isa::avx2, isa::avx512})
    if (i <= detect_isa()) compare<float>(i, 1e-4);
}
