#include "minicnn/layers/conv_transpose.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "layers/against_golden.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

TEST_CASE("conv_transpose: derivatives and contract") {
  const conv_transpose_options cases[] = {
      {.filters = 4, .kernel = 3},
      {.filters = 4, .kernel = 4, .stride = 2, .padding = 1},
      {.filters = 2, .kernel = {3, 2}, .stride = {2, 3}, .padding = {1, 0, 0, 1}, .output_padding = {1, 2}, .groups = 2},
      {.filters = 3, .kernel = 3, .padding = 1, .dilation = 2, .bias = false},
      {.filters = 4, .kernel = 2, .stride = 2, .groups = 4},
      {.filters = 3, .kernel = 2, .stride = 3},
      {.filters = 1, .kernel = 1},
  };
  for (const conv_transpose_options& o : cases) {
    CAPTURE(o.kernel.text());
    CHECK(check_gradients(conv_transpose_op<double>(o), conv_transpose_op<float>(o), {{1, 4, 4, 5}}).failure == "");
  }
}

TEST_CASE_TEMPLATE("conv_transpose as PyTorch", T, float, double) {
  const auto check = [](const std::string& name, const conv_transpose_options& o, const shape& x) {
    check_against_golden(conv_transpose_op<T>(o), {"operators", "conv_transpose_" + name, x});
  };
  check("plain", {.filters = 4, .kernel = 3}, {2, 3, 4, 5});
  check("stride_2", {.filters = 4, .kernel = 4, .stride = 2, .padding = 1}, {2, 3, 4, 5});
  check("output_padding",
        {.filters = 6, .kernel = {3, 2}, .stride = {2, 3}, .padding = {1, 0}, .output_padding = {1, 2}, .groups = 2},
        {2, 4, 3, 4});
  check("dilation_2", {.filters = 3, .kernel = 3, .padding = 1, .dilation = 2}, {1, 2, 4, 4});
  check("gaps", {.filters = 2, .kernel = 2, .stride = 3}, {1, 2, 3, 3});
}

TEST_CASE("conv_transpose by hand: each pixel adds its multiple of the filter") {
  const op_values<float> values{{tensor<float>({1, 1, 1, 2}, {1, 10})},
                                {tensor<float>({1, 1, 1, 3}, {1, 2, 3}), tensor<float>({1}, {100})},
                                {},
                                tensor<float>({1, 1, 1, 5}, {1, 0, 1, 0, 0})};
  const op_results<float> r =
      run_test_case(conv_transpose_op<float>({.filters = 1, .kernel = {1, 3}, .stride = {1, 2}}), values, {});
  const float y[] = {101, 102, 113, 120, 130}, dx[] = {4, 1};
  CHECK(std::equal(y, y + 5, r.output.begin()));
  CHECK(std::equal(dx, dx + 2, r.gradients[0].begin()));
}

TEST_CASE("conv_transpose: names and errors") {
  graph<float> g;
  const node<float> x = g.input({4, 3, 3});
  CHECK(conv_transpose(x, {.filters = 2, .kernel = 2, .stride = 2}).name() == "up1");
  CHECK(conv_transpose(x, {.filters = 2, .kernel = 2, .stride = 2}).dims() == shape{1, 2, 6, 6});
  CHECK_THROWS_WITH_AS(conv_transpose(x, {.filters = 0}), "up3: filters must be at least 1, got 0", option_error);
  CHECK_THROWS_WITH_AS(conv_transpose(x, {.filters = 2, .groups = 3}), doctest::Contains("channels must be a multiple"),
                       shape_error);
  CHECK_THROWS_WITH_AS(conv_transpose(x, {.filters = 2, .kernel = 2, .output_padding = 1}),
                       doctest::Contains("output padding must be below the stride of 1x1, got 1x1"), option_error);
  CHECK_THROWS_WITH_AS(conv_transpose(x, {.filters = 2, .kernel = 1, .padding = 2}), doctest::Contains("would give"),
                       shape_error);
  CHECK_THROWS_WITH_AS(conv_transpose(x, {.filters = 2, .padding = padding2d::same()}), doctest::Contains("same"), option_error);
}
