#pragma once
/// The threads that help a caller. They come to a job when they can and nobody waits for those that have not: a thread that has
/// lost its processor to another program holds up no more than the one task that it is at.
///
/// OpenMP's teams meet at a barrier, which a thread without a processor reaches late, and others spin for it meanwhile.

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif
#if defined(_WIN32)
#include <pthread.h>
#include <condition_variable>
#include <mutex>
#endif

#include "minicnn/core/flush_denormals.hpp"
#include "minicnn/core/function_ref.hpp"

namespace minicnn::inline MINICNN_ABI::detail {

/// Whether this thread is at work for a team. What it calls then runs on it alone: teams are never nested.
inline bool& at_work() {
  static thread_local bool value = false;
  return value;
}

/// Waits a few nanoseconds without asking the system.
inline void pause_briefly() {
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
  asm volatile("isb");
#endif
}

#if defined(_WIN32)
/// An atomic value for whose change one thread waits. MinGW's std::atomic::wait loses wake-ups: libstdc++ 12 notifies without the
/// mutex under which the waiter compares (bits/atomic_wait.h where there is no futex).
template <class V>
class waited_atomic : public std::atomic<V> {
 public:
  using std::atomic<V>::atomic;
  void wait(V old, std::memory_order = std::memory_order_seq_cst) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return this->load() != old; });
  }
  void notify_one() {
    std::lock_guard lock(mutex_);
    changed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};
#else
template <class V>
using waited_atomic = std::atomic<V>;
#endif

/// A caller and its helpers. Used by one thread, the caller.
class thread_team {
 public:
  thread_team() = default;
  ~thread_team() {
    stop_.store(true);
    for (const auto& h : helpers_) wake(*h);
    for (const auto& h : helpers_) h->thread.join();
  }
  thread_team(const thread_team&) = delete;
  thread_team& operator=(const thread_team&) = delete;

  /// Instead of the destructor where the helpers cannot be waited for: they end by themselves, and this object stays for them.
  void dissolve() {
    stop_.store(true);
    for (const auto& h : helpers_) wake(*h), h->thread.detach();
  }

  /// Calls `body(0)` on the caller and, while that runs, `body(i)` at most once on each helper i < `threads`. The body must be
  /// one that the caller completes alone if no helper comes. Rethrows the first exception of any of them.
  void run(int threads, function_ref<void(int)> body) {
    grow(threads);
    job now{body, threads, {}, {}};
    job_ = &now;
    helpers_wanted_.store(threads, std::memory_order_relaxed);
    state_.store(((state_.load(std::memory_order_relaxed) & generation_mask) + generation) | open);
    if (sleepers_.load() > 0)
      for (std::size_t i = 0; i < helpers_.size() && static_cast<int>(i) < threads - 1; ++i) wake(*helpers_[i]);
    now.work(0);
    wait_for_helpers();
    if (now.failed) std::rethrow_exception(now.failure);
  }

 private:
  // The state of the team: whether there is a job to come to, how many helpers are at it, and which job it is.
  static constexpr std::uint32_t open = 1, helper = 2, generation = 4096, generation_mask = ~(generation - 1);

  // Long enough for the next layer to begin, or for the last task to end; then the processor is left to others.
  static constexpr int most_pauses = 1 << 12;

  struct job {
    function_ref<void(int)> body;
    int threads;
    std::atomic<bool> failed;
    std::exception_ptr failure;

    void work(int thread) {
      at_work() = true;
      try {
        body(thread);
      } catch (...) {
        if (!failed.exchange(true)) failure = std::current_exception();
      }
      at_work() = false;
    }
  };

  struct alignas(64) helper_thread {
    waited_atomic<int> asleep{0};
    std::thread thread;
  };

  static void wake(helper_thread& h) {
    if (h.asleep.load() != 0 && h.asleep.exchange(0) != 0) h.asleep.notify_one();
  }

  /// Starts helpers for a team of `threads`. Where the system has no more threads, there are fewer.
  void grow(int threads) {
    while (static_cast<int>(helpers_.size()) + 1 < threads && !exhausted_) {
      auto h = std::make_unique<helper_thread>();
      const int id = static_cast<int>(helpers_.size()) + 1;
      helpers_.reserve(helpers_.size() + 1);
      try {
        h->thread = std::thread([this, id, own = h.get()] { help(id, *own); });
      } catch (const std::system_error&) {
        exhausted_ = true;
        return;
      }
      helpers_.push_back(std::move(h));
    }
  }

