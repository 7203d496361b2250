#pragma once
/// Threads: OpenMP where the compiler has it on, serial otherwise. The library never nests parallel regions.

#include <atomic>
#include <cstdint>
#include <exception>

#if defined(_OPENMP)
#include <omp.h>
#endif
#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

#include "minicnn/core/function_ref.hpp"
#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Flushes denormal results and inputs to zero on this thread while it lives, then restores the caller's setting.
/// Denormal operands slow x86 arithmetic by a factor of 100; Adam's decaying moments produce them by themselves.
class flush_denormals {
 public:
  flush_denormals() {
#if defined(__x86_64__) && defined(__GNUC__)
    saved_ = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(saved_ | 0x8040U);  // FTZ | DAZ
#elif defined(__aarch64__) && defined(__GNUC__)
    std::uint64_t fpcr = 0;
    asm volatile("mrs %0, fpcr" : "=r"(fpcr));
    saved_ = fpcr;
    fpcr |= std::uint64_t{1} << 24;  // FZ
    asm volatile("msr fpcr, %0" : : "r"(fpcr));
#endif
  }
  ~flush_denormals() {
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_ia32_ldmxcsr(saved_);
#elif defined(__aarch64__) && defined(__GNUC__)
    asm volatile("msr fpcr, %0" : : "r"(saved_));
#endif
  }
  flush_denormals(const flush_denormals&) = delete;
  flush_denormals& operator=(const flush_denormals&) = delete;

 private:
#if defined(__aarch64__)
  std::uint64_t saved_ = 0;
#else
  unsigned saved_ = 0;
#endif
};

/// Most threads that one call uses.
inline constexpr int max_threads = 1024;

/// Threads used by default: OMP_NUM_THREADS or the number of processors; 1 without OpenMP.
inline int default_threads() {
#if defined(_OPENMP)
  return omp_get_max_threads() < max_threads ? omp_get_max_threads() : max_threads;
#else
  return 1;
#endif
}

/// Team size of the option `threads`: 0 means `default_threads()`; above `max_threads` or negative throws option_error.
inline int resolve_threads(int threads) {
  if (threads < 0 || threads > max_threads) fail<option_error>("threads: ", threads, " is outside 0 (all) to ", max_threads);
#if defined(_OPENMP)
  return threads == 0 ? default_threads() : threads;
#else
  return 1;
#endif
}

namespace detail {

inline bool inside_parallel_region() {
#if defined(_OPENMP)
  return omp_in_parallel() != 0;
#else
  return false;
#endif
}

/// False in a process forked from one that has had a team: threads do not come along, and g++'s OpenMP would wait for them for
/// ever (clang's begins anew). Such a process computes on one thread, with the same results.
inline bool may_have_team() {
#if defined(__GNUC__) && !defined(__clang__) && __has_include(<unistd.h>)
  static std::atomic<pid_t> first{0};  // the process that had the first team
  const pid_t here = ::getpid();
  pid_t before = first.load(std::memory_order_relaxed);
  return before == here || (before == 0 && first.compare_exchange_strong(before, here)) || before == here;
#else
  return true;
#endif
}

/// Runs `body(thread, thread_count)` on every thread of a team; the first exception is rethrown on the caller.
/// A team has either 1 or exactly `threads` members: changing the team's size makes OpenMP destroy and create threads.
inline void run_team([[maybe_unused]] int threads, function_ref<void(int, int)> body) {
#if defined(_OPENMP)
  if (threads > 1 && !inside_parallel_region() && may_have_team()) {
    std::exception_ptr failure;
    std::atomic<bool> failed{false};
#pragma omp parallel num_threads(threads)
    {
      try {
        flush_denormals guard;
        body(omp_get_thread_num(), omp_get_num_threads());
      } catch (...) {
        if (!failed.exchange(true)) failure = std::current_exception();
      }
    }
    if (failure) std::rethrow_exception(failure);
    return;
  }
#endif
  flush_denormals guard;
  body(0, 1);
}

}  // namespace detail

/// Splits [0, count) into one contiguous range per thread and calls `body(begin, end)` on each; runs on the caller alone
/// when `count <= grain` (starting a team costs a few microseconds). Results must not depend on where ranges are cut.
inline void parallel_for(int threads, index_t count, index_t grain, function_ref<void(index_t, index_t)> body) {
  if (count <= 0) return;
  detail::run_team(count <= grain ? 1 : threads, [&](int thread, int team) MINICNN_INLINE_LAMBDA {
    const index_t begin = count * thread / team;
    const index_t end = count * (thread + 1) / team;
    if (begin < end) body(begin, end);
  });
}

/// Calls `body(task, thread)` once for every task in [0, count). Each thread begins with its share of the tasks in order, and
/// helps the others when it is done, so uneven tasks balance. Shares are the same from call to call: what a thread wrote, of the
/// first images of a batch say, it mostly reads again, from its own cache, which matters where threads share none (cores of
/// different chiplets or sockets). `thread` (below `threads`) selects per-thread scratch. Results must not depend on which thread
/// runs a task.
inline void parallel_tasks(int threads, index_t count, function_ref<void(index_t, int)> body) {
  if (count <= 0) return;
  struct alignas(64) share {  // a line each
    std::atomic<index_t> next;
    index_t end;
  };
  constexpr int most_shares = 64;
  const int shares = threads < most_shares ? threads : most_shares;
  share all[most_shares];
  for (int s = 0; s < shares; ++s) {
    all[s].next.store(count * s / shares, std::memory_order_relaxed);
    all[s].end = count * (s + 1) / shares;
  }
  detail::run_team(count == 1 ? 1 : threads, [&](int thread, int) MINICNN_INLINE_LAMBDA {
    for (int s = 0; s < shares; ++s) {
      share& from = all[(thread + s) % shares];
      for (index_t task = from.next.fetch_add(1, std::memory_order_relaxed); task < from.end;
           task = from.next.fetch_add(1, std::memory_order_relaxed))
        body(task, thread);
    }
  });
}

/// Pieces a sum of `count` elements is cut into; depends on the count alone, so a sum of the pieces' sums in order has
/// the same bits for any number of threads.
inline index_t reduction_chunks(index_t count, index_t chunk) { return (count + chunk - 1) / chunk; }

}  // namespace minicnn::inline MINICNN_ABI
