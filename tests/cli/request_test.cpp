// What serve makes of requests before a network sees them: hosts, heads, bodies, forms, tokens.
#include <doctest/doctest.h>

#include <string>

#include "access_token.hpp"
#include "request_guard.hpp"

namespace {

bool local(std::string_view host) {
  const auto parsed = cli::parse_authority(host);
  return parsed && cli::is_this_machine(*parsed);
}

/// The status that a guard gives a request; 200 where it lets it in.
int status_of(const std::string& text, bool only_local = true, const std::string& token = "") {
  try {
    cli::request_guard(only_local, token).check(cli::parse_head(text));
    return 200;
  } catch (const cli::refusal& r) {
    return r.status;
  }
}

std::string get(const std::string& headers, const std::string& target = "/health") {
  return "GET " + target + " HTTP/1.1\r\n" + headers + "\r\n";
}
std::string post(const std::string& headers) { return "POST /predict HTTP/1.1\r\nHost: localhost:8080\r\n" + headers + "\r\n"; }

}  // namespace

TEST_CASE("G01 G22 hosts that mean this machine are told by parsing them") {
  for (const char* own : {"localhost", "LOCALHOST", "LocalHost:1", "localhost:", "127.0.0.1:", "[::1]:", "127.0.0.1",
                          "127.0.0.1:8080", "127.1.2.3", "127.255.255.254:65535", "[::1]", "[::1]:8080", "[0:0:0:0:0:0:0:1]"}) {
    CAPTURE(own);
    CHECK(local(own));
  }
  for (const char* foreign : {"127.attacker.example",
                              "127.0.0.1.nip.io",
                              "127.0.0.1.nip.io:80",
                              "localhost.evil",
                              "localhost.evil:80",
                              "evil-localhost",
                              "xlocalhost",
                              "localhost.",
                              "127.0.0.1.",
                              "0x7f.1",
                              "0x7f.0.0.1",
                              "0177.0.0.1",
                              "127.1",
                              "127.0.1",
                              "127",
                              "2130706433",
                              "127.0.0.256",
                              "127.0.0.1.1",
                              "0.0.0.0",
                              "128.0.0.1",
                              "27.0.0.1",
                              "[::ffff:127.0.0.1]",
                              "[::]",
                              "[::2]",
                              "[::1",
                              "::1",
                              "[::1]x",
                              "[::1%lo]",
                              "[127.0.0.1]",
                              "user@localhost",
                              "localhost@evil",
                              "user:pass@127.0.0.1",
                              "localhost:80:80",
                              "localhost:99999",
                              "localhost:-1",
                              "localhost:8o",
                              "localhost:000080",
                              ":80",
                              "",
                              " localhost",
                              "localhost /",
                              "localhost/",
                              "localhost#",
                              "localhost,evil",
                              "local%68ost",
                              "http://localhost",
                              "l\xC3\xB6"
                              "calhost"}) {
    CAPTURE(foreign);
    CHECK_FALSE(local(foreign));
  }
}

TEST_CASE("an address is this machine's by what is bound, in IPv4, IPv6 and the one within the other") {
  const auto bound = [](const std::string& text) {
    sockaddr_storage all{};
    auto& four = reinterpret_cast<sockaddr_in&>(all);
    auto& six = reinterpret_cast<sockaddr_in6&>(all);
    all.ss_family = text.find(':') == text.npos ? AF_INET : AF_INET6;
    void* const at = all.ss_family == AF_INET ? static_cast<void*>(&four.sin_addr) : &six.sin6_addr;
    REQUIRE(inet_pton(all.ss_family, text.c_str(), at) == 1);
    const cli::bound_address b = cli::address_of(all);
    return std::string(b.local ? "local " : "") + (b.all ? "all " : "") + b.here;
  };
  CHECK(bound("127.0.0.1") == "local 127.0.0.1");
  CHECK(bound("127.9.9.9") == "local 127.9.9.9");
  CHECK(bound("::1") == "local [::1]");
  CHECK(bound("::ffff:127.0.0.2") == "local 127.0.0.2");
  for (const char* all : {"0.0.0.0", "::ffff:0.0.0.0"}) CHECK(bound(all) == "all 127.0.0.1");
  CHECK(bound("::") == "all [::1]");
  for (const char* open : {"192.168.0.1", "128.0.0.1", "126.255.255.255", "fe80::1", "::ffff:192.168.0.1", "::7f00:1", "::2"})
    CHECK(bound(open) == "");
  CHECK_FALSE(cli::address_of({}).local);
}

