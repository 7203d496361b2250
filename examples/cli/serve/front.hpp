#pragma once
// Receives requests and sends answers for all connections on one thread that waits for none of them; networks compute on others.
// httplib gives a thread to each connection and counts time by single reads: callers that send a byte now and then hold all
// threads.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "connection.hpp"

namespace cli {

class front {
 public:
  /// Makes the bytes of a response; called from `workers` threads.
  using answerer = std::function<std::string(received_request&)>;

  /// `listener` is a socket that listens; it is closed at the end.
  front(int listener, const connection_limits& limits, connection::guard may_ask, answerer answer, int workers);
  ~front();
  front(const front&) = delete;
  front& operator=(const front&) = delete;

  /// Serves until `stop` says so. Then what is being computed has a few seconds to be answered; all else is closed. Throws
  /// minicnn::error if no connection can be taken in any more.
  void run(const std::function<bool()>& stop);

  /// True if nothing is computed any more; waits so long for it. A picture that takes longer would hold up the destructor.
  bool settled(std::chrono::milliseconds wait);

 private:
  struct task {
    std::uint64_t number;
    received_request request;
  };
  struct place {
    place(std::uint64_t n, int socket, const connection_limits& limits) : number(n), talk(socket, limits) {}
    std::uint64_t number;
    connection talk;
  };

  std::string answered(received_request& request) const;
  void work();
  void wake();
  void wait_for_events(bool taking, int milliseconds);
  void accept_all();
  bool make_room();
  void keep_within_memory();
  void hand_out(place& p);
  void collect_answers();
  void expire_and_sweep(bool stopping);

  int listener_;
  int wake_[2] = {-1, -1};
  connection_limits limits_;
  connection::guard may_ask_;
  answerer answer_;
  std::list<place> places_;
  std::uint64_t next_number_ = 1;
  bool memory_full_ = false;
  connection::clock::time_point no_accept_until_{};

  std::mutex mutex_;  ///< guards what follows
  std::condition_variable changed_, finished_;
  std::deque<task> tasks_;
  std::vector<std::pair<std::uint64_t, std::string>> answers_;
  bool ending_ = false;
  int computing_ = 0;
  std::vector<std::thread> workers_;
};

}  // namespace cli
