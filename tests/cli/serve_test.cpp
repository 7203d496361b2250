// The server as other programs meet it: another process, sockets, bad manners.
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

using program::contains;
using program::red_png;
using json = nlohmann::ordered_json;

namespace {

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

answer parse(const std::string& all) {
  answer a;
  const std::size_t end = all.find("\r\n\r\n");
  if (end == all.npos || !all.starts_with("HTTP/1.1 ")) return a;
  a.status = std::atoi(all.c_str() + 9);
  a.head = all.substr(0, end);
  a.body = all.substr(end + 4);
  return a;
}

std::string text_of(const pictures::bytes& b) { return {b.begin(), b.end()}; }

answer get(int port, const std::string& path, const std::string& host = "127.0.0.1") {
  connection c(port);
  c.send("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
  return parse(c.receive());
}

/// Any bytes; what comes back until the server closes.
answer send(int port, const std::string& bytes) {
  connection c(port);
  c.send(bytes);
  return parse(c.receive());
}

answer post(int port, const std::string& path, const std::string& body, const std::string& type = "image/png") {
  connection c(port);
  c.send("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + type +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  return parse(c.receive());
}

const std::string form_type = "multipart/form-data; boundary=edge";

std::string form(const std::vector<std::pair<std::string, std::string>>& files) {
  std::string body;
  for (const auto& [name, bytes] : files)
    body += "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name +
            "\"\r\nContent-Type: application/octet-stream\r\n\r\n" + bytes + "\r\n";
  return body + "--edge--\r\n";
}

/// A PNG of one colour and one bit a pixel: a bomb, as 10,000 x 10,000 pixels take 12 kB. With `deep`, of 64 bits a pixel.
std::string flat_png(std::uint32_t side, bool deep = false) {
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

bool built_without() {
  const bool without = program::run("serve --help").code != 0;
  if (without) MESSAGE("skipped: the program was built without cpp-httplib and has no serve");
  return without;
}

const program::red_means_dog& weights() {
  static const program::red_means_dog w;
  return w;
}

}  // namespace

TEST_CASE("200 requests from 8 threads are answered with the bits of predict; Ctrl-C ends it") {
  if (built_without()) return;
  const pictures::folder folder("served");
  std::vector<std::string> files, expected;
  for (int i = 0; i < 10; ++i) {
    files.push_back(text_of(pictures::jpeg(pictures::ramp(70 + 3 * i, 90 - 2 * i))));
    folder.write(std::to_string(i) + ".jpg", files.back());
  }
  for (const std::string& line : program::run("predict --json --batch-size 1" + weights().option() + folder.path()).lines()) {
    json one = json::parse(line);
    one.erase("path");
    expected.push_back(one.dump());
  }
  REQUIRE(expected.size() == 10);
  server s(weights().path());
  std::atomic<int> right{0}, wrong{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 8; ++t)
    callers.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        const auto k = static_cast<std::size_t>((i + t) % 10);
        const answer a = i % 2 == 0 ? post(s.port(), "/predict", files[k])
                                    : post(s.port(), "/predict", form({{"x.jpg", files[k]}}), form_type);
        json one = a.status == 200 ? json::parse(a.body)["predictions"][0] : json::object();
        one.erase("name");
        (one.dump() == expected[k] ? right : wrong) += 1;
      }
    });
  for (std::thread& t : callers) t.join();
  CHECK(right == 200);
  CHECK(wrong == 0);
  CHECK(s.stop() == 0);
}

TEST_CASE("several files in one form come back in their order, each with an answer or a reason") {
  if (built_without()) return;
  server s(weights().path());
  const answer a =
      post(s.port(), "/predict?top=1&explain=1",
           form({{"dog.png", text_of(red_png(250))}, {"notes.txt", "no picture"}, {"a.png", text_of(red_png(0))}}), form_type);
  INFO(a.body.substr(0, 300));
  REQUIRE(a.status == 200);
  const json list = a.text()["predictions"];
  REQUIRE(list.size() == 3);
  CHECK(list[0]["name"] == "dog.png");
  CHECK(list[0]["class"] == "dog");
  CHECK(list[0]["probabilities"].size() == 1);
  CHECK(list[0]["overlay"].get<std::string>().starts_with("data:image/jpeg;base64,"));
  CHECK(list[1]["error"] == "is not a JPEG, PNG or BMP file");
  CHECK_FALSE(list[1].contains("class"));
  CHECK(list[2]["class"] == "cat");
  const json health = get(s.port(), "/health").text();
  CHECK(health["status"] == "ok");
  CHECK(health["classes"] == json({"cat", "dog"}));
  const answer page = get(s.port(), "/");
  CHECK(page.status == 200);
  CHECK(contains(page.head, "Content-Security-Policy: default-src 'none'"));
  CHECK(contains(page.body, "Drop photos here"));
}