TEST_CASE("G01 a request is let in by its Host, whatever its version or the form of its target") {
  CHECK(status_of(get("Host: localhost\r\n")) == 200);
  CHECK(status_of(get("hOsT:127.0.0.1:9\r\n")) == 200);
  CHECK(status_of(get("Host: evil.example\r\n")) == 403);
  CHECK(status_of(get("Host: local%68ost\r\n")) == 403);
  CHECK(status_of(get("Host: user@localhost\r\n")) == 403);
  CHECK(status_of(get("Host:\r\n")) == 400);
  CHECK(status_of(get("")) == 400);
  CHECK(status_of("GET /health HTTP/1.0\r\n\r\n") == 400);
  CHECK(status_of("GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n") == 200);
  CHECK(status_of(get("Host: localhost:80\r\n", "http://localhost:80/health")) == 200);
  CHECK(status_of(get("Host: localhost\r\n", "http://evil.example/health")) == 403);
  CHECK(status_of(get("Host: evil.example\r\n", "http://localhost/health")) == 403);
  CHECK(status_of(get("Host: localhost\r\n", "http:///health")) == 400);
  CHECK(status_of(get("Host: localhost\r\n", "ftp://localhost/health")) == 400);
  for (const char* line : {"GET  HTTP/1.1", "GET /health HTTP/1.x", "GET /health HTTP/1.\x01", "GET /health HTTP/1."})
    CHECK_MESSAGE(status_of(std::string(line) + "\r\nHost: localhost\r\n\r\n") == 400, line);
  CHECK(status_of("GET /health HTTP/1.9\r\nHost: localhost\r\n\r\n") == 200);
  CHECK(status_of(get("Host: localhost\r\n", "/health?top=1;explain=1")) == 400);
  CHECK(status_of(get("Host: localhost\r\n", "/health?top=1&name=a%3Db")) == 200);
  CHECK(status_of(get("Host: localhost\r\n", "/health?token=YQ=="), true, "YQ==") == 200);
  CHECK(status_of(get("Host: evil.example\r\n"), false) == 200);
  CHECK(status_of(get("Host: e vil\r\n"), false) == 400);
}

TEST_CASE("A04 pages of others may not ask: Origin, Sec-Fetch-Site, Referer") {
  const std::string length = "Content-Length: 3\r\n";
  CHECK(status_of(post(length)) == 200);
  CHECK(status_of(post(length + "Origin: http://localhost:8080\r\nSec-Fetch-Site: same-origin\r\n")) == 200);
  CHECK(status_of(post(length + "Origin: HTTP://LOCALHOST:8080\r\n")) == 200);
  for (const char* origin :
       {"https://evil.example", "null", "", "http://localhost", "http://localhost:9", "https://localhost:8080",
        "http://127.0.0.1:8080", "http://localhost:8080/", "http://user@localhost:8080", "localhost:8080",
        "http://localhost:8080.evil.example", "http://localhost:8080 http://evil.example", "file://"}) {
    CAPTURE(origin);
    CHECK(status_of(post(length + "Origin: " + origin + "\r\n")) == 403);
    CHECK(status_of(get("Host: localhost:8080\r\nOrigin: " + std::string(origin) + "\r\n")) == 403);
  }
  CHECK(status_of(post(length + "Origin: http://localhost:8080\r\nOrigin: http://localhost:8080\r\n")) == 400);
  for (const char* site : {"cross-site", "same-site", "CROSS-SITE", "", "odd"}) {
    CAPTURE(site);
    CHECK(status_of(post(length + "Sec-Fetch-Site: " + site + "\r\n")) == 403);
  }
  CHECK(status_of(post(length + "Sec-Fetch-Site: none\r\n")) == 200);
  CHECK(status_of(post(length + "Referer: http://localhost:8080/?token=x\r\n")) == 200);
  CHECK(status_of(post(length + "Referer: https://evil.example/page\r\n")) == 403);
  // A link to the page may be followed from anywhere; scripts and pictures of others get nothing.
  const std::string page = "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: ";
  CHECK(status_of(get(page + "navigate\r\n", "/")) == 200);
  CHECK(status_of(get(page + "no-cors\r\n", "/")) == 403);
  CHECK(status_of(get(page + "navigate\r\n", "/health")) == 403);
  // Port 80 is left out of both.
  CHECK(status_of("POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nOrigin: http://localhost\r\n\r\n") == 200);
  CHECK(status_of("POST /predict HTTP/1.1\r\nHost: localhost:80\r\nContent-Length: 3\r\nOrigin: http://localhost\r\n\r\n") ==
        200);
}

