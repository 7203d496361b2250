#include "minicnn/train/fit.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/train/callbacks.hpp"
#include "minicnn/train/check_divergence.hpp"
#include "minicnn/train/ema.hpp"
#include "minicnn/train/parse_sizes.hpp"
#include "minicnn/train/size_schedule.hpp"

using namespace minicnn;

namespace {

/// Points in four dimensions; class 1 where the first two have the same sign. Batches of consecutive points, in an order that
/// depends on the epoch.
class points {
 public:
  struct batch {
    view<const float> images;
    std::span<const std::int32_t> labels;
  };

  points(index_t count, index_t batch_size, std::uint64_t seed = 1) : batch_size_(batch_size), x_({count, 4}), order_(x_) {
    random_stream r{random_key(seed)};
    for (float& v : x_) v = static_cast<float>(r.normal());
    labels_.resize(static_cast<std::size_t>(count));
  }
  tensor<float>& values() { return x_; }
  index_t size() const { return x_.dim(0); }
  index_t batches() const { return (size() + batch_size_ - 1) / batch_size_; }
  void start_epoch(index_t epoch, index_t first_batch = 0) {
    next_ = first_batch * batch_size_;
    for (index_t i = 0; i < size(); ++i) {
      const index_t from = (i + 3 * epoch) % size();
      for (index_t k = 0; k < 4; ++k) order_(i, k) = x_(from, k);
      labels_[static_cast<std::size_t>(i)] = x_(from, 0) * x_(from, 1) > 0;
    }
  }
  const batch* next() {
    if (next_ >= size()) return nullptr;
    const index_t n = (std::min)(batch_size_, size() - next_);
    batch_ = {view<const float>(order_.data() + 4 * next_, {n, 4}),
              std::span<const std::int32_t>(labels_).subspan(static_cast<std::size_t>(next_), static_cast<std::size_t>(n))};
    next_ += n;
    return &batch_;
  }

 private:
  index_t batch_size_, next_ = 0;
  tensor<float> x_, order_;
  std::vector<std::int32_t> labels_;
  batch batch_;
};

network<float> classifier(double rate) {
  graph<float> g;
  auto x = relu(dense(g.input({4}), 24));
  x = relu(dense(dropout(x, rate), 16));
  return network<float>(std::move(g), {dense(x, 2)}, {.seed = 5, .threads = 1});
}

std::vector<float> weights(const network<float>& net) {
  const view<const float> w = net.parameter_arena();
  return {w.begin(), w.end()};
}

const classification what;

/// Breaks a run off after so many optimizer steps.
class stop_after_steps final : public training_callback {
 public:
  explicit stop_after_steps(index_t steps) : left_(steps) {}
  void on_step(const step_report& s) override { left_ -= s.updated; }
  bool stop() const override { return left_ <= 0; }

 private:
  index_t left_;
};

}  // namespace

TEST_CASE("training lowers the loss and raises the accuracy") {
  points train(400, 16), validation(200, 50, 2);
  auto net = classifier(0.0);
  sgd<float> optimizer(net, {.learning_rate = 0.05, .momentum = 0.9});
  const auto history = fit(net, optimizer, what, train, validation, {.epochs = 25, .lr_schedule = cosine_schedule{}});
  CHECK(history.size() == 25);
  CHECK(history.front().epoch == 1);
  CHECK(history.back().train_loss < 0.5 * history.front().train_loss);
  CHECK(history.back().val_accuracy > 0.9);
  CHECK(history.back().learning_rate < 0.01 * history.front().learning_rate);
}

TEST_CASE("a second fit goes on where the first ended (F26)") {
  points train(200, 10), validation(50, 50, 2);
  auto net = classifier(0.0);
  sgd<float> optimizer(net, {.learning_rate = 0.01, .momentum = 0.9});
  const auto first = fit(net, optimizer, what, train, validation, {.epochs = 5});
  const auto second = fit(net, optimizer, what, train, validation, {.epochs = 1});
  CHECK(second.front().train_loss <= 1.2 * first.back().train_loss);
  CHECK(second.front().epoch == 6);
}

