#pragma once
/// Processes that MPI has started (`mpirun`, `srun`), as a team that trains together. The only header that includes mpi.h: link
/// minicnn::mpi (CMake), or compile with mpicxx.
///
///     mpi_team ranks;                              // MPI_Init; MPI_Finalize at its end
///     fit_options o{.shards = 16, .ranks = &ranks};
///     fit(net, optimizer, task, train, o);         // the same weights on every rank, for any number of ranks up to 16
///     if (ranks.rank() == 0) save_weights(net, "weights.safetensors");

#define OMPI_SKIP_MPICXX 1  // C++ bindings of old, which MPI itself has dropped
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "minicnn/train/team.hpp"

namespace minicnn::inline MINICNN_ABI {

struct mpi_options {
  /// Seconds that a rank waits for others before it tells, and before it ends all of them with exit code 75; before the first
  /// step of a training it ends them after `start_factor` times as long.
  double warn_after = 60, stall_limit = 600, start_factor = 10;
  /// Gets what is to be told, without a line's end; empty: nobody.
  std::function<void(const std::string&)> tell = {};
};

/// Initialises MPI unless that has been done, and finalises it then. Destroyed by an exception it ends all processes, since the
/// others may wait for this one: catch errors inside its life where all ranks have them (team_failure). One of a process; its
/// functions are called by one thread at a time, for which MPI_THREAD_SERIALIZED is enough.
class mpi_team final : public team {
 public:
  explicit mpi_team(mpi_options o = {}) : options_(std::move(o)), exceptions_(std::uncaught_exceptions()) {
    int done = 0, level = 0;
    MPI_Initialized(&done);
    if (done == 0) MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &level), owner_ = true;
    MPI_Comm_dup(MPI_COMM_WORLD, &all_);
    MPI_Comm_rank(all_, &rank_);
    MPI_Comm_size(all_, &size_);
    MPI_Type_contiguous(static_cast<int>(line_bytes), MPI_BYTE, &line_);
    MPI_Type_commit(&line_);
    for (std::vector<int>* v : {&send_counts_, &send_begins_, &counts_, &begins_}) v->resize(static_cast<std::size_t>(size_));
    requests_.resize(counts_.size(), MPI_REQUEST_NULL), heard_.resize(counts_.size());
    find_hosts();
  }
  ~mpi_team() override {
    if (std::uncaught_exceptions() > exceptions_) MPI_Abort(MPI_COMM_WORLD, 1);
    MPI_Type_free(&line_);
    MPI_Comm_free(&all_);
    if (owner_) MPI_Finalize();
  }

  index_t rank() const override { return rank_; }
  index_t size() const override { return size_; }
  std::string name(index_t rank) const override {
    return text_of("rank ", rank, " (host ", hosts_[static_cast<std::size_t>(rank)], ")");
  }
  std::string one_thread_only() const override {
    int level = 0;
    MPI_Query_thread(&level);
    return level >= MPI_THREAD_SERIALIZED ? ""
                                          : text_of("wanted MPI_THREAD_SERIALIZED of MPI, got MPI_THREAD_",
                                                    level == MPI_THREAD_FUNNELED ? "FUNNELED" : "SINGLE");
  }
  /// Ranks that share this one's memory, itself included.
  index_t local_size() const { return local_size_; }

  /// By way of rank 0, which so knows whom it waits for.
  void gather(const void* mine, void* all, index_t bytes) override {
    const int count = static_cast<int>(bytes);
    char* const to = static_cast<char*>(all);
    std::memcpy(to + rank_ * bytes, mine, static_cast<std::size_t>(bytes));
    if (size_ == 1) return;
    if (rank_ == 0) {
      for (int r = 1; r < size_; ++r)
        MPI_Irecv(to + r * bytes, count, MPI_BYTE, r, tag, all_, &requests_[static_cast<std::size_t>(r)]);
      wait(requests_);
    } else {
      MPI_Isend(mine, count, MPI_BYTE, 0, tag, all_, requests_.data());
      wait({requests_.data(), 1});
    }
    MPI_Ibcast(all, count * size_, MPI_BYTE, 0, all_, requests_.data());
    wait({requests_.data(), 1});
  }

