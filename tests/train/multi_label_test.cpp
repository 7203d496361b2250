#include "minicnn/train/multi_label.hpp"

#include <doctest/doctest.h>

#include "train/numeric_gradient.hpp"

using namespace minicnn;

namespace {

double logit(double p) { return std::log(p / (1 - p)); }

/// Three samples, two labels.
evaluation three() {
  evaluation e;
  e.images = 3, e.columns = e.target_columns = 2;
  e.outputs = {logit(0.9), logit(0.2), logit(0.4), logit(0.7), logit(0.6), logit(0.1)};
  e.targets = {1, 0, 0, 1, 1, 1};
  return e;
}

}  // namespace

TEST_CASE("loss and gradient are PyTorch's BCEWithLogitsLoss") {
  // torch.nn.BCEWithLogitsLoss(pos_weight=[2, 1])([[0.5, -1], [2, 0.25]], [[1, 0], [0, 1]]): by hand, log(1 + exp(-z)) for yes.
  const multi_label<double> what({.pos_weight = {2, 1}});
  const tensor<double> y({2, 2}, {0.5, -1, 2, 0.25}), t({2, 2}, {1, 0, 0, 1});
  batch<double> b;
  b.images = y, b.targets = t;
  const double expected =
      (2 * std::log1p(std::exp(-0.5)) + std::log1p(std::exp(-1.0)) + std::log1p(std::exp(2.0)) + std::log1p(std::exp(-0.25))) / 4;
  CHECK(what.loss(y, b, {}, 1.0) == doctest::Approx(expected).epsilon(1e-12));
  CHECK(numeric_gradient::difference(what, y, b) < 1e-8);
  CHECK(what.correct(y, b) == doctest::Approx(1.5));
}

TEST_CASE("figures by hand: average precision and F1 a label, mAP, micro F1, exact match") {
  evaluation e = three();
  multi_label<double>().measure(e);
  REQUIRE(e.per_label.size() == 2);
  // Label 0: 0.9 yes, 0.6 yes, 0.4 no: perfect. Label 1: 0.7 yes, 0.2 no, 0.1 yes.
  CHECK(e.per_label[0].average_precision == doctest::Approx(1));
  CHECK(e.per_label[1].average_precision == doctest::Approx((1 + 2.0 / 3) / 2));
  CHECK(e.per_label[0].f1 == doctest::Approx(1));
  CHECK(e.per_label[1].precision == doctest::Approx(1));
  CHECK(e.per_label[1].recall == doctest::Approx(0.5));
  CHECK(e.per_label[1].positives == 2);
  CHECK(e.value("mAP") == doctest::Approx((1 + 5.0 / 6) / 2));
  CHECK(e.value("macro F1") == doctest::Approx((1 + 2.0 / 3) / 2));
  CHECK(e.value("micro F1") == doctest::Approx(6.0 / 7));  // 3 right, 0 wrong, 1 missed
  CHECK(e.value("exact match") == doctest::Approx(2.0 / 3));
  CHECK(e.accuracy == doctest::Approx(5.0 / 6));
}

TEST_CASE("thresholds chosen on one set count in the figures of the next") {
  const std::vector<double> chosen = multi_label<double>::choose_thresholds(three());
  CHECK(chosen[0] == doctest::Approx(0.5));  // between 0.6 and 0.4
  CHECK(chosen[1] == doctest::Approx(0.1));  // all three: F1 0.8
  evaluation e = three();
  multi_label<double>({.thresholds = {0.5, 0.05}}).measure(e);
  CHECK(e.per_label[1].f1 == doctest::Approx(0.8));
  CHECK(e.per_label[1].threshold == 0.05);
  CHECK_THROWS_AS(multi_label<double>({.thresholds = {0.5}}).measure(e), option_error);
  CHECK_THROWS_AS(multi_label<double>({.thresholds = {1.5}}), option_error);
}

TEST_CASE("a label that no sample has counts nowhere; weights balance yes and no") {
  evaluation e = three();
  for (std::size_t i = 1; i < e.targets.size(); i += 2) e.targets[i] = 0;
  multi_label<double>().measure(e);
  CHECK(std::isnan(e.per_label[1].average_precision));
  CHECK(e.value("mAP") == doctest::Approx(1));
  const std::vector<index_t> counts = {2, 5};
  CHECK(balanced_pos_weight(counts, 10) == std::vector<double>{4, 1});
  const std::vector<index_t> all = {10};
  CHECK_THROWS_AS(balanced_pos_weight(all, 10), option_error);
}

TEST_CASE("targets other than 0 and 1 are refused") {
  const multi_label<double> what;
  const tensor<double> y({1, 2}), t({1, 2}, {1, 0.5});
  batch<double> b;
  b.images = y, b.targets = t;
  CHECK_THROWS_WITH_AS(what.loss(y, b, {}, 1.0), doctest::Contains("wanted 0 or 1"), option_error);
}
