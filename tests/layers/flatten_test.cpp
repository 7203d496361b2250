#include "minicnn/layers/flatten.hpp"

#include <doctest/doctest.h>

#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

TEST_CASE("derivatives and contract") {
  for (const shape& x : {shape{1, 3, 4, 5}, shape{1, 7}, shape{1, 2, 3, 2, 2}}) {
    CAPTURE(x.text());
    CHECK(check_gradients(flatten_op<double>(), flatten_op<float>(), {x}).failure == "");
  }
}

TEST_CASE("the order is channel, row, column") {
  tensor<float> x({2, 2, 1, 3}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  op_test_case forward_only;
  forward_only.backward = false;
  const tensor<float> y = run_test_case(flatten_op<float>(), {{x}, {}, {}, tensor<float>(shape{2, 6})}, forward_only).output;
  CHECK(y.dims() == shape{2, 6});
  for (index_t i = 0; i < 12; ++i) CHECK(y[i] == static_cast<float>(i));
}

TEST_CASE("shape, name, error") {
  graph<float> g;
  const node<float> y = flatten(g.input({256, 6, 6}));
  CHECK(y.dims() == shape{1, 9216});
  CHECK(y.name() == "flatten1");
  CHECK(flatten(y, {.name = "features"}).name() == "features");
  const std::vector<shape> scalars{{5}};
  CHECK_THROWS_WITH_AS(flatten_op<float>().plan({scalars, true, {}}), "flatten wants an input of (n, ...), got 5", shape_error);
}
