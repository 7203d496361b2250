#include "minicnn/layers/reshape.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "layers/against_golden.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

namespace {

tensor<float> counted(const shape& dims) {
  tensor<float> x(dims);
  for (index_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i);
  return x;
}

std::vector<float> outputs(const op<float>& operation, const shape& input) {
  op_test_case forward_only;
  forward_only.backward = false;
  const std::vector<shape> inputs{input};
  const tensor<float> y =
      run_test_case(operation, {{counted(input)}, {}, {}, tensor<float>(operation.plan({inputs, true, {}}).output)}, forward_only)
          .output;
  return {y.begin(), y.end()};
}

}  // namespace

TEST_CASE("reshape: derivatives and contract") {
  for (const std::vector<index_t>& dims : {std::vector<index_t>{10, 6}, {-1}, {5, -1, 1, 2}, {60, 1}})
    CHECK(check_gradients(reshape_op<double>(dims), reshape_op<float>(dims), {{1, 3, 4, 5}}).failure == "");
}

TEST_CASE("transpose: derivatives and contract") {
  for (const std::vector<index_t>& order :
       {std::vector<index_t>{0, 1, 2, 3}, {0, 2, 3, 1}, {0, 3, 1, 2}, {0, 3, 2, 1}, {0, 1, 3, 2}})
    for (const shape& x : {shape{1, 3, 4, 5}, shape{1, 1, 7, 1}, shape{1, 2, 1, 9}})
      CHECK(check_gradients(transpose_op<double>(order), transpose_op<float>(order), {x}).failure == "");
  gradient_check_options few;
  few.probes = 2;
  few.batches = {2};
  const std::vector<index_t> heads{0, 2, 3, 1, 4};
  CHECK(check_gradients(transpose_op<double>(heads), transpose_op<float>(heads), {{1, 61, 3, 12, 16}}, few).failure == "");
}

TEST_CASE("slice: derivatives and contract") {
  for (const slice_options& o :
       {slice_options{1, 0, 3, 1}, slice_options{1, 1, 1, 1}, slice_options{2, 1, 2, 2}, slice_options{3, -3, 3, 1}})
    CHECK(check_gradients(slice_op<double>(o), slice_op<float>(o), {{1, 3, 4, 5}}).failure == "");
}

TEST_CASE_TEMPLATE("shapes as PyTorch", T, float, double) {
  const auto check = [](const std::string& name, const op<T>& operation, const shape& x) {
    check_against_golden(operation, {"operators", name, x});
  };
  check("transpose_0231", transpose_op<T>({0, 2, 3, 1}), {2, 3, 4, 5});
  check("transpose_02143", transpose_op<T>({0, 2, 1, 4, 3}), {2, 3, 4, 5, 2});
  check("reshape", reshape_op<T>({10, -1}), {2, 3, 4, 5});
  check("slice", slice_op<T>({.axis = 2, .begin = 1, .count = 3, .step = 2}), {2, 3, 7, 4});
}

TEST_CASE("shapes by hand") {
  CHECK(outputs(transpose_op<float>({0, 2, 1}), {2, 2, 3}) == std::vector<float>{0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11});
  CHECK(outputs(reshape_op<float>({3, 2}), {1, 6}) == std::vector<float>{0, 1, 2, 3, 4, 5});
  CHECK(outputs(slice_op<float>({.axis = 1, .begin = -1}), {2, 3}) == std::vector<float>{2, 5});
  CHECK(outputs(slice_op<float>({.axis = 1, .begin = 1, .count = 2, .step = 2}), {1, 4, 2}) == std::vector<float>{2, 3, 6, 7});
}

TEST_CASE("shapes: names, attributes, errors") {
  graph<float> g;
  const node<float> x = g.input({3, 4, 5});
  CHECK(reshape(x, {-1, 5}).name() == "reshape1");
  CHECK(reshape(x, {-1, 5}).dims() == shape{1, 12, 5});
  CHECK(transpose(x, {0, 2, 3, 1}).name() == "transpose1");
  CHECK(slice(x, {.axis = 2}).dims() == shape{1, 3, 1, 5});
  CHECK(transpose_op<float>({0, 2, 1}).describe() == attribute_list{{"perm", std::vector<index_t>{0, 2, 1}}});
  CHECK_THROWS_WITH_AS(reshape(x, {7, 5}), "reshape3: reshape: 1x3x4x5 has not the elements of nx7x5", shape_error);
  CHECK_THROWS_WITH_AS(reshape(x, {7, -1}), doctest::Contains("has not the elements of nx7x-1"), shape_error);
  CHECK_THROWS_WITH_AS(reshape(x, {-1, -1}), doctest::Contains("has not the elements"), shape_error);
  CHECK_THROWS_WITH_AS(reshape(x, {-2, 30}), doctest::Contains("has not the elements"), shape_error);
  CHECK_THROWS_WITH_AS(transpose(x, {1, 0, 2, 3}), doctest::Contains("each axis once, and the batch first"), option_error);
  CHECK_THROWS_WITH_AS(transpose(x, {0, 1, 1, 3}), doctest::Contains("each axis once"), option_error);
  CHECK_THROWS_WITH_AS(transpose(x, {0, 2, 1}), doctest::Contains("transpose of 3 axes, got an input of 1x3x4x5"), shape_error);
  CHECK_THROWS_WITH_AS(slice(x, {.axis = 0}), doctest::Contains("slice wants an axis from 1 to 3, got 0"), option_error);
  CHECK_THROWS_WITH_AS(slice(x, {.axis = 1, .begin = 2, .count = 2}), doctest::Contains("of axis 1 of 1x3x4x5"), shape_error);
  CHECK_THROWS_WITH_AS(slice(x, {.axis = 1, .begin = -4}), doctest::Contains("of axis 1"), shape_error);
  CHECK_THROWS_WITH_AS(slice(x, {.axis = 1, .step = 0}), doctest::Contains("at least 1, got 1 and 0"), option_error);
}