  void broadcast(void* data, index_t bytes, index_t root) override {
    constexpr index_t most = index_t{1} << 30;
    for (index_t at = 0; at < bytes; at += most) {
      MPI_Ibcast(static_cast<char*>(data) + at, static_cast<int>((std::min)(most, bytes - at)), MPI_BYTE, static_cast<int>(root),
                 all_, requests_.data());
      wait({requests_.data(), 1}, true);
    }
  }

  void scatter(const void* data, std::span<const index_t> cut, std::span<const char> sends, void* pieces) override {
    const auto me = static_cast<std::size_t>(rank_);
    const int own = static_cast<int>(cut[me + 1] - cut[me]);
    for (std::size_t r = 0; r < cut.size() - 1; ++r) {
      send_counts_[r] = sends[me] != 0 ? static_cast<int>(cut[r + 1] - cut[r]) : 0;
      send_begins_[r] = sends[me] != 0 ? static_cast<int>(cut[r]) : 0;
      counts_[r] = sends[r] != 0 ? own : 0;
      begins_[r] = static_cast<int>(r) * own;
    }
    MPI_Ialltoallv(data, send_counts_.data(), send_begins_.data(), line_, pieces, counts_.data(), begins_.data(), line_, all_,
                   requests_.data());
    wait({requests_.data(), 1}, true);
  }

  void collect(void* data, std::span<const index_t> cut) override {
    for (std::size_t r = 0; r < cut.size() - 1; ++r) {
      counts_[r] = static_cast<int>(cut[r + 1] - cut[r]);
      begins_[r] = static_cast<int>(cut[r]);
    }
    MPI_Iallgatherv(MPI_IN_PLACE, 0, line_, data, counts_.data(), begins_.data(), line_, all_, requests_.data());
    wait({requests_.data(), 1}, true);
  }

