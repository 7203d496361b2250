// Training by shards: the same bits for any number of ranks, which are threads here.
#include <doctest/doctest.h>

#include <limits>
#include <memory>

#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/train/adam.hpp"
#include "minicnn/train/callbacks.hpp"
#include "minicnn/train/ema.hpp"
#include "team_of_threads.hpp"

using namespace minicnn;

namespace {

constexpr index_t side = 6;

/// Noise in which a bright half says the class; every epoch in another order. May throw at a batch.
class drawn {
 public:
  drawn(index_t count, index_t batch_size) : batch_size_(batch_size), x_({count, 2, side, side}), order_(x_) {
    random_stream r{random_key(3)};
    labels_.resize(static_cast<std::size_t>(count));
    ordered_.resize(static_cast<std::size_t>(count));
    for (index_t i = 0; i < count; ++i) {
      labels_[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(r.below(3));
      for (index_t k = 0; k < row; ++k)
        x_[i * row + k] = static_cast<float>(r.normal() + (k % 3 == labels_[static_cast<std::size_t>(i)] ? 1 : 0));
    }
  }
  index_t size() const { return x_.dim(0); }
  index_t batches() const { return (size() + batch_size_ - 1) / batch_size_; }
  void start_epoch(index_t epoch, index_t first_batch = 0) {
    next_ = first_batch * batch_size_;
    for (index_t i = 0; i < size(); ++i) {
      const index_t from = (i + 5 * epoch) % size();
      std::copy_n(x_.data() + from * row, row, order_.data() + i * row);
      ordered_[static_cast<std::size_t>(i)] = labels_[static_cast<std::size_t>(from)];
    }
  }
  const batch<float>* next() {
    if (next_ == fails_at) fail<file_error>("7.jpg: is gone");
    if (next_ >= size()) return nullptr;
    const index_t n = (std::min)(batch_size_, size() - next_);
    batch_.images = view<const float>(order_.data() + row * next_, {n, 2, side, side});
    batch_.labels = std::span<const std::int32_t>(ordered_).subspan(static_cast<std::size_t>(next_), static_cast<std::size_t>(n));
    next_ += n;
    return &batch_;
  }
  index_t fails_at = -1;

 private:
  static constexpr index_t row = 2 * side * side;
  index_t batch_size_, next_ = 0;
  tensor<float> x_, order_;
  std::vector<std::int32_t> labels_, ordered_;
  batch<float> batch_;
};

network<float> classifier(bool with_noise = true) {
  graph<float> g;
  auto x = conv2d(g.input({2, side, side}), {.filters = 5, .kernel = 3, .padding = 1});
  if (with_noise) x = batch_norm(x);
  x = flatten(relu(x));
  if (with_noise) x = dropout(x, 0.3);
  return network<float>(std::move(g), {dense(x, 3)}, {.seed = 5, .threads = 1});
}

const classification what;

/// Everything that a run leaves, as bytes.
struct result {
  std::vector<float> values;
  std::vector<double> figures;
  bool operator==(const result& o) const {
    return values.size() == o.values.size() && figures == o.figures &&
           std::memcmp(values.data(), o.values.data(), sizeof(float) * values.size()) == 0;
  }
};

/// Breaks a run off after so many steps of it.
class stop_after final : public training_callback {
 public:
  explicit stop_after(index_t steps) : left_(steps) {}
  void on_step(const step_report&) override { left_ -= 1; }
  bool stop() const override { return left_ == 0; }

