/// How far apart two processors are: nanoseconds that a cache line takes from one to the other and back. On a virtual machine the
/// answer may change by the minute (docs/benchmarks.md): cores of one chiplet share a last-level cache, others do not, and then
/// everything that threads hand to each other costs as much as reading memory.
///
///   bench_cores            processors 0 and 1, medians of seven

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

namespace {

std::atomic<int> turn{0};

bool stay_on(int processor) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
}

/// Answers every second number, from `first` on.
void answer(int processor, int first, int rounds, std::atomic<bool>& placed) {
  if (!stay_on(processor)) placed = false;
  for (int i = 0; i < rounds; ++i) {
    while (turn.load(std::memory_order_acquire) != 2 * i + first) {
    }
    turn.store(2 * i + first + 1, std::memory_order_release);
  }
}

}  // namespace

int main() {
  if (std::thread::hardware_concurrency() < 2) {
    std::fprintf(stderr, "bench_cores: one processor alone\n");
    return 1;
  }
  constexpr int rounds = 30000, repetitions = 7;
  std::atomic<bool> placed{true};
  double times[repetitions];
  for (double& time : times) {
    turn = 0;
    const auto begin = std::chrono::steady_clock::now();
    std::thread one([&] { answer(0, 0, rounds, placed); }), other([&] { answer(1, 1, rounds, placed); });
    one.join(), other.join();
    time = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count() / rounds;
  }
  if (!placed) {
    std::fprintf(stderr, "bench_cores: processors 0 and 1 are not both free to this process\n");
    return 1;
  }
  std::sort(times, times + repetitions);
  std::printf("processors 0 and 1: %.0f ns there and back\n", times[repetitions / 2]);
}
