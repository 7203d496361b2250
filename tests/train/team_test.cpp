// Several ranks, which are threads here: what one of them meets is met by all.
#include "minicnn/train/team.hpp"

#include <doctest/doctest.h>

#include "failing_backward.hpp"
#include "minicnn/train/sgd.hpp"
#include "minicnn/train/trainer.hpp"
#include "sharded_data.hpp"
#include "team_of_threads.hpp"

using namespace minicnn;
using namespace sharded_data;

TEST_CASE("what ranks say: any_rank, gather_bytes, together, want_same") {
  const auto errors = threads_as_ranks::run(3, [](team& me) {
    CHECK(any_rank(me, me.rank() == 2));
    CHECK_FALSE(any_rank(me, false));
    const std::vector<std::string> all = gather_bytes(me, std::string(static_cast<std::size_t>(40 * me.rank()), 'x'));
    CHECK(all[0].empty());
    CHECK(all[1].size() == 40);
    CHECK(all[2] == std::string(80, 'x'));
    double number = me.rank() == 1 ? 2.5 : 0;
    me.broadcast(&number, sizeof number, 1);
    CHECK(number == 2.5);
    CHECK_THROWS_WITH_AS(together(me,
                                  [&] {
                                    if (me.rank() == 1) fail<file_error>("a.jpg: gone");
                                  }),
                         "rank 1: a.jpg: gone", team_failure);
    // An error that all have is none of one rank.
    CHECK_THROWS_WITH_AS(together(me, [&] { fail<file_error>("a.jpg: gone"); }), "a.jpg: gone", team_failure);
    // One that fails before the others exchange something within is met there.
    CHECK_THROWS_WITH_AS(together(me,
                                  [&] {
                                    if (me.rank() == 2) fail<file_error>("b.jpg: gone");
                                    together(me, [] {});
                                    gather_bytes(me, "x");
                                  }),
                         "rank 2: b.jpg: gone", team_failure);
    CHECK_THROWS_WITH_AS(together(me,
                                  [&] {
                                    together(me, [&] {
                                      if (me.rank() == 0) fail<file_error>("c.jpg: gone");
                                    });
                                  }),
                         "rank 0: c.jpg: gone", team_failure);
    want_same(me, "the seed", "3");
    CHECK_THROWS_WITH_AS(want_same(me, "the seed", to_text(me.rank() / 2)),
                         "the seed is not the same on all ranks: rank 0: 0, rank 1: 0, rank 2: 1", team_failure);
  });
  for (const std::string& e : errors) CHECK(e == "");
}

TEST_CASE("what one rank's data throws ends all of them, with its name") {
  std::vector<training_state> states(3);
  std::vector<std::vector<float>> statistics(4);
  const auto keep = [&](network<float>& net, std::size_t place) {
    const view<float> buffers = net.buffer_arena();
    statistics[place].assign(buffers.begin(), buffers.end());
  };
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
    keep(net, static_cast<std::size_t>(me.rank()));
  });
  // Running statistics too are those of the last step.
  auto net = classifier();
  sgd<float> opt(net, {.learning_rate = 0.05});
  drawn data(43, 20);
  stop_after stop(1);
  fit(net, opt, what, data, {.shards = 4, .callbacks = {&stop}});
  keep(net, 3);
  CHECK_FALSE(statistics[3].empty());
  for (std::size_t r = 0; r < 3; ++r) CHECK(statistics[r] == statistics[3]);
  for (const std::string& e : errors) CHECK(e == "");
  for (const training_state& s : states) {
    CHECK(s.step == 1);
    CHECK(s.batch == 1);
    CHECK(s.seen == 20);
  }
}

TEST_CASE("a backward that throws on one rank ends all: they wait for its gradients") {
  for (const bool overlap : {false, true}) {
    const auto errors = threads_as_ranks::run(3, [&](team& me) {
      graph<float> g;
      node<float> x = conv2d(g.input({2, side, side}), {.filters = 5, .kernel = 3, .padding = 1});
      if (me.rank() == 1) x = g.add(std::make_shared<failing_backward>(1), {x}, "broken", "broken");
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

TEST_CASE("overlap is refused where one thread alone may exchange, with what is wanted") {
  for (const bool overlap : {false, true}) {
    const auto errors = threads_as_ranks::run(2, [&](threads_as_ranks::member& me) {
      me.one_thread = "wanted threads, got one";
      auto net = classifier();
      sgd<float> opt(net, {.learning_rate = 0.05});
      drawn data(43, 20);
      fit_options o;
      o.epochs = 1, o.shards = 2, o.ranks = &me, o.overlap = overlap;
      fit(net, opt, what, data, o);
    });
    for (const std::string& e : errors) CHECK(e == (overlap ? "overlap: wanted threads, got one" : ""));
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
    CHECK(e.starts_with("the hash of the weights after epoch 0 and 3 batches is not the same on all ranks: rank 0: "));
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
