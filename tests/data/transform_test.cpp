#include "minicnn/data/transform.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <set>

using namespace minicnn;

namespace {

/// Red is the column, green the row, blue 0.
image_u8 coordinates(index_t height, index_t width) {
  image_u8 image{height, width, 3, {}};
  for (index_t y = 0; y < height; ++y)
    for (index_t x = 0; x < width; ++x)
      image.pixels.insert(image.pixels.end(), {static_cast<unsigned char>(x), static_cast<unsigned char>(y), 0});
  return image;
}

struct result {
  tensor<float> values;
  float red(index_t y, index_t x) const { return values(0, y, x); }
  float green(index_t y, index_t x) const { return values(1, y, x); }
};

result transformed(const image_u8& image, const image_transform& t, random_key key = random_key(0), bool training = false) {
  result r{tensor<float>(shape{3, t.size, t.size})};
  image_workspace workspace;
  apply(image, t, key, training, r.values.data(), workspace);
  return r;
}

}  // namespace

TEST_CASE("evaluation: crop of a picture of the right height is its middle") {
  const image_u8 image = coordinates(8, 14);
  image_transform t;
  t.size = 8;
  t.fit = fit_mode::crop;
  const result r = transformed(image, t);
  CHECK(r.red(0, 0) == 3);
  CHECK(r.red(7, 7) == 10);
  CHECK(r.green(0, 0) == 0);
  CHECK(r.green(7, 7) == 7);
  t.mirrored = true;
  CHECK(transformed(image, t).red(0, 0) == 10);
  t.mirrored = false;
  t.position = window_position::bottom_right;
  CHECK(transformed(image, t).red(0, 0) == 6);
}

TEST_CASE("evaluation: resize_to leaves a margin around the window") {
  const image_u8 image = coordinates(12, 12);
  image_transform t;
  t.size = 8;
  t.resize_to = 12;
  for (const fit_mode fit : {fit_mode::stretch, fit_mode::crop}) {
    t.fit = fit;
    t.position = window_position::centre;
    CHECK(transformed(image, t).red(0, 0) == 2);
    CHECK(transformed(image, t).green(7, 0) == 9);
    t.position = window_position::top_left;
    CHECK(transformed(image, t).red(0, 0) == 0);
    CHECK(transformed(image, t).green(0, 0) == 0);
    t.position = window_position::top_right;
    CHECK(transformed(image, t).red(0, 0) == 4);
    CHECK(transformed(image, t).green(0, 0) == 0);
    t.position = window_position::bottom_left;
    CHECK(transformed(image, t).red(0, 0) == 0);
    CHECK(transformed(image, t).green(0, 0) == 4);
  }
}

TEST_CASE("evaluation: stretch squeezes the whole picture, crop keeps its aspect") {
  const image_u8 image = coordinates(8, 16);
  image_transform t;
  t.size = 8;
  CHECK(transformed(image, t).red(3, 7) == doctest::Approx(14.285714).epsilon(1e-6));  // centre 15 of 16, cut at the edge
  CHECK(transformed(image, t).red(0, 1) == doctest::Approx(2.5));
  t.fit = fit_mode::crop;
  CHECK(transformed(image, t).red(0, 1) == 5);
}

TEST_CASE("the article's preset: 227 x 227 by TensorFlow 1's rule, raw pixels") {
  const image_u8 image = coordinates(200, 200);
  image_transform t;
  t.filter = interpolation::tensorflow1;
  const result r = transformed(image, t);
  CHECK(r.red(0, 0) == 0);
  CHECK(r.red(5, 100) == doctest::Approx(100.0 * 200 / 227).epsilon(1e-6));
  CHECK(r.green(200, 3) == doctest::Approx(200.0 * 200 / 227).epsilon(1e-6));
  CHECK(r.red(0, 226) == 199);
}

