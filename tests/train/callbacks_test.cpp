#include "minicnn/train/callbacks.hpp"

#include <doctest/doctest.h>

#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/train/sgd.hpp"

using namespace minicnn;

namespace {

/// Points in the plane, class 1 right of the axis; `batch_size` at a time.
class points {
 public:
  struct batch {
    view<const float> images;
    std::span<const std::int32_t> labels;
  };
  points(index_t count, index_t batch_size, std::uint64_t seed) : batch_size_(batch_size), x_({count, 2}) {
    random_stream r{random_key(seed)};
    for (float& v : x_) v = static_cast<float>(r.normal());
    for (index_t i = 0; i < count; ++i) labels_.push_back(x_(i, 0) > 0);
  }
  index_t size() const { return x_.dim(0); }
  index_t batches() const { return (size() + batch_size_ - 1) / batch_size_; }
  void start_epoch(index_t, index_t first_batch) { next_ = first_batch * batch_size_; }
  const batch* next() {
    if (next_ >= size()) return nullptr;
    const index_t n = (std::min)(batch_size_, size() - next_);
    batch_ = {view<const float>(x_.data() + 2 * next_, {n, 2}),
              std::span<const std::int32_t>(labels_).subspan(static_cast<std::size_t>(next_), static_cast<std::size_t>(n))};
    next_ += n;
    return &batch_;
  }

 private:
  index_t batch_size_, next_ = 0;
  tensor<float> x_;
  std::vector<std::int32_t> labels_;
  batch batch_;
};

struct both {
  points train{40, 10, 1}, validation{20, 20, 2};
};

network<float> classifier() {
  graph<float> g;
  return network<float>(std::move(g), {dense(batch_norm(relu(dense(g.input({2}), 8))), 2)}, {.seed = 4, .threads = 1});
}

std::vector<float> values(const network<float>& net) {
  std::vector<float> all(net.parameter_arena().begin(), net.parameter_arena().end());
  all.insert(all.end(), net.buffer_arena().begin(), net.buffer_arena().end());
  return all;
}

struct recorder final : training_callback {
  std::vector<std::string> events;
  void on_step(const step_report& s) override { events.push_back(text_of("step ", s.epoch, ".", s.batch)); }
  void on_best(const epoch_record& e, const evaluation&) override { events.push_back(text_of("best ", e.epoch)); }
  void on_epoch(const epoch_record& e, const evaluation& v) override {
    events.push_back(text_of("epoch ", e.epoch, " ", v.images));
  }
};

}  // namespace

TEST_CASE("fit in one line trains; callbacks are told in order") {
  both data;
  auto net = classifier();
  recorder r;
  const auto history = fit(net, data, {.epochs = 2, .callbacks = {&r}});
  REQUIRE(history.size() == 2);
  CHECK(history[1].train_loss < history[0].train_loss);
  REQUIRE(r.events.size() >= 11);
  CHECK(r.events[0] == "step 1.1");
  CHECK(r.events[3] == "step 1.4");
  CHECK(r.events[4] == "best 1");
  CHECK(r.events[5] == "epoch 1 20");
  CHECK(r.events.back() == "epoch 2 20");
}

TEST_CASE("the short form is the long form with its defaults") {
  both data, same;
  auto net = classifier(), other = classifier();
  fit(net, data, {.epochs = 3, .learning_rate = 0.1});
  sgd<float> optimizer(other, {.learning_rate = 0.1, .momentum = 0.9, .nesterov = true, .weight_decay = 5e-4});
  fit(other, optimizer, classification<float>(), same.train, same.validation,
      {.epochs = 3, .lr_schedule = one_cycle_schedule{}, .clip_norm = 5});
  CHECK(values(net) == values(other));
}

TEST_CASE("callbacks are told in their order, and any of them may break the run off") {
  both data;
  auto net = classifier();
  sgd<float> optimizer(net, {.learning_rate = 0.1});
  recorder r;
  int steps = 0;
  lambda_callback own(
      {.on_step = [&](const step_report&) { r.events.push_back("own"), ++steps; }, .stop = [&] { return steps == 3; }});
  const classification what;
  trainer loop(net, optimizer, what, data.train, data.validation, {.callbacks = {&own, &r}});
  CHECK_FALSE(loop.run());
  CHECK(r.events == std::vector<std::string>{"own", "step 1.1", "own", "step 1.2", "own", "step 1.3"});
  CHECK_THROWS_AS(fit(net, optimizer, what, data.train, {.callbacks = {nullptr}}), option_error);
}

TEST_CASE("a run that a callback declares finished ends before the next step, with the weights that were validated") {
  both data;
  auto net = classifier();
  std::vector<float> at_the_end;
  index_t epochs = 0;
  lambda_callback two({.on_epoch = [&](const epoch_record&, const evaluation&) { at_the_end = values(net), ++epochs; },
                       .finished = [&] { return epochs == 2; }});
  recorder r;
  CHECK(fit(net, data, {.epochs = 9, .callbacks = {&two, &r}}).size() == 2);
  CHECK(values(net) == at_the_end);
  CHECK(r.events.back() == "epoch 2 20");
  CHECK(net.epochs() == 2);
}