TEST_CASE("G19 methods that a path does not take are a 405 that names those it takes") {
  for (const char* method : {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW", "get"})
    for (const std::string path : {"/", "/health", "/predict", "/nowhere"}) {
      const std::string text = method + (" " + path) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
      const std::string_view name = method;
      const bool read = name == "GET" || name == "HEAD", taken = path == "/predict" ? name == "POST" : read;
      CAPTURE(text);
      try {
        cli::request_guard(true, "").check(cli::parse_head(text));
        CHECK(taken);
      } catch (const cli::refusal& r) {
        CHECK(r.status == (path == "/nowhere" ? 404 : 405));
        CHECK(r.allow == (path == "/nowhere" ? "" : path == "/predict" ? "POST" : "GET, HEAD"));
      }
    }
}

TEST_CASE("A14 requests that say their length wrongly, twice or not at all are refused by their head") {
  CHECK(status_of(post("")) == 411);
  for (const char* length : {"abc", "", "-1", "+1", "1 2", "0x10", "1,1", "99999999999999999999999"}) {
    CAPTURE(length);
    CHECK(status_of(post("Content-Length: " + std::string(length) + "\r\n")) == 400);
  }
  CHECK(status_of(post("Content-Length: 3\r\nContent-Length: 3\r\n")) == 400);
  CHECK(status_of(post("Content-Length: 3\r\nContent-Length: 4\r\n")) == 400);
  CHECK(status_of(post("Host: localhost\r\nContent-Length: 3\r\n")) == 400);
  CHECK(status_of(post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")) == 400);
  CHECK(status_of(post("Transfer-Encoding: chunked\r\n")) == 200);
  CHECK(status_of(post("Transfer-Encoding: gzip, chunked\r\n")) == 501);
  CHECK(status_of(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")) == 400);
  CHECK(status_of("POST /predict HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n") == 400);
  CHECK(status_of(post("Content-Length: 3\r\nContent-Encoding: gzip\r\n")) == 415);
  CHECK(status_of(post("Content-Length: 3\r\nExpect: 100-Continue\r\n")) == 200);
  CHECK(status_of(post("Content-Length: 3\r\nExpect: a-miracle\r\n")) == 417);
}

TEST_CASE("A14 heads that could be read in two ways are refused") {
  for (const char* text :
       {"GET /health\r\nHost: localhost\r\n\r\n", "GET  /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /he alth HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /health HTTP/1.1 \r\nHost: localhost\r\n\r\n", "GET /health HTTP/11\r\nHost: localhost\r\n\r\n",
        "GET /health HTTP/1.1\nHost: localhost\n\n", "GET /health HTTP/1.1\r\nHost: localhost\n\r\n",
        "GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n", "GET /health HTTP/1.1\r\n Host: localhost\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\nnothing\r\n\r\n", "GET /health HTTP/1.1\r\nHost: local\x01host\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: localhost\r\n: x\r\n\r\n", "G(T /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\x16\x03\x01\r\n\r\n", "\r\n\r\n"}) {
    CAPTURE(text);
    CHECK(status_of(text) == 400);
  }
  CHECK(status_of(std::string("GET /health HTTP/1.1\r\nHost: localhost\0\r\n\r\n", 43)) == 400);
  CHECK(status_of("GET /health HTTP/2.0\r\nHost: localhost\r\n\r\n") == 505);
  CHECK(status_of(get("Host: localhost\r\n", "/" + std::string(5000, 'x'))) == 414);
  std::string many = "Host: localhost\r\n";
  for (int i = 0; i < 200; ++i) many += "X: y\r\n";
  CHECK(status_of(get(many)) == 431);
  CHECK(cli::head_bytes("GET / HTTP/1.1\r\nHost: x\r\n") == 0);
  CHECK(cli::head_bytes("a\r\n\r\nb") == 5);
  CHECK(cli::head_bytes("a\n\nb\r\n\r\n") == 3);
}

TEST_CASE("a token lets in, wherever it stands; nothing else does") {
  const std::string host = "Host: 192.168.0.2\r\n";
  for (const char* path : {"/", "/health"}) {
    CHECK(status_of(get(host, path), false, "secret") == 401);
    CHECK(status_of(get(host, path + std::string("?token=secret")), false, "secret") == 200);
  }
  CHECK(status_of(get(host, "/?x=1&token=secret&y"), false, "secret") == 200);
  CHECK(status_of(get(host + "Authorization: Bearer secret\r\n"), false, "secret") == 200);
  CHECK(status_of(get(host + "authorization: bearer  secret\r\n"), false, "secret") == 200);
  for (const char* wrong : {"?token=", "?token=secre", "?token=secrets", "?token=SECRET", "?xtoken=secret", "?token", "?"})
    CHECK(status_of(get(host, "/health" + std::string(wrong)), false, "secret") == 401);
  CHECK(status_of(get(host + "Authorization: Basic secret\r\n"), false, "secret") == 401);
  // Of two, neither counts.
  for (const char* twice : {"?token=secret&token=secret", "?token=secret&token=x", "?token=x&token=secret", "?token&token=secret",
                            "?token=secret&%74oken=x", "?x=1&token=secret&y=2&token="})
    for (const char* known : {"secret", "other", ""}) {
      INFO(twice, known);
      CHECK(status_of(get(host, "/health" + std::string(twice)), false, known) == 400);
      CHECK(status_of(get(host + "Authorization: Bearer secret\r\n", "/" + std::string(twice)), false, known) == 400);
    }
  CHECK(status_of(get(host, "/nowhere"), false, "secret") == 401);
  CHECK(status_of("POST /predict?token=secret HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n", true, "secret") == 200);
  CHECK(cli::equal_tokens("", ""));
  CHECK_FALSE(cli::equal_tokens("a", ""));
  CHECK_FALSE(cli::equal_tokens("", "a"));
  CHECK_FALSE(cli::equal_tokens("aa", "a"));
  const std::string one = cli::new_token(), other = cli::new_token();
  CHECK(one.size() == 32);
  CHECK(cli::is_plain_token(one));
  CHECK(one != other);
  CHECK_FALSE(cli::is_plain_token("a b"));
  CHECK_FALSE(cli::is_plain_token(""));
}