TEST_CASE("normalisation is (pixel * scale - mean) / deviation") {
  image_transform t;
  t.size = 1;
  t.normalize = {{0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}, 1.0F / 255};
  image_u8 image{1, 1, 3, {255, 128, 0}};
  const result r = transformed(image, t);
  CHECK(r.values[0] == doctest::Approx((1 - 0.485) / 0.229).epsilon(1e-5));
  CHECK(r.values[1] == doctest::Approx((128.0 / 255 - 0.456) / 0.224).epsilon(1e-5));
  CHECK(r.values[2] == doctest::Approx(-0.406 / 0.225).epsilon(1e-5));

  // Colours change before normalisation: brightness alone, so pixels times a factor from [0, 2], at most 255.
  t.augment.brightness = 1;
  const random_key key(3);
  const colour_change change = plan_change(t, 1, 1, key, true).colours;
  const result jittered = transformed(image, t, key, true);
  const double pixel = (std::min)(255.0, 128.0 * static_cast<double>(change.brightness));
  CHECK(jittered.values[1] == doctest::Approx((pixel / 255 - 0.456) / 0.224).epsilon(1e-5));

  t.normalize.std[1] = 0;
  CHECK_THROWS_AS(check(t), option_error);
}

TEST_CASE("training: random crops reach every place, mirrored half the time; evaluation does not move") {
  const image_u8 image = coordinates(11, 10);
  image_transform t;
  t.size = 8;
  t.resize_to = 10;
  t.fit = fit_mode::crop;
  t.augment.crop = crop_mode::random;
  t.augment.flip = 0.5;
  std::set<std::pair<index_t, index_t>> places;
  int mirrored = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    const resize_plan plan = plan_change(t, 11, 10, random_key(i), true).geometry;
    CHECK(plan.height == 11);
    CHECK(plan.width == 10);
    places.insert({plan.window.top, plan.window.left});
    mirrored += plan.mirrored;
    const resize_plan fixed = plan_change(t, 11, 10, random_key(i), false).geometry;
    CHECK(fixed.window.top == 1);
    CHECK(fixed.window.left == 1);
    CHECK(!fixed.mirrored);
  }
  CHECK(places.size() == 4 * 3);
  CHECK(mirrored > 160);
  CHECK(mirrored < 240);
}

TEST_CASE("switching one change on leaves the others as they were") {
  image_transform t;
  t.size = 8;
  t.resize_to = 16;
  t.augment.crop = crop_mode::random;
  t.augment.flip = 0.5;
  image_transform more = t;
  more.augment.brightness = 0.5;
  for (std::uint64_t i = 0; i < 50; ++i) {
    const resize_plan a = plan_change(t, 20, 20, random_key(i), true).geometry,
                      b = plan_change(more, 20, 20, random_key(i), true).geometry;
    CHECK(a.window.top == b.window.top);
    CHECK(a.window.left == b.window.left);
    CHECK(a.mirrored == b.mirrored);
  }
}

TEST_CASE("F21 augmentation differs between samples and between epochs") {
  image_transform t;
  t.size = 128;
  t.resize_to = 160;
  t.augment.crop = crop_mode::random;
  t.augment.flip = 0.5;
  const auto fingerprint = [&](std::uint64_t epoch, std::uint64_t sample) {
    const resize_plan plan = plan_change(t, 200, 200, random_key(1).of(epoch).of(sample), true).geometry;
    return plan.window.top << 32 | plan.window.left << 1 | static_cast<index_t>(plan.mirrored);
  };
  int equal = 0;
  std::set<index_t> seen;
  for (std::uint64_t sample = 0; sample < 256; ++sample) {
    equal += fingerprint(1, sample) == fingerprint(2, sample);
    seen.insert(fingerprint(1, sample));
    CHECK(fingerprint(1, sample) == fingerprint(1, sample));
  }
  CHECK(equal < 256 / 20);
  CHECK(seen.size() > 200);
}

TEST_CASE("F41 crops larger than the picture enlarge it") {
  image_transform t;
  t.size = 40;
  for (const fit_mode fit : {fit_mode::stretch, fit_mode::crop})
    for (const crop_mode crop : {crop_mode::centre, crop_mode::random, crop_mode::random_resized})
      for (const auto& [height, width] : {std::pair{1, 1}, std::pair{1, 250}, std::pair{250, 1}, std::pair{3, 5}}) {
        t.fit = fit;
        t.augment.crop = crop;
        const result r = transformed(coordinates(height, width), t, random_key(5), true);
        for (const float x : r.values) {
          REQUIRE(x >= 0);
          REQUIRE(x <= 250);
        }
      }
}

