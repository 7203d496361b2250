#include "minicnn/train/history.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace minicnn;

TEST_CASE("a history survives its table exactly, NaN included") {
  std::vector<epoch_record> history{{1, 0.1, 0.5, NAN, NAN, 1e-9, 33.25, 12.5}, {2, 1.0 / 3, 0.75, 0.6, 1, 0.02, 40, 25}};
  const auto read = parse_history_csv(history_csv(history), "results.csv");
  REQUIRE(read.size() == 2);
  CHECK(read[1].epoch == 2);
  CHECK(read[1].train_loss == 1.0 / 3);
  CHECK(read[0].learning_rate == 1e-9);
  CHECK(std::isnan(read[0].val_loss));
  CHECK(read[0].seconds == 12.5);
}

TEST_CASE("a table that is not one is refused by line and field") {
  CHECK_THROWS_WITH_AS(parse_history_csv("a,b\n", "r.csv"), doctest::Contains("r.csv: line 1"), file_error);
  const std::string header(history_header);
  CHECK_THROWS_WITH_AS(parse_history_csv(header + "\n1,2,3\n", "r.csv"), doctest::Contains("line 2, field 3"), file_error);
  CHECK_THROWS_WITH_AS(parse_history_csv(header + "\n1,2,x,4,5,6,7,8\n", "r.csv"), doctest::Contains("field 3"), file_error);
  CHECK(parse_history_csv(header + "\r\n1,2,3,4,5,6,7,8\r\n", "r.csv").size() == 1);
}
