#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "held.hpp"
#include "minicnn/analysis/calibration.hpp"
#include "minicnn/core/random.hpp"

using namespace minicnn;
using labels_t = std::vector<std::int32_t>;

namespace {
doctest::Approx near(double x) { return doctest::Approx(x).epsilon(1e-9); }
}  // namespace

TEST_CASE("calibration error and Brier score by hand") {
  // Confidences 0.6 (right), 0.7 (wrong), 0.9 (right), 1.0 (right) in five bins of 0.2: [0.6, 0.8) and [0.8, 1].
  const tensor<double> p({4, 2}, {0.625, 0.375, 0.25, 0.75, 0.875, 0.125, 0.0, 1.0});
  const calibration c = calibrate<double>(p, labels_t{0, 0, 0, 1}, 5);
  CHECK(c.bins[2].count == 0);
  CHECK(c.bins[3].count == 2);
  CHECK(c.bins[3].confidence == near(0.6875));
  CHECK(c.bins[3].accuracy == near(0.5));
  CHECK(c.bins[4].count == 2);
  CHECK(c.bins[4].confidence == near(0.9375));
  CHECK(c.bins[4].accuracy == 1.0);
  CHECK(c.expected_error == near(0.5 * 0.1875 + 0.5 * 0.0625));
  CHECK(c.brier == near(2 * (0.375 * 0.375 + 0.75 * 0.75 + 0.125 * 0.125) / 4));
  CHECK(calibrate<double>(held(tensor<double>({0, 2})), labels_t{}).expected_error == 0.0);
  CHECK_THROWS_AS(calibrate<double>(p, labels_t{0, 0, 0, 2}), option_error);
  CHECK_THROWS_AS(calibrate<double>(p, labels_t{0}), shape_error);
  CHECK_THROWS_AS(calibrate<double>(p, labels_t{0, 0, 0, 1}, 0), option_error);
}

TEST_CASE("N03 values that are not finite have no calibration, temperature or clip") {
  for (const double bad : {std::nan(""), static_cast<double>(INFINITY), -static_cast<double>(INFINITY)}) {
    CAPTURE(bad);
    const tensor<double> row({1, 2}, {bad, bad}), second({2, 2}, {0.5, 0.5, 0.5, bad}), single({1, 1}, {bad});
    CHECK_THROWS_AS(calibrate<double>(row, labels_t{0}), option_error);
    CHECK_THROWS_WITH_AS(calibrate<double>(second, labels_t{0, 0}), "calibration: sample 1: value 1 is not finite", option_error);
    CHECK_THROWS_AS(fit_temperature<double>(second, labels_t{0, 0}), option_error);
    CHECK_THROWS_AS(fit_temperature<double>(single, labels_t{0}), option_error);
    const std::vector<std::vector<float>> views{{0.F, static_cast<float>(bad)}};
    CHECK_THROWS_AS(mean_view_log_loss(views, labels_t{0}, 2, 1.0), option_error);
    CHECK_THROWS_AS(fit_view_temperature(views, labels_t{0}, 2), option_error);
    CHECK_THROWS_AS(fit_clip(std::vector<double>{bad}, labels_t{0}), option_error);
    CHECK_THROWS_AS(mean_view_log_loss(std::vector<std::vector<float>>{{0, 1}}, labels_t{0}, 2, bad), option_error);
  }
  const std::vector<std::vector<float>> good{{0, 1}};
  CHECK_THROWS_AS(mean_view_log_loss(good, labels_t{0}, 2, 0.0), option_error);
  CHECK_THROWS_AS(fit_view_temperature(good, labels_t{0}, 2, 2.0, 1.0), option_error);
  CHECK_THROWS_AS(fit_view_temperature(good, labels_t{0}, 2, 0.0, 1.0), option_error);
}

