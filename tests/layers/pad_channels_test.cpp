#include "minicnn/layers/pad_channels.hpp"

#include <doctest/doctest.h>

#include <string>

#include "layers/against_golden.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

TEST_CASE("derivatives and contract") {
  for (const pad_channels_options& o : {pad_channels_options{2, 1, {}}, pad_channels_options{0, 3, {}}, pad_channels_options{}})
    for (const shape& x : {shape{1, 3, 4, 5}, shape{1, 2}, shape{1, 1, 101, 101}})
      CHECK(check_gradients(pad_channels_op<double>(o), pad_channels_op<float>(o), {x}).failure == "");
}

TEST_CASE_TEMPLATE("as PyTorch", T, float, double) {
  const auto check = [](const std::string& name, const op<T>& operation) {
    check_against_golden(operation, {"channels", name, {2, 3, 5, 4}});
  };
  check("pad_2_3", pad_channels_op<T>({.before = 2, .after = 3}));
  check("pad_0_1", pad_channels_op<T>({.after = 1}));
}

TEST_CASE("by hand: zeros before and after every image's channels") {
  const op_values<float> values{
      {tensor<float>({2, 1, 2}, {1, 2, 3, 4})}, {}, {}, tensor<float>({2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})};
  const op_results<float> r = run_test_case(pad_channels_op<float>({1, 1, {}}), values, {});
  const float wanted[] = {0, 0, 1, 2, 0, 0, 0, 0, 3, 4, 0, 0}, gradient[] = {2, 3, 8, 9};
  CHECK(std::equal(r.output.begin(), r.output.end(), wanted, wanted + 12));
  CHECK(std::equal(r.gradients[0].begin(), r.gradients[0].end(), gradient, gradient + 4));
}

TEST_CASE("shapes, names and errors") {
  graph<float> g;
  const node<float> x = g.input({16, 8, 8});
  const node<float> y = pad_channels(x, {.before = 8, .after = 8});
  CHECK(y.dims() == shape{1, 32, 8, 8});
  CHECK(y.name() == "pad1");
  CHECK_THROWS_WITH_AS(pad_channels(x, {.before = -1}), "pad2: pad_channels wants counts that are not negative, got -1 and 0",
                       option_error);
}
