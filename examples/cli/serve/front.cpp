#include "front.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <minicnn/core/error.hpp>
#include <system_error>
#include <utility>

namespace cli {

using clock_type = connection::clock;
using phase = connection::phase;

namespace {

constexpr int tick = 100;  // milliseconds between looks at deadlines
constexpr int pause = 20;  // milliseconds without new connections where there is no place for them
constexpr std::chrono::milliseconds grace{2500};

void never_block(int descriptor) {
  fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL, 0) | O_NONBLOCK);
  fcntl(descriptor, F_SETFD, FD_CLOEXEC);
}

}  // namespace

front::front(int listener, const connection_limits& limits, connection::guard may_ask, answerer answer, int workers)
    : listener_(listener), limits_(limits), may_ask_(std::move(may_ask)), answer_(std::move(answer)) {
  if (pipe(wake_) != 0) minicnn::fail("no pipe can be made: ", std::generic_category().message(errno));
  never_block(listener_);
  for (const int end : wake_) never_block(end);
  for (int i = 0; i < workers; ++i) workers_.emplace_back([this] { work(); });
}

front::~front() {
  places_.clear();  // whoever computes for them is told that nobody waits
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    tasks_.clear();
  }
  changed_.notify_all();
  for (std::thread& w : workers_) w.join();
  for (const int descriptor : {listener_, wake_[0], wake_[1]})
    if (descriptor >= 0) close(descriptor);
}

std::string front::answered(received_request& request) const {
  try {
    return answer_(request);
  } catch (const std::exception& e) {
    return response_of({500, e.what(), ""});
  }
}

bool front::settled(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  tasks_.clear();
  return finished_.wait_for(lock, wait, [&] { return computing_ == 0; });
}

void front::work() {
  for (;;) {
    task mine;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return ending_ || !tasks_.empty(); });
      if (ending_) return;
      mine = std::move(tasks_.front());
      tasks_.pop_front();
      computing_ += 1;
    }
    std::string bytes;
    if (!*mine.request.given_up) bytes = answered(mine.request);
    {
      const std::lock_guard lock(mutex_);
      answers_.emplace_back(mine.number, std::move(bytes));
      computing_ -= 1;
    }
    finished_.notify_all();
    wake();
  }
}

void front::wake() {
  const char any = 0;
  (void)!write(wake_[1], &any, 1);  // a full pipe wakes as well
}

void front::run(const std::function<bool()>& stop) {
  while (!stop()) {
    keep_within_memory();
    wait_for_events(true, tick);
    collect_answers();
    expire_and_sweep(false);
  }
  close(std::exchange(listener_, -1));
  const clock_type::time_point end = clock_type::now() + grace;
  expire_and_sweep(true);
  while (!places_.empty() && clock_type::now() < end) {
    wait_for_events(false, tick);
    collect_answers();
    expire_and_sweep(true);
  }
}

/// Waits until something can be read, written or collected, and reads and writes it.
void front::wait_for_events(bool taking, int milliseconds) {
  const clock_type::time_point now = clock_type::now();
  const bool accepts = taking && now >= no_accept_until_;
  if (!accepts) milliseconds = (std::min)(milliseconds, pause);
  std::vector<pollfd> waited{{wake_[0], POLLIN, 0}};
  waited.push_back({accepts ? listener_ : -1, POLLIN, 0});
  for (const place& p : places_) {
    const phase at = p.talk.state();
    const bool reads = at == phase::lingering || (at == phase::receiving && !(memory_full_ && p.talk.has_body_bytes()));
    waited.push_back({p.talk.socket(), static_cast<short>(reads ? POLLIN : at == phase::sending ? POLLOUT : 0), 0});
  }
  if (poll(waited.data(), waited.size(), milliseconds) <= 0) return;
  if (waited[0].revents != 0) {
    std::array<char, 256> some;
    while (read(wake_[0], some.data(), some.size()) > 0) {
    }
  }
  auto event = waited.begin() + 2;
  for (place& p : places_) {
    const short what = (event++)->revents;
    if (what == 0) continue;
    if ((what & POLLIN) != 0)
      p.talk.read(may_ask_);
    else if ((what & POLLOUT) != 0)
      p.talk.write();
    else
      p.talk.close();  // the other side is gone
    if (p.talk.state() == phase::received) hand_out(p);
  }
  if (waited[1].revents != 0) accept_all();
}

