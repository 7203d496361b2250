#include "minicnn/data/resize.hpp"

#include <doctest/doctest.h>

#include "minicnn/core/random.hpp"

using namespace minicnn;

namespace {

image_u8 grey(index_t height, index_t width, std::vector<unsigned char> values) { return {height, width, 1, std::move(values)}; }

void check_values(const tensor<float>& got, const std::vector<double>& wanted) {
  REQUIRE(static_cast<std::size_t>(got.size()) == wanted.size());
  for (index_t i = 0; i < got.size(); ++i) {
    INFO("value " << i);
    CHECK(static_cast<double>(got[i]) == doctest::Approx(wanted[static_cast<std::size_t>(i)]).epsilon(1e-6).scale(1));
  }
}

image_u8 random_picture(index_t height, index_t width, int channels) {
  image_u8 image{height, width, channels, {}};
  random_stream random{random_key(7)};
  for (index_t i = 0; i < height * width * channels; ++i) image.pixels.push_back(static_cast<unsigned char>(random.below(256)));
  return image;
}

/// The definition, two-dimensional and in double: every pixel of the box weighted by two triangles.
double antialiased_at(const image_u8& image, const pixel_box& box, index_t height, index_t width, index_t y, index_t x, int c) {
  const double sy = static_cast<double>(box.height) / static_cast<double>(height),
               sx = static_cast<double>(box.width) / static_cast<double>(width);
  double sum = 0, weights = 0;
  for (index_t v = 0; v < box.height; ++v)
    for (index_t u = 0; u < box.width; ++u) {
      const double dy = std::abs(static_cast<double>(v) + 0.5 - (static_cast<double>(y) + 0.5) * sy) / (std::max)(1.0, sy);
      const double dx = std::abs(static_cast<double>(u) + 0.5 - (static_cast<double>(x) + 0.5) * sx) / (std::max)(1.0, sx);
      const double weight = (std::max)(0.0, 1 - dy) * (std::max)(0.0, 1 - dx);
      const index_t at = ((box.top + v) * image.width + box.left + u) * image.channels + c;
      sum += weight * image.pixels[static_cast<std::size_t>(at)];
      weights += weight;
    }
  return sum / weights;
}

}  // namespace

TEST_CASE("antialiased: rows of known result") {
  check_values(resize(grey(1, 4, {0, 1, 2, 3}), 1, 2), {0.714286, 2.285714});
  check_values(resize(grey(1, 6, {0, 1, 2, 3, 4, 5}), 1, 2), {1.25, 3.75});
  check_values(resize(grey(4, 1, {0, 1, 2, 3}), 2, 1), {0.714286, 2.285714});
  check_values(resize(grey(1, 2, {0, 100}), 1, 4), {0, 25, 75, 100});
}

TEST_CASE("antialiased: Pillow's BILINEAR on floating-point pixels") {
  const image_u8 image = grey(4, 5, {0, 37, 74, 111, 148, 59, 107, 155, 203, 251, 118, 177, 236, 39, 98, 177, 247, 61, 131, 201});
  check_values(resize(image, 2, 3), {61.36735, 123.73016, 165.77551, 161.48979, 149.42857, 137.36734});
  check_values(resize(image, 3, 7),
               {17.7,      40.728573, 69.51429, 98.3,  127.085716, 155.87143, 178.9, 88.5,      119.071426, 157.28572, 195.5,
                142.28572, 143.92857, 174.5,    159.3, 197.41428,  193.85715, 113.5, 106.28571, 131.98572,  170.1});
  // crop((1, 1, 5, 4)) before the resize: pixels outside the box take no part.
  float part[4];
  resizer().run(image, {{1, 1, 3, 4}, 2, 2, {0, 0, 2, 2}, false, interpolation::antialiased}, {}, part);
  const float wanted[4] = {156.76785F, 170.10715F, 162.6607F, 129.03572F};
  for (int i = 0; i < 4; ++i) CHECK(part[i] == doctest::Approx(wanted[i]).epsilon(1e-6));
}

