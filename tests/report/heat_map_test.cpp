#include "minicnn/report/heat_map.hpp"

#include <doctest/doctest.h>

#include "held.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/report/filters.hpp"

using namespace minicnn;

TEST_CASE("enlarging keeps constants and means, and interpolates between cell centres") {
  const tensor<float> map({1, 2}, {0, 4});
  const tensor<float> wide = enlarge<float>(map, 1, 4);  // centres at 0.25 and 0.75 of the width
  const float wanted[] = {0, 1, 3, 4};
  for (index_t i = 0; i < 4; ++i) CHECK(wide[i] == doctest::Approx(wanted[i]));
  const tensor<float> flat = enlarge<float>(held(tensor<float>({3, 2}, 7.0F)), 5, 9);
  for (const float v : flat) CHECK(v == doctest::Approx(7));
  CHECK_THROWS_AS(enlarge<float>(held(tensor<float>({2, 2, 2})), 4, 4), shape_error);
}

TEST_CASE("an overlay is hot where the map is, and survives maps without heat") {
  const rgb_picture grey({2, 4, 3}, 128);
  const rgb_picture out = overlay(grey, held(tensor<float>({1, 2}, {-3, 5})));
  CHECK(out.dims() == grey.dims());
  CHECK(out(0, 0, 2) > out(0, 0, 0));  // cold: blue
  CHECK(out(0, 3, 0) > out(0, 3, 2));  // hot: red
  for (const float value : {0.0F, -1.0F, NAN}) {
    const rgb_picture none = overlay(grey, held(tensor<float>({1, 1}, value)));
    CHECK(none(0, 0, 2) > none(0, 0, 0));
  }
}

TEST_CASE("normalised planes become bytes again") {
  const tensor<float> planes({3, 1, 2}, {-1, 0, 0, 1, 9, -9});
  const rgb_picture bytes = to_bytes<float>(planes, {100, 100, 100}, {100, 50, 128});
  CHECK(bytes(0, 0, 0) == 0);
  CHECK(bytes(0, 1, 0) == 100);
  CHECK(bytes(0, 0, 1) == 50);
  CHECK(bytes(0, 1, 1) == 150);
  CHECK(bytes(0, 0, 2) == 255);  // cut
  CHECK(bytes(0, 1, 2) == 0);
  const rgb_picture grey = to_bytes<float>(held(tensor<float>({1, 1, 1}, 1.0F)), {7, 7, 7}, {0, 0, 0});
  CHECK(grey(0, 0, 2) == 7);
}

TEST_CASE("grids") {
  std::vector<rgb_picture> tiles;
  for (unsigned char k = 0; k < 3; ++k) tiles.emplace_back(shape{1, 2, 3}, k);
  const rgb_picture grid = side_by_side(tiles, 2, 1);
  REQUIRE(grid.dims() == shape{3, 5, 3});
  CHECK(grid(0, 0, 0) == 0);
  CHECK(grid(0, 2, 0) == 255);  // gap
  CHECK(grid(0, 3, 0) == 1);
  CHECK(grid(2, 1, 0) == 2);
  CHECK(grid(2, 4, 0) == 255);  // no fourth tile
  CHECK(magnified(tiles[1], 3).dims() == shape{3, 6, 3});
  CHECK_THROWS_AS(side_by_side({}, 2, 1), option_error);
}

TEST_CASE("filters: grey is zero, the largest weight is bright or dark") {
  graph<float> g;
  auto x = conv2d(g.input({3, 4, 4}), {.filters = 2, .kernel = 2});
  network<float> net(std::move(g), {x}, {.threads = 1});
  const view<float> w = net.parameter("conv1.weight");
  for (float& v : w) v = 0;
  w(0, 0, 0, 0) = 0.5F;   // red of filter 0
  w(0, 2, 1, 1) = -0.5F;  // blue
  const rgb_picture picture = filter_picture(net, 1);
  REQUIRE(picture.dims() == shape{2, 6, 3});
  CHECK(picture(0, 0, 0) == 255);
  CHECK(picture(0, 0, 1) == 128);
  CHECK(picture(1, 1, 2) == 1);
  CHECK(picture(0, 4, 0) == 128);  // filter 1 is all zero
}

TEST_CASE("feature maps: those that vary come first") {
  const tensor<float> maps({3, 1, 2}, {1, 1, 0, 5, 2, 3});
  const rgb_picture picture = activation_picture<float>(maps, 2);
  REQUIRE(picture.dims() == shape{32, 64 * 2 + 2, 3});
  CHECK(picture(0, 0, 2) > picture(0, 0, 0));    // map 1, its 0 is cold
  CHECK(picture(0, 63, 0) > picture(0, 63, 2));  // its 5 is hot
  CHECK(picture(0, 66, 2) > picture(0, 66, 0));  // map 2, its 2
  CHECK_THROWS_AS(activation_picture<float>(held(tensor<float>({2, 3, 1, 2}))), shape_error);
}
