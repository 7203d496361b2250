#include "minicnn/layers/window.hpp"

#include <doctest/doctest.h>

using namespace minicnn;

TEST_CASE("extent2d: one number or two") {
  CHECK(extent2d(3) == extent2d(3, 3));
  CHECK(extent2d(2, 5).size() == 10);
  CHECK(extent2d(2, 5).text() == "2x5");
}

TEST_CASE("F05 window_count: floor by default, ceil on request") {
  const index_t sizes[] = {55, 54, 27, 13, 112, 6}, floors[] = {27, 26, 13, 6, 55, 2}, ceils[] = {27, 27, 13, 6, 56, 3};
  for (int i = 0; i < 6; ++i) {
    CHECK(window_count("height", sizes[i], 3, 2, 0, 0) == floors[i]);
    CHECK(window_count("height", sizes[i], 3, 2, 0, 0, 1, true) == ceils[i]);
  }
}

TEST_CASE("F06 window_count: a last window must start inside the image or the padding before it") {
  CHECK(window_count("height", 5, 1, 3, 0, 0, 1, true) == 2);
  CHECK(window_count("height", 6, 3, 2, 0, 0, 1, true) == 3);
  CHECK(window_count("height", 4, 2, 3, 1, 1, 1, true) == 2);  // (4 + 2 - 2) / 3 rounded up + 1 = 3, but it starts at 6 >= 4 + 1
}

TEST_CASE("window_count: with ceil_mode a window may be larger than the image by less than its stride, as in PyTorch") {
  CHECK(window_count("height", 2, 3, 2, 0, 0, 1, true) == 1);
  CHECK(window_count("height", 1, 3, 3, 0, 0, 1, true) == 1);
  CHECK_THROWS_AS(window_count("height", 1, 3, 2, 0, 0, 1, true), shape_error);
  CHECK_THROWS_AS(window_count("height", 2, 3, 2, 0, 0, 1, false), shape_error);
}

TEST_CASE("window_count with dilation, and a window that does not fit") {
  CHECK(window_count("height", 7, 3, 1, 0, 0, 3) == 1);
  CHECK_THROWS_WITH_AS(window_count("width", 4, 3, 1, 1, 0, 3),
                       "a window of 7 does not fit into the width of 4 + 1 + 0 (image + padding)", shape_error);
}

TEST_CASE("padding2d: TensorFlow's SAME puts the odd row and column at the bottom and right") {
  CHECK(padding2d::same().resolve(6, 5, 3, 2) == padding2d(0, 1, 1, 1));
  CHECK(padding2d::same().resolve(7, 7, 2, 1) == padding2d(0, 1, 0, 1));
  CHECK(padding2d::same().resolve(8, 8, 1, 2) == padding2d(0));
  CHECK(padding2d::same().resolve(9, 9, 3, 1, 2) == padding2d(2));
  CHECK(padding2d(1, 2).resolve(6, 5, 3, 2) == padding2d(1, 1, 2, 2));
}

TEST_CASE("check_window and describe_padding") {
  CHECK_THROWS_AS(check_window(0, 1, 0), option_error);
  CHECK_THROWS_AS(check_window(1, {1, 0}, 0), option_error);
  CHECK_THROWS_AS(check_window(1, 1, -1), option_error);
  CHECK_THROWS_AS(check_window(1, 1, 0, 0), option_error);
  attribute_list a;
  describe_padding(a, {1, 2, 3, 4});
  describe_padding(a, padding2d::same());
  CHECK(std::get<std::vector<index_t>>(a[0].second) == std::vector<index_t>{1, 3, 2, 4});
  CHECK(a[1].first == "auto_pad");
}
