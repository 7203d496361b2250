#pragma once
// A team whose ranks are threads of the test: what MPI does between processes, done by copying.

#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "minicnn/train/team.hpp"

namespace threads_as_ranks {

using minicnn::index_t;
using minicnn::team;

/// Where the ranks meet. A rank that has gone, because it threw, is an error for those that wait for it.
class meeting {
 public:
  explicit meeting(index_t count) : size(count), data(static_cast<std::size_t>(count)) {}

  void meet() {
    std::unique_lock lock(mutex_);
    const long round = round_;
    if (++waiting_ == size)
      waiting_ = 0, ++round_, met_.notify_all();
    else
      met_.wait(lock, [&] { return round_ != round || gone_; });
    if (gone_ && round_ == round) throw minicnn::error("another rank has gone");
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    gone_ = true;
    met_.notify_all();
  }

  index_t size;
  std::vector<const char*> data;

 private:
  std::mutex mutex_;
  std::condition_variable met_;
  index_t waiting_ = 0;
  long round_ = 0;
  bool gone_ = false;
};

class member final : public team {
 public:
  member(meeting& all, index_t rank) : all_(all), rank_(rank) {}
  index_t rank() const override { return rank_; }
  index_t size() const override { return all_.size; }
  std::string one_thread_only() const override { return one_thread; }

  void gather(const void* mine, void* all, index_t bytes) override {
    show(mine);
    for (index_t r = 0; r < size(); ++r) copy(static_cast<char*>(all) + r * bytes, shown(r), bytes);
    all_.meet();
  }
  void broadcast(void* data, index_t bytes, index_t root) override {
    show(data);
    if (rank_ != root) copy(data, shown(root), bytes);
    all_.meet();
  }
  void scatter(const void* data, std::span<const index_t> cut, std::span<const char> sends, void* pieces) override {
    show(data);
    const index_t begin = at(cut, rank_), length = at(cut, rank_ + 1) - begin;
    for (index_t r = 0; r < size(); ++r)
      if (sends[static_cast<std::size_t>(r)] != 0) {
        copy(static_cast<char*>(pieces) + r * length, shown(r) + begin, length);
        bytes_ += r != rank_ ? length : 0;
      }
    all_.meet();
  }
  void collect(void* data, std::span<const index_t> cut) override {
    show(data);
    for (index_t r = 0; r < size(); ++r)
      if (r != rank_) {
        copy(static_cast<char*>(data) + at(cut, r), shown(r) + at(cut, r), at(cut, r + 1) - at(cut, r));
        bytes_ += at(cut, r + 1) - at(cut, r);
      }
    all_.meet();
  }
  std::string one_thread;
  /// What scatter and collect have brought from other ranks.
  index_t bytes() const { return bytes_; }
  [[noreturn]] void end_all(const std::string& why) override {
    all_.leave();
    throw minicnn::error(why);
  }

 private:
  static index_t at(std::span<const index_t> cut, index_t r) { return cut[static_cast<std::size_t>(r)] * line_bytes; }
  static void copy(void* to, const char* from, index_t bytes) {
    if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
  }
  void show(const void* mine) {
    all_.data[static_cast<std::size_t>(rank_)] = static_cast<const char*>(mine);
    all_.meet();
  }
  const char* shown(index_t r) const { return all_.data[static_cast<std::size_t>(r)]; }

  meeting& all_;
  index_t rank_, bytes_ = 0;
};

/// Calls `work(rank's member)` on `size` threads; returns what each threw, empty where nothing.
template <class F>
std::vector<std::string> run(index_t size, const F& work) {
  meeting all(size);
  std::vector<std::string> errors(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (index_t r = 0; r < size; ++r)
    threads.emplace_back([&, r] {
      member me(all, r);
      try {
        work(me);
      } catch (const std::exception& e) {
        errors[static_cast<std::size_t>(r)] = e.what();
        all.leave();
      }
    });
  for (std::thread& t : threads) t.join();
  return errors;
}

}  // namespace threads_as_ranks
