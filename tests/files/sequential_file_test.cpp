#include "minicnn/files/sequential_file.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

#include "io/temporary_folder.hpp"
#include "minicnn/core/random.hpp"

using namespace minicnn;

namespace {

/// Bytes in memory, handed out a few at a time.
struct memory_source {
  std::string bytes;
  index_t portion = 3;
  std::size_t at = 0;

  index_t read_some(void* out, index_t count) {
    const auto n = (std::min)(static_cast<std::size_t>((std::min)(count, portion)), bytes.size() - at);
    std::copy_n(bytes.data() + at, n, static_cast<char*>(out));
    at += n;
    return static_cast<index_t>(n);
  }
};

std::string hex(std::string_view digits) {
  std::string out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    out += static_cast<char>(std::strtol(std::string(digits.substr(i, 2)).c_str(), nullptr, 16));
  return out;
}

std::string unpack(const std::string& packed) {
  memory_source source{packed};
  inflater<memory_source> in(source, "x");
  std::string out;
  char part[100];
  while (const index_t got = in.read_some(part, sizeof part)) out.append(part, static_cast<std::size_t>(got));
  return out;
}

std::string read_all(const std::string& path) {
  sequential_file file(path);
  std::string out;
  char part[777];
  while (const index_t got = file.read_some(part, sizeof part)) out.append(part, static_cast<std::size_t>(got));
  return out;
}

/// Letters with runs, repeats near and far, and stretches that do not pack.
std::string mixed_text(std::size_t length, std::uint64_t seed) {
  random_stream random{random_key(seed)};
  std::string out;
  while (out.size() < length) {
    const index_t kind = random.below(4);
    if (kind == 0) out.append(static_cast<std::size_t>(random.below(600)), static_cast<char>('a' + random.below(26)));
    if (kind == 1)
      for (index_t n = random.below(300); n > 0; --n) out += static_cast<char>(random.below(256));
    if (kind == 2 && out.size() > 40000) out += out.substr(out.size() - 32768 - static_cast<std::size_t>(random.below(3)), 500);
    if (kind == 3)
      for (index_t n = random.below(300); n > 0; --n) out += "etaoin shr"[random.below(10)];
  }
  return out;
}

}  // namespace

TEST_CASE("stored, fixed and dynamic blocks, as the standard lays them out") {
  CHECK(unpack(hex("010300fcff616263")) == "abc");  // stored
  CHECK(unpack(hex("4b4c4a0600")) == "abc");        // fixed codes
  std::string runs;                                 // letters i^2 mod 7, each i mod 5 + 1 times
  for (int i = 0; i < 60; ++i) runs.append(static_cast<std::size_t>(i % 5 + 1), static_cast<char>('A' + i * i % 7));
  CHECK(unpack(hex("ad8dc10d00200c0267e30cfbafa425ca04f268023d82c0f67a324882a4c9cf1dab1125f325a4db0fa9dbc70563f56f6803")) ==
        runs);                                                   // dynamic codes, by zlib
  CHECK(unpack(hex("000300fcff616263010100feff64")) == "abcd");  // two stored blocks
  CHECK(unpack(hex("0300")).empty());                            // an empty fixed block
}

TEST_CASE("damaged data are refused with what is wrong") {
  const auto what = [](const char* digits) { return thrown<file_error>([&] { unpack(hex(digits)); }); };
  CHECK(contains(what("010300fdff616263"), "two lengths disagree"));
  CHECK(contains(what("07"), "unknown kind"));
  CHECK(contains(what("4b4c4a"), "end early"));
  CHECK(contains(what("010300fcff61"), "end early"));
  CHECK(contains(what(""), "end early"));
  CHECK(contains(what("0302"), "before the beginning"));  // a match of 3 at distance 1 with nothing before it
  CHECK(contains(what("fdffff"), "more symbols than there are"));
}

TEST_CASE("what gzip packs comes out again, at every level, in members one after another") {
  const temporary_folder folder;
  for (const char* level : {"-1", "-6", "-9"}) {
    const std::string text = mixed_text(300000, static_cast<std::uint64_t>(level[1]));
    put_file(folder / "a", text);
    put_file(folder / "b", "and more");
    REQUIRE(std::system(("cd '" + folder.path() + "' && gzip -kf " + level + " a b && cat a.gz b.gz > both.gz").c_str()) == 0);
    CHECK(read_all(folder / "a") == text);
    CHECK(read_all(folder / "a.gz") == text);
    CHECK(read_all(folder / "both.gz") == text + "and more");
  }
}

TEST_CASE("a packed file that was cut, changed or lengthened is refused") {
  const temporary_folder folder;
  const std::string text = mixed_text(20000, 5);
  put_file(folder / "a", text);
  REQUIRE(std::system(("gzip -k '" + (folder / "a") + "'").c_str()) == 0);
  const std::string whole = read_file(folder / "a.gz");
  const auto what = [&](const std::string& bytes) {
    put_file(folder / "b.gz", bytes);
    return thrown<file_error>([&] { read_all(folder / "b.gz"); });
  };
  CHECK(contains(what(whole.substr(0, whole.size() / 2)), "end early"));
  CHECK(contains(what(whole.substr(0, whole.size() - 3)), "end early"));
  CHECK(contains(what(whole.substr(0, 5)), "end early"));
  CHECK(contains(what(whole + "x"), "after the end"));
  std::string wrong_sum = whole;
  wrong_sum[whole.size() - 6] = static_cast<char>(wrong_sum[whole.size() - 6] ^ 1);
  CHECK(contains(what(wrong_sum), "checksum"));
  CHECK(what(wrong_sum).starts_with(folder / "b.gz" + ": "));

  // One changed byte anywhere: an error, or (in the name, the time, ...) the same text. Never other text, never a crash.
  random_stream random{random_key(9)};
  for (int i = 0; i < 400; ++i) {
    std::string changed = whole;
    const auto at = static_cast<std::size_t>(2 + random.below(static_cast<index_t>(whole.size()) - 2));
    changed[at] = static_cast<char>(changed[at] ^ static_cast<char>(1 + random.below(255)));
    put_file(folder / "c.gz", changed);
    std::string got = text;
    (void)thrown<file_error>([&] { got = read_all(folder / "c.gz"); });
    CHECK(got == text);
  }
}

TEST_CASE("exact reads and the end of the file") {
  const temporary_folder folder;
  put_file(folder / "a", "abcdef");
  sequential_file file(folder / "a");
  CHECK(!file.packed());
  CHECK(file.most_bytes() == 6);
  char got[8] = {};
  file.read(got, 4);
  CHECK(std::string(got) == "abcd");
  CHECK(file.position() == 4);
  CHECK(contains(thrown<file_error>([&] { file.expect_end(); }), "more than the 4 bytes"));
  CHECK(contains(thrown<file_error>([&] { file.read(got, 5); }), "ends after 6 bytes, wanted 4 more"));
  CHECK_THROWS_AS(sequential_file(folder / "none"), file_error);
}