TEST_CASE("two fits are one of as many epochs, bit for bit: order, augmentation and dropout go on") {
  points train(60, 8), validation(20, 20, 2);
  auto once = classifier(0.3), twice = classifier(0.3);
  sgd<float> of_once(once, {.learning_rate = 0.05, .momentum = 0.9}), of_twice(twice, {.learning_rate = 0.05, .momentum = 0.9});
  const auto whole = fit(once, of_once, what, train, validation, {.epochs = 5});
  fit(twice, of_twice, what, train, validation, {.epochs = 2});
  const auto rest = fit(twice, of_twice, what, train, validation, {.epochs = 3});
  CHECK(weights(once) == weights(twice));
  CHECK(rest.back().epoch == 5);
  CHECK(rest.back().val_loss == whole.back().val_loss);
  CHECK(twice.epochs() == 5);
  twice.initialize(5);
  CHECK(twice.epochs() == 0);
}

TEST_CASE("the epoch's loss is the mean over images, whatever the last batch's size (F46)") {
  points train(10, 4), validation(10, 10);
  auto net = classifier(0.0);
  sgd<float> optimizer(net, {.learning_rate = 0.0});
  const auto history = fit(net, optimizer, what, train, validation, {.epochs = 1});
  // Nothing moves at rate 0, so training in batches of 4, 4 and 2 must report what one batch of 10 reports.
  CHECK(history[0].train_loss == doctest::Approx(history[0].val_loss).epsilon(1e-6));
  CHECK(history[0].train_accuracy == history[0].val_accuracy);
}

TEST_CASE("batches larger than the data and batches of one train too (F45)") {
  for (const index_t batch : {8, 1}) {
    points train(3, batch), validation(3, 3);
    auto net = classifier(0.0);
    sgd<float> optimizer(net, {.learning_rate = 0.01});
    const auto before = weights(net);
    CHECK(fit(net, optimizer, what, train, validation, {.epochs = 1}).size() == 1);
    CHECK(weights(net) != before);
  }
  points none(0, 4), validation(3, 3);
  auto net = classifier(0.0);
  sgd<float> optimizer(net, {.learning_rate = 0.01});
  CHECK_THROWS_WITH_AS(fit(net, optimizer, what, none, validation, {.epochs = 1}), "fit: there are no training images",
                       option_error);
  points some(3, 3);
  CHECK_THROWS_AS(fit(net, optimizer, what, some, validation, {.epochs = 0}), option_error);
}

TEST_CASE("a run that was stopped anywhere goes on to the same bits") {
  points train(60, 8), validation(20, 20, 2);
  const auto unbroken = [&] {
    auto net = classifier(0.3);
    sgd<float> optimizer(net, {.learning_rate = 0.05, .momentum = 0.9});
    trainer whole(net, optimizer, what, train, validation, {.epochs = 3, .lr_schedule = one_cycle_schedule{}});
    CHECK(whole.run());
    return std::pair(weights(net), whole.state.history);
  }();
  for (const index_t stop_after : {1, 7, 8, 13, 23}) {
    auto net = classifier(0.3);
    sgd<float> optimizer(net, {.learning_rate = 0.05, .momentum = 0.9});
    training_state state;
    {
      stop_after_steps interrupt(stop_after);
      const fit_options o{.epochs = 3, .lr_schedule = one_cycle_schedule{}, .callbacks = {&interrupt}};
      trainer first(net, optimizer, what, train, validation, o);
      CHECK_FALSE(first.run());
      state = first.state;
    }
    // What a checkpoint holds: weights, optimizer state, counters, position.
    auto resumed = classifier(0.3);
    sgd<float> resumed_optimizer(resumed, {.learning_rate = 0.05, .momentum = 0.9});
    std::copy(net.parameter_arena().begin(), net.parameter_arena().end(), resumed.parameter_arena().begin());
    auto from = optimizer.state(), to = resumed_optimizer.state();
    for (std::size_t i = 0; i < from.size(); ++i) std::copy(from[i].data.begin(), from[i].data.end(), to[i].data.begin());
    resumed_optimizer.steps(optimizer.steps());
    resumed.step(net.step());
    trainer second(resumed, resumed_optimizer, what, train, validation, {.epochs = 3, .lr_schedule = one_cycle_schedule{}});
    second.state = state;
    CHECK(second.run());
    CHECK(weights(resumed) == unbroken.first);
    REQUIRE(second.state.history.size() == 3);
    for (std::size_t e = 0; e < 3; ++e) {
      CHECK(second.state.history[e].train_loss == unbroken.second[e].train_loss);
      CHECK(second.state.history[e].val_loss == unbroken.second[e].val_loss);
    }
  }
}

