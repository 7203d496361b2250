#include "minicnn/analysis/lr_finder.hpp"

#include <doctest/doctest.h>

#include <string>

#include "minicnn/graph/session.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/train/adam.hpp"
#include "minicnn/train/classification.hpp"
#include "minicnn/train/sgd.hpp"

using namespace minicnn;

namespace {

/// Three batches an epoch of eight points; class 1 where the first coordinate is positive.
class three_batches {
 public:
  struct batch {
    view<const float> images;
    std::span<const std::int32_t> labels;
  };
  three_batches() : x_({24, 3}) {
    random_stream r{random_key(9)};
    for (float& v : x_) v = static_cast<float>(r.normal());
    for (index_t i = 0; i < 24; ++i) labels_.push_back(x_(i, 0) > 0);
  }
  void start_epoch(index_t epoch, index_t first_batch) { epochs.push_back(epoch), next_ = first_batch; }
  const batch* next() {
    if (next_ == 3) return nullptr;
    batch_ = {view<const float>(x_.data() + 24 * next_, {8, 3}),
              std::span<const std::int32_t>(labels_).subspan(static_cast<std::size_t>(8 * next_), 8)};
    next_ += 1;
    return &batch_;
  }
  std::vector<index_t> epochs;

 private:
  tensor<float> x_;
  std::vector<std::int32_t> labels_;
  index_t next_ = 3;
  batch batch_;
};

network<float> classifier() {
  graph<float> g;
  auto x = batch_norm(relu(dense(g.input({3}), 12)));
  return network<float>(std::move(g), {dense(dropout(x, 0.25), 2)}, {.seed = 3, .threads = 1});
}

std::vector<float> everything(network<float>& net, optimizer<float>& opt) {
  std::vector<float> all;
  const auto add = [&](const view<float>& v) { all.insert(all.end(), v.begin(), v.end()); };
  add(net.parameter_arena());
  add(net.buffer_arena());
  for (const auto& s : opt.state()) add(s.data);
  all.push_back(static_cast<float>(net.step()));
  all.push_back(static_cast<float>(opt.steps()));
  all.push_back(static_cast<float>(opt.learning_rate()));
  return all;
}

const softmax_cross_entropy<float> loss;
const classification what;

}  // namespace

TEST_CASE("each step trains with the next rate, over as many epochs as needed") {
  three_batches data, same;
  auto net = classifier(), other = classifier();
  session run(other);
  sgd<float> opt(net, {.learning_rate = 0.5, .momentum = 0.9}), by_hand(other, {.learning_rate = 0.5, .momentum = 0.9});
  const lr_range_test test = find_learning_rate(net, opt, what, data, {.lowest = 1e-3, .highest = 1e-1, .steps = 5});
  REQUIRE(test.rates.size() == 5);
  const double expected[] = {1e-3, 3.1622776601683795e-3, 1e-2, 3.1622776601683795e-2, 1e-1};
  for (std::size_t i = 0; i < 5; ++i) CHECK(test.rates[i] == doctest::Approx(expected[i]).epsilon(1e-12));
  CHECK(data.epochs == std::vector<index_t>{0, 1});
  CHECK_FALSE(test.diverged);

  same.start_epoch(0, 0);
  for (std::size_t i = 0; i < 5; ++i) {
    const auto* b = same.next();
    if (b == nullptr) same.start_epoch(1, 0), b = same.next();
    run.forward(b->images);
    CHECK(test.losses[i] == loss(run, b->labels));
    run.backward();
    by_hand.learning_rate(test.rates[i]);
    by_hand.step();
  }
}

TEST_CASE("network and optimizer are left as they were, also after an error") {
  three_batches data;
  auto net = classifier();
  session run(net);
  adam<float> opt(net, {.learning_rate = 0.01});
  data.start_epoch(0, 0);
  run.forward(data.next()->images);  // a step, so that there is state to keep
  run.backward();
  opt.step();
  const std::vector<float> before = everything(net, opt);
  find_learning_rate(net, opt, what, data, {.steps = 20});
  CHECK(everything(net, opt) == before);

  const auto failing = [](index_t step, double, double) {
    if (step == 4) fail("enough");
  };
  CHECK_THROWS_WITH(find_learning_rate(net, opt, what, data, {.steps = 20, .on_step = failing}), "enough");
  CHECK(everything(net, opt) == before);
}

