// Prediction: repeatable wherever it is asked for, and the caller's tensors stay the caller's.
#include <doctest/doctest.h>

#include "field_cases/small_network.hpp"
#include "io/temporary_folder.hpp"
#include "minicnn/io/checkpoint.hpp"
#include "minicnn/train/adam.hpp"
#include "minicnn/train/callbacks.hpp"

using namespace minicnn;

namespace {

/// Ten predictions have the same bits and change nothing; returns them.
std::vector<float> ten_times(const network<float>& net, const tensor<float>& x) {
  const std::vector<float> before = small::state_of(net);
  const std::vector<float> first = small::copy_of(net.predict(x));
  session<float> space(net, {.threads = 2});
  for (int i = 0; i < 10; ++i) {
    CHECK(small::same_bits(small::copy_of(net.predict(x)), first));
    CHECK(small::same_bits(small::copy_of(space.predict(x)), first));
  }
  CHECK(small::same_bits(small::state_of(net), before));
  return first;
}

}  // namespace

TEST_CASE("F19 predict is the same ten times: fresh, inside a callback, after fit, after load; nothing it reads changes") {
  auto net = small::network({.seed = 4, .threads = 2});
  const tensor<float> x = small::noise({5, 3, 16, 16}, 9);
  const std::vector<float> fresh = ten_times(net, x);

  small::images train(40, 8), validation(10, 10);
  adam<float> optimizer(net);
  int epochs = 0, steps = 0;
  lambda_callback predict({.on_step = [&](const step_report&) { ten_times(net, x), ++steps; },
                           .on_epoch = [&](const epoch_record&, const evaluation&) { ten_times(net, x), ++epochs; }});
  fit(net, optimizer, classification<float>(), train, validation, {.epochs = 2, .callbacks = {&predict}});
  CHECK(epochs == 2);
  CHECK(steps == 10);
  const std::vector<float> fitted = ten_times(net, x);
  CHECK_FALSE(small::same_bits(fitted, fresh));

  const temporary_folder folder;
  save_weights(net, folder / "w");
  auto loaded = small::network({.seed = 77});
  CHECK_FALSE(small::same_bits(ten_times(loaded, x), fitted));
  load_weights(loaded, folder / "w");
  CHECK(small::same_bits(ten_times(loaded, x), fitted));
}

TEST_CASE("F19 predictions between two steps leave training as it would have been") {
  const auto trained = [](bool predicting) {
    auto net = small::network({.seed = 4, .threads = 1});
    small::images train(24, 8), validation(8, 8);
    adam<float> optimizer(net);
    const tensor<float> x = small::noise({3, 3, 16, 16}, 9);
    callback_functions f;
    if (predicting) f.on_step = [&](const step_report&) { net.predict(x); };
    lambda_callback watch(std::move(f));
    fit(net, optimizer, classification<float>(), train, validation, {.epochs = 2, .callbacks = {&watch}});
    return small::state_of(net);
  };
  CHECK(small::same_bits(trained(true), trained(false)));
}

TEST_CASE("F59 a returned tensor is not touched by the next predict") {
  const auto net = small::network();
  const tensor<float> a = small::noise({4, 3, 16, 16}, 1), b = small::noise({4, 3, 16, 16}, 2);
  const tensor<float> first = net.predict(a);
  const std::vector<float> before = small::copy_of(first);
  const tensor<float> second = net.predict(b);
  CHECK(small::same_bits(small::copy_of(first), before));
  CHECK_FALSE(small::same_bits(small::copy_of(second), before));
}

TEST_CASE("F24 two networks in turn: each optimizer's state stays with its own network, whatever address it has") {
  // Networks made and destroyed in turn, so that the second may get the first one's addresses.
  std::vector<float> wanted;
  for (int round = 0; round < 3; ++round) {
    auto net = small::network({.seed = 5, .threads = 1});
    adam<float> optimizer(net);
    for (float& g : net.gradient_arena()) g = 1e-3F;
    optimizer.step();
    const std::vector<float> got = small::copy_of(net.parameter_arena());
    if (round == 0) wanted = got;
    CHECK(small::same_bits(got, wanted));
  }
}
