#include "minicnn/layers/concat.hpp"

#include <doctest/doctest.h>

#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

TEST_CASE("derivatives and contract") {
  CHECK(check_gradients(concat_op<double>(), concat_op<float>(), {{1, 3, 4, 5}, {1, 1, 4, 5}, {1, 6, 4, 5}}).failure == "");
  CHECK(check_gradients(concat_op<double>(), concat_op<float>(), {{1, 3}, {1, 2}}).failure == "");
  CHECK(check_gradients(concat_op<double>(), concat_op<float>(), {{1, 3, 2}}).failure == "");
}

TEST_CASE("along other axes") {
  CHECK(check_gradients(concat_op<double>(2), concat_op<float>(2), {{1, 3, 4, 5}, {1, 3, 1, 5}}).failure == "");
  CHECK(check_gradients(concat_op<double>(3), concat_op<float>(3), {{1, 3, 2, 5}, {1, 3, 2, 1}, {1, 3, 2, 2}}).failure == "");
  const op_values<float> values{{tensor<float>({1, 2, 2}, {1, 2, 3, 4}), tensor<float>({1, 2, 1}, {10, 20})},
                                {},
                                {},
                                tensor<float>({1, 2, 3}, {0, 1, 2, 3, 4, 5})};
  const op_results<float> r = run_test_case(concat_op<float>(2), values, {});
  const float wanted[] = {1, 2, 10, 3, 4, 20}, first[] = {0, 1, 3, 4}, second[] = {2, 5};
  CHECK(std::equal(r.output.begin(), r.output.end(), wanted, wanted + 6));
  CHECK(std::equal(r.gradients[0].begin(), r.gradients[0].end(), first, first + 4));
  CHECK(std::equal(r.gradients[1].begin(), r.gradients[1].end(), second, second + 2));
  graph<float> g;
  const node<float> x = g.input({4, 5, 5});
  CHECK(concat({x, x}, {.axis = 3}).dims() == shape{1, 4, 5, 10});
  CHECK_THROWS_WITH_AS(concat({x, x}, {.axis = 0}), doctest::Contains("an axis from 1 to 3"), option_error);
  CHECK_THROWS_WITH_AS(concat({x, x}, {.axis = 4}), doctest::Contains("an axis from 1 to 3"), option_error);
}

TEST_CASE("work that is shared among threads, cut within images") {
  gradient_check_options few;
  few.probes = 2;
  few.batches = {2, 3};
  CHECK(check_gradients(concat_op<double>(), concat_op<float>(), {{1, 2, 101, 101}, {1, 3, 101, 101}}, few).failure == "");
}

TEST_CASE("by hand: images stay apart, inputs follow each other in every image") {
  const op_values<float> values{
      {tensor<float>({2, 1, 2}, {1, 2, 3, 4}), tensor<float>({2, 2, 2}, {10, 11, 12, 13, 20, 21, 22, 23})},
      {},
      {},
      tensor<float>({2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})};
  const op_results<float> r = run_test_case(concat_op<float>(), values, {});
  const float wanted[] = {1, 2, 10, 11, 12, 13, 3, 4, 20, 21, 22, 23};
  CHECK(std::equal(r.output.begin(), r.output.end(), wanted, wanted + 12));
  const float first[] = {0, 1, 6, 7}, second[] = {2, 3, 4, 5, 8, 9, 10, 11};
  CHECK(std::equal(r.gradients[0].begin(), r.gradients[0].end(), first, first + 4));
  CHECK(std::equal(r.gradients[1].begin(), r.gradients[1].end(), second, second + 8));
}

TEST_CASE("shapes, names, errors") {
  graph<float> g;
  const node<float> x = g.input({4, 5, 5});
  const node<float> y = concat({x, x, x});
  CHECK(y.dims() == shape{1, 12, 5, 5});
  CHECK(y.name() == "concat1");
  CHECK(concat({x, y}, {.name = "joined"}).name() == "joined");
  const auto plan = [](const std::vector<shape>& inputs) { return concat_op<float>().plan({inputs, true, {}}); };
  CHECK_THROWS_WITH_AS(plan({{1, 4, 5, 5}, {1, 4, 5, 6}}),
                       "concat wants inputs that differ in channels only, got 1x4x5x5 and 1x4x5x6", shape_error);
  CHECK_THROWS_WITH_AS(plan({{1, 4, 5, 5}, {1, 4}}), "concat wants inputs that differ in channels only, got 1x4x5x5 and 1x4",
                       shape_error);
  CHECK_THROWS_WITH_AS(plan({{4}, {4}}), "concat wants inputs of (n, c, ...), got 4", shape_error);
  CHECK_THROWS_WITH_AS(concat(std::vector<node<float>>{}), "concat wants at least one input", shape_error);
}
