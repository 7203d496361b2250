#include "canvas.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

using namespace drawing;

namespace {

/// White shapes on black: the sum of a channel is the covered area in pixels.
double covered_area(const outline& shape, int width, int height, const affine& place = {}) {
  canvas c(width, height);
  c.fill(shape, place, color{1, 1, 1});
  double area = 0;
  for (const color& pixel : c.pixels()) area += double{pixel.r};
  return area;
}

const outline unit_square{{0, 0}, {1, 0}, {1, 1}, {0, 1}};

}  // namespace

TEST_CASE("a pixel's colour is the share of it that the shape covers") {
  canvas c(4, 3);
  c.fill({{0.75F, 0.5F}, {2.5F, 0.5F}, {2.5F, 2.0F}, {0.75F, 2.0F}}, {}, color{1, 0.5F, 0});
  CHECK(c.at(0, 0).r == doctest::Approx(0.125));  // a quarter of the width, half the height
  CHECK(c.at(1, 0).r == doctest::Approx(0.5));
  CHECK(c.at(2, 0).r == doctest::Approx(0.25));
  CHECK(c.at(0, 1).r == doctest::Approx(0.25));
  CHECK(c.at(1, 1).r == doctest::Approx(1));
  CHECK(c.at(1, 1).g == doctest::Approx(0.5));
  CHECK(c.at(2, 1).r == doctest::Approx(0.5));
  CHECK(c.at(3, 1).r == 0);
  CHECK(c.at(1, 2).r == 0);
}

TEST_CASE("slanted edges cover exact areas, whichever way the outline runs") {
  // The hypotenuse from (0, 0) to (4, 2) leaves 3/4 and 1/4 of the first two pixels below it.
  const outline triangle{{0, 0}, {4, 2}, {0, 2}};
  canvas c(4, 2);
  c.fill(triangle, {}, color{1, 1, 1});
  CHECK(c.at(0, 0).r == doctest::Approx(0.75));
  CHECK(c.at(1, 0).r == doctest::Approx(0.25));
  CHECK(c.at(2, 0).r == 0);
  CHECK(c.at(1, 1).r == doctest::Approx(1));
  CHECK(c.at(2, 1).r == doctest::Approx(0.75));
  CHECK(c.at(3, 1).r == doctest::Approx(0.25));
  CHECK(covered_area(triangle, 4, 2) == doctest::Approx(4));
  CHECK(covered_area({{0, 2}, {4, 2}, {0, 0}}, 4, 2) == doctest::Approx(4));
}

TEST_CASE("shapes are clipped at every side of the canvas") {
  CHECK(covered_area(unit_square, 5, 5, moved(-0.5F, 1)) == doctest::Approx(0.5));
  CHECK(covered_area(unit_square, 5, 5, moved(4.75F, 4.5F)) == doctest::Approx(0.125));
  CHECK(covered_area(unit_square, 5, 5, moved(2, -3)) == 0);
  CHECK(covered_area(unit_square, 5, 5, moved(9, 2)) == 0);
  CHECK(covered_area(unit_square, 5, 5, moved(-7, -7) * stretched(20, 20)) == doctest::Approx(25));
}

TEST_CASE("curves enclose the area that they should") {
  const double pi = std::numbers::pi;
  CHECK(covered_area(ellipse({20, 15}, 12, 8), 40, 30) == doctest::Approx(pi * 96).epsilon(0.006));  // 40 corners
  CHECK(covered_area(ellipse({0, 0}, 12, 8, 0.7F), 40, 40, moved(20, 20)) == doctest::Approx(pi * 96).epsilon(0.006));
  CHECK(covered_area(stroke({{10, 10}, {30, 10}}, 6, 6), 40, 20) == doctest::Approx(120 + pi * 9).epsilon(0.01));
  // A band around a circle: outer minus inner disc, 2 pi r times the width.
  CHECK(covered_area(contour(ellipse({20, 20}, 12, 12), 2), 40, 40) == doctest::Approx(2 * pi * 12 * 2).epsilon(0.006));
}

TEST_CASE("opacity mixes with what is there and paint sees the shape's own plane") {
  canvas c(4, 4);
  c.fill(unit_square, stretched(4, 4), color{1, 1, 1});
  c.fill(unit_square, stretched(4, 4), color{0, 0, 0}, 0.25F);
  CHECK(c.at(2, 2).g == doctest::Approx(0.75));
  c.fill(unit_square, moved(4, 0) * stretched(-4, 4), 1, [](point p) { return color{p.x, p.y, 0}; });
  CHECK(c.at(0, 0).r == doctest::Approx(0.875));
  CHECK(c.at(0, 0).g == doctest::Approx(0.125));
  CHECK(c.at(3, 3).r == doctest::Approx(0.125));
}

TEST_CASE("an affine map times its inverse changes nothing") {
  const affine map = moved(3, -2) * rotated(0.6F) * stretched(2, -0.5F);
  const point p = map.inverse()(map({1.5F, 4}));
  CHECK(p.x == doctest::Approx(1.5));
  CHECK(p.y == doctest::Approx(4));
  CHECK(map.scale() == doctest::Approx(1));
}

TEST_CASE("blur keeps flat colour, keeps the sum away from edges and spreads as a Gaussian does") {
  canvas flat(9, 7);
  flat.each([](point, color& out) { out = {0.3F, 0.6F, 0.9F}; });
  flat.blur(1.2F);
  for (const color& pixel : flat.pixels()) {
    CHECK(pixel.r == doctest::Approx(0.3));
    CHECK(pixel.b == doctest::Approx(0.9));
  }
  canvas dot(21, 21);
  dot.at(10, 10) = {1, 1, 1};
  dot.blur(1.5F);
  double sum = 0, second_moment = 0;
  for (int y = 0; y < 21; ++y)
    for (int x = 0; x < 21; ++x) {
      sum += double{dot.at(x, y).g};
      second_moment += double{dot.at(x, y).g} * (x - 10) * (x - 10);
    }
  CHECK(sum == doctest::Approx(1).epsilon(1e-4));
  CHECK(second_moment == doctest::Approx(1.5 * 1.5).epsilon(0.03));
}

TEST_CASE("hues stand where they belong") {
  const color red = from_hsv(0, 1, 1), green = from_hsv(1.0F / 3, 1, 0.5F), gray = from_hsv(0.4F, 0, 0.7F);
  CHECK(red.r == doctest::Approx(1));
  CHECK(red.g == doctest::Approx(0));
  CHECK(red.b == doctest::Approx(0));
  CHECK(green.r == doctest::Approx(0).epsilon(1e-5));
  CHECK(green.g == doctest::Approx(0.5));
  CHECK(gray.b == doctest::Approx(0.7));
}

TEST_CASE("noise stays within 0 and 1, is smooth, and depends on its seed") {
  bool differs = false;
  for (int i = -200; i < 200; ++i) {
    const float x = 0.13F * static_cast<float>(i), v = smooth_noise(x, 2.5F, 7);
    CHECK(v >= 0);
    CHECK(v <= 1);
    CHECK(std::abs(smooth_noise(x + 0.01F, 2.5F, 7) - v) < 0.02F);
    differs = differs || smooth_noise(x, 2.5F, 8) != v;
  }
  CHECK(differs);
}
