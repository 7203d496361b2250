// Training by shards: the same bits for any number of ranks, which are threads here.
#include <doctest/doctest.h>

#include <chrono>
#include <limits>
#include <memory>
#include <thread>

#include "minicnn/resnet.hpp"
#include "minicnn/train/adam.hpp"
#include "minicnn/train/callbacks.hpp"
#include "minicnn/train/ema.hpp"
#include "sharded_data.hpp"
#include "team_of_threads.hpp"

using namespace minicnn;
using namespace sharded_data;

namespace {

/// Everything that a run leaves, as bytes.
struct result {
  std::vector<float> values;
  std::vector<double> figures;
  bool operator==(const result& o) const {
    return values.size() == o.values.size() && figures == o.figures &&
           std::memcmp(values.data(), o.values.data(), sizeof(float) * values.size()) == 0;
  }
};

const resnet_options small_resnet{.classes = 3, .channels = 2, .image_size = side, .width = 4, .small_stem = true};

struct settings {
  index_t images = 43, batch_size = 20, shards = 8;
  bool adam = false, residual = false;
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
      auto net = s.residual ? resnet(small_resnet) : classifier();
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
      o.epochs = 7, o.shards = s.shards, o.ranks = me, o.clip_norm = 1, o.callbacks = {&average, &stop};
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
    for (const index_t images : {41, 42, 43, 56}) {  // last batches of 1, 2, 3 and 16 images
      settings s;
      s.adam = adam, s.images = images;
      const result one = alone(s);
      for (const index_t ranks : {1, 2, 3, 4, 5, 8}) {
        CAPTURE(adam);
        CAPTURE(images);
        CAPTURE(ranks);
        CHECK(train(s, {ranks}) == one);
      }
      s.threads = 2;
      CHECK(train(s, {3}) == one);
    }
}

TEST_CASE("a residual network has the same bits on 1 to 8 ranks") {
  for (const bool adam : {false, true}) {
    settings s;
    s.adam = adam, s.residual = true;
    const result one = alone(s);
    for (const index_t ranks : {1, 2, 3, 4, 5, 8}) CHECK(train(s, {ranks}) == one);
  }
}

TEST_CASE("a last batch of any size up to two images for each shard: the same bits") {
  const index_t ranks[] = {2, 3, 4, 5, 8};
  for (index_t last = 1; last <= 16; ++last) {
    settings s;
    s.images = 40 + last, s.adam = last % 4 < 2, s.residual = last % 6 == 2;
    CAPTURE(last);
    CHECK(train(s, {ranks[last % 5]}) == alone(s));
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

namespace {

/// Data whose batches come late on one rank.
class late_on final : public drawn {
 public:
  late_on(bool late) : drawn(48, 12), late_(late) {}
  const batch<float>* next() {
    if (late_) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return drawn::next();
  }

 private:
  bool late_;
};

}  // namespace

TEST_CASE("every rank knows what batches have taken each") {
  std::vector<std::vector<rank_time>> told(3);
  const auto errors = threads_as_ranks::run(3, [&](team& me) {
    auto net = classifier();
    sgd<float> opt(net, {.learning_rate = 0.05});
    late_on data(me.rank() == 1);
    fit_options o;
    o.epochs = 2, o.shards = 3, o.ranks = &me, o.overlap = true;
    trainer<float> loop(net, opt, what, data, o);
    loop.run();
    told[static_cast<std::size_t>(me.rank())] = loop.rank_times();
  });
  for (const std::string& e : errors) CHECK(e == "");
  for (const auto& times : told) {
    REQUIRE(times.size() == 3);
    for (std::size_t r = 0; r < 3; ++r) {
      CHECK(times[r].batches == 7);  // of 8, as what the last one took is told with the next
      CHECK((times[r].computing == told[0][r].computing && times[r].waiting == told[0][r].waiting));
      CHECK((times[r].computing > 0 && times[r].waiting > 0));
    }
    CHECK(times[1].computing >= 7 * 0.005);
  }
  auto net = classifier();
  sgd<float> opt(net, {.learning_rate = 0.05});
  drawn data(48, 12);
  trainer<float> whole(net, opt, what, data, {.epochs = 1});
  whole.run();
  CHECK(whole.rank_times().empty());
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
