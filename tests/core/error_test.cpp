#include "minicnn/core/error.hpp"

#include <doctest/doctest.h>

#include <clocale>
#include <limits>

#include "minicnn/core/shape.hpp"

using namespace minicnn;

TEST_CASE("messages join text, numbers and shapes") {
  CHECK(text_of("conv1: got ", shape{1, 3}, ", wanted ", 7, " or ", 0.5, " or ", true) ==
        "conv1: got 1x3, wanted 7 or 0.5 or true");
  CHECK(text_of("name.tmp-", 12, '-', 0U) == "name.tmp-12-0");
  CHECK_THROWS_WITH_AS(fail<file_error>("a.jpg", ": ", 3), "a.jpg: 3", file_error);
}

TEST_CASE("every error is a minicnn::error") {
  CHECK_THROWS_AS(fail<shape_error>("x"), error);
  CHECK_THROWS_AS(fail<length_error>("x"), error);
  CHECK_THROWS_AS(fail<option_error>("x"), std::runtime_error);
}

TEST_CASE("numbers are written alike in every locale (F53)") {
  const char* comma = std::setlocale(LC_ALL, "de_DE.UTF-8");
  if (comma == nullptr) MESSAGE("locale de_DE.UTF-8 is not installed: only the C locale is tried");
  CHECK(to_text(0.001) == "0.001");
  CHECK(to_text(1234567.25) == "1234567.25");
  CHECK(to_text((std::numeric_limits<std::int64_t>::min)()) == "-9223372036854775808");
  std::setlocale(LC_ALL, "C");
}