TEST_CASE("fit without validation: data by itself, or a struct of training data alone") {
  struct one {
    points train{40, 10, 1};
  };
  points train(40, 10, 1);
  one data;
  auto net = classifier(), other = classifier();
  const auto history = fit(net, train, {.epochs = 2});
  CHECK(std::isnan(history[1].val_loss));
  fit(other, data, {.epochs = 2});
  CHECK(values(net) == values(other));
}

TEST_CASE("early stopping waits for so many epochs without a gain") {
  const auto epoch = [](early_stopping& s, index_t number, double loss, index_t images = 5) {
    epoch_record row;
    row.epoch = number, row.val_loss = loss;
    evaluation e;
    e.images = images, e.score = loss;
    s.on_epoch(row, e);
    return s.finished();
  };
  early_stopping s({.patience = 2, .least_change = 0.1});
  CHECK_FALSE(epoch(s, 1, 1.0));
  CHECK_FALSE(epoch(s, 2, 0.95));  // too small a gain
  CHECK_FALSE(epoch(s, 3, 0.8));
  CHECK_FALSE(epoch(s, 4, std::numeric_limits<double>::quiet_NaN()));
  CHECK_FALSE(epoch(s, 5, 0.0, 0));  // not validated: says nothing
  CHECK(epoch(s, 6, 0.9));
  CHECK(s.best_epoch() == 3);
  CHECK_THROWS_AS(early_stopping({.patience = 0}), option_error);

  // In a run: a metric that never improves after the first epoch.
  both data;
  auto net = classifier();
  early_stopping flat({.patience = 2, .metric = [](const epoch_record&, const evaluation&) { return 1.0; }});
  CHECK(fit(net, data, {.epochs = 9, .callbacks = {&flat}}).size() == 3);
  // And in the next: it begins anew.
  CHECK(fit(net, data, {.epochs = 9, .callbacks = {&flat}}).size() == 3);
  CHECK(flat.best_epoch() == 4);
}

TEST_CASE("the best weights come back; checkpoints see them or every n-th epoch") {
  both data;
  auto net = classifier();
  keep_best<float> best(net);
  CHECK_THROWS_AS(best.restore(), error);
  std::vector<float> at_best;
  std::vector<index_t> best_epochs, even_epochs;
  checkpoint files([&](const epoch_record& e) { at_best = values(net), best_epochs.push_back(e.epoch); });
  checkpoint even([&](const epoch_record& e) { even_epochs.push_back(e.epoch); }, 2);
  const auto history = fit(net, data, {.epochs = 5, .learning_rate = 0.5, .callbacks = {&best, &files, &even}});
  CHECK(even_epochs == std::vector<index_t>{2, 4});
  index_t lowest = 1;
  for (const epoch_record& e : history)
    if (e.val_loss < history[static_cast<std::size_t>(lowest - 1)].val_loss) lowest = e.epoch;
  CHECK(best.epoch() == lowest);
  CHECK(best_epochs.back() == lowest);
  for (float& v : net.parameter_arena()) v = 0;
  for (float& v : net.buffer_arena()) v = 0;
  best.restore();
  CHECK(values(net) == at_best);
  CHECK_THROWS_AS(checkpoint({}), option_error);
}

TEST_CASE("a layer freezes after so many epochs, also where the run is resumed later") {
  const auto run = [](index_t epochs, index_t stop_after) {
    auto net = classifier();
    sgd<float> opt(net, {.learning_rate = 0.1});
    const classification<float> task;
    both data;
    freeze_after<float> freeze(net, "fc1.bias", epochs);
    std::vector<float> kept;
    lambda_callback watch({.on_epoch =
                               [&](const epoch_record& e, const evaluation&) {
                                 const view<float> bias = net.parameter("fc1.bias");
                                 if (e.epoch == epochs) kept.assign(bias.begin(), bias.end());
                                 if (e.epoch > epochs) CHECK(std::equal(kept.begin(), kept.end(), bias.begin()));
                               },
                           .stop = [&] { return net.epochs() == stop_after; }});
    const fit_options o{.epochs = 4, .callbacks = {&freeze, &watch}};
    trainer<float> first(net, opt, task, data.train, data.validation, o);
    first.run();
    if (stop_after > 0) {
      net.unfreeze("");
      stop_after = -1;
      trainer<float> second(net, opt, task, data.train, data.validation, o);
      second.state = first.state;
      second.run();
    }
    return values(net);
  };
  const std::vector<float> whole = run(2, -1);
  CHECK(whole == run(2, 3));
  CHECK(whole != run(4, -1));
  auto net = classifier();
  CHECK_THROWS_AS(freeze_after<float>(net, "fc1", -1), option_error);
}
