#include "minicnn/core/number.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

using minicnn::parse_number;
using minicnn::parse_whole_number;

TEST_CASE("A20 one grammar of numbers: decimal, finite, the whole text") {
  for (const auto& [text, value] : {std::pair<const char*, double>{"3", 3},
                                    {"-0.5", -0.5},
                                    {".5", 0.5},
                                    {"5.", 5},
                                    {"1e3", 1000},
                                    {"1E-3", 1e-3},
                                    {"+5", 5},
                                    {"+.5e+1", 5},
                                    {"010", 10},
                                    {"1e308", 1e308},
                                    {"0e999", 0}}) {
    const std::string shown(text);
    CAPTURE(shown);
    REQUIRE(parse_number(text));
    CHECK(*parse_number(text) == value);
  }
  CHECK_FALSE(std::signbit(*parse_number("-0")));
  const std::string digits(309, '9');
  for (const std::string& text : {std::string(),
                                  std::string(" "),
                                  std::string("nan"),
                                  std::string("inf"),
                                  std::string("-inf"),
                                  std::string("infinity"),
                                  std::string("1e999"),
                                  std::string("-1e999"),
                                  std::string("1e-320"),
                                  std::string("1e-999"),
                                  std::string("0x10"),
                                  std::string("1_000"),
                                  std::string("1,5"),
                                  std::string("1 "),
                                  std::string(" 1"),
                                  std::string("1e"),
                                  std::string("e3"),
                                  std::string("."),
                                  std::string("+"),
                                  std::string("-"),
                                  std::string("+-5"),
                                  std::string("-+5"),
                                  std::string("--5"),
                                  std::string("1\n"),
                                  std::string("1\0", 2),
                                  std::string("\xD9\xA3"),
                                  std::string("\xEF\xBC\x95"),
                                  std::string("5px"),
                                  digits}) {
    const std::string shown(text);
    CAPTURE(shown);
    CHECK_FALSE(parse_number(text));
  }
  CHECK(parse_number(digits.substr(1)));
}

TEST_CASE("A20 whole numbers are decimal and within their type") {
  CHECK(parse_whole_number("10") == 10);
  CHECK(parse_whole_number("010") == 10);  // not 8
  CHECK(parse_whole_number("+5") == 5);
  CHECK(parse_whole_number("-0") == 0);
  CHECK(parse_whole_number("-9223372036854775808") == INT64_MIN);
  CHECK(parse_whole_number<std::uint64_t>("18446744073709551615") == UINT64_MAX);
  for (const char* text :
       {"", " ", "1e3", "5.", "1.0", "0x10", "1_000", "nan", "9223372036854775808", "5 ", " 5", "+-5", "\xD9\xA3"}) {
    const std::string shown(text);
    CAPTURE(shown);
    CHECK_FALSE(parse_whole_number(text));
  }
  CHECK_FALSE(parse_whole_number<std::uint64_t>("-1"));
  CHECK_FALSE(parse_whole_number<std::int32_t>("2147483648"));
}
