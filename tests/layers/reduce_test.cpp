#include "minicnn/layers/reduce.hpp"

#include <doctest/doctest.h>

#include "layers/against_golden.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

TEST_CASE("reduce: derivatives and contract") {
  for (const reduction what : {reduction::sum, reduction::mean})
    for (const reduce_options& o : {reduce_options{{2, 3}}, reduce_options{{1}, false}, reduce_options{{-1}},
                                    reduce_options{{1, 3}, false}, reduce_options{{1, 2, 3}}})
      for (const shape& x : {shape{1, 3, 4, 5}, shape{1, 2, 1, 19}}) {
        CAPTURE(x.text());
        CHECK(check_gradients(reduce_op<double>(what, o), reduce_op<float>(what, o), {x}).failure == "");
      }
}

TEST_CASE_TEMPLATE("reduce as PyTorch", T, float, double) {
  const auto check = [](const std::string& name, const op<T>& operation) {
    check_against_golden(operation, {"operators", name, {2, 3, 4, 5}});
  };
  check("mean_23", reduce_op<T>(reduction::mean, {{2, 3}}));
  check("mean_13_dropped", reduce_op<T>(reduction::mean, {{1, -1}, false}));
  check("sum_last", reduce_op<T>(reduction::sum, {{-1}}));
}

TEST_CASE("reduce by hand, names and errors") {
  const op_values<float> values{{tensor<float>({1, 2, 2}, {1, 2, 3, 4})}, {}, {}, tensor<float>({1, 2, 1}, {1, 10})};
  const op_results<float> r = run_test_case(reduce_op<float>(reduction::mean, {{2}}), values, {});
  CHECK(r.output[0] == 1.5F);
  CHECK(r.output[1] == 3.5F);
  CHECK(r.gradients[0][3] == 5.0F);
  graph<float> g;
  const node<float> x = g.input({3, 4});
  CHECK(reduce_mean(x, {.axes = {1}, .keep = false}).dims() == shape{1, 4});
  CHECK(reduce_mean(x, {.axes = {1}}).name() == "mean2");
  CHECK(reduce_sum(x, {.axes = {1}}).name() == "sum1");
  CHECK_THROWS_WITH_AS(reduce_sum(x, {.axes = {0}}), "sum2: reduce_sum wants axes from 1 to 2 of 1x3x4, got 0", option_error);
  CHECK_THROWS_WITH_AS(reduce_sum(x, {.axes = {-3}}), doctest::Contains("got -3"), option_error);
  CHECK_THROWS_WITH_AS(reduce_mean(x, {}), doctest::Contains("reduce_mean wants at least one axis"), option_error);
}