 private:
  index_t left_;
};

struct settings {
  index_t images = 43, batch_size = 20, shards = 8;
  bool adam = false;
  int threads = 1;
  bool overlap = false;
  wire_format wire = wire_format::fp32;
};

/// A run on the ranks in turn: each of `sizes` ranks makes `steps` steps and stops, the last goes on to the end.
result train(const settings& s, const std::vector<index_t>& sizes, index_t steps = 0) {
  std::vector<result> results(static_cast<std::size_t>((std::max)(sizes.back(), index_t{1})));
  training_state state;
  std::vector<std::vector<float>> kept;  // parameters, buffers, optimizer, averages
  std::uint64_t network_step = 0;
  index_t optimizer_steps = 0, updates = 0;
  for (std::size_t turn = 0; turn < sizes.size(); ++turn) {
    const bool last = turn + 1 == sizes.size();
    training_state next = state;
    std::vector<std::vector<float>> leaves;
    std::uint64_t next_network_step = 0;
    index_t next_optimizer_steps = 0, next_updates = 0;
    const auto work = [&](team* me, index_t rank) {
      auto net = classifier();
      net.threads(s.threads);
      std::unique_ptr<optimizer<float>> opt;
      if (s.adam)
        opt = std::make_unique<adam<float>>(net, adam_options{.learning_rate = 0.01});
      else
        opt = std::make_unique<sgd<float>>(net, sgd_options{.learning_rate = 0.05, .momentum = 0.9, .weight_decay = 1e-3});
      ema<float> average(net, 0.9);
      const auto arenas = [&] {
        std::vector<view<float>> all{net.parameter_arena(), net.buffer_arena(), average.parameter_averages(),
                                     average.buffer_averages()};
        for (const auto& one : opt->state()) all.push_back(one.data);
        return all;
      };
      if (turn > 0) {
        const auto all = arenas();
        for (std::size_t i = 0; i < all.size(); ++i) std::copy(kept[i].begin(), kept[i].end(), all[i].begin());
        net.step(network_step), opt->steps(optimizer_steps), average.updates(updates), net.epochs(state.epoch);
      }
      drawn data(s.images, s.batch_size), validation(31, 4);
      stop_after stop(last ? -1 : steps);
      fit_options o;
      o.epochs = 4, o.shards = s.shards, o.ranks = me, o.clip_norm = 1, o.callbacks = {&average, &stop};
      o.lr_schedule = cosine_schedule{};
      o.overlap = s.overlap, o.wire = s.wire;
      trainer<float> loop(net, *opt, what, data, validation, o);
      if (turn > 0) loop.state = state;
      CHECK(loop.run() == last);
      result& r = results[static_cast<std::size_t>(last ? rank : 0)];
      if (!last && rank > 0) return;
      r = {};
      for (const view<float>& a : arenas()) r.values.insert(r.values.end(), a.begin(), a.end());
      for (const epoch_record& e : loop.state.history)
        for (const double f : {e.train_loss, e.train_accuracy, e.val_loss, e.val_accuracy, e.learning_rate})
          r.figures.push_back(f);
      r.figures.push_back(static_cast<double>(net.step()));
      if (last) return;
      next = loop.state;
      for (const view<float>& a : arenas()) leaves.emplace_back(a.begin(), a.end());
      next_network_step = net.step(), next_optimizer_steps = opt->steps(), next_updates = average.updates();
    };
    if (sizes[turn] == 0)
      work(nullptr, 0);
    else
      for (const std::string& e : threads_as_ranks::run(sizes[turn], [&](team& me) { work(&me, me.rank()); })) CHECK(e == "");
    state = next, kept = leaves;
    network_step = next_network_step, optimizer_steps = next_optimizer_steps, updates = next_updates;
  }
  for (const result& r : results) CHECK(r == results[0]);
  return results[0];
}

result alone(const settings& s) { return train(s, {0}); }

}  // namespace

TEST_CASE("weights, averages, moments, statistics and figures have the same bits on 1 to 8 ranks") {
  for (const bool adam : {false, true})
    for (const index_t images : {43, 41, 36, 22}) {  // last batches of 3, 1, 16 and 2 images
      settings s;
      s.adam = adam, s.images = images;
      const result one = alone(s);
      for (const index_t ranks : {2, 3, 4, 5, 8}) {
        CAPTURE(adam);
        CAPTURE(images);
        CAPTURE(ranks);
        CHECK(train(s, {ranks}) == one);
      }
      s.threads = 2;
      CHECK(train(s, {3}) == one);
    }
}

TEST_CASE("with overlap runs have the bits that they have without") {
  settings s;
  const result plain = alone(s);
  s.overlap = true;
  for (const index_t ranks : {0, 1, 2, 3, 5, 8}) {
    CAPTURE(ranks);
    CHECK(train(s, {ranks}) == plain);
  }
  s.threads = 2;
  CHECK(train(s, {3}) == plain);
}

TEST_CASE("gradients in bf16: the same bits on 1 to 8 ranks, others than in fp32, and a run that learns") {
  settings s;
  const result exact = alone(s);
  s.wire = wire_format::bf16;
  const result one = alone(s);
  CHECK(one.values != exact.values);
  for (std::size_t i = 0; i < 4; ++i) CHECK(one.figures[i] == doctest::Approx(exact.figures[i]).epsilon(0.05));
  for (const bool overlap : {false, true})
    for (const index_t ranks : {2, 3, 4, 8}) {
      CAPTURE(ranks);
      s.overlap = overlap;
      CHECK(train(s, {ranks}) == one);
    }
}

TEST_CASE("a run goes on with another number of ranks, within an epoch too, bit for bit") {
  settings s;
  const result one = alone(s);
  CHECK(train(s, {3, 2}, 4) == one);     // three steps an epoch: in the middle of the second
  CHECK(train(s, {4, 1, 8}, 2) == one);  // after 2 and after 4 steps
  CHECK(train(s, {1, 5}, 3) == one);     // between two epochs
}

TEST_CASE("shards without ranks are those of a team of one; their number decides the result") {
  settings s;
  std::vector<float> weights[2];
  for (const index_t shards : {1, 4}) {
    auto net = classifier(false);
    sgd<float> opt(net, {.learning_rate = 0.05});
    drawn data(40, 20);
    fit(net, opt, what, data, {.epochs = 2, .shards = shards});
    const view<const float> w = std::as_const(net).parameter_arena();
    weights[shards == 4].assign(w.begin(), w.end());
  }
  // Without batch norm and dropout shards only change the order of sums.
  CHECK(weights[0] != weights[1]);
  for (std::size_t i = 0; i < weights[0].size(); ++i)
    CHECK(weights[1][i] == doctest::Approx(weights[0][i]).epsilon(1e-4).scale(0.1));
}

TEST_CASE("running statistics move by the mean over shards, and frozen ones stay") {
  auto net = classifier();
  auto plain = classifier();
  sgd<float> opt(net, {.learning_rate = 0.0});
  drawn data(12, 12), same(12, 4);
  fit(net, opt, what, data, {.epochs = 1, .shards = 3});
  // By hand: three batches of 4, each from the initial values.
  std::vector<double> mean(static_cast<std::size_t>(plain.buffer_arena().size()));
  session<float> run(plain);
  const view<float> buffers = plain.buffer_arena();
  const std::vector<float> first(buffers.begin(), buffers.end());
  same.start_epoch(0);
  for (int s = 0; s < 3; ++s) {
    std::copy(first.begin(), first.end(), buffers.begin());
    run.forward(same.next()->images);
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += static_cast<double>(buffers[static_cast<index_t>(i)]) / 3;
  }
  for (std::size_t i = 0; i < mean.size(); ++i)
    CHECK(net.buffer_arena()[static_cast<index_t>(i)] == doctest::Approx(mean[i]).epsilon(1e-6));

  const view<float> now = net.buffer_arena();
  const std::vector<float> before(now.begin(), now.end());
  net.freeze("bn1");
  fit(net, opt, what, data, {.epochs = 2, .shards = 3});
  CHECK(std::vector<float>(now.begin(), now.end()) == before);
}

TEST_CASE("what one rank's data throws ends all of them, with its name") {
  std::vector<training_state> states(3);
  const auto errors = threads_as_ranks::run(3, [&](team& me) {
    auto net = classifier();
    sgd<float> opt(net, {.learning_rate = 0.05});
    drawn data(43, 20);
    if (me.rank() == 2) data.fails_at = 20;
    fit_options o;
    o.shards = 4, o.ranks = &me;
    trainer<float> loop(net, opt, what, data, o);
    std::string text;
    try {
      loop.run();
    } catch (const team_failure& e) {
      text = e.what();
    }
    CHECK(text == "rank 2: 7.jpg: is gone");
    CHECK(loop.data_failed());
    CHECK(net.step() == 4);  // of the first batch alone
    states[static_cast<std::size_t>(me.rank())] = loop.state;
  });
  for (const std::string& e : errors) CHECK(e == "");
  for (const training_state& s : states) {
    CHECK(s.step == 1);
    CHECK(s.batch == 1);
    CHECK(s.seen == 20);
  }
}

namespace {

/// Passes values on, and has no gradient to pass back.
class without_gradient final : public op<float> {
 public:
  std::string_view kind() const override { return "without_gradient"; }
  attribute_list describe() const override { return {}; }
  op_plan plan(const plan_request& request) const override {
    op_plan p;
    p.output = request.inputs[0];
    return p;
  }
  void forward(const frame<float>& f) const override { std::copy(f.input().begin(), f.input().end(), f.output.begin()); }
  void backward(const frame<float>&) const override { fail("no gradient"); }
};

}  // namespace

TEST_CASE("a backward that throws on one rank ends all: they wait for its gradients") {
  for (const bool overlap : {false, true}) {
    const auto errors = threads_as_ranks::run(3, [&](team& me) {
      graph<float> g;
      node<float> x = conv2d(g.input({2, side, side}), {.filters = 5, .kernel = 3, .padding = 1});
      if (me.rank() == 1) x = g.add(std::make_shared<without_gradient>(), {x}, "broken", "broken");
      network<float> net(std::move(g), {dense(flatten(relu(x)), 3)}, {.seed = 5, .threads = 1});
      sgd<float> opt(net, {.learning_rate = 0.05});
      drawn data(43, 20);
      fit_options o;
      o.shards = 3, o.ranks = &me, o.overlap = overlap;
      fit(net, opt, what, data, o);
    });
    CHECK(errors[1] == "backward: no gradient");
    CHECK(errors[0] == "another rank has gone");
    CHECK(errors[2] == "another rank has gone");
  }
}

TEST_CASE("a stop on one rank stops all after the same step") {
  const auto errors = threads_as_ranks::run(3, [&](team& me) {
    auto net = classifier();
    sgd<float> opt(net, {.learning_rate = 0.05});
    drawn data(43, 20);
    stop_after stop(me.rank() == 1 ? 2 : -1);
    fit_options o;
    o.shards = 3, o.ranks = &me, o.callbacks = {&stop};
    trainer<float> loop(net, opt, what, data, o);
    CHECK_FALSE(loop.run());
    CHECK(loop.state.step == 2);
  });
  for (const std::string& e : errors) CHECK(e == "");
}

TEST_CASE("a weight that differs on one rank is found at the end of the epoch, before it is called the best") {
  int best = 0;
  const auto errors = threads_as_ranks::run(2, [&](team& me) {
    auto net = classifier();
    sgd<float> opt(net, {.learning_rate = 0.05});
    drawn data(43, 20);
    lambda_callback change({.on_step =
                                [&](const step_report& s) {
                                  if (me.rank() == 1 && s.batch == 2) net.parameter_arena()[0] += 1e-3F;
                                },
                            .on_best = [&](const epoch_record&, const evaluation&) { best += 1; }});
    fit_options o;
    o.shards = 2, o.ranks = &me, o.callbacks = {&change};
    trainer<float> loop(net, opt, what, data, o);
    loop.run();
  });
  CHECK(best == 0);
  for (const std::string& e : errors) {
    CHECK(e.starts_with("the hash of the weights after epoch 0 is not the same on all ranks: rank 0: "));
    CHECK(e.find(", rank 1: ") != e.npos);
  }
}

TEST_CASE("ranks that were told different things do not begin") {
  const auto errors = threads_as_ranks::run(2, [&](team& me) {
    auto net = classifier();
    sgd<float> opt(net, {.learning_rate = 0.05});
    drawn data(43 + me.rank(), 20);
    fit_options o;
    o.shards = 2, o.ranks = &me;
    fit(net, opt, what, data, o);
  });
  for (const std::string& e : errors)
    CHECK(e.starts_with("the run is not the same on all ranks: rank 0: 2 shards, 43 images in "));
}

TEST_CASE("more ranks than shards, and accumulation of shards, are refused") {
  auto net = classifier();
  sgd<float> opt(net, {.learning_rate = 0.05});
  drawn data(43, 20);
  CHECK_THROWS_WITH_AS(fit(net, opt, what, data, {.accumulate = 2, .shards = 3}),
                       "fit: accumulate is 2 and shards 3: batches of 2 times as many images in 6 shards do the same",
                       option_error);
  CHECK_THROWS_WITH_AS(fit(net, opt, what, data, {.shards = 0}), "fit: shards is 0, wanted 1 to 1024", option_error);
  CHECK_THROWS_AS(fit(net, opt, what, data, {.shards = 1025}), option_error);
  const auto errors = threads_as_ranks::run(3, [&](team& me) {
    auto own = classifier();
    sgd<float> of_own(own, {.learning_rate = 0.05});
    drawn d(43, 20);
    fit_options o;
    o.shards = 2, o.ranks = &me;
    fit(own, of_own, what, d, o);
  });
  for (const std::string& e : errors) CHECK(e == "fit: 3 processes and shards 2: wanted at least a shard each");
}
