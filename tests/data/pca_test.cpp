#include "minicnn/data/pca.hpp"

#include <doctest/doctest.h>

#include "golden/golden.hpp"
#include "minicnn/layers/conv2d.hpp"

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

TEST_CASE("whitening filters are those of airbench's script") {
  const golden::safetensors_file file = golden::open("recipes");
  const tensor<double> images = golden::filled<double>({5, 3, 6, 7}, golden::input, 2.0, 0.25);
  const tensor<double> filters = whitening_filters<double>(images, {24, 3, 2, 2});
  CHECK(golden::relative_difference(view<const double>(filters), file, "whitening.filters") < 1e-9);
  // Fewer filters: those of the largest eigenvalues.
  const tensor<double> few = whitening_filters<double>(images, {6, 3, 2, 2});
  for (index_t i = 0; i < 36; ++i) CHECK(few[i] == filters[i]);
  for (index_t i = 0; i < 36; ++i) CHECK(few[36 + i] == -filters[i]);
  for (const shape& bad : {shape{5, 3, 2, 2}, shape{26, 3, 2, 2}, shape{2, 1, 2, 2}, shape{2, 3, 7, 2}})
    CHECK_THROWS_AS(whitening_filters<double>(images, bad), shape_error);
}

TEST_CASE("outputs of whitening filters have unit second moments and are not correlated") {
  graph<double> g;
  auto x = g.input({2, 9, 9});
  network<double> net(std::move(g), {conv2d(x, {.filters = 16, .kernel = 2, .name = "first"})}, {.threads = 1});
  tensor<double> images({6, 2, 9, 9});
  random_stream random(random_key(4));
  for (double& v : images) v = 3 + random.normal();
  whiten<double>(net, "first", images, 0.0);
  CHECK(!net.parameters()[0].trainable);
  CHECK(net.parameters()[1].trainable);
  const tensor<double> y = net.predict(images);  // 6x16x8x8
  for (index_t a = 0; a < 16; ++a)
    for (index_t b = 0; b < 16; ++b) {
      double sum = 0;
      for (index_t n = 0; n < 6; ++n)
        for (index_t k = 0; k < 64; ++k) sum += y[(n * 16 + a) * 64 + k] * y[(n * 16 + b) * 64 + k] / (6 * 64);
      CHECK(sum == doctest::Approx(a == b ? 1.0 : a % 8 == b % 8 ? -1.0 : 0.0).scale(1).epsilon(1e-9));
    }
}
