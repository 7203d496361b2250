#include "minicnn/layers/spatial_pyramid.hpp"

#include <doctest/doctest.h>

#include "minicnn/graph/network.hpp"

using namespace minicnn;

TEST_CASE("50 bins of every map, whatever the image's size") {
  for (const shape& image : {shape{256, 13, 13}, shape{256, 10, 10}, shape{256, 18, 12}, shape{256, 3, 2}}) {
    graph<float> g;
    const node<float> y = spatial_pyramid(g.input(image));
    CHECK(y.dims() == shape{1, 12800});
    CHECK(y.name() == "spp.concat");
  }
}

TEST_CASE("by hand: maxima of quarters, then of the whole, each level by channel") {
  graph<float> g;
  const node<float> x = g.input({2, 3, 3});
  network<float> net(std::move(g), {spatial_pyramid(x, {.levels = {2, 1}})});
  const tensor<float> image({1, 2, 3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1});
  const tensor<float> y = net.predict(image);
  // Bins of three cells in two: the middle row and column belong to both.
  const float wanted[] = {5, 6, 8, 9, 9, 8, 6, 5, 9, 9};
  CHECK(y.dims() == shape{1, 10});
  CHECK(std::equal(y.begin(), y.end(), wanted, wanted + 10));
}

TEST_CASE("names and errors") {
  graph<float> g;
  const node<float> x = g.input({4, 5, 5});
  spatial_pyramid(x, {.levels = {3, 1}, .name = "pyramid"});
  CHECK(g.find("pyramid.pool3") >= 0);
  CHECK(g.find("pyramid.flatten1") >= 0);
  CHECK_THROWS_WITH_AS(spatial_pyramid(x, {.levels = {}}), "spatial_pyramid: no levels", option_error);
  CHECK_THROWS_WITH_AS(spatial_pyramid(x, {.levels = {0}, .name = "none"}), doctest::Contains("none.pool0"), option_error);
}
