#include "minicnn/report/roc.hpp"

#include <doctest/doctest.h>

#include "minicnn/core/random.hpp"
#include "minicnn/train/metrics.hpp"

using namespace minicnn;

TEST_CASE("the curve goes up for each positive and right for each negative, from the highest score on") {
  const std::vector<double> scores{0.9, 0.8, 0.7, 0.6};
  const std::vector<std::int32_t> labels{1, 0, 1, 0};
  const std::vector<roc_point> curve = roc_curve(scores, labels);
  const double wanted[][3] = {{0, 0, INFINITY}, {0, 0.5, 0.9}, {0.5, 0.5, 0.8}, {0.5, 1, 0.7}, {1, 1, 0.6}};
  REQUIRE(curve.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(curve[i].false_positives == wanted[i][0]);
    CHECK(curve[i].true_positives == wanted[i][1]);
    CHECK(curve[i].threshold == wanted[i][2]);
  }
}

TEST_CASE("equal scores are one step, straight runs are one line") {
  const std::vector<double> scores{5, 5, 3, 2, 1, 1};
  const std::vector<std::int32_t> labels{1, 0, 0, 0, 0, 1};
  const std::vector<roc_point> curve = roc_curve(scores, labels);
  REQUIRE(curve.size() == 4);
  CHECK(curve[1].false_positives == 0.25);
  CHECK(curve[1].true_positives == 0.5);
  CHECK(curve[2].false_positives == 0.75);  // two negatives in a row
  CHECK(curve[3].true_positives == 1);
}

TEST_CASE("the area under it is that of area_under_curve") {
  std::vector<double> scores;
  std::vector<std::int32_t> labels;
  random_stream random{random_key(3)};
  for (int i = 0; i < 500; ++i) {
    labels.push_back(random.chance(0.3) ? 1 : 0);
    scores.push_back(std::floor(10 * (random.uniform(0, 1) + 0.4 * labels.back())));  // with ties
  }
  const std::vector<roc_point> curve = roc_curve(scores, labels);
  double area = 0;
  for (std::size_t i = 1; i < curve.size(); ++i)
    area +=
        (curve[i].false_positives - curve[i - 1].false_positives) * (curve[i].true_positives + curve[i - 1].true_positives) / 2;
  CHECK(area == doctest::Approx(area_under_curve(scores, labels)).epsilon(1e-12));
}

TEST_CASE("no curve for one class, or for scores that are not numbers") {
  CHECK(roc_curve(std::vector<double>{1, 2}, std::vector<std::int32_t>{1, 1}).empty());
  CHECK(roc_curve(std::vector<double>{1, NAN}, std::vector<std::int32_t>{1, 0}).empty());
  CHECK(roc_curve(std::vector<double>{}, std::vector<std::int32_t>{}).empty());
  CHECK_THROWS_AS(roc_curve(std::vector<double>{1}, std::vector<std::int32_t>{1, 0}), shape_error);
}