void front::accept_all() {
  for (int i = 0; i < 64; ++i) {
    if (places_.size() >= limits_.connections && !make_room()) {
      no_accept_until_ = clock_type::now() + std::chrono::milliseconds(pause);
      return;
    }
    const int socket = accept(listener_, nullptr, nullptr);
    if (socket < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK) minicnn::fail("the server's socket failed");
      // Out of descriptors or memory: those that are open go on, and some will end.
      no_accept_until_ = clock_type::now() + std::chrono::milliseconds(tick);
      make_room();
      return;
    }
    never_block(socket);
    place& p = places_.emplace_back(next_number_++, socket, limits_);
    // What came with the connection is read at once: an honest request needs no place for longer than this.
    p.talk.read(may_ask_);
    if (p.talk.state() == phase::received) hand_out(p);
  }
}

/// Closes the connection that only holds a place: before those that have been answered, as their clients would ask anew. False
/// if all have work done for them or are new.
bool front::make_room() {
  const clock_type::time_point now = clock_type::now();
  const auto rank = [&](const place& p) { return std::pair(p.talk.state() != phase::receiving, p.talk.pace(now)); };
  auto slowest = places_.end();
  for (auto p = places_.begin(); p != places_.end(); ++p)
    if (p->talk.may_be_dropped(now) && (slowest == places_.end() || rank(*p) < rank(*slowest))) slowest = p;
  if (slowest == places_.end()) return false;
  places_.erase(slowest);
  return true;
}

/// Bodies that arrive have together so much memory. Beyond it the slowest is closed; the last one waits.
void front::keep_within_memory() {
  for (;;) {
    const clock_type::time_point now = clock_type::now();
    std::uint64_t held = 0;
    std::size_t arriving = 0;
    auto slowest = places_.end();
    for (auto p = places_.begin(); p != places_.end(); ++p) {
      held += p->talk.held();
      if (!p->talk.has_body_bytes()) continue;
      arriving += 1;
      if (slowest == places_.end() || p->talk.pace(now) < slowest->talk.pace(now)) slowest = p;
    }
    memory_full_ = held > limits_.max_held;
    if (!memory_full_ || arriving < 2) return;
    places_.erase(slowest);
  }
}

void front::hand_out(place& p) {
  received_request request = p.talk.take_request();
  if (request.head.method != "POST") {  // a page or a few words: not to wait behind pictures
    p.talk.answer(answered(request));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back({p.number, std::move(request)});
  }
  changed_.notify_one();
}

void front::collect_answers() {
  std::vector<std::pair<std::uint64_t, std::string>> ready;
  {
    const std::lock_guard lock(mutex_);
    ready.swap(answers_);
  }
  for (auto& [number, bytes] : ready)
    for (place& p : places_)
      if (p.number == number && p.talk.state() == phase::waiting) p.talk.answer(std::move(bytes));
}

/// Ends what is overdue and forgets what is closed. When the server ends, only what is computed or sent goes on.
void front::expire_and_sweep(bool stopping) {
  const clock_type::time_point now = clock_type::now();
  for (place& p : places_) {
    if (p.talk.state() == phase::closed) continue;
    if (stopping && (p.talk.state() == phase::receiving || p.talk.state() == phase::lingering))
      p.talk.close();
    else if (now >= p.talk.deadline())
      p.talk.expire();
  }
  places_.remove_if([](const place& p) { return p.talk.state() == phase::closed; });
}

}  // namespace cli