TEST_CASE("what cannot be answered has a status and a sentence") {
  if (built_without()) return;
  server s(weights().path(), {"--max-files", "3", "--max-size", "1", "--max-request", "2"});
  const std::string whole = text_of(red_png(90)), big(1200000, 'x');
  const auto check = [&](const answer& a, int status, const std::string& reason) {
    CAPTURE(reason);
    INFO(a.head << a.body);
    CHECK(a.status == status);
    CHECK(contains(a.error(), reason));
  };
  check(post(s.port(), "/predict", "plain text"), 415, "is not a JPEG, PNG or BMP file");
  check(post(s.port(), "/predict?name=x.png", ""), 415, "x.png: is empty");
  check(post(s.port(), "/predict", whole.substr(0, whole.size() / 2)), 400, "picture: ");
  const std::string field = "--edge\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nno file\r\n--edge--\r\n";
  check(post(s.port(), "/predict", field, form_type), 400, "no picture in the request");
  check(post(s.port(), "/predict", "--edge\r\nbroken", form_type), 400, "damaged");
  check(post(s.port(), "/predict", form({{"1", whole}, {"2", whole}, {"3", whole}, {"4", whole}}), form_type), 413,
        "more than 3 files");
  check(post(s.port(), "/predict", big), 413, "is larger than 1 MB");
  check(post(s.port(), "/predict", form({{"big.jpg", big}}), form_type), 413, "big.jpg: is larger than 1 MB");
  check(post(s.port(), "/predict", big + big), 413, "the request is larger than 2 MB");
  check(post(s.port(), "/predict?top=0", whole), 400, "top: wanted a whole number above 0");
  check(get(s.port(), "/predict"), 405, "takes POST");
  check(get(s.port(), "/nowhere"), 404, "there is no /nowhere");
  check(get(s.port(), "/", "pictures.example.com:80"), 403, "this machine's own name");
  // Announced, never sent: refused at once.
  connection announced(s.port());
  announced.send("POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000000\r\n\r\n");
  check(parse(announced.receive()), 413, "the request is larger than 2 MB");
  connection polite(s.port());
  polite.send("POST /predict HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3000000\r\n\r\n");
  check(parse(polite.receive()), 413, "the request is larger than 2 MB");
  CHECK(post(s.port(), "/predict", whole).status == 200);
}

TEST_CASE("slow clients are waited for so long and no longer, and do not hold up others") {
  if (built_without()) return;
  server s(weights().path(), {"--upload-time", "1"});
  std::vector<std::unique_ptr<connection>> slow;
  for (int i = 0; i < 6; ++i) {
    slow.push_back(std::make_unique<connection>(s.port()));
    REQUIRE(slow.back()->connected());
    slow.back()->send(i % 2 == 0 ? "POST /pred"
                                 : "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nhalf");
  }
  for (int i = 0; i < 5; ++i) CHECK(post(s.port(), "/predict", text_of(red_png(10 * i))).status == 200);
  // A byte now and then does not keep a request alive.
  connection dripping(s.port());
  dripping.send("POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n");
  std::atomic<bool> answered{false};
  std::thread drip([&] {
    for (int i = 0; i < 100 && !answered; ++i) dripping.send("x"), std::this_thread::sleep_for(std::chrono::milliseconds(50));
  });
  const answer late = parse(dripping.receive());
  answered = true;
  drip.join();
  CHECK(late.status == 408);
  CHECK(contains(late.error(), "took more than 1 seconds"));
  for (auto& c : slow) {
    const std::string left = c->receive();  // ends: the server closes
    CHECK(parse(left).status != 200);
  }
  CHECK(post(s.port(), "/predict", text_of(red_png(1))).status == 200);
  CHECK(s.stop() == 0);
}

