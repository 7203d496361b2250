#include "minicnn/train/average_precision.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace minicnn;

TEST_CASE("average precision by hand, as scikit-learn has it") {
  // Ranked: yes, no, yes, yes, no. Precision where recall grows: 1/1, 2/3, 3/4.
  const std::vector<double> scores = {0.9, 0.8, 0.7, 0.6, 0.1};
  CHECK(average_precision(scores, {1, 0, 1, 1, 0}) == doctest::Approx((1.0 + 2.0 / 3 + 3.0 / 4) / 3));
  CHECK(average_precision(scores, {1, 1, 0, 0, 0}) == doctest::Approx(1.0));
  CHECK(average_precision(scores, {0, 0, 0, 0, 1}) == doctest::Approx(0.2));
  // scikit-learn's own example: average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) = 0.83...
  const std::vector<double> example = {0.1, 0.4, 0.35, 0.8};
  CHECK(average_precision(example, {0, 0, 1, 1}) == doctest::Approx(0.8333333333333333));
  // Ties are one threshold: all four taken at once have precision 1/2.
  const std::vector<double> equal(4, 0.5);
  CHECK(average_precision(equal, {1, 0, 1, 0}) == doctest::Approx(0.5));
  CHECK(std::isnan(average_precision(equal, {0, 0, 0, 0})));
}

TEST_CASE("precision, recall and F1 from counts") {
  const label_counts c{6, 2, 4};
  CHECK(c.precision() == doctest::Approx(0.75));
  CHECK(c.recall() == doctest::Approx(0.6));
  CHECK(c.f1() == doctest::Approx(2 * 0.75 * 0.6 / 1.35));
  CHECK(label_counts{}.f1() == 0.0);
}

TEST_CASE("the threshold with the best F1 lies halfway to the next score") {
  // Taking the first three: precision 2/3, recall 1, F1 0.8; the first alone: 2/3.
  const std::vector<double> scores = {0.9, 0.6, 0.5, 0.3};
  CHECK(best_f1_threshold(scores, {1, 0, 1, 0}, 0.5) == doctest::Approx(0.4));
  CHECK(best_f1_threshold(scores, {1, 0, 0, 0}, 0.5) == doctest::Approx(0.75));
  CHECK(best_f1_threshold(scores, {0, 0, 0, 1}, 0.5) == doctest::Approx(0.3));  // nothing lies below
  CHECK(best_f1_threshold(scores, {0, 0, 0, 0}, 0.25) == 0.25);
}

TEST_CASE("what cannot be ranked is refused") {
  const std::vector<double> scores = {0.5, std::numeric_limits<double>::quiet_NaN()};
  CHECK_THROWS_WITH_AS(average_precision(scores, {0, 1}), doctest::Contains("score 1 is not finite"), option_error);
  CHECK_THROWS_AS(average_precision(scores, {0}), shape_error);
}
