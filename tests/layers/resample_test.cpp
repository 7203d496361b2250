#include "minicnn/layers/resample.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "layers/against_golden.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

TEST_CASE("resize: derivatives and contract") {
  for (const resize_options& o :
       {resize_options{}, resize_options{.size = {7, 3}}, resize_options{.factor = 1.5, .mode = resize_mode::bilinear},
        resize_options{.size = {3, 9}, .mode = resize_mode::bilinear},
        resize_options{.size = {9, 2}, .mode = resize_mode::bilinear, .corners = resize_corners::aligned},
        resize_options{.size = 1, .mode = resize_mode::bilinear, .corners = resize_corners::aligned}})
    for (const shape& x : {shape{1, 2, 4, 5}, shape{1, 3, 1, 1}}) {
      if (o.factor == 1.5 && x[2] == 1) continue;
      CHECK(check_gradients(resize_op<double>(o), resize_op<float>(o), {x}).failure == "");
    }
}

TEST_CASE("pad: derivatives and contract") {
  for (const pad_mode mode : {pad_mode::constant, pad_mode::reflect, pad_mode::edge})
    for (const padding2d& p : {padding2d{1, 2, 3, 0}, padding2d{0}, padding2d{3, 0, 0, 4}}) {
      const pad_options o{.padding = p, .mode = mode, .value = -0.5};
      CHECK(check_gradients(pad_op<double>(o), pad_op<float>(o), {{1, 2, 4, 5}}).failure == "");
    }
}

TEST_CASE_TEMPLATE("resize and pad as PyTorch", T, float, double) {
  const auto resized = [](const std::string& name, const resize_options& o) {
    check_against_golden(resize_op<T>(o), {"operators", "resize_" + name, {2, 3, 4, 5}});
  };
  constexpr auto bilinear = resize_mode::bilinear;
  constexpr auto aligned = resize_corners::aligned;
  resized("nearest_8x10", {});
  resized("nearest_7x3", {.size = {7, 3}});
  resized("bilinear_8x10", {.mode = bilinear});
  resized("bilinear_3x7", {.size = {3, 7}, .mode = bilinear});
  resized("bilinear_aligned_9x2", {.size = {9, 2}, .mode = bilinear, .corners = aligned});
  resized("bilinear_aligned_1x1", {.size = 1, .mode = bilinear, .corners = aligned});
  const auto padded = [](const std::string& name, pad_mode mode) {
    check_against_golden(pad_op<T>({.padding = {1, 2, 3, 0}, .mode = mode, .value = 1.5}),
                         {"operators", "pad_" + name, {2, 3, 4, 5}});
  };
  padded("constant", pad_mode::constant);
  padded("reflect", pad_mode::reflect);
  padded("replicate", pad_mode::edge);
}

TEST_CASE("resize and pad by hand") {
  const auto row = [](const op<float>& operation, const std::vector<float>& wanted) {
    const tensor<float> x({1, 1, 1, 3}, {1, 2, 4});
    op_test_case forward_only;
    forward_only.backward = false;
    const shape y{1, 1, 1, static_cast<index_t>(wanted.size())};
    const tensor<float> got = run_test_case(operation, {{x}, {}, {}, tensor<float>(y)}, forward_only).output;
    CHECK(std::vector<float>(got.begin(), got.end()) == wanted);
  };
  row(resize_op<float>({.size = {1, 6}}), {1, 1, 2, 2, 4, 4});
  row(resize_op<float>({.size = {1, 6}, .mode = resize_mode::bilinear}), {1, 1.25F, 1.75F, 2.5F, 3.5F, 4});
  row(resize_op<float>({.size = {1, 5}, .mode = resize_mode::bilinear, .corners = resize_corners::aligned}), {1, 1.5F, 2, 3, 4});
  row(pad_op<float>({.padding = {0, 0, 2, 1}, .value = 9}), {9, 9, 1, 2, 4, 9});
  row(pad_op<float>({.padding = {0, 0, 2, 1}, .mode = pad_mode::reflect}), {4, 2, 1, 2, 4, 2});
  row(pad_op<float>({.padding = {0, 0, 2, 1}, .mode = pad_mode::edge}), {1, 1, 1, 2, 4, 4});
}

TEST_CASE("resize and pad: names and errors") {
  graph<float> g;
  const node<float> x = g.input({2, 3, 4});
  CHECK(resize(x).name() == "resize1");
  CHECK(resize(x).dims() == shape{1, 2, 6, 8});
  CHECK(minicnn::pad(x, {.padding = {1, 2}}).name() == "pad1");
  CHECK(minicnn::pad(x, {.padding = {1, 2}}).dims() == shape{1, 2, 5, 8});
  CHECK_THROWS_WITH_AS(resize(x, {.factor = 0.2}), "resize3: resize of 1x2x3x4 to 0x0", shape_error);
  CHECK_THROWS_WITH_AS(resize(x, {.factor = -1.0}), doctest::Contains("wants a factor above 0 and up to 1024, got -1"),
                       option_error);
  CHECK_THROWS_WITH_AS(minicnn::pad(x, {.padding = {3, 0}, .mode = pad_mode::reflect}),
                       doctest::Contains("less than the image's extent"), shape_error);
  CHECK_THROWS_WITH_AS(minicnn::pad(x, {.padding = padding2d::same()}), doctest::Contains("four numbers"), option_error);
  CHECK_THROWS_WITH_AS(resize(g.input({5}, "flat")), doctest::Contains("wants an input of (n, c, h, w), got 1x5"), shape_error);
}
