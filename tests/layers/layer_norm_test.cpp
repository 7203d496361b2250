#include "minicnn/layers/layer_norm.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "layers/against_golden.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

TEST_CASE("layer_norm: derivatives and contract") {
  for (const bool affine : {true, false})
    for (const auto& [axis, x] :
         {std::pair<int, shape>{-1, {1, 5, 19}}, {1, {1, 6, 4, 5}}, {-1, {1, 40}}, {2, {1, 3, 16, 17}}, {1, {1, 5, 1, 1}}}) {
      const std::string which = text_of("axis ", axis, " of ", x);
      CAPTURE(which);
      const layer_norm_options o{.axis = axis, .eps = 0.01, .affine = affine};
      CHECK(check_gradients(layer_norm_op<double>(o), layer_norm_op<float>(o), {x}).failure == "");
    }
}

TEST_CASE("softmax: derivatives and contract") {
  for (const auto& [axis, x] :
       {std::pair<int, shape>{-1, {1, 5, 19}}, {1, {1, 6, 4, 5}}, {-1, {1, 40}}, {2, {1, 3, 16, 17}}, {1, {1, 1, 3}}}) {
    const std::string which = text_of("axis ", axis, " of ", x);
    CAPTURE(which);
    CHECK(check_gradients(softmax_op<double>(axis), softmax_op<float>(axis), {x}).failure == "");
  }
}

TEST_CASE("layer_norm and softmax: work that is shared among threads") {
  gradient_check_options few;
  few.probes = 2;
  few.batches = {2};
  for (const auto& [axis, x] : {std::pair<int, shape>{-1, {1, 197, 70}}, {1, {1, 70, 13, 17}}}) {
    const layer_norm_options o{.axis = axis};
    CHECK(check_gradients(layer_norm_op<double>(o), layer_norm_op<float>(o), {x}, few).failure == "");
    CHECK(check_gradients(softmax_op<double>(axis), softmax_op<float>(axis), {x}, few).failure == "");
  }
}

TEST_CASE_TEMPLATE("layer_norm and softmax as PyTorch", T, float, double) {
  const auto check = [](const std::string& name, const op<T>& operation, const shape& x) {
    check_against_golden(operation, {"operators", name, x});
  };
  check("layer_norm_last", layer_norm_op<T>({.eps = 1e-6}), {2, 5, 19});
  check("layer_norm_channels", layer_norm_op<T>({.axis = 1}), {2, 6, 4, 5});
  check("layer_norm_plain", layer_norm_op<T>({.affine = false}), {2, 3, 7});
  check("softmax_last", softmax_op<T>(-1), {2, 3, 19});
  check("softmax_channels", softmax_op<T>(1), {2, 6, 4, 5});
}

TEST_CASE("layer_norm and softmax by hand") {
  op_test_case forward_only;
  forward_only.backward = false;
  // Mean 3, variance 5: (x - 3) / sqrt(5 + 4), times 3, plus 1.
  const op_values<double> line{
      {tensor<double>({1, 4}, {0, 2, 4, 6})}, {tensor<double>({4}, 3.0), tensor<double>({4}, 1.0)}, {}, tensor<double>({1, 4})};
  const tensor<double> y = run_test_case(layer_norm_op<double>({.eps = 4}), line, forward_only).output;
  const double wanted[] = {-2, 0, 2, 4};
  for (int i = 0; i < 4; ++i) CHECK(y[i] == doctest::Approx(wanted[i]));

  const op_values<double> logs{
      {tensor<double>({1, 3}, {std::log(1.0), std::log(2.0), std::log(5.0)})}, {}, {}, tensor<double>({1, 3})};
  const tensor<double> shares = run_test_case(softmax_op<double>(-1), logs, forward_only).output;
  for (int i = 0; i < 3; ++i) CHECK(shares[i] == doctest::Approx((i == 0 ? 1 : i == 1 ? 2 : 5) / 8.0));
}

TEST_CASE("softmax of large numbers, infinity below and NaN") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  op_test_case forward_only;
  forward_only.backward = false;
  const op_values<float> values{{tensor<float>({3, 2}, {1000, 1000, 0, -infinity, nan, 0})}, {}, {}, tensor<float>({3, 2})};
  for (isa i : {isa::baseline, isa::avx2, isa::avx512}) {
    if (i > detect_isa()) continue;
    forward_only.ctx.instruction_set = i;
    const tensor<float> y = run_test_case(softmax_op<float>(-1), values, forward_only).output;
    CHECK(y[0] == doctest::Approx(0.5F));
    CHECK(y[2] == doctest::Approx(1.0F));
    CHECK(y[3] < 1e-30F);
    CHECK(std::isnan(y[4]));
  }
}

TEST_CASE("layer_norm and softmax: names, attributes, errors") {
  graph<float> g;
  const node<float> x = g.input({3, 4});
  CHECK(layer_norm(x).name() == "ln1");
  CHECK(softmax_along(x).name() == "softmax1");
  CHECK(layer_norm_op<float>({.axis = 1, .eps = 0.5}).describe() ==
        attribute_list{{"axis", index_t{1}}, {"epsilon", 0.5}, {"affine", true}});
  CHECK_THROWS_WITH_AS(layer_norm(x, {.axis = 0}), "ln2: layer_norm wants an axis from 1 to 2 of 1x3x4, got 0", option_error);
  CHECK_THROWS_WITH_AS(layer_norm(x, {.eps = 0}), "ln2: eps must be above 0, got 0", option_error);
  CHECK_THROWS_WITH_AS(softmax_along(x, {.axis = -3}), doctest::Contains("softmax wants an axis from 1 to 2"), option_error);
}
