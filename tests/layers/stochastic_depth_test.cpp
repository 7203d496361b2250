#include "minicnn/layers/stochastic_depth.hpp"

#include <doctest/doctest.h>

#include <string>

#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

namespace {

/// Ones through stochastic depth: (rows, columns).
tensor<float> drop(double rate, index_t rows, index_t columns, random_key key, bool training = true) {
  tensor<float> x({rows, columns}, 1.0F), y({rows, columns});
  const view<const float> inputs[] = {x};
  frame<float> f;
  f.training = training;
  f.random = key;
  f.inputs = inputs;
  f.output = y;
  stochastic_depth_op<float>(rate).forward(f);
  return y;
}

}  // namespace

TEST_CASE("stochastic depth: derivatives and contract") {
  gradient_check_options many;
  many.batches = {1, 7};
  for (double rate : {0.0, 0.2, 0.9})
    for (const shape& x : {shape{1, 3, 4, 5}, shape{1, 1}, shape{1, 70001}}) {
      CAPTURE(rate);
      CHECK(check_gradients(stochastic_depth_op<double>(rate), stochastic_depth_op<float>(rate), {x}, many).failure == "");
    }
}

TEST_CASE("stochastic depth: a sample stays as a whole, with the factor that keeps the mean") {
  const tensor<float> y = drop(0.2, 4000, 3, random_key(1));
  index_t kept = 0;
  for (index_t n = 0; n < 4000; ++n) {
    CHECK(((y(n, 0) == 0.0F || y(n, 0) == 1.25F) && y(n, 1) == y(n, 0) && y(n, 2) == y(n, 0)));
    kept += y(n, 0) != 0.0F;
  }
  CHECK(kept > 3100);  // 3,200 expected, deviation 25
  CHECK(kept < 3300);
  const tensor<float> same = drop(0.2, 4000, 3, random_key(1)), other = drop(0.2, 4000, 3, random_key(2));
  CHECK(std::equal(y.begin(), y.end(), same.begin()));
  CHECK_FALSE(std::equal(y.begin(), y.end(), other.begin()));
  for (const float value : drop(0.2, 100, 3, random_key(1), false)) CHECK(value == 1.0F);
}

TEST_CASE("stochastic depth: names and errors") {
  graph<float> g;
  const node<float> x = g.input({2, 5, 5});
  CHECK(stochastic_depth(x, 0.1).name() == "depth1");
  CHECK(stochastic_depth_op<float>(0.25).describe() == attribute_list{{"ratio", 0.25}});
  CHECK_THROWS_WITH_AS(stochastic_depth(x, 1.0), "depth2: stochastic depth must be at least 0 and below 1, got 1", option_error);
}