TEST_CASE("a picture of one colour stays exactly that, at every size") {
  for (const index_t in : {1, 2, 3, 7, 200})
    for (const index_t out : {1, 2, 5, 33, 227})
      for (const interpolation filter : {interpolation::antialiased, interpolation::tensorflow1}) {
        const tensor<float> result =
            resize(grey(in, in, std::vector<unsigned char>(static_cast<std::size_t>(in * in), 187)), out, out, filter);
        for (const float x : result) REQUIRE(x == 187.0F);
      }
}

TEST_CASE("the same size is the identity") {
  const image_u8 image = random_picture(13, 29, 3);
  for (const interpolation filter : {interpolation::antialiased, interpolation::tensorflow1}) {
    const tensor<float> result = resize(image, 13, 29, filter);
    for (index_t y = 0; y < 13; ++y)
      for (index_t x = 0; x < 29; ++x)
        for (index_t c = 0; c < 3; ++c) REQUIRE(result(c, y, x) == image.pixels[static_cast<std::size_t>((y * 29 + x) * 3 + c)]);
  }
}

TEST_CASE("tensorflow1: source = output * scale from the corner") {
  check_values(resize(grey(1, 4, {0, 10, 20, 30}), 1, 2, interpolation::tensorflow1), {0, 20});
  check_values(resize(grey(1, 2, {0, 100}), 1, 4, interpolation::tensorflow1), {0, 50, 100, 100});
  check_values(resize(grey(2, 2, {0, 90, 30, 60}), 3, 3, interpolation::tensorflow1), {0, 60, 90, 20, 53.333333, 70, 30, 50, 60});
  check_values(resize(grey(1, 5, {0, 10, 20, 30, 40}), 1, 2, interpolation::tensorflow1), {0, 25});
}

TEST_CASE("boxes, windows and mirroring agree with the two-dimensional definition") {
  const image_u8 image = random_picture(31, 47, 3);
  resizer r;
  for (const resize_plan& plan : {resize_plan{{0, 0, 31, 47}, 16, 24, {0, 0, 16, 24}, false, interpolation::antialiased},
                                  resize_plan{{3, 5, 20, 30}, 45, 33, {0, 0, 45, 33}, true, interpolation::antialiased},
                                  resize_plan{{0, 0, 31, 47}, 40, 60, {7, 11, 20, 20}, false, interpolation::antialiased},
                                  resize_plan{{30, 46, 1, 1}, 9, 9, {4, 4, 5, 5}, true, interpolation::antialiased},
                                  resize_plan{{1, 0, 30, 47}, 3, 5, {1, 2, 2, 3}, true, interpolation::antialiased}}) {
    tensor<double> out(shape{3, plan.window.height, plan.window.width});
    r.run(image, plan, {{0.5F, 2, 1}, {1, -3, 0}}, out.data());
    for (int c = 0; c < 3; ++c)
      for (index_t y = 0; y < plan.window.height; ++y)
        for (index_t x = 0; x < plan.window.width; ++x) {
          const index_t column = plan.mirrored ? plan.window.width - 1 - x : x;
          const double value =
              antialiased_at(image, plan.source, plan.height, plan.width, plan.window.top + y, plan.window.left + column, c);
          const double wanted = c == 0 ? 0.5 * value + 1 : c == 1 ? 2 * value - 3 : value;
          REQUIRE(out(c, y, x) == doctest::Approx(wanted).epsilon(1e-5).scale(10));
        }
  }
}

