#include "minicnn/train/classification.hpp"

#include <doctest/doctest.h>

#include "train/numeric_gradient.hpp"

using namespace minicnn;

namespace {

const std::vector<std::int32_t> labels = {2, 0};

batch<double> of(const tensor<double>& y, const std::vector<std::int32_t>& truth = labels) {
  batch<double> b;
  b.images = y, b.labels = truth;
  return b;
}

}  // namespace

TEST_CASE("labels are smoothed in training alone, class weights count in both") {
  const tensor<double> y({2, 3}, {0.5, -1, 2, 1, 0, -2});
  const std::vector<double> weights = {1, 5, 2};
  const classification<double> what({.label_smoothing = 0.2, .class_weights = weights});
  const batch<double> b = of(y);
  CHECK(what.loss(y, b, {}, 1.0) ==
        softmax_cross_entropy<double>({.label_smoothing = 0.2, .class_weights = weights}).value(y, labels));
  CHECK(what.evaluation_loss(y, b) == softmax_cross_entropy<double>({.class_weights = weights}).value(y, labels));
  CHECK(what.weight(b) == 3);
  CHECK(numeric_gradient::difference(what, y, b) < 1e-8);
  CHECK(what.correct(y, b) == 2);
}

TEST_CASE("figures of classes") {
  evaluation e;
  e.images = 4, e.columns = 2, e.labels = {0, 0, 0, 1};
  e.outputs = {1, 0, 1, 0, 0, 1, 0, 1};
  classification<double>().measure(e);
  CHECK(e.confusion == std::vector<std::vector<index_t>>{{2, 1}, {0, 1}});
  CHECK(e.accuracy == 0.75);
  CHECK(e.value("balanced accuracy") == doctest::Approx((2.0 / 3 + 1) / 2));
  CHECK(e.value("macro F1") == doctest::Approx((0.8 + 2.0 / 3) / 2));
}

TEST_CASE("balanced weights make classes count alike") {
  const std::vector<index_t> counts = {90, 10};
  const std::vector<double> w = balanced_class_weights(counts);
  CHECK(w[0] == doctest::Approx(100.0 / 180));
  CHECK(w[1] == doctest::Approx(5));
  CHECK(w[0] * 90 == doctest::Approx(w[1] * 10));
  const std::vector<index_t> none = {3, 0};
  CHECK_THROWS_WITH_AS(balanced_class_weights(none), doctest::Contains("class 1"), option_error);
}

TEST_CASE("one logit: loss, gradient and figures") {
  const tensor<double> y({3, 1}, {2, -0.5, -1});
  const std::vector<std::int32_t> truth = {1, 1, 0};
  const binary_classification<double> what({.pos_weight = {3}});
  const batch<double> b = of(y, truth);
  CHECK(what.loss(y, b, {}, 1.0) ==
        doctest::Approx((3 * std::log1p(std::exp(-2.0)) + 3 * std::log1p(std::exp(0.5)) + std::log1p(std::exp(-1.0))) / 3));
  CHECK(numeric_gradient::difference(what, y, b) < 1e-8);
  CHECK(what.correct(y, b) == 2);
  evaluation e;
  e.images = 3, e.columns = 1, e.outputs = {2, -0.5, -1}, e.labels = truth;
  what.measure(e);
  CHECK(e.confusion == std::vector<std::vector<index_t>>{{1, 0}, {1, 1}});
  CHECK(e.value("AUC") == 1);
}