TEST_CASE("accumulating two batches of four is a batch of eight, the rest at the end included") {
  points small(44, 4), large(44, 8), validation(4, 4);
  auto a = classifier(0.0), b = classifier(0.0);
  sgd<float> of_a(a, {.learning_rate = 0.05}), of_b(b, {.learning_rate = 0.05});
  fit(a, of_a, what, small, validation, {.epochs = 2, .accumulate = 2});
  fit(b, of_b, what, large, validation, {.epochs = 2});
  CHECK(of_a.steps() == of_b.steps());
  const auto wa = weights(a), wb = weights(b);
  for (std::size_t i = 0; i < wa.size(); ++i) CHECK(wa[i] == doctest::Approx(wb[i]).epsilon(1e-4));
}

TEST_CASE("a ragged accumulated batch counts every image alike") {
  // 10 images in batches of 4, 4 and 2, summed to one step: the step of one batch of 10, clipped or not.
  for (const double clip : {0.0, 0.05}) {
    points small(10, 4), large(10, 10), validation(4, 4);
    auto a = classifier(0.0), b = classifier(0.0);
    sgd<float> of_a(a, {.learning_rate = 0.5}), of_b(b, {.learning_rate = 0.5});
    fit(a, of_a, what, small, validation, {.epochs = 1, .accumulate = 3, .clip_norm = clip});
    fit(b, of_b, what, large, validation, {.epochs = 1, .clip_norm = clip});
    CHECK(of_a.steps() == 1);
    const auto wa = weights(a), wb = weights(b);
    for (std::size_t i = 0; i < wa.size(); ++i) CHECK(wa[i] == doctest::Approx(wb[i]).epsilon(1e-5));
  }
}

TEST_CASE("a step whose gradient is not finite is left out and counted (F29)") {
  points train(40, 8), validation(8, 8, 2);
  train.values()(17, 2) = std::numeric_limits<float>::quiet_NaN();
  auto net = classifier(0.0);
  sgd<float> optimizer(net, {.learning_rate = 0.05});
  trainer loop(net, optimizer, what, train, validation, {.epochs = 1, .max_skipped_steps = 1});
  loop.run();
  CHECK(loop.state.skipped == 1);
  CHECK(optimizer.steps() == 4);
  for (const float w : weights(net)) CHECK(std::isfinite(w));
}

TEST_CASE("without validation every epoch is the best so far, and its figures are not numbers") {
  points train(16, 8);
  auto net = classifier(0.0);
  sgd<float> optimizer(net, {.learning_rate = 0.05});
  int best = 0;
  lambda_callback count({.on_best = [&](const epoch_record&, const evaluation&) { ++best; }});
  trainer loop(net, optimizer, what, train, {.epochs = 2, .callbacks = {&count}});
  loop.run();
  CHECK(best == 2);
  CHECK(std::isnan(loop.state.history[1].val_loss));
}