TEST_CASE("G01 G22 A04 requests that name another machine, or come from a page of another, are refused") {
  if (built_without()) return;
  server s(weights().path());
  CHECK(get(s.port(), "/health", "127.attacker.example").status == 403);
  CHECK(get(s.port(), "/health", "127.0.0.1.nip.io:" + std::to_string(s.port())).status == 403);
  CHECK(get(s.port(), "/health", "LOCALHOST").status == 200);
  CHECK(get(s.port(), "/health", "[::1]:" + std::to_string(s.port())).status == 200);
  const std::string picture = text_of(red_png(250));
  const auto from = [&](const std::string& headers) {
    return send(s.port(), "POST /predict HTTP/1.1\r\nHost: localhost:8\r\nContent-Length: " + std::to_string(picture.size()) +
                              "\r\n" + headers + "\r\n" + picture);
  };
  CHECK(from("").status == 200);
  CHECK(from("Origin: http://localhost:8\r\nSec-Fetch-Site: same-origin\r\n").status == 200);
  CHECK(from("Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n").status == 403);
  CHECK(from("Origin: null\r\n").status == 403);
  CHECK(from("Origin: http://localhost:9\r\n").status == 403);
}

TEST_CASE("G19 PUT and its like are a 405 with Allow; HEAD has no body") {
  if (built_without()) return;
  server s(weights().path());
  for (const std::string method : {"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "GET"}) {
    CAPTURE(method);
    const answer a = send(s.port(), method + " /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc");
    CHECK(a.status == 405);
    CHECK(contains(a.head, "\r\nAllow: POST"));
    CHECK(contains(a.error(), "/predict takes POST, not " + method));
  }
  const answer page = send(s.port(), "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
  CHECK(page.status == 405);
  CHECK(contains(page.head, "\r\nAllow: GET, HEAD"));
  const answer head = send(s.port(), "HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(head.status == 200);
  CHECK(head.body.empty());
  const answer none = send(s.port(), "HEAD /predict HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(none.status == 405);
  CHECK(none.body.empty());
}

TEST_CASE("G08 A02 bombs are refused by their headers; others are decoded one at a time") {
  if (built_without()) return;
  server s(weights().path());
  const std::string bomb = flat_png(10000), large = flat_png(7000);
  CHECK(bomb.size() < 100000);
  std::vector<std::pair<std::string, std::string>> bombs, many;
  for (int i = 0; i < 16; ++i) bombs.push_back({"bomb.png", bomb}), many.push_back({"large.png", large});
  const answer one = post(s.port(), "/predict", form(bombs), form_type);
  CHECK(one.status == 413);
  CHECK(contains(one.error(), "bomb.png: has 100000000 pixels, more than 50 million (--max-pixels)"));
  const answer together = post(s.port(), "/predict", form(many), form_type);
  CHECK(together.status == 413);
  CHECK(contains(together.error(), "the pictures have 784000000 pixels together, more than 200 million (--max-request-pixels)"));
  many.resize(4);
  std::vector<std::thread> callers;
  std::atomic<int> good{0};
  for (int t = 0; t < 3; ++t)
    callers.emplace_back([&] {
      const answer a = post(s.port(), "/predict", form(many), form_type);
      good += a.status == 200 && a.text()["predictions"].size() == 4 && a.text()["predictions"][3].contains("class");
    });
  for (std::thread& t : callers) t.join();
  CHECK(good == 3);
  // One of them takes 49 MB as decoded, 147 MB in colour and 147 MB as a copy.
  CHECK(s.peak_memory() < 500);
}

TEST_CASE("G08 A02 pixels of many bits count as the memory that they take") {
  if (built_without()) return;
  server s(weights().path(), {"--max-pixels", "10", "--max-request-pixels", "20"});
  const std::string deep = flat_png(2500, true);
  const answer one = post(s.port(), "/predict", deep);
  CHECK(one.status == 413);
  CHECK(contains(one.error(),
                 "picture: has 6250000 pixels that take the memory of 16666667 (16 bytes each), more than 10 million "
                 "(--max-pixels)"));
  const std::string fits = flat_png(1900, true);
  CHECK(post(s.port(), "/predict", form({{"1.png", fits}, {"2.png", fits}}), form_type).status == 200);
  const answer three = post(s.port(), "/predict", form({{"1.png", fits}, {"2.png", fits}, {"3.png", fits}}), form_type);
  CHECK(three.status == 413);
  CHECK(contains(three.error(), "together, more than 20 million (--max-request-pixels)"));
  CHECK(post(s.port(), "/predict", flat_png(2500)).status == 200);
}

TEST_CASE("A03 pictures that take long hold up neither GET nor the end") {
  if (built_without()) return;
  server s(weights().path(), {"--max-pixels", "100"});
  using clock = std::chrono::steady_clock;
  const std::string large = flat_png(10000);  // seconds of work, of which one must not wait for the rest
  std::vector<std::unique_ptr<connection>> busy;
  for (int i = 0; i < 3; ++i) {
    busy.push_back(std::make_unique<connection>(s.port()));
    busy.back()->send("POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(large.size()) +
                      "\r\n\r\n" + large);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const auto before = clock::now();
  CHECK(get(s.port(), "/health").status == 200);
  CHECK(clock::now() - before < std::chrono::seconds(1));
  busy.clear();
  const auto asked = clock::now();
  CHECK(s.stop() == 0);
  CHECK(clock::now() - asked < std::chrono::seconds(5));
}

TEST_CASE("A03 connections that only hold a place go first, and one Ctrl-C ends it") {
  if (built_without()) return;
  server s(weights().path(), {"--connections", "8", "--upload-time", "60"});
  const std::string picture = text_of(red_png(250));
  std::vector<std::unique_ptr<connection>> idle;
  const std::vector<std::string> beginnings{
      "",
      "G",
      "POST /predict HTTP/1.1\r\nHost: localhost\r\nX-",
      "GET / HTTP/1.1\r\n",
      "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc",
      "POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na"};
  for (std::size_t i = 0; i < 40; ++i) {
    idle.push_back(std::make_unique<connection>(s.port()));
    REQUIRE(idle.back()->connected());
    idle.back()->send(beginnings[i % beginnings.size()]);
  }
  for (int i = 0; i < 20; ++i) {
    CHECK(get(s.port(), "/health").status == 200);
    CHECK(post(s.port(), "/predict", picture).status == 200);
  }
  for (std::size_t i = 0; i < 8; ++i) idle.push_back(std::make_unique<connection>(s.port()));
  CHECK(s.stop() == 0);
}

TEST_CASE("A13 forms with bare and extended file names, chunked bodies and pipelined requests are answered") {
  if (built_without()) return;
  server s(weights().path());
  const std::string picture = text_of(red_png(250));
  const std::string body = "--edge\r\nContent-Disposition: form-data; filename=1.png; name=file\r\n\r\n" + picture +
                           "\r\n--edge\r\nContent-Disposition: form-data; name=file; filename*=UTF-8''caf%C3%A9.png\r\n\r\n" +
                           picture +
                           "\r\n--edge\r\nContent-Disposition: form-data; name=file; filename=empty.png\r\n\r\n\r\n--edge--\r\n";
  // A program's field of bytes, without a file name.
  const std::string field = "--edge\r\nContent-Disposition: form-data; name=photo\r\n\r\n" + picture +
                            "\r\n--edge\r\nContent-Disposition: form-data; name=note\r\n\r\nBMW, no picture\r\n--edge--\r\n";
  const answer without_name = post(s.port(), "/predict", field, form_type);
  CHECK(without_name.status == 200);
  REQUIRE(without_name.text()["predictions"].size() == 1);
  CHECK(without_name.text()["predictions"][0]["name"] == "photo");
  const answer a = post(s.port(), "/predict", body, form_type);
  REQUIRE(a.status == 200);
  const json list = a.text()["predictions"];
  REQUIRE(list.size() == 3);
  CHECK(list[0]["name"] == "1.png");
  CHECK(list[1]["name"] == "caf\xC3\xA9.png");
  CHECK(list[1]["class"] == "dog");
  CHECK(list[2]["error"] == "is empty");
  std::ostringstream chunk;
  chunk << std::hex << picture.size() << "\r\n" << picture << "\r\n0\r\n\r\n";
  const std::string chunked = "POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk.str();
  CHECK(send(s.port(), chunked).text()["predictions"][0]["class"] == "dog");
  CHECK(send(s.port(), chunked + "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 200);
  connection polite(s.port());
  polite.send("POST /predict HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: " +
              std::to_string(picture.size()) + "\r\n\r\n");
  CHECK(polite.receive(25) == "HTTP/1.1 100 Continue\r\n\r\n");
  polite.send(picture);
  CHECK(parse(polite.receive()).status == 200);
  connection half(s.port());  // says that it will send no more, and still wants the answer
  half.send(chunked);
  half.end_sending();
  CHECK(parse(half.receive()).status == 200);
}

TEST_CASE("A14 malformed requests are answered at once, not after a wait for more") {
  if (built_without()) return;
  server s(weights().path(), {"--upload-time", "600"});  // whatever waited would outlast the test
  const std::string start = "POST /predict HTTP/1.1\r\nHost: localhost\r\n";
  CHECK(send(s.port(), start + "\r\n").status == 411);
  CHECK(send(s.port(), start + "Content-Length: abc\r\n\r\n").status == 400);
  CHECK(send(s.port(), start + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n").status == 400);
  CHECK(send(s.port(), start + "Host: localhost\r\nContent-Length: 3\r\n\r\n").status == 400);
  CHECK(send(s.port(), start + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n").status == 400);
  CHECK(send(s.port(), start + "Transfer-Encoding: chunked\r\n\r\nno number\r\n").status == 400);
  CHECK(send(s.port(), "nonsense\r\n\r\n").status == 400);
  CHECK(send(s.port(), "\x16\x03\x01\x02").error() == "this is http, not https: the address begins with http://");
  CHECK(send(s.port(), "\x05\x01").status == 400);
  CHECK(send(s.port(), start + "X: " + std::string(1 << 20, 'x')).status == 431);
  CHECK(send(s.port(), "GET /" + std::string(1 << 20, 'x')).status == 431);
  connection cut(s.port());
  cut.send(start + "Content-Length: 100\r\n\r\nabc");
  cut.end_sending();
  CHECK(parse(cut.receive()).status == 400);
}

TEST_CASE("beyond this machine a token is wanted; one that is made up is printed, one that was given is not") {
  if (built_without()) return;
  server open(weights().path(), {"--host", "0.0.0.0"});
  const std::size_t at = open.address().find("/?token=");
  REQUIRE(at != std::string::npos);
  const std::string query = open.address().substr(at + 1), token = query.substr(7);
  CHECK(token.size() == 32);
  const std::string picture = text_of(red_png(250));
  CHECK(get(open.port(), "/", "anything.example").status == 401);
  CHECK(get(open.port(), "/health").status == 401);
  CHECK(post(open.port(), "/predict", picture).status == 401);
  CHECK(get(open.port(), "/" + query, "anything.example").status == 200);
  CHECK(post(open.port(), "/predict" + query, picture).status == 200);
  CHECK(send(open.port(), "GET /health HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + "\r\n\r\n").status == 200);
  server given(weights().path(), {"--token", "open-sesame"});
  CHECK_FALSE(contains(given.address(), "open-sesame"));
  CHECK(get(given.port(), "/health").status == 401);
  CHECK(get(given.port(), "/health?token=open-sesame").status == 200);
  CHECK(program::run("serve" + weights().option() + "--token ''").code == 2);
  CHECK(program::run("serve" + weights().option() + "--token 'a b'").code == 2);
}

TEST_CASE("a port in use and weights that are none end with 1 and a sentence") {
  if (built_without()) return;
  server s(weights().path());
  const auto second = program::run("serve" + weights().option() + "--port " + std::to_string(s.port()));
  CHECK(second.code == 1);
  CHECK(contains(second.err, "cannot listen on 127.0.0.1 port " + std::to_string(s.port())));
  const auto missing = program::run("serve --weights /nowhere/w.safetensors");
  CHECK(missing.code == 1);
  CHECK(missing.err.starts_with("minicnn: /nowhere/w.safetensors: "));
  CHECK(program::run("serve --weights w --port 70000").code == 2);
}
