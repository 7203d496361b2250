#pragma once
/// A thread that exchanges gradients while backward still computes those of earlier layers.

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "minicnn/train/shard_sum.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Between `begin` and `finish` the thread alone speaks to the other processes. Sums have the bits that they have without it.
template <class T>
class exchange_thread {
 public:
  /// `sum` must outlive it, and be used by nobody else between `begin` and `finish`.
  MINICNN_COLD explicit exchange_thread(shard_sum<T>& sum) : sum_(sum), thread_([this] { work(); }) {}
  ~exchange_thread() {
    {
      const std::lock_guard lock(mutex_);
      leaves_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  exchange_thread(const exchange_thread&) = delete;
  exchange_thread& operator=(const exchange_thread&) = delete;

  /// The sum is to be in `arena`, where backward is about to write the last shard's gradients.
  void begin(T* arena) {
    const std::lock_guard lock(mutex_);
    arena_ = arena, next_ = 0, final_from_ = sum_.elements();
  }

  /// Gradients from this element on are written.
  void written_from(index_t element) {
    {
      const std::lock_guard lock(mutex_);
      final_from_ = element;
      if (next_ == sum_.buckets() || sum_.bucket_begin(next_) < element) return;
    }
    changed_.notify_one();
  }

  /// Waits until all have the sum. Throws what the exchange threw.
  void finish() {
    written_from(0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return next_ == sum_.buckets(); });
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  bool has_work() const { return arena_ != nullptr && next_ < sum_.buckets() && sum_.bucket_begin(next_) >= final_from_; }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return leaves_ || has_work(); });
      if (leaves_) return;
      const index_t bucket = next_;
      lock.unlock();
      std::exception_ptr failure;
      try {
        sum_.finish(bucket, arena_, 1);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      next_ = failure ? sum_.buckets() : bucket + 1;
      failure_ = failure;
      if (next_ == sum_.buckets()) arena_ = nullptr, done_.notify_one();
    }
  }

  shard_sum<T>& sum_;
  std::mutex mutex_;
  std::condition_variable changed_, done_;
  T* arena_ = nullptr;
  index_t next_ = 0, final_from_ = 0;
  bool leaves_ = false;
  std::exception_ptr failure_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace minicnn::inline MINICNN_ABI