TEST_CASE("ends when the loss breaks away, or when told to") {
  three_batches data;
  auto net = classifier();
  sgd<float> opt(net, {.learning_rate = 0.1, .momentum = 0.9});
  const lr_range_test wild = find_learning_rate(net, opt, what, data, {.lowest = 1e-2, .highest = 1e6, .steps = 200});
  CHECK(wild.diverged);
  CHECK(wild.rates.size() < 200);
  CHECK(wild.losses.size() == wild.rates.size());
  CHECK(wild.smoothed.size() == wild.rates.size());
  CHECK(wild.breaking <= wild.rates.back());
  CHECK(wild.suggestion() < wild.breaking);
  CHECK(wild.suggestion() >= wild.rates.front() / 10);

  int steps = 0;
  const lr_range_test cut = find_learning_rate(net, opt, what, data, {.steps = 50, .stop = [&] { return ++steps == 7; }});
  CHECK(cut.stopped);
  CHECK(cut.rates.size() == 7);
}

TEST_CASE("steepest descent and minimum of a curve that is known") {
  // 101 rates from 1e-5 to 1: flat at 2 up to 1e-3, down by 1 a decade to 1e-1 (loss 0), then up by 5 a decade.
  lr_range_test test;
  for (int i = 0; i <= 100; ++i) {
    const double exponent = -5 + i * 0.05;
    test.rates.push_back(std::pow(10.0, exponent));
    test.losses.push_back(exponent < -3 ? 2 : exponent < -1 ? -1 - exponent : 5 * (exponent + 1));
  }
  detail::judge(test, 100, 1e9);
  // Deviation of three steps: in the middle of the fall the smoothed curve is the curve.
  CHECK(test.smoothed[60] == doctest::Approx(1.0));
  CHECK(test.smoothed[5] == doctest::Approx(2.0));
  CHECK(test.steepest > 2e-3);
  CHECK(test.steepest < 5e-2);
  CHECK(std::abs(std::log10(test.minimum) + 1) < 0.3);
  CHECK(test.minimum_tenth() == test.minimum / 10);
  // The fall is equally steep from 2e-3 on: its first point counts, unless a tenth of the minimum is lower.
  CHECK(test.suggestion() == (std::min)(test.steepest, test.minimum_tenth()));
  CHECK(test.rule() == (test.steepest > test.minimum_tenth() ? "a tenth of the minimum" : "steepest descent"));

  // One loss that is off the scale at the end does not hide the minimum.
  lr_range_test spike = test;
  spike.losses.back() = 1e8;
  detail::judge(spike, 100, 4.0);
  CHECK(spike.minimum == test.minimum);
}

TEST_CASE("a loss that only rises gives no suggestion") {
  lr_range_test test;
  for (int i = 0; i < 40; ++i) test.rates.push_back(std::pow(10.0, -4 + 0.1 * i)), test.losses.push_back(1 + 0.1 * i);
  detail::judge(test, 40, 1e9);
  CHECK_FALSE(is_finite(test.suggestion()));
  CHECK_FALSE(is_finite(test.minimum));
}

TEST_CASE("noise is no fall: then a tenth of where the loss breaks away counts") {
  // Batches that differ by 0.02 around 0.7 up to 0.1, then a steep rise.
  lr_range_test test;
  random_stream random{random_key(2)};
  for (int i = 0; i <= 150; ++i) {
    const double exponent = -4 + i * 0.025;
    test.rates.push_back(std::pow(10.0, exponent));
    test.losses.push_back(0.7 + 0.02 * random.normal() + (exponent > -1 ? 3 * (exponent + 1) : 0));
  }
  test.diverged = true;
  detail::judge(test, 160, 1e9);
  CHECK_FALSE(is_finite(test.minimum));
  CHECK_FALSE(is_finite(test.steepest));
  CHECK(test.breaking > 0.08);
  CHECK(test.breaking < 0.15);
  CHECK(test.suggestion() == test.breaking / 10);
  CHECK(test.rule() == "a tenth of where the loss breaks away");
  test.diverged = false;
  test.breaking = lr_range_test::nan;
  detail::judge(test, 160, 1e9);
  CHECK_FALSE(is_finite(test.suggestion()));
}

TEST_CASE("options outside their range are refused") {
  three_batches data;
  auto net = classifier();
  sgd<float> opt(net, {.learning_rate = 0.1});
  for (const lr_range_options& o :
       {lr_range_options{.lowest = 0}, lr_range_options{.lowest = 1, .highest = 1}, lr_range_options{.steps = 2},
        lr_range_options{.divergence = 1}, lr_range_options{.smoothing = 1}})
    CHECK_THROWS_AS(find_learning_rate(net, opt, what, data, o), option_error);
}
