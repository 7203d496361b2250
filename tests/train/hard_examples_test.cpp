#include "minicnn/train/hard_examples.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "minicnn/layers/dense.hpp"
#include "minicnn/train/classification.hpp"
#include "minicnn/train/fit.hpp"
#include "minicnn/train/sgd.hpp"

using namespace minicnn;

namespace {

/// 12 points on a line, class 1 above 0, four at a time, in another order each epoch.
class line {
 public:
  line() : x_({12, 1}) {
    for (index_t i = 0; i < 12; ++i) all_.push_back(i);
  }
  index_t size() const { return 12; }
  index_t batches() const { return 3; }
  void start_epoch(index_t epoch, index_t first_batch) {
    order_ = all_;
    random_stream(random_key(7).of(static_cast<std::uint64_t>(epoch))).shuffle(order_);
    at_ = first_batch;
  }
  const batch<float>* next() {
    if (at_ == 3) return nullptr;
    labels_.clear();
    indices_.assign(order_.begin() + 4 * at_, order_.begin() + 4 * at_ + 4);
    ++at_;
    x_ = tensor<float>({4, 1});
    for (index_t i = 0; i < 4; ++i) {
      const index_t which = indices_[static_cast<std::size_t>(i)];
      x_[i] = static_cast<float>(which) - 5.4F;
      labels_.push_back(which > 5 ? 1 : 0);
    }
    batch_.images = x_, batch_.labels = labels_, batch_.indices = indices_;
    return &batch_;
  }

 private:
  tensor<float> x_;
  std::vector<index_t> all_, order_, indices_;
  std::vector<std::int32_t> labels_;
  index_t at_ = 0;
  batch<float> batch_;
};

network<float> classifier() {
  graph<float> g;
  return network<float>(std::move(g), {dense(g.input({1}), 2)}, {.seed = 2, .threads = 1});
}

}  // namespace

TEST_CASE("the pictures with the largest latest losses are kept, in their order; others keep their loss") {
  const classification<float> task;
  hard_examples<float> hard(12, task, {.keep = 0.5, .from = 0, .to = 1, .most = 2});
  line data;
  auto source = hard.source(source_of<float>(data));
  auto net = classifier();
  sgd<float> opt(net);
  trainer<float> run(net, opt, hard.task(), hard.source(source_of<float>(data)), nullptr, {.epochs = 4, .callbacks = {&hard}});
  hard.on_epoch_begin(run);
  const view<float> losses = hard.state()[0].data;
  for (index_t i = 0; i < 12; ++i) losses[i] = static_cast<float>(i % 5);
  source->start_epoch(0, 0);
  std::vector<index_t> seen;
  while (const batch<float>* b = source->next()) {
    REQUIRE(b->size() == 2);
    line whole;
    whole.start_epoch(0, static_cast<index_t>(seen.size()) / 2);
    const batch<float>& all = *whole.next();
    const auto smallest_kept = (std::min)(losses[b->indices[0]], losses[b->indices[1]]);
    index_t larger = 0, place = -1;
    for (index_t i = 0; i < 4; ++i) {
      const index_t which = all.indices[static_cast<std::size_t>(i)];
      larger += losses[which] > smallest_kept;
      for (std::size_t k = 0; k < 2; ++k)
        if (b->indices[k] == which) {
          CHECK(i > place);
          place = i;
          CHECK(b->images[static_cast<index_t>(k)] == all.images[i]);
          CHECK(b->labels[k] == all.labels[static_cast<std::size_t>(i)]);
        }
    }
    CHECK(larger <= 1);
    seen.insert(seen.end(), b->indices.begin(), b->indices.end());
  }
  CHECK(seen.size() == 6);

  // Recorded: -log softmax, at most 2.
  const tensor<float> y({2, 2}, {1, 0, 9, 0});
  const std::vector<std::int32_t> labels{0, 1};
  const std::vector<index_t> indices{3, 8};
  batch<float> b;
  b.images = y, b.labels = labels, b.indices = indices;
  const view<const float> values[] = {y};
  tensor<float> gradient({2, 2});
  const view<float> gradients[] = {gradient};
  const double weights[] = {1.0};
  CHECK(hard.task().losses({values, gradients, weights}, b, 1.0) == doctest::Approx(task.loss(y, b, {}, 1.0)));
  CHECK(losses[3] == doctest::Approx(std::log(1 + std::exp(-1.0))));
  CHECK(losses[8] == 2.0F);
  CHECK(losses[4] == 4.0F);
}

TEST_CASE("batches are cut between two parts of the run, which has as many steps; a resumed run ends with the same bits") {
  const classification<float> task;
  const auto train = [&](index_t pause) {
    auto net = classifier();
    sgd<float> opt(net, {.learning_rate = 0.1, .momentum = 0.9});
    line data;
    hard_examples<float> hard(12, task, {.keep = 0.5, .from = 0.25, .to = 0.75});
    struct counter final : training_callback {
      std::vector<index_t> seen;
      index_t steps = 0, pause = 0, last = 0;
      training_run* run = nullptr;
      void on_begin(training_run& r) override { run = &r; }
      void on_step(const step_report&) override { steps += 1, last = run->state.seen; }
      void on_epoch(const epoch_record&, const evaluation&) override { seen.push_back(last); }
      bool stop() const override { return steps == pause; }
    } count;
    count.pause = pause;
    const fit_options o{.epochs = 4, .callbacks = {&hard, &count}};
    trainer<float> first(net, opt, hard.task(), hard.source(source_of<float>(data)), nullptr, o);
    first.run();
    if (pause > 0) {
      hard_examples<float> again(12, task, {.keep = 0.5, .from = 0.25, .to = 0.75});
      const view<float> from = hard.state()[0].data, to = again.state()[0].data;
      std::copy(from.begin(), from.end(), to.begin());
      line fresh;
      trainer<float> second(net, opt, again.task(), again.source(source_of<float>(fresh)), nullptr,
                            {.epochs = 4, .callbacks = {&again}});
      second.state = first.state;
      second.run();
    } else {
      CHECK(count.seen == std::vector<index_t>{12, 6, 6, 12});
      CHECK(first.state.step == 12);
    }
    return std::vector<float>(net.parameter_arena().begin(), net.parameter_arena().end());
  };
  const auto whole = train(0);
  for (const index_t pause : {2, 3, 5, 8, 9}) CHECK(train(pause) == whole);
}

TEST_CASE("options and batches that do not fit are refused") {
  const classification<float> task;
  CHECK_THROWS_AS(hard_examples<float>(3, task, {.keep = 0}), option_error);
  CHECK_THROWS_AS(hard_examples<float>(3, task, {.from = 0.5, .to = 0.4}), option_error);
  hard_examples<float> hard(2, task, {});
  line data;
  data.start_epoch(0, 0);
  const batch<float>& b = *data.next();
  const tensor<float> y({4, 2});
  const view<const float> values[] = {y};
  const view<float> gradients[] = {{}};
  const double weights[] = {1.0};
  CHECK_THROWS_AS(hard.task().losses({values, gradients, weights}, b, 1.0), option_error);
}
