// The library in a program that is compiled with -Ofast: guards still see NaN, and results are those of -O2.
// fast_math_ofast.cpp is the other half of this program.
#include <doctest/doctest.h>

#define MINICNN_TEST_VALUES values_plain
#include "field_cases/fast_math_values.hpp"

std::map<std::string, std::vector<double>> values_ofast();

TEST_CASE("F64 -Ofast: results within 1e-4 of -O2, no NaN is made, the NaN guards work") {
  const auto plain = values_plain(), fast = values_ofast();
  REQUIRE(plain.size() == fast.size());
  REQUIRE(plain.at("guards").size() == 10);
  for (const auto& [name, wanted] : plain) {
    const std::string which = name;
    CAPTURE(which);
    const std::vector<double>& got = fast.at(name);
    REQUIRE(got.size() == wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      CAPTURE(i);
      CHECK(minicnn::is_finite(wanted[i]));
      CHECK(minicnn::is_finite(got[i]));
      CHECK(got[i] == doctest::Approx(wanted[i]).epsilon(1e-4));
    }
  }
  CHECK(plain.at("guards") == std::vector<double>(10, 1.0));
  CHECK(fast.at("guards") == std::vector<double>(10, 1.0));
}
