#include "minicnn/core/parallel.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <thread>
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
  std::vector<int> strangers(4, 0);
  parallel_tasks(4, 4, [&](index_t task, int) {
    const std::thread::id caller = std::this_thread::get_id();
    parallel_tasks(4, 100, [&](index_t, int thread) {
      strangers[static_cast<std::size_t>(task)] += thread != 0 || std::this_thread::get_id() != caller;
    });
  });
  CHECK(strangers == std::vector<int>(4, 0));
}

#if defined(_OPENMP)
TEST_CASE("a thread that is kept from running holds up no more than its task, not its share of a range") {
  const std::thread::id caller = std::this_thread::get_id();
  constexpr index_t count = 1600;
  for (int round = 0; round < 20; ++round) {
    std::atomic<index_t> done{0}, held{0};
    std::atomic<bool> late{false};
    parallel_for(2, count, 1, [&](index_t begin, index_t end) {
      // The other thread stays at the first range that it takes until all else is done.
      if (std::this_thread::get_id() != caller && held.exchange(end - begin) == 0) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (done + (end - begin) < count && !late) late = std::chrono::steady_clock::now() > deadline;
      }
      done += end - begin;
    });
    CHECK(!late);
    CHECK(done == count);
    CHECK(held <= count / 8);
  }
}

TEST_CASE("teams of changing size, helpers that sleep between jobs, and callers that come and go") {
  const auto sums = [](int threads) {
    std::atomic<index_t> sum{0};
    parallel_tasks(threads, 50, [&](index_t task, int thread) {
      if (thread < threads) sum += task;
    });
    return sum.load();
  };
  for (const int threads : {2, 5, 3, 17, 2}) {
    for (int i = 0; i < 200; ++i) CHECK(sums(threads) == 1225);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // long enough to fall asleep
    CHECK(sums(threads) == 1225);
  }
  std::vector<std::thread> callers;
  std::atomic<int> wrong{0};
  for (int c = 0; c < 6; ++c)
    callers.emplace_back([&, c] {
      for (int i = 0; i < 300; ++i) wrong += sums(1 + (c + i) % 4) != 1225;
    });
  for (std::thread& t : callers) t.join();
  CHECK(wrong == 0);
}

TEST_CASE("helpers do come: with enough to do, every thread of a team gets something") {
  std::vector<std::atomic<int>> tasks(3);
  parallel_tasks(3, 3, [&](index_t, int thread) {
    ++tasks[static_cast<std::size_t>(thread)];
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (tasks[0] + tasks[1] + tasks[2] < 3 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  });
  for (const auto& t : tasks) CHECK(t == 1);
}
#endif

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
