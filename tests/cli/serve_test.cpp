// The server as other programs meet it: another process, sockets, bad manners.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
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
    REQUIRE(address_.starts_with("http://127.0.0.1:"));
    port_ = std::atoi(address_.c_str() + std::string("http://127.0.0.1:").size());
  }
  ~server() {
    if (process_ > 0) stop();
  }
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  int port() const { return port_; }
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
  /// Everything until the server closes.
  std::string receive() {
    std::string all;
    std::array<char, 65536> part;
    for (ssize_t n; (n = recv(socket_, part.data(), part.size(), 0)) > 0;) all.append(part.data(), static_cast<std::size_t>(n));
    return all;
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
