#include "minicnn/core/float_text.hpp"

#include <doctest/doctest.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <version>

#include "german_locale.hpp"
#include "minicnn/core/random.hpp"

namespace by_printf = minicnn::detail::by_printf;

namespace {

template <class N>
std::string shortest(N value) {
  char buffer[64];
  return std::string(buffer, by_printf::float_to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

#ifdef __cpp_lib_to_chars
/// The same reading and rest as std::from_chars.
template <class N>
void check_reading(std::string_view text) {
  CAPTURE(text);
  N wanted = 7, got = 7;
  const auto a = std::from_chars(text.data(), text.data() + text.size(), wanted);
  const auto b = by_printf::float_from_chars(text.data(), text.data() + text.size(), got);
  CHECK(a.ec == b.ec);
  if (a.ec == std::errc()) {
    CHECK(a.ptr == b.ptr);
    CHECK((got == wanted || (std::isnan(got) && std::isnan(wanted))));
  }
}
#else  // libc++ before 20 has nothing to compare with
template <class N>
void check_reading(std::string_view) {}
#endif

template <class N, class Bits>
void check_round_trips() {
  minicnn::random_stream random{minicnn::random_key(5)};
  for (int i = 0; i < 20000; ++i) {
    const N value = __builtin_bit_cast(N, static_cast<Bits>((std::uint64_t{random.bits()} << 32) | random.bits()));
    if (!std::isfinite(value)) continue;
    const std::string text = shortest(value);
    N back{};
    by_printf::float_from_chars(text.data(), text.data() + text.size(), back);
    CHECK(back == value);
    check_reading<N>(text);
  }
}

}  // namespace

TEST_CASE("any number reads back as itself, by ours and by the standard's reader") {
  check_round_trips<double, std::uint64_t>();
  check_round_trips<float, std::uint32_t>();
  CHECK(shortest(0.1) == "0.1");
  CHECK(shortest(0.1F) == "0.1");
  CHECK(shortest(123456.0) == "123456");
  CHECK(shortest(5e-324) == "5e-324");
}

#ifdef __cpp_lib_to_chars
TEST_CASE("texts are read as std::from_chars reads them") {
  for (const std::string_view text :
       {"",       "+5",     " 5",     "-",    ".",         "5.",    ".5",    "-.5e1", "1e",    "1e+",
        "0x10",   "1,5",    "1.5.5",  "inf",  "-infinity", "nan",   "infx",  "e5",    "1e400", "-1e400",
        "1e-400", "5e-324", "3.4e38", "1e39", "1e-46",     "12abc", "1_000", "007",   "1e5f"}) {
    check_reading<double>(text);
    check_reading<float>(text);
  }
}

TEST_CASE("digits in a format, as std::to_chars") {
  for (const double value : {0.0, -0.0, 1.0, 123456.789, 1e-7, 3e20, -2.5})
    for (const auto format : {std::chars_format::fixed, std::chars_format::scientific, std::chars_format::general})
      for (const int precision : {0, 2, 9}) {
        char a[100], b[100];
        const std::string wanted(a, std::to_chars(a, a + sizeof a, value, format, precision).ptr);
        CHECK(std::string(b, by_printf::float_to_chars(b, b + sizeof b, value, format, precision).ptr) == wanted);
      }
}
#endif

TEST_CASE("a buffer that is too small is told") {
  char small[3];
  CHECK(by_printf::float_to_chars(small, small + sizeof small, 1234.5).ec == std::errc::value_too_large);
}

TEST_CASE("the locale's decimal point is neither written nor wanted") {
  const german locale;
  if (!locale.c()) MESSAGE("no locale with a decimal comma can be made here");
  CHECK(shortest(1.5) == "1.5");
  check_reading<double>("1.5");
  check_reading<double>("1,5");
  check_reading<float>("-12.25e3x");
}
