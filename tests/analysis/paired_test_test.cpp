#include "minicnn/analysis/paired_test.hpp"

#include <doctest/doctest.h>

using namespace minicnn;

TEST_CASE("McNemar's exact test against sums of binomial coefficients") {
  CHECK(mcnemar_exact(0, 0) == 1.0);
  CHECK(mcnemar_exact(7, 7) == 1.0);
  CHECK(mcnemar_exact(1, 0) == doctest::Approx(1.0));
  CHECK(mcnemar_exact(0, 5) == doctest::Approx(2.0 / 32));
  CHECK(mcnemar_exact(5, 0) == mcnemar_exact(0, 5));
  // (1 + 10 + 45) / 1024, twice
  CHECK(mcnemar_exact(8, 2) == doctest::Approx(2 * 56.0 / 1024));
  // (1 + 16 + 120 + 560 + 1820) / 65536, twice
  CHECK(mcnemar_exact(4, 12) == doctest::Approx(2 * 2517.0 / 65536));
  CHECK_THROWS_AS(mcnemar_exact(-1, 2), option_error);
}

TEST_CASE("thousands of disagreements neither overflow nor vanish") {
  // The normal approximation with continuity correction for 5200 against 4800: z = 399 / 100.
  const double z = 3.99, approximate = std::erfc(z / std::sqrt(2.0));
  CHECK(mcnemar_exact(5200, 4800) == doctest::Approx(approximate).epsilon(0.02));
  CHECK(mcnemar_exact(100000, 0) >= 0);
  CHECK(mcnemar_exact(100000, 0) < 1e-300);
}

TEST_CASE("bootstrap: near the normal interval where that holds, a point where there is no spread") {
  std::vector<double> values;
  random_stream random{random_key(4)};
  double sum = 0, squares = 0;
  for (int i = 0; i < 1000; ++i)
    values.push_back(0.3 + random.normal()), sum += values.back(), squares += values.back() * values.back();
  const double mean = sum / 1000, error = std::sqrt((squares / 1000 - mean * mean) / 1000);
  const mean_interval found = bootstrap_mean(values);
  CHECK(found.mean == doctest::Approx(mean));
  CHECK(found.low == doctest::Approx(mean - 1.96 * error).epsilon(0.03));
  CHECK(found.high == doctest::Approx(mean + 1.96 * error).epsilon(0.03));
  CHECK(found.clear());
  const mean_interval again = bootstrap_mean(values);
  CHECK(again.low == found.low);
  CHECK(again.high == found.high);
  CHECK(bootstrap_mean(values, 0.95, 2000, 1).low != found.low);

  const mean_interval point = bootstrap_mean(std::vector<double>(5, 2.0));
  CHECK(point.mean == 2.0);
  CHECK(point.low == 2.0);
  CHECK(point.high == 2.0);
  CHECK_FALSE(mean_interval{0.1, -0.1, 0.3}.clear());
  CHECK_THROWS_AS(bootstrap_mean(std::vector<double>{}), option_error);
  CHECK_THROWS_AS(bootstrap_mean(values, 1.0), option_error);
  CHECK_THROWS_AS(bootstrap_mean(values, 0.95, 3), option_error);
}

TEST_CASE("two networks picture by picture") {
  const judged_pictures a{{1, 1, 1, 0, 1}, {0.1, 0.2, 0.3, 2.0, 0.4}}, b{{1, 0, 0, 0, 0}, {0.1, 1.2, 1.3, 2.0, 1.4}};
  const paired_comparison c = compare_paired(a, b);
  CHECK(c.images == 5);
  CHECK(c.both == 1);
  CHECK(c.only_first == 3);
  CHECK(c.only_second == 0);
  CHECK(c.neither == 1);
  CHECK(c.p_value == doctest::Approx(0.25));
  CHECK(c.loss_difference.mean == doctest::Approx(-0.6));
  CHECK(c.loss_difference.low >= -1.0);
  CHECK(c.loss_difference.high <= 0.0);
  CHECK_THROWS_AS(compare_paired(a, judged_pictures{{1}, {0.1}}), option_error);
  CHECK_THROWS_AS(compare_paired({}, {}), option_error);
}