TEST_CASE("views for test-time averaging") {
  image_transform t;
  t.size = 8;
  CHECK(views_of(t, test_views::one).size() == 1);
  const auto flip = views_of(t, test_views::flip);
  REQUIRE(flip.size() == 2);
  CHECK(!flip[0].mirrored);
  CHECK(flip[1].mirrored);
  CHECK_THROWS_AS(views_of(t, test_views::ten_crop), option_error);
  t.resize_to = 10;
  const auto ten = views_of(t, test_views::ten_crop);
  REQUIRE(ten.size() == 10);
  std::set<std::pair<int, bool>> different;
  for (const image_transform& view : ten) different.insert({static_cast<int>(view.position), view.mirrored});
  CHECK(different.size() == 10);
  CHECK(view_weights(test_views::ten_crop).size() == 10);
}

TEST_CASE("views of flip-shift: both sides where they are, and moved by a pixel along the diagonal") {
  image_transform t;
  t.size = 8;
  const auto views = views_of(t, test_views_named("flip-shift"));
  const std::vector<double> weights = view_weights(test_views::flip_shift);
  REQUIRE(views.size() == 6);
  REQUIRE(weights.size() == 6);
  const image_u8 image = coordinates(8, 8);
  double sum = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    CAPTURE(i);
    const index_t moved = i < 2 ? 0 : i < 4 ? -1 : 1;
    CHECK(weights[i] == (i < 2 ? 0.25 : 0.125));
    sum += weights[i];
    const result r = transformed(image, views[i]);
    CHECK(r.green(0, 3) == static_cast<float>(std::abs(moved)));  // -1 is row 1, reflected
    CHECK(r.green(7, 3) == static_cast<float>(moved == 0 ? 7 : 6));
    CHECK(r.red(2, i % 2 == 0 ? 3 : 4) == static_cast<float>(3 + moved));
  }
  CHECK(sum == 1);
  CHECK_THROWS_AS(test_views_named("five"), option_error);
}

TEST_CASE("training: shifts by up to two pixels reach every place, edges reflected; evaluation does not move") {
  image_transform t;
  t.size = 8;
  t.augment.shift = 2;
  const image_u8 image = coordinates(8, 8);
  std::set<std::pair<index_t, index_t>> places;
  for (std::uint64_t i = 0; i < 400; ++i) {
    const resize_plan plan = plan_change(t, 8, 8, random_key(i), true).geometry;
    places.insert({plan.window.top, plan.window.left});
    const result r = transformed(image, t, random_key(i), true);
    REQUIRE(r.red(0, 0) == static_cast<float>(std::abs(plan.window.left)));
    REQUIRE(r.green(7, 0) == static_cast<float>(plan.window.top > 0 ? 7 - plan.window.top : 7 + plan.window.top));
  }
  CHECK(places.size() == 25);
  CHECK(places.begin()->first == -2);
  CHECK(transformed(image, t).red(0, 0) == 0);
  t.augment.shift = 8;
  CHECK_THROWS_AS(check(t), option_error);
}

TEST_CASE("contradicting options are errors with both values") {
  image_transform t;
  t.size = 128;
  t.resize_to = 100;
  CHECK_THROWS_WITH_AS(check(t), "pictures are resized to 100 before a crop of 128; want 128 to 65536", option_error);
  t.resize_to = 0;
  t.size = 0;
  CHECK_THROWS_AS(check(t), option_error);
}

TEST_CASE("double and single precision give the same input") {
  const image_u8 image = coordinates(20, 30);
  image_transform t;
  t.size = 16;
  t.augment.contrast = 0.5;
  t.augment.saturation = 0.5;
  t.normalize = {{100, 110, 120}, {50, 60, 70}, 1};
  const result single = transformed(image, t, random_key(2), true);
  tensor<double> wide(shape{3, 16, 16});
  image_workspace workspace;
  apply(image, t, random_key(2), true, wide.data(), workspace);
  for (index_t i = 0; i < wide.size(); ++i)
    CHECK(static_cast<double>(single.values[i]) == doctest::Approx(wide[i]).epsilon(1e-5).scale(1));
}
