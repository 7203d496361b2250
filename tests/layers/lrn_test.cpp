#include "minicnn/layers/lrn.hpp"

#include <doctest/doctest.h>

#include "layers/against_golden.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

namespace {

/// Output and input gradient for one pixel with these channels, upstream gradient all 1.
template <class T>
op_results<T> one_pixel(const lrn_options& o, const std::vector<T>& channels) {
  tensor<T> x({1, static_cast<index_t>(channels.size()), 1, 1});
  std::copy(channels.begin(), channels.end(), x.begin());
  const op_results<T> r = run_test_case(lrn_op<T>(o), op_values<T>{{x}, {}, {}, tensor<T>(x.dims(), T{1})}, op_test_case{});
  CHECK(r.fault == "");
  return op_results<T>(r);
}

template <class T>
void check_values(const tensor<T>& got, const std::vector<double>& wanted) {
  REQUIRE(got.size() == static_cast<index_t>(wanted.size()));
  for (index_t i = 0; i < got.size(); ++i)
    CHECK(static_cast<double>(got[i]) == doctest::Approx(wanted[static_cast<std::size_t>(i)]).epsilon(1e-5));
}

template <class T>
const std::vector<T> one_to_five{1, 2, 3, 4, 5};

}  // namespace

TEST_CASE_TEMPLATE("F01 LRN: the gradient by hand", T, float, double) {
  const auto paper = one_pixel<T>({.size = 5, .alpha = 0.1, .beta = 0.75, .k = 2}, one_to_five<T>);
  check_values(paper.gradients[0], {0.350581, 0.165320, -0.054664, -0.073723, -0.048668});
  const auto divided = one_pixel<T>(lrn_options::caffe(5, 0.1, 0.75, 2), one_to_five<T>);
  check_values(divided.gradients[0], {0.508162, 0.393300, 0.219591, 0.180558, 0.183095});
}

TEST_CASE_TEMPLATE("F03 LRN: size counts channels, even sizes reach further back, few channels", T, float, double) {
  check_values(one_pixel<T>({.size = 3, .alpha = 0.1, .beta = 0.75, .k = 2}, one_to_five<T>).output,
               {0.502973, 0.798768, 0.910907, 0.929472, 1.288168});
  check_values(one_pixel<T>(lrn_options::caffe(4, 0.1, 0.75, 2), one_to_five<T>).output,
               {0.568173, 1.053729, 1.404823, 1.615386, 2.065654});

  const auto alone = one_pixel<T>({.size = 5, .alpha = 0.5, .beta = 0.75, .k = 2}, {2});
  check_values(alone.output, {0.70710678});
  check_values(alone.gradients[0], {0.08838835});
  const auto divided = one_pixel<T>(lrn_options::caffe(5, 0.5, 0.75, 2), {2});
  check_values(divided.output, {1.03722163});
  check_values(divided.gradients[0], {0.38895811});

  // Nine channels wanted, two there: 1 / (2 + 5)^0.75 and 2 / (2 + 5)^0.75.
  check_values(one_pixel<T>({.size = 9, .alpha = 1, .beta = 0.75, .k = 2}, {1, 2}).output, {0.2323680802, 0.4647361605});
}

TEST_CASE("LRN options of other programs") {
  const lrn_options caffe = lrn_options::caffe(5, 5e-4, 0.75, 2);
  CHECK(caffe.alpha == doctest::Approx(1e-4));
  CHECK(caffe.size == 5);
  const lrn_options tensorflow = lrn_options::tensorflow(4, 1.0, 0.001 / 9.0, 0.75);
  CHECK(tensorflow.size == 9);
  CHECK(tensorflow.alpha == 0.001 / 9.0);
  CHECK(tensorflow.k == 1.0);
  CHECK(lrn_options::tensorflow().beta == 0.5);
}

TEST_CASE_TEMPLATE("LRN agrees with PyTorch", T, float, double) {
  const auto compare = [](const std::string& name, const shape& dims, lrn_options o, double scale = 4.0) {
    check_against_golden(lrn_op<T>(o), {"lrn", name, dims, scale});
  };
  compare("size_5", {2, 7, 3, 4}, {.size = 5, .alpha = 0.1, .beta = 0.75, .k = 2});
  compare("article", {2, 12, 3, 3}, {.size = 9, .alpha = 0.001 / 9, .beta = 0.75, .k = 1}, 200.0);
  compare("fewer_channels_than_window", {2, 3, 2, 3}, {.size = 9, .alpha = 0.2, .beta = 0.75, .k = 1});
  compare("even_size_4", {2, 6, 2, 3}, {.size = 4, .alpha = 0.3, .beta = 0.75, .k = 1});
  compare("beta_0.5", {2, 5, 2, 3}, {.size = 3, .alpha = 0.2, .beta = 0.5, .k = 1.5});
  compare("beta_1", {2, 5, 2, 3}, {.size = 3, .alpha = 0.2, .beta = 1, .k = 1});
}

TEST_CASE("LRN keeps the contract") {
  const auto fault = [](lrn_options o, const shape& x) {
    return check_gradients(lrn_op<double>(o), lrn_op<float>(o), {x}).failure;
  };
  CHECK(fault({.size = 5, .alpha = 0.1}, {1, 7, 3, 5}) == "");
  CHECK(fault({.size = 9, .alpha = 0.3, .k = 1}, {1, 11, 5, 7}) == "");
  CHECK(fault({.size = 4, .alpha = 0.2}, {1, 6, 1, 33}) == "");
  CHECK(fault({.size = 2, .alpha = 0.2}, {1, 6, 2, 2}) == "");
  CHECK(fault({.size = 1, .alpha = 0.2}, {1, 3, 4, 4}) == "");
  CHECK(fault({.size = 9, .alpha = 0.2}, {1, 2, 3, 3}) == "");
  CHECK(fault({.size = 96, .alpha = 0.05}, {1, 8, 3, 3}) == "");
  CHECK(fault({.size = 5, .alpha = 0.1, .beta = 0.5, .k = 1}, {1, 7, 3, 5}) == "");
  CHECK(fault({.size = 3, .alpha = 0.1}, {1, 4, 25, 45}) == "");  // more pixels than are worked on at a time
  CHECK(fault({.size = 5, .alpha = 0.1}, {1, 9}) == "");
}

TEST_CASE("LRN in a graph") {
  graph<float> g;
  const auto x = g.input({3, 4, 4});
  const auto y = lrn(x);
  CHECK(y.name() == "norm1");
  CHECK(y.dims() == x.dims());
  CHECK_THROWS_AS(lrn(x, {.size = 0}), option_error);
  CHECK_THROWS_AS(lrn(x, {.k = 0}), option_error);
  CHECK_THROWS_AS(lrn(x, {.alpha = -1}), option_error);
}
