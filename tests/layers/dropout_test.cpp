#include "minicnn/layers/dropout.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

namespace {

/// Ones through dropout: (rows, columns).
tensor<float> drop(double rate, index_t rows, index_t columns, random_key key, int threads = 1, bool training = true) {
  tensor<float> x({rows, columns}, 1.0F), y({rows, columns});
  const view<const float> inputs[] = {x};
  frame<float> f;
  f.ctx.threads = threads;
  f.training = training;
  f.random = key;
  f.inputs = inputs;
  f.output = y;
  dropout_op<float>(rate).forward(f);
  return y;
}

/// Which elements of a row live, as text.
std::string mask(const tensor<float>& y, index_t row) {
  std::string text;
  for (index_t j = 0; j < y.dim(1); ++j) text += y(row, j) == 0.0F ? '0' : '1';
  return text;
}

double kept_fraction(const tensor<float>& y) {
  index_t kept = 0;
  for (float value : y) kept += value != 0.0F;
  return static_cast<double>(kept) / static_cast<double>(y.size());
}

}  // namespace

TEST_CASE("derivatives and contract") {
  for (double rate : {0.0, 0.2, 0.5, 0.9})
    for (const shape& x : {shape{1, 3, 4, 5}, shape{1, 1}, shape{1, 67}}) {
      CAPTURE(rate);
      CAPTURE(x.text());
      CHECK(check_gradients(dropout_op<double>(rate), dropout_op<float>(rate), {x}).failure == "");
    }
}

TEST_CASE("work that is shared among threads") {
  gradient_check_options few;
  few.probes = 2;
  few.batches = {3};
  CHECK(check_gradients(dropout_op<double>(0.5), dropout_op<float>(0.5), {{1, 5003}}, few).failure == "");
}

TEST_CASE("F21 every sample, step and node has its own mask, whatever the number of threads") {
  const random_key network(7), step1 = network.of(1), step2 = network.of(2);
  const tensor<float> y = drop(0.5, 64, 1024, step1.of(3));
  std::set<std::string> masks;
  for (index_t n = 0; n < 64; ++n) masks.insert(mask(y, n));
  CHECK(masks.size() == 64);

  for (int threads : {2, 8}) {
    const tensor<float> same = drop(0.5, 64, 1024, step1.of(3), threads);
    CHECK(std::equal(y.begin(), y.end(), same.begin()));
  }
  for (const random_key& other : {step2.of(3), step1.of(4)}) {
    const tensor<float> different = drop(0.5, 64, 1024, other);
    index_t equal = 0;
    for (index_t i = 0; i < y.size(); ++i) equal += (y[i] == 0.0F) == (different[i] == 0.0F);
    // Independent masks agree in half of the elements: 32768 +- 4 * 128.
    CHECK(std::abs(equal - 32768) < 512);
  }
}

TEST_CASE("a sample's mask does not depend on the batch size") {
  const tensor<float> large = drop(0.3, 5, 131, random_key(1)), small = drop(0.3, 2, 131, random_key(1));
  CHECK(std::equal(small.begin(), small.end(), large.begin()));
}

TEST_CASE("the share of survivors is 1 - rate, they are scaled up, and neighbours are independent") {
  for (double rate : {0.1, 0.25, 0.5, 0.8}) {
    CAPTURE(rate);
    const tensor<float> y = drop(rate, 100, 10000, random_key(11));
    const double deviation = std::sqrt(rate * (1 - rate) / 1e6);
    CHECK(std::abs(kept_fraction(y) - (1 - rate)) < 4 * deviation);
    for (float value : y)
      if (value != 0.0F && value != doctest::Approx(1 / (1 - rate))) CHECK(value == 1 / (1 - rate));
    index_t both = 0;
    for (index_t i = 0; i + 1 < y.size(); ++i) both += y[i] != 0.0F && y[i + 1] != 0.0F;
    const double pair = (1 - rate) * (1 - rate);
    CHECK(std::abs(static_cast<double>(both) / 1e6 - pair) < 8 * std::sqrt(pair * (1 - pair) / 1e6));
  }
}

TEST_CASE("nothing is dropped in evaluation and at rate 0") {
  for (float value : drop(0.5, 3, 101, random_key(1), 1, false)) CHECK(value == 1.0F);
  for (float value : drop(0.0, 3, 101, random_key(1))) CHECK(value == 1.0F);
}

TEST_CASE("names, attributes, errors") {
  graph<float> g;
  const node<float> x = g.input({4, 5, 5});
  CHECK(dropout(x).name() == "dropout1");
  const node<float> y = dropout(x, 0.25, {.name = "drop"});
  CHECK(y.name() == "drop");
  CHECK(y.dims() == shape{1, 4, 5, 5});
  CHECK(g.at(y.id).operation->describe() == attribute_list{{"ratio", 0.25}});
  CHECK_THROWS_WITH_AS(dropout(x, 1.0), "dropout2: dropout rate must be at least 0 and below 1, got 1", option_error);
  CHECK_THROWS_AS(dropout(x, -0.1), option_error);
  CHECK_THROWS_AS(dropout(x, std::nan("")), option_error);
}
