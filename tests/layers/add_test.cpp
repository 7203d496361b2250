#include "minicnn/layers/add.hpp"

#include <doctest/doctest.h>

#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

TEST_CASE("derivatives and contract") {
  for (const shape& x : {shape{1, 3, 4, 5}, shape{1, 1}, shape{1, 67}}) {
    CAPTURE(x.text());
    CHECK(check_gradients(add_op<double>(), add_op<float>(), {x, x}).failure == "");
  }
}

TEST_CASE("work that is shared among threads") {
  gradient_check_options few;
  few.probes = 2;
  few.batches = {2};
  CHECK(check_gradients(add_op<double>(), add_op<float>(), {{1, 5, 61, 61}, {1, 5, 61, 61}}, few).failure == "");
}

TEST_CASE("by hand") {
  const op_values<float> values{
      {tensor<float>({1, 3}, {1, 2, 3}), tensor<float>({1, 3}, {10, -2, 0.5F})}, {}, {}, tensor<float>({1, 3}, {4, 5, 6})};
  const op_results<float> r = run_test_case(add_op<float>(), values, {});
  const float wanted[] = {11, 0, 3.5F};
  for (index_t i = 0; i < 3; ++i) {
    CHECK(r.output[i] == wanted[i]);
    CHECK(r.gradients[0][i] == values.output_gradient[i]);
    CHECK(r.gradients[1][i] == values.output_gradient[i]);
  }
}

TEST_CASE("names and errors") {
  graph<float> g;
  const node<float> x = g.input({4, 5, 5});
  CHECK(add(x, x).name() == "add1");
  CHECK(add(x, x, {.name = "residual"}).name() == "residual");
  const std::vector<shape> inputs{{1, 4, 5, 5}, {1, 4, 5, 6}};
  CHECK_THROWS_WITH_AS(add_op<float>().plan({inputs, true, {}}), "add wants two inputs of one shape, got 1x4x5x5 and 1x4x5x6",
                       shape_error);
}
