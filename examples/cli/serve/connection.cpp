#include "connection.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <minicnn/core/error.hpp>
#include <minicnn/io/json.hpp>

#include "path_json.hpp"

namespace cli {

namespace {

/// Whoever does not fetch answers cannot ask anew at once where places are short.
constexpr std::chrono::milliseconds linger_time{5000};

const char* phrase(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Error";
  }
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

std::string response_of(const refusal& why) {
  const minicnn::json text{{"error", why.reason}};
  const std::string body = json_text(text) + "\n";
  std::string head = minicnn::text_of("HTTP/1.1 ", why.status, " ", phrase(why.status), "\r\n");
  if (!why.allow.empty()) head += "Allow: " + why.allow + "\r\n";
  if (why.status == 401) head += "WWW-Authenticate: Bearer\r\n";
  return head + minicnn::text_of("Content-Type: application/json\r\nContent-Length: ", body.size(),
                                 "\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
                                 body);
}

connection::~connection() { close(); }

void connection::close() {
  if (phase_ == phase::closed) return;
  *given_up_ = true;
  phase_ = phase::closed;
  ::close(socket_);
}

void connection::read(const guard& may_ask) {
  std::array<char, 65536> part;
  const ssize_t count = recv(socket_, part.data(), part.size(), 0);
  if (count < 0 && would_block()) return;
  if (count <= 0) {
    // The other side has ended: fine behind a request, not within one.
    if (count == 0 && phase_ == phase::receiving && !head_text_.empty())
      refuse({400, "the request is damaged or ended too early", ""});
    else
      close();
    return;
  }
  moved_ += static_cast<std::uint64_t>(count);
  if (phase_ == phase::lingering) {
    if (moved_ > 4 * limits_.max_request) close();
    return;
  }
  try {
    take({part.data(), static_cast<std::size_t>(count)}, may_ask);
  } catch (const refusal& r) {
    refuse(r);
  } catch (const std::bad_alloc&) {
    refuse({503, "not enough memory for this request", ""});
  }
}

void connection::take(std::string_view bytes, const guard& may_ask) {
  if (!head_) {
    if (head_text_.empty()) {
      if (bytes.starts_with("\r\n")) bytes.remove_prefix(2);  // RFC 9112, 2.2: behind an earlier body
      if (bytes.empty()) return;
      deadline_ = clock::now() + limits_.upload_time;
    }
    const std::size_t before = head_text_.size();
    head_text_ += bytes;
    // What cannot become a request is not waited for.
    if (head_text_.front() == '\x16') throw refusal{400, "this is http, not https: the address begins with http://", ""};
    if (!detail::is_token(std::string_view(head_text_).substr(0, 1))) throw refusal{400, "the first line is no request line", ""};
    const std::size_t from = before < 3 ? 0 : before - 3;
    const std::size_t found = head_bytes(std::string_view(head_text_).substr(from)), end = found == 0 ? 0 : from + found;
    if ((end == 0 ? head_text_.size() : end) > max_head_bytes) throw refusal{431, "the headers are too long", ""};
    if (end == 0) return;
    head_ = parse_head(std::string_view(head_text_).substr(0, end));
    bytes.remove_prefix(end - before);
    begin_body(may_ask);
  }
  body_->take(bytes);
  if (body_->complete()) enter(phase::received, limits_.upload_time);
}

void connection::begin_body(const guard& may_ask) {
  may_ask(*head_);
  request_head wanted = *head_;
  if (wanted.method != "POST") wanted.length.reset(), wanted.chunked = false;  // a body of GET means nothing
  const std::uint64_t megabytes = limits_.max_request >> 20;
  body_.emplace(wanted, limits_.max_request,
                refusal{413, minicnn::text_of("the request is larger than ", megabytes, " MB (--max-request)"), ""});
  if (!body_->complete() && head_->header("expect") && !head_->http_1_0) {
    constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    (void)!send(socket_, go_on.data(), go_on.size(), MSG_NOSIGNAL);
  }
}

received_request connection::take_request() {
  enter(phase::waiting, std::chrono::hours(24));
  received_request out{std::move(*head_), std::move(body_->bytes()), given_up_};
  head_text_ = {};
  body_.reset();
  held_elsewhere_ = out.body.size();
  return out;
}

void connection::answer(std::string bytes) {
  held_elsewhere_ = 0;
  head_text_ = {};
  body_.reset();
  out_ = std::move(bytes);
  enter(phase::sending, limits_.answer_time);
  write();
}

void connection::refuse(const refusal& why) {
  std::string bytes = response_of(why);
  if (head_ && head_->method == "HEAD") bytes.resize(head_bytes(bytes));  // the head alone, as it was asked
  answer(std::move(bytes));
}

void connection::write() {
  while (sent_ < out_.size()) {
    const ssize_t count = send(socket_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0 && would_block()) return;
    if (count <= 0) return close();
    sent_ += static_cast<std::size_t>(count);
    moved_ += static_cast<std::uint64_t>(count);
  }
  linger();
}

/// Closing while bytes of the other side lie unread would take the answer away from it: they are read, for a while.
void connection::linger() {
  out_ = {};
  shutdown(socket_, SHUT_WR);
  enter(phase::lingering, linger_time);
}

void connection::expire() {
  if (phase_ != phase::receiving || head_text_.empty()) return close();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limits_.upload_time).count();
  refuse({408, minicnn::text_of("the request took more than ", seconds, " seconds to arrive (--upload-time)"), ""});
}

}  // namespace cli
