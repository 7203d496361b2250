#include "minicnn/data/pca.hpp"

#include <doctest/doctest.h>

using namespace minicnn;

TEST_CASE("components of a known covariance, largest first") {
  // Eigenvalues 400, 9 and 4 along (0.6, 0, 0.8), (0, 1, 0) and (-0.8, 0, 0.6).
  channel_statistics s;
  s.covariance = {{{400 * 0.36 + 4 * 0.64, 0, (400 - 4) * 0.48}, {0, 9, 0}, {(400 - 4) * 0.48, 0, 400 * 0.64 + 4 * 0.36}}};
  const colour_lighting lighting = principal_colours(s, 0.1);
  CHECK(lighting.deviation == 0.1);
  const double values[3] = {20, 3, 2};
  const double vectors[3][3] = {{0.6, 0, 0.8}, {0, 1, 0}, {0.8, 0, -0.6}};
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(lighting.values[i] == doctest::Approx(values[i]).epsilon(1e-9));
    for (std::size_t c = 0; c < 3; ++c) CHECK(lighting.vectors[i][c] == doctest::Approx(vectors[i][c]).epsilon(1e-9).scale(1));
  }
}

TEST_CASE("grey pictures vary along grey only") {
  channel_accumulator sum;
  sum.add({1, 2, 1, {0, 200}});
  const colour_lighting lighting = principal_colours(sum.result());
  CHECK(lighting.values[0] == doctest::Approx(100 * std::sqrt(3.0)).epsilon(1e-9));
  CHECK(lighting.values[1] == doctest::Approx(0).scale(1));
  for (const double x : lighting.vectors[0]) CHECK(x == doctest::Approx(1 / std::sqrt(3.0)).epsilon(1e-9));
}
