#include "minicnn/core/parallel.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

using namespace minicnn;

TEST_CASE("every index is visited once, for any number of threads (F56)") {
  for (const int threads : {1, 2, 3, 33}) {
    for (const index_t count : {0, 1, 2, 7, 1000}) {
      std::vector<int> range_hits(static_cast<std::size_t>(count), 0), task_hits(static_cast<std::size_t>(count), 0);
      parallel_for(threads, count, 1, [&](index_t begin, index_t end) {
        for (index_t i = begin; i < end; ++i) range_hits[static_cast<std::size_t>(i)] += 1;
      });
      parallel_tasks(threads, count, [&](index_t task, int thread) {
        if (thread >= 0 && thread < threads) task_hits[static_cast<std::size_t>(task)] += 1;
      });
      CHECK(range_hits == std::vector<int>(static_cast<std::size_t>(count), 1));
      CHECK(task_hits == std::vector<int>(static_cast<std::size_t>(count), 1));
    }
  }
}

TEST_CASE("thread counts are resolved or refused (F56)") {
  CHECK(resolve_threads(0) >= 1);
#if defined(_OPENMP)
  CHECK(resolve_threads(1000) == 1000);
#endif
  CHECK(resolve_threads(1) == 1);
  CHECK_THROWS_AS(resolve_threads(-1), option_error);
  CHECK_THROWS_AS(resolve_threads(1025), option_error);
}

TEST_CASE("an exception on any thread reaches the caller") {
  CHECK_THROWS_WITH_AS(parallel_tasks(3, 100,
                                      [](index_t task, int) {
                                        if (task == 57) fail("task ", task);
                                      }),
                       "task 57", error);
}

TEST_CASE("inside a parallel region everything runs on the caller (F58)") {
  std::vector<int> teams(4, 0);
  parallel_for(4, 4, 0, [&](index_t begin, index_t end) {
    for (index_t i = begin; i < end; ++i) detail::run_team(4, [&](int, int team) { teams[static_cast<std::size_t>(i)] = team; });
  });
  CHECK(teams == std::vector<int>(4, 1));
}

TEST_CASE("denormals are flushed on every worker and restored for the caller (F63)") {
  volatile float tiny = (std::numeric_limits<float>::min)();
  const auto halve = [&] { return tiny * 0.5f; };
  REQUIRE(halve() > 0);
#if defined(__x86_64__) || defined(__aarch64__)
  std::vector<float> results(8, 1.0f);
  parallel_for(4, 8, 0, [&](index_t begin, index_t end) {
    for (index_t i = begin; i < end; ++i) results[static_cast<std::size_t>(i)] = halve();
  });
  CHECK(results == std::vector<float>(8, 0.0f));
#endif
  CHECK(halve() > 0);
}