  void begin_steps() override { stepping_ = true; }
  [[noreturn]] void end_all(const std::string& why) override { end_all(why, 1); }
  [[noreturn]] void end_all(const std::string& why, int exit_code) {
    if (options_.tell) options_.tell(name(rank_) + ": " + why);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));  // MPICH's mpirun prints nothing more once it ends them
    // Where a network is gone, nobody may come and end this process.
    std::thread([=] { std::this_thread::sleep_for(std::chrono::seconds(10)), std::_Exit(exit_code); }).detach();
    MPI_Abort(MPI_COMM_WORLD, exit_code);  // of another communicator MPICH asks the ranks first, also those that are stopped
    for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));  // until it comes
  }

 private:
  static constexpr int tag = 1, waiting_tag = 2, told_tag = 3, stalled = 75;

  void find_hosts() {
    char mine[MPI_MAX_PROCESSOR_NAME] = "";
    int length = 0;
    MPI_Get_processor_name(mine, &length);
    hosts_.assign(static_cast<std::size_t>(size_), "");  // for messages until they are known
    hosts_ = gather_bytes(*this, mine);
    MPI_Comm local = MPI_COMM_NULL;
    MPI_Comm_split_type(all_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &local);
    MPI_Comm_size(local, &local_size_);
    MPI_Comm_free(&local);
  }

  /// Until all requests are done. Looks again and again, so that a rank that never comes is noticed. After a while with pauses,
  /// which leave the processor to others, but where much is on its way (`bulk`), which moves only when it is looked at. A thread
  /// beside one that computes (exchange_thread) pauses even then: a core that both share would go from one to the other by turns
  /// of milliseconds, for which the network stands still; what a network of some gigabits moves meanwhile fits the buffers of its
  /// sockets.
  void wait(std::span<MPI_Request> requests, bool bulk = false) {
    using clock = std::chrono::steady_clock;
    clock::time_point looked = clock::now();
    double seconds = 0;
    bool reported = rank_ == 0, warned = false;
    const bool beside_computation = std::this_thread::get_id() != maker_;
    waits_ += 1;
    for (long round = 0;; ++round) {
      bool all = true;
      for (MPI_Request& r : requests) {
        int done = 1;
        if (r != MPI_REQUEST_NULL) MPI_Test(&r, &done, MPI_STATUS_IGNORE);
        all = all && done != 0;
      }
      if (all) return;
      if (round < 2000) continue;
      // No more than a second for a look: all may have been stopped together, as by Slurm's suspend, and go on now.
      const clock::time_point now = clock::now();
      seconds += (std::min)(1.0, std::chrono::duration<double>(now - std::exchange(looked, now)).count());
      const double later = rank_ == 0 ? 0 : 5;  // rank 0 knows more and speaks first
      if (!reported && seconds > options_.warn_after / 2) reported = true, send_wait(0, waiting_tag);
      if (!warned && seconds > options_.warn_after + later) warned = true, warn(requests, seconds);
      if (seconds > options_.stall_limit * (stepping_ ? 1.0 : options_.start_factor) + later)
        end_all("has waited " + waited_for(requests, seconds) + "; all ranks are ended", stalled);
      if (beside_computation)
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      else if (bulk || seconds < 0.002)
        std::this_thread::yield();
      else
        std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }

  void warn(std::span<const MPI_Request> requests, double seconds) {
    if (rank_ != 0 && waits_here(0, told_tag)) return;
    if (options_.tell) options_.tell(name(rank_) + " has waited " + waited_for(requests, seconds));
    for (int r = 1; rank_ == 0 && r < size_; ++r) send_wait(r, told_tag);
  }

  std::string waited_for(std::span<const MPI_Request> requests, double seconds) {
    const std::string text = text_of(static_cast<index_t>(seconds), " seconds for ");
    if (rank_ != 0) return text + name(0) + " or one that it waits for";
    std::string names;
    for (int r = 1; r < size_; ++r) {
      const bool here =
          requests.size() > 1 ? requests[static_cast<std::size_t>(r)] == MPI_REQUEST_NULL : waits_here(r, waiting_tag);
      if (!here) names += (names.empty() ? "" : ", ") + name(r);
    }
    return text + (names.empty() ? "an exchange that all ranks have come to: is the network whole?" : names);
  }

  /// In an exchange of all with all nobody sees who is missing. So ranks that wait send rank 0 the number of that wait, which is
  /// the same on all.
  void send_wait(int to, int about) {
    MPI_Request request = MPI_REQUEST_NULL;
    sent_wait_ = waits_;
    MPI_Isend(&sent_wait_, 1, MPI_LONG_LONG, to, about, all_, &request);
    MPI_Request_free(&request);
  }

  /// Whether that rank has sent the number of this wait or the one before: some get all they want although one is missing.
  bool waits_here(int from, int about) {
    long long& last = heard_[static_cast<std::size_t>(from)];
    for (int found = 1;;) {
      MPI_Iprobe(from, about, all_, &found, MPI_STATUS_IGNORE);
      if (found == 0) return last > 0 && last + 1 >= waits_;
      MPI_Recv(&last, 1, MPI_LONG_LONG, from, about, all_, MPI_STATUS_IGNORE);
    }
  }

  mpi_options options_;
  int exceptions_, rank_ = 0, size_ = 1, local_size_ = 1;
  bool owner_ = false, stepping_ = false;
  const std::thread::id maker_ = std::this_thread::get_id();  // others are taken to exchange beside a computation
  MPI_Comm all_ = MPI_COMM_NULL;
  MPI_Datatype line_ = MPI_DATATYPE_NULL;
  std::vector<int> send_counts_, send_begins_, counts_, begins_;
  std::vector<MPI_Request> requests_;  // the first for what is alone on its way
  long long waits_ = 0, sent_wait_ = 0;
  std::vector<long long> heard_;  // of each rank, the number of the wait that it told of last
  std::vector<std::string> hosts_;
};

}  // namespace minicnn::inline MINICNN_ABI
