#include "minicnn/data/augment.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace minicnn;

TEST_CASE("colours: hand-computed values") {
  colour_change change;
  CHECK(!change.any());
  // Two pixels: (100, 50, 200) and (10, 250, 30).
  const std::vector<double> pixels{100, 10, 50, 250, 200, 30};
  const auto changed = [&] {
    std::vector<double> out = pixels;
    apply_colours(change, 3, 2, out.data());
    return out;
  };
  const auto check_equal = [](const std::vector<double>& got, const std::vector<double>& wanted) {
    for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(got[i] == doctest::Approx(wanted[i]).epsilon(1e-6).scale(1));
  };
  change.brightness = 1.5F;
  CHECK(change.any());
  check_equal(changed(), {150, 15, 75, 255, 255, 45});
  // Grey: 0.299 * 100 + 0.587 * 50 + 0.114 * 200 = 82.05; 2.99 + 146.75 + 3.42 = 153.16; mean 117.605.
  change = {};
  change.contrast = 0.5F;
  check_equal(changed(), {108.8025, 63.8025, 83.8025, 183.8025, 158.8025, 73.8025});
  change.contrast = 0.0F;
  check_equal(changed(), {117.605, 117.605, 117.605, 117.605, 117.605, 117.605});
  change = {};
  change.saturation = 0.0F;
  check_equal(changed(), {82.05, 153.16, 82.05, 153.16, 82.05, 153.16});
  change.saturation = 1.5F;  // 82.05 + 1.5 * (100 - 82.05) = 108.975, ...; (10 - 153.16) * 1.5 + 153.16 < 0
  check_equal(changed(), {108.975, 0, 33.975, 255, 255, 0});
  change = {};
  change.added = {1, -2, 100};
  check_equal(changed(), {101, 11, 48, 248, 300, 130});
}

TEST_CASE("colours of a grey picture") {
  colour_change change;
  change.brightness = 0.5F;
  change.contrast = 2.0F;
  change.saturation = 0.1F;
  change.added = {9, 9, 9};
  std::vector<float> plane{100, 200};  // 50, 100; mean 75; 25, 125
  apply_colours(change, 1, 2, plane.data());
  CHECK(plane[0] == doctest::Approx(25));
  CHECK(plane[1] == doctest::Approx(125));
}

TEST_CASE("lighting adds the components' sum, with the paper's distribution") {
  augmentation a;
  a.lighting.deviation = 0.1;
  a.lighting.values = {60, 20, 10};
  a.lighting.vectors = {{{0.6, 0.0, 0.8}, {0.0, 1.0, 0.0}, {-0.8, 0.0, 0.6}}};
  double sum[3] = {}, squares[3] = {};
  constexpr int draws = 20000;
  for (std::uint64_t i = 0; i < draws; ++i) {
    const colour_change change = random_colours(a, random_key(i));
    for (std::size_t c = 0; c < 3; ++c) {
      sum[c] += change.added[c];
      squares[c] += change.added[c] * change.added[c];
    }
  }
  // Variances: 0.01 * (60^2 * 0.36 + 10^2 * 0.64), 0.01 * 20^2, 0.01 * (60^2 * 0.64 + 10^2 * 0.36).
  const double variances[3] = {13.6, 4, 23.4};
  for (std::size_t c = 0; c < 3; ++c) {
    CHECK(std::abs(sum[c] / draws) < 5 * std::sqrt(variances[c] / draws));
    CHECK(squares[c] / draws == doctest::Approx(variances[c]).epsilon(0.05));
  }
}

TEST_CASE("random parts keep area and aspect within their ranges and stay inside") {
  augmentation a;
  a.crop_area = {0.3, 0.6};
  a.crop_aspect = {0.8, 1.25};
  std::set<index_t> tops, lefts;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const pixel_box box = random_part(a, 150, 200, random_key(i));
    const double area = static_cast<double>(box.height * box.width) / (150.0 * 200.0);
    const double aspect = static_cast<double>(box.width) / static_cast<double>(box.height);
    REQUIRE(area > 0.29);
    REQUIRE(area < 0.61);
    REQUIRE(aspect > 0.79);
    REQUIRE(aspect < 1.27);
    REQUIRE(box.top >= 0);
    REQUIRE(box.left >= 0);
    REQUIRE(box.top + box.height <= 150);
    REQUIRE(box.left + box.width <= 200);
    tops.insert(box.top);
    lefts.insert(box.left);
  }
  CHECK(tops.size() > 30);
  CHECK(lefts.size() > 30);
}

TEST_CASE("F41 parts of thin pictures: the largest centred part of allowed aspect") {
  augmentation a;
  a.crop_area = {0.9, 1.0};
  const pixel_box wide = random_part(a, 30, 5000, random_key(1));
  CHECK(wide.height == 30);
  CHECK(wide.width == 40);
  CHECK(wide.left == 2480);
  const pixel_box tall = random_part(a, 5000, 30, random_key(1));
  CHECK(tall.height == 40);
  CHECK(tall.width == 30);
  CHECK(tall.top == 2480);
  const pixel_box one = random_part(a, 1, 1, random_key(1));
  CHECK(one.height == 1);
  CHECK(one.width == 1);
}

TEST_CASE("options outside their range are errors") {
  const auto refused = [](auto change) {
    augmentation a;
    change(a);
    CHECK_THROWS_AS(check(a), option_error);
  };
  CHECK_NOTHROW(check(augmentation{}));
  refused([](augmentation& a) { a.flip = 1.5; });
  refused([](augmentation& a) { a.flip = -0.1; });
  refused([](augmentation& a) { a.brightness = 1.1; });
  refused([](augmentation& a) { a.contrast = -1; });
  refused([](augmentation& a) { a.saturation = std::nan(""); });
  refused([](augmentation& a) { a.crop_area = {0.5, 0.4}; });
  refused([](augmentation& a) { a.crop_area = {0, 1}; });
  refused([](augmentation& a) { a.crop_area = {0.5, 1.1}; });
  refused([](augmentation& a) { a.crop_aspect = {0, 1}; });
  refused([](augmentation& a) { a.lighting.deviation = -0.1; });
}
