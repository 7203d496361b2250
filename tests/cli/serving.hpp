#pragma once
// A running `minicnn serve`, and clients that speak to it byte by byte.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <fstream>
#include <minicnn/files/crc32.hpp>
#include <thread>

#include "program.hpp"

namespace serving {

using json = nlohmann::ordered_json;

/// A running `minicnn serve` on a free port; ended by SIGINT.
class server {
 public:
  explicit server(const std::string& weights, const std::vector<std::string>& more = {}) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    std::vector<std::string> words{MINICNN_PROGRAM, "serve", "--weights", weights, "--port", "0", "--threads", "2"};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> arguments;
    for (std::string& w : words) arguments.push_back(w.data());
    arguments.push_back(nullptr);
    process_ = fork();
    REQUIRE(process_ >= 0);
    if (process_ == 0) {
      dup2(ends[1], 1);
      close(ends[0]);
      close(ends[1]);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    close(ends[1]);
    char c = 0;
    while (read(ends[0], &c, 1) == 1 && c != '\n') address_ += c;
    close(ends[0]);
    INFO(address_);
    const std::size_t colon = address_.rfind(':');
    REQUIRE(address_.starts_with("http://"));
    port_ = std::atoi(address_.c_str() + colon + 1);
  }
  ~server() {
    if (process_ > 0) stop();
  }
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  int port() const { return port_; }
  /// The line that it prints.
  const std::string& address() const { return address_; }
  /// Most memory that it has held so far, in MB.
  int peak_memory() const {
    std::ifstream file("/proc/" + std::to_string(process_) + "/status");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with("VmHWM:")) return std::atoi(line.c_str() + 6) / 1024;
    return -1;
  }
  /// Ctrl-C; returns the exit code.
  int stop() {
    kill(process_, SIGINT);
    int status = 0;
    waitpid(process_, &status, 0);
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t process_ = -1;
  std::string address_;
  int port_ = 0;
};

class connection {
 public:
  explicit connection(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~connection() { close(socket_); }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  bool connected() const { return connected_; }
  void send(const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t n = ::send(socket_, text.data() + done, text.size() - done, MSG_NOSIGNAL);
      if (n <= 0) return;  // the server has had enough; its answer is still to be read
      done += static_cast<std::size_t>(n);
    }
  }
  /// Everything until the server closes, or so many bytes.
  std::string receive(std::size_t most = std::string::npos) {
    std::string all;
    std::array<char, 65536> part;
    for (ssize_t n; all.size() < most && (n = recv(socket_, part.data(), (std::min)(part.size(), most - all.size()), 0)) > 0;)
      all.append(part.data(), static_cast<std::size_t>(n));
    return all;
  }
  void end_sending() { shutdown(socket_, SHUT_WR); }
  /// Sends what goes without waiting, and reads nothing. False once the server has closed.
  bool poke(const std::string& text) {
    if (!text.empty() && ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
      return false;
    char c = 0;
    return recv(socket_, &c, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
  }

 private:
  int socket_;
  bool connected_ = false;
};

struct answer {
  int status = 0;
  std::string head, body;
  json text() const {
    INFO(head << body);
    return json::accept(body) ? json::parse(body) : json();
  }
  std::string error() const { return text().value("error", "no error"); }
};

inline answer parse(const std::string& all) {
  answer a;
  const std::size_t end = all.find("\r\n\r\n");
  if (end == all.npos || !all.starts_with("HTTP/1.1 ")) return a;
  a.status = std::atoi(all.c_str() + 9);
  a.head = all.substr(0, end);
  a.body = all.substr(end + 4);
  return a;
}

inline std::string text_of(const pictures::bytes& b) { return {b.begin(), b.end()}; }

inline answer get(int port, const std::string& path, const std::string& host = "127.0.0.1") {
  connection c(port);
  c.send("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
  return parse(c.receive());
}

/// Any bytes; what comes back until the server closes.
inline answer send(int port, const std::string& bytes) {
  connection c(port);
  c.send(bytes);
  return parse(c.receive());
}

inline answer post(int port, const std::string& path, const std::string& body, const std::string& type = "image/png") {
  connection c(port);
  c.send("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  return parse(c.receive());
}

const std::string form_type = "multipart/form-data; boundary=edge";

inline std::string form(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string body;
  for (const auto& [name, bytes] : files)
    body += "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name +
            "\"\r\nContent-Type: application/octet-stream\r\n\r\n" + bytes + "\r\n";
  return body + "--edge--\r\n";
}

/// A PNG of one colour and one bit a pixel: a bomb, as 10,000 x 10,000 pixels take 12 kB. With `deep`, of 64 bits a pixel.
inline std::string flat_png(std::uint32_t side, bool deep = false) {
  std::string out = "\x89PNG\r\n\x1A\n";
  const auto big_endian = [](std::uint32_t v) {
    return std::string{static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8), static_cast<char>(v)};
  };
  const auto chunk = [&](const std::string& type, const std::string& content) {
    out += big_endian(static_cast<std::uint32_t>(content.size())) + type + content + big_endian(minicnn::crc32(type + content));
  };
  chunk("IHDR", big_endian(side) + big_endian(side) + (deep ? std::string("\20\6\0\0\0", 5) : std::string("\1\0\0\0\0", 5)));
  // One deflate block with fixed codes: a zero, then matches of length 258 and distance 1. 8 bits, then 8 + 5 bits each.
  const std::uint64_t row = deep ? 8 * side : (side + 7) / 8, bytes = side * (row + 1), matches = (bytes - 1) / 258,
                      rest = (bytes - 1) % 258;
  std::string zipped = "\x78\x9C";
  std::uint64_t held = 0;
  int count = 0;
  const auto bits = [&](unsigned value, int n) {
    held |= std::uint64_t{value} << count;
    for (count += n; count >= 8; count -= 8, held >>= 8) zipped += static_cast<char>(held & 255);
  };
  bits(3, 3);                                                             // the last block, fixed codes
  bits(0x0C, 8);                                                          // literal 0: 00110000 from its first bit on
  for (std::uint64_t i = 0; i < matches; ++i) bits(0xA3, 8), bits(0, 5);  // length 258: 11000101; distance 1: 00000
  for (std::uint64_t i = 0; i < rest; ++i) bits(0x0C, 8);
  bits(0, 7);
  bits(0, 7);  // up to a whole byte
  std::uint32_t high = static_cast<std::uint32_t>(bytes % 65521);
  zipped += big_endian(high << 16 | 1);  // Adler-32 of zeros
  chunk("IDAT", zipped);
  chunk("IEND", "");
  return out;
}

inline bool built_without() {
  const bool without = program::run("serve --help").code != 0;
  if (without) MESSAGE("skipped: the program was built without cpp-httplib and has no serve");
  return without;
}

inline const program::red_means_dog& weights() {
  static const program::red_means_dog w;
  return w;
}

}  // namespace serving
