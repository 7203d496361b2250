// Who is served next.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "turns.hpp"

TEST_CASE("A02 ordinary pictures do not wait behind a row of large ones") {
  constexpr std::int64_t large = 40'000'000, ordinary = 60'000;
  cli::turns two(2, 50'000'000);
  auto first = std::make_unique<cli::turns::turn>(two, large);
  std::atomic<int> done{0};
  std::vector<std::thread> others;
  for (int i = 0; i < 5; ++i)
    others.emplace_back([&] {
      const cli::turns::turn mine(two, large);
      done += 1;
    });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  for (int i = 0; i < 20; ++i) const cli::turns::turn mine(two, ordinary);
  CHECK(done == 0);
  first.reset();
  for (std::thread& t : others) t.join();
  CHECK(done == 5);
  // Seats are free, pixels are not; what is larger than all comes alone.
  cli::turns four(4, 50'000'000);
  auto most = std::make_unique<cli::turns::turn>(four, 90'000'000);
  std::thread next([&] {
    const cli::turns::turn mine(four, 5'000'000);
    done += 1;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(done == 5);
  most.reset();
  next.join();
  CHECK(done == 6);
}

TEST_CASE("A02 on a single seat large and ordinary pictures take turns") {
  cli::turns one(1, 50'000'000);
  auto first = std::make_unique<cli::turns::turn>(one, 1);
  std::mutex mutex;
  std::string order;
  std::vector<std::thread> callers;
  for (const char kind : std::string("LLLooo")) {
    callers.emplace_back([&, kind] {
      const cli::turns::turn mine(one, kind == 'L' ? 40'000'000 : 1);
      const std::lock_guard lock(mutex);
      order += kind;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  first.reset();
  for (std::thread& t : callers) t.join();
  CHECK(order == "LoLoLo");
}

TEST_CASE("A02 pictures to be explained are in turn with ordinary ones, one at a time") {
  cli::turns two(2, 50'000'000);
  auto first = std::make_unique<cli::turns::turn>(two, 40'000'000);
  auto second = std::make_unique<cli::turns::turn>(two, 1);
  std::mutex mutex;
  std::string order;
  std::vector<std::thread> callers;
  for (const char kind : std::string("eeeeooo")) {
    callers.emplace_back([&, kind] {
      const cli::turns::turn mine(two, 1, kind == 'e');
      const std::lock_guard lock(mutex);
      order += kind;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  second.reset();
  for (std::thread& t : callers) t.join();
  CHECK(order == "eoeoeoe");
  auto explained = std::make_unique<cli::turns::turn>(two, 1, true);
  first.reset();
  std::atomic<bool> done{false};
  std::thread next([&] {
    const cli::turns::turn mine(two, 1, true);
    done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK_FALSE(done);
  { const cli::turns::turn ordinary(two, 1); }
  explained.reset();
  next.join();
}
