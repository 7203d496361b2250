#include "minicnn/layers/dense.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "layers/against_golden.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

TEST_CASE("derivatives and contract, for many shapes") {
  struct configuration {
    index_t in, units;
    bool bias;
  };
  for (const configuration c :
       {configuration{1, 1, true}, {5, 3, true}, {3, 7, false}, {17, 33, true}, {64, 10, true}, {130, 1, true}}) {
    CAPTURE(c.in);
    CAPTURE(c.units);
    const dense_options o{.bias = c.bias};
    CHECK(check_gradients(dense_op<double>(c.units, o), dense_op<float>(c.units, o), {{1, c.in}}).failure == "");
  }
}

TEST_CASE("work that is shared among threads") {
  gradient_check_options few;
  few.probes = 4;
  few.batches = {37};
  CHECK(check_gradients(dense_op<double>(300), dense_op<float>(300), {{1, 210}}, few).failure == "");
}

TEST_CASE("by hand: y = x W^T + b and its gradients") {
  // W = [1 2; 3 4; 5 6], b = [1 0 -1]; x = [1 -1; 2 0]; dy = [1 0 2; 0 1 0]
  const op_values<double> values{{tensor<double>({2, 2}, {1, -1, 2, 0})},
                                 {tensor<double>({3, 2}, {1, 2, 3, 4, 5, 6}), tensor<double>({3}, {1, 0, -1})},
                                 {},
                                 tensor<double>({2, 3}, {1, 0, 2, 0, 1, 0})};
  const op_results<double> r = run_test_case(dense_op<double>(3), values, {});
  CHECK(r.fault == "");
  const auto equal = [](const tensor<double>& got, std::initializer_list<double> wanted) {
    return std::equal(got.begin(), got.end(), wanted.begin(), wanted.end());
  };
  CHECK(equal(r.output, {0, -1, -2, 3, 6, 9}));
  CHECK(equal(r.gradients[0], {11, 14, 3, 4}));        // dy W
  CHECK(equal(r.gradients[1], {1, -1, 2, 0, 2, -2}));  // dy^T x
  CHECK(equal(r.gradients[2], {1, 1, 2}));             // sum of dy over the batch
}

TEST_CASE("as PyTorch") {
  check_against_golden(dense_op<double>(7), {"dense", "bias", {3, 10}});
  check_against_golden(dense_op<float>(7), {"dense", "bias", {3, 10}});
  check_against_golden(dense_op<double>(4, {.bias = false}), {"dense", "no_bias", {2, 5}});
  check_against_golden(dense_op<float>(4, {.bias = false}), {"dense", "no_bias", {2, 5}});
}

TEST_CASE("parameters, names, cost, attributes") {
  graph<float> g;
  const node<float> x = g.input({9216});
  const node<float> y = dense(x, 4096, {.bias_init = 1.0});
  CHECK(y.name() == "fc1");
  CHECK(y.dims() == shape{1, 4096});
  CHECK(dense(y, 2, {.name = "logits_eval"}).name() == "logits_eval");
  const std::vector<shape> inputs{{20, 9216}};
  const op_plan p = g.at(y.id).operation->plan({inputs, true, {}});
  REQUIRE(p.parameters.size() == 2);
  CHECK(p.parameters[0].name == "weight");
  CHECK(p.parameters[0].dims == shape{4096, 9216});
  CHECK(p.parameters[0].decay);
  CHECK(p.parameters[1].name == "bias");
  CHECK(p.parameters[1].dims == shape{4096});
  CHECK(p.parameters[1].init.value == 1.0);
  CHECK_FALSE(p.parameters[1].decay);
  CHECK(p.multiply_adds == index_t{20} * 9216 * 4096);
  CHECK(dense_op<float>(7).describe() == attribute_list{{"units", index_t{7}}, {"bias", true}});
}

TEST_CASE("F30 the fan of a dense layer is its number of inputs") {
  const std::vector<shape> inputs{{1, 9216}};
  const parameter_spec weight = dense_op<float>(64).plan({inputs, true, {}}).parameters[0];
  tensor<float> values(weight.dims);
  initialize(view<float>(values), weight.init, weight.fan_in, weight.fan_out, random_key(1));
  double squares = 0;
  for (float value : values) squares += double{value} * double{value};
  CHECK(std::sqrt(squares / static_cast<double>(values.size())) == doctest::Approx(0.014731).epsilon(0.02));
}

TEST_CASE("what is wrong is said") {
  graph<float> g;
  const node<float> x = g.input({256, 6, 6});
  CHECK_THROWS_WITH_AS(dense(x, 10), "fc1: a dense layer wants an input of (n, features), got 1x256x6x6; put flatten before it",
                       shape_error);
  graph<float> h;
  CHECK_THROWS_WITH_AS(dense(h.input({5}), 0), "fc1: units must be at least 1, got 0", option_error);
}

TEST_CASE("on the last of several axes: derivatives, contract, and as PyTorch") {
  for (const shape& x : {shape{1, 5, 9}, shape{1, 2, 3, 4}, shape{1, 7}}) {
    const dense_options o{.last_axis = true};
    CHECK(check_gradients(dense_op<double>(6, o), dense_op<float>(6, o), {x}).failure == "");
  }
  check_against_golden(dense_op<double>(7, {.last_axis = true}), {"operators", "dense_last_axis", {2, 5, 9}});
  check_against_golden(dense_op<float>(7, {.last_axis = true}), {"operators", "dense_last_axis", {2, 5, 9}});
  CHECK(dense_op<float>(7, {.last_axis = true}).describe().back() == std::pair<std::string, attribute_value>("last_axis", true));
}