TEST_CASE("every instruction set and both element types see the same picture") {
  const image_u8 image = random_picture(50, 61, 3);
  const resize_plan plan{{0, 0, 50, 61}, 37, 45, {0, 0, 37, 45}, false, interpolation::antialiased};
  tensor<float> single(shape{3, 37, 45});
  tensor<double> wide(shape{3, 37, 45});
  resizer().run(image, plan, {}, single.data());
  resizer().run(image, plan, {}, wide.data());
  for (index_t i = 0; i < single.size(); ++i) REQUIRE(static_cast<double>(single[i]) == wide[i]);
  for (const isa i : {isa::baseline, isa::avx2, isa::avx512}) {
    if (i > detect_isa()) break;
    INFO(name_of(i));
    tensor<float> other(shape{3, 37, 45});
    resizer(i).run(image, plan, {}, other.data());
    for (index_t j = 0; j < other.size(); ++j) REQUIRE(other[j] == doctest::Approx(single[j]).epsilon(1e-5).scale(10));
  }
}

TEST_CASE("F41 thin pictures and extreme sizes") {
  check_values(resize(grey(1, 1, {9}), 3, 2), {9, 9, 9, 9, 9, 9});
  image_u8 strip = random_picture(1, 5000, 3);
  CHECK(resize(strip, 227, 227).size() == 3 * 227 * 227);
  std::swap(strip.height, strip.width);
  const tensor<float> column = resize(strip, 4, 1);
  for (index_t y = 0; y < 4; ++y)
    CHECK(static_cast<double>(column(1, y, 0)) ==
          doctest::Approx(antialiased_at(strip, {0, 0, 5000, 1}, 4, 1, y, 0, 1)).epsilon(1e-5));
}

TEST_CASE("plans that do not fit are errors with both sizes") {
  const image_u8 image = random_picture(4, 6, 3);
  float out[64];
  resizer r;
  CHECK_THROWS_WITH_AS(r.run(image, {{0, 0, 5, 6}, 2, 2, {0, 0, 2, 2}, false, {}}, {}, out),
                       "resize: box 6x5 at (0, 0) is not inside a picture of 6x4", shape_error);
  CHECK_THROWS_WITH_AS(r.run(image, {{0, 0, 4, 6}, 2, 2, {1, 0, 2, 2}, false, {}}, {}, out),
                       "resize: window 2x2 at (0, 1) is not inside 2x2", shape_error);
  CHECK_THROWS_AS(r.run({4, 6, 3, {}}, {{0, 0, 4, 6}, 2, 2, {0, 0, 2, 2}, false, {}}, {}, out), shape_error);
  CHECK_THROWS_AS(r.run({1, 1, 2, {0, 0}}, {{0, 0, 1, 1}, 2, 2, {0, 0, 2, 2}, false, {}}, {}, out), shape_error);
  CHECK_THROWS_AS(resize(image, 0, 3), shape_error);
}

TEST_CASE("a window beyond the picture sees it reflected about its outermost pixels, as PyTorch pads") {
  const image_u8 row = grey(1, 4, {10, 20, 30, 40});
  const auto values = [&](index_t left, bool mirrored) {
    resize_plan plan{{0, 0, 1, 4}, 1, 4, {0, left, 1, 4}, mirrored, interpolation::antialiased, true};
    tensor<float> out(shape{1, 1, 4});
    resizer().run(row, plan, {}, out.data());
    return out;
  };
  check_values(values(-2, false), {30, 20, 10, 20});  // torch.nn.functional.pad(x, (2, 0), "reflect")
  check_values(values(-3, false), {40, 30, 20, 10});
  check_values(values(1, false), {20, 30, 40, 30});
  check_values(values(3, true), {10, 20, 30, 40});
  CHECK_THROWS_AS(values(-4, false), shape_error);
  CHECK_THROWS_AS(values(4, false), shape_error);
  // Rows: the first output reads the third row.
  const image_u8 column = grey(3, 1, {1, 2, 3});
  tensor<float> out(shape{1, 3, 1});
  resizer().run(column, {{0, 0, 3, 1}, 3, 1, {-2, 0, 3, 1}, false, interpolation::antialiased, true}, {}, out.data());
  check_values(out, {3, 2, 1});
}