namespace {

/// Points whose values grow with the "image size", so that the size in force shows in the weights.
class sized_points : public points {
 public:
  sized_points(index_t count, index_t batch_size) : points(count, batch_size), values_(values()) {}
  void set_size(index_t size) {
    chosen.push_back(size);
    for (index_t i = 0; i < values_.size(); ++i) values()[i] = values_[i] * static_cast<float>(size) / 100;
  }
  std::vector<index_t> chosen;

 private:
  tensor<float> values_;
};

}  // namespace

TEST_CASE("sizes change between epochs, and a run with averages that is stopped anywhere goes on to the same bits") {
  points validation(20, 20, 2);
  size_schedule sizes(parse_sizes("100:0,150:0.5"));
  const auto options = [&](std::vector<training_callback*> others) {
    others.insert(others.begin(), &sizes);
    return fit_options{.epochs = 4, .lr_schedule = cosine_schedule{}, .callbacks = others};
  };
  sized_points train(60, 8);  // 8 steps an epoch
  auto net = classifier(0.3);
  sgd<float> optimizer(net, {.learning_rate = 0.05, .momentum = 0.9});
  ema<float> average(net, 0.9);
  trainer whole(net, optimizer, what, train, validation, options({&average}));
  CHECK(whole.run());
  CHECK(train.chosen == std::vector<index_t>{100, 100, 150, 150});
  for (const index_t stop_after : {3, 15, 16, 17, 26}) {
    sized_points first_data(60, 8), second_data(60, 8);
    auto broken = classifier(0.3), resumed = classifier(0.3);
    sgd<float> before(broken, {.learning_rate = 0.05, .momentum = 0.9}), after(resumed, {.learning_rate = 0.05, .momentum = 0.9});
    ema<float> averages_before(broken, 0.9), averages_after(resumed, 0.9);
    stop_after_steps interrupt(stop_after);
    trainer first(broken, before, what, first_data, validation, options({&averages_before, &interrupt}));
    CHECK_FALSE(first.run());
    std::copy(broken.parameter_arena().begin(), broken.parameter_arena().end(), resumed.parameter_arena().begin());
    auto from = before.state(), to = after.state();
    for (std::size_t i = 0; i < from.size(); ++i) std::copy(from[i].data.begin(), from[i].data.end(), to[i].data.begin());
    const view<float> kept = averages_before.parameter_averages();
    std::copy(kept.begin(), kept.end(), averages_after.parameter_averages().begin());
    averages_after.updates(averages_before.updates());
    after.steps(before.steps());
    resumed.step(broken.step());
    trainer second(resumed, after, what, second_data, validation, options({&averages_after}));
    second.state = first.state;
    CHECK(second.run());
    CHECK(weights(resumed) == weights(net));
    const view<float> a = averages_after.parameter_averages(), b = average.parameter_averages();
    CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
    for (std::size_t e = 0; e < 4; ++e) {
      CHECK(second.state.history[e].val_loss == whole.state.history[e].val_loss);
      CHECK(second.state.history[e].images_per_second > 0);
    }
  }
}

TEST_CASE("sizes in turn change with every epoch, wherever the run is resumed") {
  sized_points train(60, 8);  // 8 steps an epoch
  auto net = classifier(0.0);
  sgd<float> optimizer(net, {.learning_rate = 0.05});
  size_schedule sizes(parse_sizes("100/150"));
  stop_after_steps interrupt(11);
  fit_options o{.epochs = 4, .callbacks = {&sizes, &interrupt}};
  trainer first(net, optimizer, what, train, o);
  CHECK_FALSE(first.run());
  sized_points rest(60, 8);
  o.callbacks = {&sizes};
  trainer second(net, optimizer, what, rest, o);
  second.state = first.state;
  CHECK(second.run());
  CHECK(train.chosen == std::vector<index_t>{100, 150});
  CHECK(rest.chosen == std::vector<index_t>{150, 100, 150});
}

