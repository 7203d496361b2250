#include "minicnn/layers/scale.hpp"

#include <doctest/doctest.h>

#include <string>

#include "layers/against_golden.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

TEST_CASE("derivatives and contract") {
  const scale_options o{.factor = {2.0, -0.5, 3.0}, .offset = {1.0, 0.0, -4.0}};
  for (const shape& x : {shape{1, 3, 4, 5}, shape{1, 3}, shape{1, 3, 101, 101}})
    CHECK(check_gradients(scale_op<double>(o), scale_op<float>(o), {x}).failure == "");
}

TEST_CASE_TEMPLATE("as PyTorch", T, float, double) {
  const auto check = [](const std::string& name, const op<T>& operation) {
    check_against_golden(operation, {"channels", name, {2, 3, 5, 4}});
  };
  check("scale", scale_op<T>({.factor = {2.0, -0.5, 3.0}, .offset = {1.0, 0.0, -4.0}}));
  check("imagenet_to_unit", scale_op<T>(scale_options::imagenet_to_unit()));
}

TEST_CASE("by hand: factor and offset of the channel, no offset unless given") {
  const op_values<float> values{{tensor<float>({2, 2, 1}, {1, 2, 3, 4})}, {}, {}, tensor<float>({2, 2, 1}, {1, 1, 1, 1})};
  const op_results<float> r = run_test_case(scale_op<float>({.factor = {2, 10}, .offset = {1, -1}}), values, {});
  const float wanted[] = {3, 19, 7, 39}, gradient[] = {2, 10, 2, 10};
  CHECK(std::equal(r.output.begin(), r.output.end(), wanted, wanted + 4));
  CHECK(std::equal(r.gradients[0].begin(), r.gradients[0].end(), gradient, gradient + 4));
  CHECK(run_test_case(scale_op<float>({.factor = {2, 10}}), values, {}).output[3] == 40);
  const op_results<float> same = run_test_case(scale_op<float>({.factor = {2}, .offset = {1}}), values, {});
  CHECK((same.output[1] == 5 && same.output[3] == 9 && same.gradients[0][3] == 2));
}

TEST_CASE("ImageNet's normalisation becomes -1 to 1") {
  const scale_options o = scale_options::imagenet_to_unit();
  // Black, grey and white: pixels 0, 0.5 and 1 less the mean, divided by the deviation.
  const double mean[] = {0.485, 0.456, 0.406}, deviation[] = {0.229, 0.224, 0.225};
  for (std::size_t c = 0; c < 3; ++c)
    for (const double pixel : {0.0, 0.5, 1.0})
      CHECK(o.factor[c] * (pixel - mean[c]) / deviation[c] + o.offset[c] == doctest::Approx(2 * pixel - 1));
}

TEST_CASE("names and errors") {
  graph<float> g;
  const node<float> x = g.input({2, 5, 5});
  CHECK(scale(x, {.factor = {1, 2}}).name() == "scale1");
  CHECK(scale_op<float>({.factor = {0.5, 0.25}}).describe()[0].second == attribute_value(std::string("0.5 0.25")));
  CHECK_THROWS_WITH_AS(scale(x, {.factor = {1, 2, 3}}), "scale2: scale has 3 factors, the input 2 channels", shape_error);
  CHECK_THROWS_WITH_AS(scale(x, {.factor = {1, 2}, .offset = {1}}), "scale2: scale wants as many offsets as factors, got 1 and 2",
                       option_error);
}
