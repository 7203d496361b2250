#include "minicnn/train/parse_sizes.hpp"

#include <doctest/doctest.h>

using namespace minicnn;

TEST_CASE("sizes are read with their fractions; one size counts for the whole run") {
  const auto sizes = parse_sizes("128:0,160:0.6,192:0.85");
  REQUIRE(sizes.size() == 3);
  CHECK(sizes[1].size == 160);
  CHECK(sizes[1].from == 0.6);
  CHECK(size_at(sizes, 0.0).size == 128);
  CHECK(size_at(sizes, 0.5999).size == 128);
  CHECK(size_at(sizes, 0.6).size == 160);
  CHECK(size_at(sizes, 0.85).size == 192);
  CHECK(size_at(sizes, 1.0).size == 192);
  CHECK(size_at(parse_sizes("96"), 0.7).size == 96);
  CHECK(parse_sizes("").empty());
}

TEST_CASE("sizes in turn change from epoch to epoch") {
  const auto sizes = parse_sizes("180/224");
  REQUIRE(sizes.size() == 1);
  for (const index_t epoch : {0, 2, 8}) CHECK(size_in_epoch(sizes[0], epoch) == 180);
  for (const index_t epoch : {1, 3, 9}) CHECK(size_in_epoch(sizes[0], epoch) == 224);
  CHECK(largest_size(sizes[0]) == 224);
  const auto both = parse_sizes("96/160/128:0,224:0.5");
  CHECK(size_in_epoch(size_at(both, 0.2), 4) == 160);
  CHECK(size_in_epoch(size_at(both, 0.2), 5) == 128);
  CHECK(size_in_epoch(size_at(both, 0.5), 4) == 224);
  CHECK(largest_size(both[0]) == 160);
}

TEST_CASE("sizes that mean nothing are refused") {
  for (const char* text : {"128:0.1", "128:0,160:0", "128:0,160:1", "128:0,160:0.5,192:0.4", "0", "-3", "big", "128:", "128:0,",
                           ",128", "128:0,160:x", "128:0;160:0.5", "128:nan", "180/", "/224", "180/0", "180//224", "180/x:0"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_sizes(text), option_error);
  }
}

TEST_CASE("work follows the measured costs, else the area") {
  auto sizes = parse_sizes("100:0,200:0.5");
  CHECK(work_until({}, 0.25) == doctest::Approx(0.25));
  CHECK(work_until(sizes, 0.5) == doctest::Approx(0.5));
  CHECK(work_until(sizes, 1.0) == doctest::Approx(0.5 + 0.5 * 4));  // four times the area
  CHECK(work_until(parse_sizes("100/200"), 1.0) == doctest::Approx(2.5));
  sizes[1].cost = 3;
  CHECK(work_until(sizes, 0.75) == doctest::Approx(0.5 + 0.25 * 3));
}
