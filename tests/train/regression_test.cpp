#include "minicnn/train/regression.hpp"

#include <doctest/doctest.h>

#include "train/numeric_gradient.hpp"

using namespace minicnn;

TEST_CASE("mean squared error of targets as they are, and of standardised ones") {
  const tensor<double> y({2, 2}, {1, 2, 3, 4}), t({2, 2}, {0, 2, 5, 8});
  batch<double> b;
  b.images = y, b.targets = t;
  const regression<double> plain;
  CHECK(plain.loss(y, b, {}, 1.0) == doctest::Approx((1 + 0 + 4 + 16) / 4.0));  // torch.nn.MSELoss
  CHECK(numeric_gradient::difference(plain, y, b) < 1e-7);
  const regression<double> scaled({.mean = {1, 2}, .std = {2, 4}});
  // Targets (-0.5, 0) and (2, 1.5).
  CHECK(scaled.loss(y, b, {}, 1.0) == doctest::Approx((1.5 * 1.5 + 4 + 1 + 2.5 * 2.5) / 4));
  CHECK(numeric_gradient::difference(scaled, y, b) < 1e-7);
  CHECK(scaled.value(1.5, 1) == 8);
}

TEST_CASE("R2, MAE and RMSE by hand, in the targets' units") {
  evaluation e;
  e.images = 4, e.columns = e.target_columns = 2;
  e.outputs = {2.5, 1, 0.0, 1, 2, 1, 8, 1};  // scikit-learn's example in column 0
  e.targets = {3, 10, -0.5, 10, 2, 10, 7, 10};
  regression<double>({.mean = {0, 0}, .std = {1, 12}}).measure(e);
  CHECK(e.per_target[0].r2 == doctest::Approx(0.9486081370449679));
  CHECK(e.per_target[0].mae == doctest::Approx(0.5));
  CHECK(e.per_target[0].rmse == doctest::Approx(std::sqrt(0.375)));
  CHECK(e.per_target[1].mae == doctest::Approx(2));
  CHECK(std::isnan(e.per_target[1].r2));  // nothing to explain
  CHECK(e.value("MSE") == doctest::Approx((0.375 + 4) / 2));
  CHECK(e.value("MAE") == doctest::Approx(1.25));
  CHECK_FALSE(e.figure("RMSE").higher_is_better);
}

TEST_CASE("standardize: mean and deviation of each column") {
  const std::vector<double> t = {1, 5, 3, 5, 5, 5};
  const target_scaling s = standardize(t, 2);
  CHECK(s.mean == std::vector<double>{3, 5});
  CHECK(s.std[0] == doctest::Approx(std::sqrt(8.0 / 3)));
  CHECK(s.std[1] == 1);
  CHECK_THROWS_AS(standardize(t, 4), shape_error);
  CHECK_THROWS_AS(regression<double>({.mean = {1}, .std = {0}}), option_error);
}
