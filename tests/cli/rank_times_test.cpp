// Which rank of a training is said to be slow.
#include "rank_times.hpp"

#include <doctest/doctest.h>

#include <minicnn/train/team.hpp>

#include "train/team_of_threads.hpp"

TEST_CASE("a rank that computes over 1.25 times as long as the median is named") {
  using cli::slow_rank;
  CHECK(slow_rank({}).empty());
  CHECK(slow_rank({{"a", 1, 0.2, 0}}).empty());
  CHECK(slow_rank({{"a", 1, 0.125, 0}, {"b", 1, 0.1, 0.025}}).empty());
  CHECK(slow_rank({{"a", 1, 0.1, 0.1}, {"b", 1, 0.2, 0}}) ==
        "b is slow: it computes 0.200 s a step, where 0.100 s is the median of all ranks, and the others wait for it");
  CHECK(slow_rank({{"a", 1, 0.3, 0}, {"b", 1, 0.2, 0.1}, {"c", 1, 0.25, 0.05}, {"d", 1, 0.3, 0}}).empty());
  // The median is that of the middle: one fast rank makes no other slow.
  CHECK(slow_rank({{"a", 1, 0.2, 0}, {"b", 1, 0.01, 0.2}, {"c", 1, 0.2, 0}}).empty());
  CHECK(slow_rank({{"a", 1, 0.1, 0.2}, {"b", 2, 0.3, 0}, {"c", 1, 0.2, 0.1}}) ==
        "b is slow: it computes 0.300 s a step, where 0.200 s is the median of all ranks, and the others wait for it; it has 2 "
        "shards, others 1");
}

TEST_CASE("means over steps, and each rank's shards") {
  threads_as_ranks::run(2, [](minicnn::team& me) {
    CHECK(cli::rank_steps(me, 3, {}).empty());
    CHECK(cli::rank_steps(me, 3, {{}, {}}).empty());
    const auto steps = cli::rank_steps(me, 3, {{4, 2.0, 0.5}, {4, 1.0, 1.5}});
    REQUIRE(steps.size() == 2);
    CHECK((steps[0].shards + steps[1].shards == 3 && steps[0].computing == 0.5 && steps[1].waiting == 0.375));
    CHECK(steps[1].name == "rank 1");
    const std::string n = steps[0].shards == 2 ? "2 shards" : "1 shard";
    CHECK(cli::text_of_step(steps[0]) == "computes 0.500 s a step for " + n + ", waits 0.125 s");
  });
}