TEST_CASE("the temperature that makes probabilities true is found") {
  // All rows have logits (0, z); a share q of them has label 1. The best scaled logit is log(q / (1 - q)).
  for (const double z : {0.5, 3.0, 40.0, 2000.0}) {
    const index_t n = 100;
    tensor<double> logits({n, 2});
    tensor<double> single({n, 1});
    labels_t y;
    for (index_t i = 0; i < n; ++i) logits[2 * i + 1] = single[i] = z, y.push_back(i < 80 ? 1 : 0);
    const double want = z / std::log(4.0);
    CHECK(fit_temperature<double>(logits, y) == near(want));
    CHECK(fit_temperature<double>(single, y) == near(want));
  }
}

TEST_CASE("a temperature stays in its range and undoes a known scaling") {
  CHECK(fit_temperature<float>(held(tensor<float>({2, 2}, {3, 0, 0, 3})), labels_t{0, 1}) == doctest::Approx(0.1));
  CHECK(fit_temperature<float>(held(tensor<float>({2, 2}, {3, 0, 0, 3})), labels_t{1, 0}) == doctest::Approx(1e4));
  CHECK(fit_temperature<float>(held(tensor<float>({0, 2})), labels_t{}) == 1.0);
  CHECK_THROWS_AS(fit_temperature<float>(held(tensor<float>({1, 2})), labels_t{2}), option_error);
  // Labels drawn from softmax(z); logits stored as 3 z.
  random_stream random(random_key(5));
  const index_t n = 20'000;
  tensor<float> logits({n, 3});
  labels_t y;
  for (index_t i = 0; i < n; ++i) {
    double e[3], sum = 0.0;
    for (int k = 0; k < 3; ++k) {
      const double z = 2.0 * random.normal();
      logits[3 * i + k] = static_cast<float>(3.0 * z);
      sum += e[k] = std::exp(z);
    }
    double u = random.uniform() * sum;
    std::int32_t label = 0;
    while (label < 2 && u >= e[label]) u -= e[label++];
    y.push_back(label);
  }
  CHECK(fit_temperature<float>(logits, y) == doctest::Approx(3.0).epsilon(0.03));
}

TEST_CASE("the log loss of averaged views, by hand, and its temperature") {
  // Two views of one image with P(1) = 0.8 and 0.5: mean 0.65.
  const float z = static_cast<float>(std::log(4.0));
  const std::vector<std::vector<float>> views = {{0, z}, {0, 0}};
  const std::vector<std::int32_t> one = {1}, none;
  CHECK(mean_view_log_loss(views, one, 2, 1.0) == doctest::Approx(-std::log(0.65)));
  // Three of four right with equal certainty: the best answer is 0.75, that is a logit of log 3 where the network says 4.
  const std::vector<std::vector<float>> sure = {{0, 4, 0, 4, 0, 4, 0, 4}};
  const std::vector<std::int32_t> labels = {1, 1, 1, 0};
  CHECK(fit_view_temperature(sure, labels, 2) == doctest::Approx(4 / std::log(3.0)).epsilon(1e-4));
  // Always right: as far as the range goes, and no further.
  const std::vector<std::int32_t> right = {1, 1, 1, 1};
  CHECK(fit_view_temperature(sure, right, 2) == doctest::Approx(0.5).epsilon(1e-4));
  CHECK(fit_view_temperature(std::vector<std::vector<float>>{{}}, none, 2) == 1.0);
  CHECK_THROWS_AS(fit_view_temperature(sure, one, 2), shape_error);
}

TEST_CASE("the clip follows the mistakes that were seen") {
  // A hundred certain answers, two of them wrong: the best certainty is 0.98.
  std::vector<double> certain(100, 1.0);
  std::vector<std::int32_t> labels(100, 1);
  labels[3] = labels[40] = 0;
  CHECK(fit_clip(certain, labels) == doctest::Approx(0.02).epsilon(0.05));
  // None wrong: what a hundred samples cannot tell from none.
  labels[3] = labels[40] = 1;
  CHECK(fit_clip(certain, labels) == doctest::Approx(0.5 / 101));
  CHECK_THROWS_AS(fit_clip(certain, std::span<const std::int32_t>(labels).first(4)), shape_error);
}
