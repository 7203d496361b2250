#pragma once
/// Threads, where the compiler has OpenMP on; serial otherwise. OpenMP says how many; the threads are a team of our own
/// (thread_team.hpp). The library never nests parallel regions.

#include <algorithm>
#include <atomic>
#include <cstdlib>

#if defined(_OPENMP)
#include <omp.h>

#include "minicnn/core/processors.hpp"
#include "minicnn/core/thread_team.hpp"
#endif

#include "minicnn/core/error.hpp"
#include "minicnn/core/flush_denormals.hpp"
#include "minicnn/core/function_ref.hpp"
#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Most threads that one call uses.
inline constexpr int max_threads = 1024;

/// Threads used by default: OMP_NUM_THREADS; else the processors that this process may use, by its affinity mask, but no more
/// than a cgroup's quota lets it keep busy (`processors_by_quota`). 1 without OpenMP.
inline int default_threads() {
#if defined(_OPENMP)
  int count = omp_get_max_threads();
  if (std::getenv("OMP_NUM_THREADS") == nullptr) {
    count = (std::min)(count, omp_get_num_procs());
    if (const int quota = processors_by_quota(); quota > 0) count = (std::min)(count, quota);
  }
  return (std::min)(count, max_threads);
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

/// Calls `body(thread)` on the caller as thread 0 and, where they come while that runs, on further threads below `threads`:
/// the caller completes the work alone if none does. The first exception is rethrown on the caller. Within a parallel region,
/// ours or OpenMP's, the caller is alone.
inline void run_team([[maybe_unused]] int threads, function_ref<void(int)> body) {
#if defined(_OPENMP)
  if (threads > 1 && !at_work() && omp_in_parallel() == 0)
    if (thread_team* const team = own_team::get(); team != nullptr) {
      flush_denormals guard;
      team->run(threads, body);
      return;
    }
#endif
  flush_denormals guard;
  body(0);
}

}  // namespace detail

/// Calls `body(task, thread)` once for every task in [0, count). Each thread begins with its share of the tasks in order, and
/// helps the others when it is done, so uneven tasks balance and a thread that another program keeps from running is not waited
/// for, but at the task that it is at. Shares are the same from call to call: what a thread wrote, of the first images of a
/// batch say, it mostly reads again, from its own cache, which matters where threads share none (cores of different chiplets or
/// sockets). `thread` (below `threads`) selects per-thread scratch. Results must not depend on which thread runs a task.
inline void parallel_tasks(int threads, index_t count, function_ref<void(index_t, int)> body) {
  if (count <= 0) return;
  struct alignas(64) share {  // a line each
    std::atomic<index_t> next;
    index_t end;
  };
  constexpr int most_shares = 64;
  if (count < threads) threads = static_cast<int>(count);
  const int shares = threads < most_shares ? threads : most_shares;
  share all[most_shares];
  for (int s = 0; s < shares; ++s) {
    all[s].next.store(count * s / shares, std::memory_order_relaxed);
    all[s].end = count * (s + 1) / shares;
  }
  detail::run_team(threads, [&](int thread) MINICNN_INLINE_LAMBDA {
    for (int s = 0; s < shares; ++s) {
      share& from = all[(thread + s) % shares];
      for (index_t task = from.next.fetch_add(1, std::memory_order_relaxed); task < from.end;
           task = from.next.fetch_add(1, std::memory_order_relaxed))
        body(task, thread);
    }
  });
}

/// Splits [0, count) into contiguous ranges and calls `body(begin, end)` on each; runs on the caller alone when `count <= grain`
/// (a thread costs a microsecond or more), and cuts nothing shorter than about `grain`. Results must not depend on where ranges
/// are cut.
inline void parallel_for(int threads, index_t count, index_t grain, function_ref<void(index_t, index_t)> body) {
  if (count <= 0) return;
  constexpr index_t pieces_a_thread = 4;  // for those that come late, or are kept from running
  const index_t least = (std::max)(grain, index_t{1}), most = (count + least - 1) / least;
  const index_t pieces = threads == 1 ? 1 : (std::min)(most, pieces_a_thread * threads);
  parallel_tasks(threads, pieces, [&](index_t piece, int) MINICNN_INLINE_LAMBDA {
    const index_t begin = count * piece / pieces, end = count * (piece + 1) / pieces;
    if (begin < end) body(begin, end);
  });
}

/// Pieces a sum of `count` elements is cut into; depends on the count alone, so a sum of the pieces' sums in order has
/// the same bits for any number of threads.
inline index_t reduction_chunks(index_t count, index_t chunk) { return (count + chunk - 1) / chunk; }

}  // namespace minicnn::inline MINICNN_ABI
