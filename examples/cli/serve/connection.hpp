#pragma once
// One connection of the server: what has come, what is to go, and how long it may take. Never blocks.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "request_body.hpp"
#include "request_head.hpp"

namespace cli {

struct connection_limits {
  std::size_t connections = 64;                         ///< open at the same time
  std::chrono::milliseconds upload_time{30000};         ///< from a request's first byte to its last
  std::chrono::milliseconds answer_time{10000};         ///< for an answer to be fetched
  std::uint64_t max_request = std::uint64_t{64} << 20;  ///< bytes of a body
  std::uint64_t max_held = std::uint64_t{128} << 20;    ///< bytes of all bodies that wait or arrive
};

/// A request that has arrived whole.
struct received_request {
  request_head head;
  std::string body;
  std::shared_ptr<std::atomic<bool>> given_up;  ///< set when nobody waits for the answer any more
};

class connection {
 public:
  using clock = std::chrono::steady_clock;
  /// Throws refusal for a request that is not wanted, by its head.
  using guard = std::function<void(const request_head&)>;
  enum class phase { receiving, received, waiting, sending, lingering, closed };

  connection(int socket, const connection_limits& limits) : socket_(socket), limits_(limits) {
    enter(phase::receiving, limits.upload_time);
  }
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  int socket() const { return socket_; }
  phase state() const { return phase_; }
  clock::time_point deadline() const { return deadline_; }
  std::uint64_t held() const { return head_text_.size() + (body_ ? body_->size() : 0) + held_elsewhere_; }
  bool has_body_bytes() const { return phase_ == phase::receiving && body_ && body_->size() > 0; }

  /// Bytes a second that it has moved: what only holds a place has moved least. New ones have the benefit of the doubt.
  double pace(clock::time_point now) const {
    constexpr double doubt = 4096;
    return (static_cast<double>(moved_) + doubt) / (seconds(now - since_) + 1e-3);
  }
  /// True if nothing is lost to others when it is closed: no work has been done for it, and it has had the time to speak.
  bool may_be_dropped(clock::time_point now) const {
    constexpr std::chrono::milliseconds time_to_speak{100};
    return phase_ != phase::received && phase_ != phase::waiting && now - since_ >= time_to_speak;
  }

  /// Takes what has come. Afterwards `received` means that `take_request` has a request.
  void read(const guard& may_ask);
  /// Sends what the other side takes.
  void write();
  /// Says 408 where a request was begun, and closes otherwise.
  void expire();
  void close();

  received_request take_request();
  /// The answer to the request that was taken.
  void answer(std::string bytes);
  void refuse(const refusal& why);

 private:
  static double seconds(clock::duration d) { return std::chrono::duration<double>(d).count(); }
  void enter(phase p, std::chrono::milliseconds time) {
    phase_ = p;
    since_ = clock::now();
    deadline_ = since_ + time;
    moved_ = 0;
  }
  void take(std::string_view bytes, const guard& may_ask);
  void begin_body(const guard& may_ask);
  void linger();

  int socket_;
  const connection_limits& limits_;
  phase phase_ = phase::receiving;
  clock::time_point since_, deadline_;
  std::uint64_t moved_ = 0, held_elsewhere_ = 0;
  std::string head_text_;
  std::optional<request_head> head_;
  std::optional<request_body> body_;
  std::string out_;
  std::size_t sent_ = 0;
  std::shared_ptr<std::atomic<bool>> given_up_ = std::make_shared<std::atomic<bool>>(false);
};

/// A refusal as the bytes of an HTTP response.
std::string response_of(const refusal& why);

}  // namespace cli
