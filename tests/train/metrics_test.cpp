#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "held.hpp"
#include "minicnn/train/metrics.hpp"

using namespace minicnn;
using labels_t = std::vector<std::int32_t>;

namespace {
doctest::Approx near(double x) { return doctest::Approx(x).epsilon(1e-9); }
}  // namespace

TEST_CASE("F46 means over unequal batches weigh samples, not batches") {
  running_mean loss;
  CHECK(loss.value() == 0.0);
  loss.add(1.0, 4);
  loss.add(1.0, 4);
  loss.add(5.0, 2);
  CHECK(loss.value() == near(1.8));
  CHECK(loss.count() == 10);
}

TEST_CASE("the class that logits name") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(arg_max<float>(held(tensor<float>({3}, {1, 3, 3}))) == 1);
  CHECK(arg_max<float>(held(tensor<float>({3}, {nan, -5, nan}))) == 1);
  CHECK(predicted_class<float>(held(tensor<float>({1}, {0.1f}))) == 1);
  CHECK(predicted_class<float>(held(tensor<float>({1}, {-0.1f}))) == 0);
}

TEST_CASE("confusion matrix and what follows from it, by hand") {
  confusion_matrix m(3);
  CHECK(m.accuracy() == 0.0);
  // truth 0: 3 right, 1 taken for 1; truth 1: 2 right, 2 taken for 0; truth 2: never, but predicted once for truth 1
  for (int i = 0; i < 3; ++i) m.add(0, 0);
  m.add(0, 1);
  m.add<float>(held(tensor<float>({5, 3}, {0, 1, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1})), labels_t{1, 1, 1, 1, 1});
  CHECK(m.total() == 9);
  CHECK(m.correct() == 5);
  CHECK(m(1, 0) == 2);
  CHECK(m.accuracy() == near(5.0 / 9));
  CHECK(m.precision(0) == near(3.0 / 5));
  CHECK(m.recall(0) == near(3.0 / 4));
  CHECK(m.f1(0) == near(2 * 0.6 * 0.75 / (0.6 + 0.75)));
  CHECK(m.precision(1) == near(2.0 / 3));
  CHECK(m.recall(1) == near(2.0 / 5));
  CHECK(m.recall(2) == 0.0);
  CHECK(m.f1(2) == 0.0);
  CHECK(m.balanced_accuracy() == near((0.75 + 0.4) / 2));
  CHECK_THROWS_AS(m.add(0, 3), option_error);
  CHECK_THROWS_AS(m.add(-1, 0), option_error);
  CHECK_THROWS_AS(m.add<float>(held(tensor<float>({2, 3})), labels_t{0}), shape_error);
}

TEST_CASE("F37 log loss is clipped in double") {
  const labels_t y{1, 0, 1, 0};
  const std::vector<double> p{0.9, 0.2, 0.5, 1.0};
  CHECK(log_loss(p, y, 1e-15) == doctest::Approx(8.890307).epsilon(1e-7));
  CHECK(log_loss(p, y, 1e-7) == doctest::Approx(4.284937).epsilon(1e-6));
  CHECK(log_loss(p, y, 0.005) == doctest::Approx(1.579992).epsilon(1e-6));
  CHECK(log_loss(0.0) == doctest::Approx(34.538776).epsilon(1e-7));
  CHECK(log_loss(0.0, 0.005) == doctest::Approx(5.298317).epsilon(1e-6));
  CHECK(log_loss(1.0, 0.005) == doctest::Approx(0.005013).epsilon(1e-3));
  const tensor<float> rows({4, 2}, {0.1f, 0.9f, 0.8f, 0.2f, 0.5f, 0.5f, 0.0f, 1.0f});
  CHECK(log_loss<float>(rows, y, 0.005) == doctest::Approx(1.579992).epsilon(1e-6));
  CHECK(log_loss<float>(rows, y) < 9.0);
  CHECK_THROWS_AS(log_loss(p, labels_t{1}), shape_error);
  CHECK_THROWS_AS(log_loss<float>(rows, labels_t{0, 1, 2, 0}), option_error);
}

TEST_CASE("area under the ROC curve by hand, ties included") {
  const labels_t y{0, 0, 1, 1};
  CHECK(area_under_curve(std::vector{0.1, 0.4, 0.35, 0.8}, y) == near(0.75));
  CHECK(area_under_curve(std::vector{0.1, 0.2, 0.3, 0.4}, y) == 1.0);
  CHECK(area_under_curve(std::vector{0.4, 0.3, 0.2, 0.1}, y) == 0.0);
  CHECK(area_under_curve(std::vector{0.5, 0.5, 0.5, 0.5}, y) == 0.5);
  CHECK(area_under_curve(std::vector{0.1, 0.5, 0.5, 0.9}, y) == near(3.5 / 4));
  CHECK(!is_finite(area_under_curve(std::vector{0.1, 0.2}, labels_t{1, 1})));
  CHECK_THROWS_AS(area_under_curve(std::vector{0.1, std::nan("")}, labels_t{0, 1}), option_error);
  CHECK_THROWS_AS(area_under_curve(std::vector{0.1}, labels_t{0, 1}), shape_error);
}

TEST_CASE("N03 metrics of what is not finite are errors, never numbers") {
  const double nan = std::nan(""), inf = std::numeric_limits<double>::infinity();
  for (const double bad : {nan, inf, -inf}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(log_loss(bad), option_error);
    CHECK_THROWS_AS(log_loss(std::vector{0.5, bad}, labels_t{0, 1}), option_error);
    const tensor<double> row({1, 2}, {bad, bad});
    CHECK_THROWS_AS(log_loss<double>(row, labels_t{1}), option_error);
  }
  for (const double clip : {nan, -0.1, 0.6, inf}) CHECK_THROWS_AS(log_loss(0.5, clip), option_error);
  confusion_matrix counts(2);
  const tensor<float> logits({1, 2}, {static_cast<float>(nan), static_cast<float>(nan)});
  counts.add<float>(logits, labels_t{1});
  CHECK(counts.total() == 1);
}

TEST_CASE("G18 one class has no area under the curve") {
  const double area = area_under_curve(std::vector{0.1, 0.7}, labels_t{1, 1});
  CHECK(std::isnan(area));
  CHECK_FALSE(std::signbit(area));
  CHECK(std::isnan(area_under_curve(std::vector<double>{}, labels_t{})));
}
