#include "minicnn/analysis/occlusion.hpp"

#include <doctest/doctest.h>

#include "minicnn/graph/session.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/flatten.hpp"

using namespace minicnn;

namespace {

/// Logit of class 1 is 2 times pixel (0, 0) of a 4 x 4 image, that of class 0 is 0.
network<float> one_pixel() {
  graph<float> g;
  network<float> net(std::move(g), {dense(flatten(g.input({1, 4, 4})), 2)}, {.threads = 1});
  for (float& v : net.parameter_arena()) v = 0;
  net.parameter("fc1.weight")[16] = 2;
  return net;
}

}  // namespace

TEST_CASE("covering the one pixel that matters costs the class its probability") {
  const network<float> net = one_pixel();
  tensor<float> image({1, 1, 4, 4}, 1.0F);
  session<float> run(net, {.threads = 1});
  const double lost = 1 / (1 + std::exp(-2.0)) - 0.5;
  for (const index_t batch : {1, 3, 32}) {
    const tensor<float> map = occlusion<float>(run, image, 1, {.patch = 2, .stride = 2, .batch = batch});
    REQUIRE(map.dims() == shape{4, 4});
    for (index_t y = 0; y < 4; ++y)
      for (index_t x = 0; x < 4; ++x) CHECK(map(y, x) == doctest::Approx(y < 2 && x < 2 ? lost : 0.0));
  }
  // Overlapping squares: pixel (0, 1) is covered by those at columns 0 and 1, of which one covers (0, 0).
  const tensor<float> map = occlusion<float>(run, image, 1, {.patch = 2, .stride = 1});
  CHECK(map(0, 0) == doctest::Approx(lost));
  CHECK(map(0, 1) == doctest::Approx(lost / 2));
  CHECK(map(1, 1) == doctest::Approx(lost / 4));
  CHECK(map(3, 3) == 0);
  // For the other class it is a gain.
  CHECK(occlusion<float>(run, image, 0, {.patch = 2, .stride = 2})(0, 0) == doctest::Approx(-lost));
}

TEST_CASE("the last square lies at the edge, and what does not fit is refused") {
  CHECK(detail::patch_places(10, 4, 3) == std::vector<index_t>{0, 3, 6});
  CHECK(detail::patch_places(11, 4, 3) == std::vector<index_t>{0, 3, 6, 7});
  CHECK(detail::patch_places(4, 4, 3) == std::vector<index_t>{0});
  const network<float> net = one_pixel();
  const tensor<float> image({1, 1, 4, 4}), two({2, 1, 4, 4});
  session<float> run(net, {.threads = 1});
  CHECK_THROWS_AS(occlusion<float>(run, image, 2), option_error);
  CHECK_THROWS_AS(occlusion<float>(run, image, 1, {.patch = 5}), option_error);
  CHECK_THROWS_AS(occlusion<float>(run, two, 1), shape_error);
}