  /// Nobody comes to the job any more; those at it finish.
  void wait_for_helpers() {
    std::uint32_t now = state_.fetch_and(~open) & ~open;
    for (int i = 0; (now & ~generation_mask) != 0; now = state_.load(std::memory_order_acquire))
      if (++i < most_pauses)
        pause_briefly();
      else
        state_.wait(now, std::memory_order_acquire);
  }

  void help(int id, helper_thread& own) {
    flush_denormals guard;
    for (std::uint32_t last = 0; next_job(id, own, last);) {
      // Counted among the helpers, so the job stays as it is.
      if (id < job_->threads) job_->work(id);
      if (state_.fetch_sub(helper, std::memory_order_acq_rel) % generation == helper) state_.notify_one();
    }
  }

  /// Waits for a job other than `last` and joins it; false: the team is dissolved.
  bool next_job(int id, helper_thread& own, std::uint32_t& last) {
    bool joined = false, sleepy = false;
    for (int i = 0; !joined && !stop_.load();) {
      std::uint32_t now = state_.load();
      if ((now & open) != 0 && (now & generation_mask) != last && id < helpers_wanted_.load(std::memory_order_relaxed)) {
        last = now & generation_mask;
        joined = state_.compare_exchange_strong(now, now + helper);
        if (!joined) last = generation - 1;  // of no job: look again
      } else if (++i < most_pauses) {
        pause_briefly();
      } else if (!sleepy) {  // says that it will sleep, and looks once more: whoever opens a job looks for sleepers after that
        own.asleep.store(1);
        sleepers_.fetch_add(1);
        sleepy = true;
      } else {
        own.asleep.wait(1);
        sleepers_.fetch_sub(1);
        sleepy = false;
        i = 0;
      }
    }
    if (sleepy) {
      own.asleep.store(0);
      sleepers_.fetch_sub(1);
    }
    return joined;
  }

  alignas(64) waited_atomic<std::uint32_t> state_{0};
  std::atomic<int> helpers_wanted_{0};
  job* job_ = nullptr;
  alignas(64) std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
  bool exhausted_ = false;
  std::vector<std::unique_ptr<helper_thread>> helpers_;
};

/// The process, where processes can fork.
inline long process_id() {
#if __has_include(<unistd.h>)
  return static_cast<long>(::getpid());
#else
  return 0;
#endif
}

/// The team of a calling thread. A forked process has inherited no threads: what it finds is let go, and it begins anew.
class own_team {
 public:
  ~own_team() {
    let_go_of_parents();
#if defined(_WIN32)  // a thread that ends holds a lock of the system's here that its helpers want when they end
    if (team_ != nullptr) team_.release()->dissolve();
#endif
    gone() = true;
  }

  /// null: the thread is ending, and what still runs on it, such as destructors of static objects, runs alone.
  static thread_team* get() {
    if (gone()) return nullptr;
    own_team& own = of_this_thread();
    own.let_go_of_parents();
    if (own.team_ == nullptr) own.team_ = std::make_unique<thread_team>(), own.process_ = process_id();
    return own.team_.get();
  }

 private:
  static own_team& of_this_thread() {
#if defined(_WIN32)  // MinGW frees the memory of thread_local objects before it calls their destructors
    static const pthread_key_t key = [] {
      pthread_key_t made{};
      pthread_key_create(&made, [](void* own) { delete static_cast<own_team*>(own); });
      return made;
    }();
    auto* own = static_cast<own_team*>(pthread_getspecific(key));
    if (own == nullptr) pthread_setspecific(key, own = new own_team);
    return *own;
#else
    static thread_local own_team own;
    return own;
#endif
  }
  static bool& gone() {
    static thread_local bool value = false;
    return value;
  }
  void let_go_of_parents() {
    if (team_ != nullptr && process_ != process_id()) static_cast<void>(team_.release());
  }

  std::unique_ptr<thread_team> team_;
  long process_ = 0;
};

}  // namespace minicnn::inline MINICNN_ABI::detail