TEST_CASE("several sizes want data that has them") {
  points train(8, 4), validation(4, 4);
  auto net = classifier(0.0);
  sgd<float> optimizer(net, {.learning_rate = 0.05});
  for (const char* text : {"8:0,9:0.5", "8/9"}) {
    size_schedule sizes(parse_sizes(text));
    CHECK_THROWS_WITH_AS(fit(net, optimizer, what, train, validation, {.epochs = 1, .callbacks = {&sizes}}),
                         doctest::Contains("set_size"), option_error);
  }
}

TEST_CASE("NaN ends the run with the place where it arose, and the weights are those before") {
  points train(40, 8), validation(8, 8, 2);
  train.values()(17, 2) = std::numeric_limits<float>::quiet_NaN();
  auto net = classifier(0.0);
  sgd<float> optimizer(net, {.learning_rate = 0.05});
  CHECK_THROWS_WITH_AS(fit(net, optimizer, what, train, validation, {.epochs = 1}), doctest::Contains("First seen in input: NaN"),
                       error);
  CHECK(optimizer.steps() > 0);
  for (const float w : weights(net)) CHECK(std::isfinite(w));
}

TEST_CASE("validation every third epoch, and always after the last") {
  points train(16, 8), validation(8, 8, 2);
  auto net = classifier(0.0);
  sgd<float> optimizer(net, {.learning_rate = 0.05});
  const auto history = fit(net, optimizer, what, train, validation, {.epochs = 5, .validate_every = 3});
  for (const epoch_record& row : history) CHECK(std::isnan(row.val_loss) == (row.epoch != 3 && row.epoch != 5));
}

TEST_CASE("patience ends a run that no longer gets better") {
  points train(16, 8), validation(8, 8, 2);
  auto net = classifier(0.0);
  sgd<float> optimizer(net, {.learning_rate = 0.0});  // nothing moves: the first epoch stays the best
  early_stopping enough({.patience = 4});
  CHECK(fit(net, optimizer, what, train, validation, {.epochs = 50, .callbacks = {&enough}}).size() == 5);
}

TEST_CASE("the best epoch's averages are in the network when they are to be saved, the trained values afterwards") {
  points train(32, 8), validation(8, 8, 2);
  auto net = classifier(0.0);
  sgd<float> optimizer(net, {.learning_rate = 0.05});
  ema<float> average(net, 0.9);
  std::vector<float> saved, trained;
  lambda_callback copies({.on_best = [&](const epoch_record&, const evaluation&) { saved = weights(net); },
                          .on_epoch = [&](const epoch_record&, const evaluation&) { trained = weights(net); }});
  fit(net, optimizer, what, train, validation, {.epochs = 1, .callbacks = {&average, &copies}});
  const view<float> averages = average.parameter_averages();
  CHECK(saved == std::vector<float>(averages.begin(), averages.end()));
  CHECK(trained == weights(net));
  CHECK(saved != trained);
}

TEST_CASE("a loss that stays at that of guessing is told once, and not in the first steps") {
  points train(60, 10), validation(40, 40, 2);  // six steps an epoch
  for (const double rate : {0.0, 0.1}) {
    CAPTURE(rate);
    network<float> net = classifier(0);
    sgd<float> optimizer(net, {.learning_rate = rate, .momentum = 0.9});
    std::vector<std::string> told;
    int epochs = 0;
    std::vector<int> when;
    lambda_callback count({.on_epoch = [&](const epoch_record&, const evaluation&) { ++epochs; }});
    check_divergence check([&](const std::string& text) { told.push_back(text), when.push_back(epochs); }, 20);
    fit(net, optimizer, what, train, validation, {.epochs = 12, .callbacks = {&count, &check}});
    if (rate > 0) {
      CHECK(told.empty());
      continue;
    }
    REQUIRE(told.size() == 1);
    CHECK(when[0] == 3);  // the fourth epoch ends with step 24
    CHECK(told[0].starts_with("the mean loss of epoch 4 is "));
    CHECK(told[0].find("that of guessing 0.6931") != told[0].npos);
  }
}
