#include "minicnn/train/ordinal.hpp"

#include <doctest/doctest.h>

#include "train/numeric_gradient.hpp"

using namespace minicnn;

TEST_CASE("the sum of the binary losses of \"above rank k\"") {
  const ordinal<double> what;
  const tensor<double> y({2, 2}, {1, -2, 0.5, 3});
  const std::vector<std::int32_t> ranks = {1, 2};
  batch<double> b;
  b.images = y, b.labels = ranks;
  const auto cost = [](double z) { return std::log1p(std::exp(-z)); };  // of a yes with logit z
  CHECK(what.loss(y, b, {}, 1.0) == doctest::Approx((cost(1) + cost(2) + cost(0.5) + cost(3)) / 2));
  CHECK(numeric_gradient::difference(what, y, b) < 1e-8);
  CHECK(what.correct(y, b) == 2);
  const std::vector<std::int32_t> beyond = {1, 3};
  b.labels = beyond;
  CHECK_THROWS_WITH_AS(what.loss(y, b, {}, 1.0), doctest::Contains("label 3, but there are 3 classes"), option_error);
}

TEST_CASE("a miss by two ranks is twice a miss by one") {
  evaluation e;
  e.images = 3, e.columns = 2, e.labels = {0, 2, 1};
  e.outputs = {1, 1, 1, -1, 1, -1};  // ranks 2, 1, 1
  ordinal<double>().measure(e);
  CHECK(e.accuracy == doctest::Approx(1.0 / 3));
  CHECK(e.value("MAE") == doctest::Approx(1));
  CHECK(e.confusion[0][2] == 1);
}
