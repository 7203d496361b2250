// The server as other programs meet it: another process, and sockets.
#include "serving.hpp"

using program::contains;
using program::red_png;
using namespace serving;

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
  CHECK(health["title"] == health["model"]);
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
  check(post(s.port(), "/predict?top=1&top=2", whole), 400, "top: is given more than once");
  check(post(s.port(), "/predict?explain=0&name=x&explain=1", whole), 400, "explain: is given more than once");
  check(post(s.port(), "/predict?explain=maybe", whole), 400, "explain: wanted 1 or 0, got \"maybe\"");
  check(post(s.port(), "/predict?topk=3", whole), 400, "there is no parameter \"topk\"; there are top, explain and name");
  for (const std::string yes : {"explain", "explain=", "explain=1", "explain=yes", "explain=True"})
    CHECK(post(s.port(), "/predict?" + yes, whole).text()["predictions"][0].contains("overlay"));
  for (const std::string no : {"", "explain=0", "explain=no", "explain=FALSE"})
    CHECK_FALSE(post(s.port(), "/predict?" + no, whole).text()["predictions"][0].contains("overlay"));
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
