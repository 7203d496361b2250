#include "minicnn/layers/pooling.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "layers/against_golden.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float inf = std::numeric_limits<float>::infinity();

/// Output, and gradient of the input for this upstream gradient.
op_results<float> run(const op<float>& operation, const tensor<float>& x, const tensor<float>& upstream, int threads = 1) {
  op_test_case trial;
  trial.ctx.threads = threads;
  op_results<float> r = run_test_case(operation, op_values<float>{{x}, {}, {}, upstream}, trial);
  CHECK(r.fault == "");
  return r;
}

shape output_of(const op<float>& operation, const shape& x) {
  return operation.plan({std::span<const shape>(&x, 1), true, {}}).output;
}

void check_values(const tensor<float>& got, const std::vector<float>& wanted) {
  REQUIRE(got.size() == static_cast<index_t>(wanted.size()));
  for (index_t i = 0; i < got.size(); ++i) CHECK(got[i] == wanted[static_cast<std::size_t>(i)]);
}

}  // namespace

TEST_CASE("F05 pooling: output sizes, floor by default") {
  const index_t sizes[] = {55, 54, 27, 13, 112, 6}, floors[] = {27, 26, 13, 6, 55, 2}, ceils[] = {27, 27, 13, 6, 56, 3};
  for (int i = 0; i < 6; ++i) {
    const shape x{1, 1, sizes[i], sizes[i]};
    CHECK(output_of(max_pool_op<float>({.kernel = 3, .stride = 2}), x) == shape{1, 1, floors[i], floors[i]});
    CHECK(output_of(max_pool_op<float>({.kernel = 3, .stride = 2, .ceil_mode = true}), x) == shape{1, 1, ceils[i], ceils[i]});
    CHECK(output_of(avg_pool_op<float>({.kernel = 3, .stride = 2}), x) == shape{1, 1, floors[i], floors[i]});
    CHECK(output_of(avg_pool_op<float>({.kernel = 3, .stride = 2, .ceil_mode = true}), x) == shape{1, 1, ceils[i], ceils[i]});
  }
}

TEST_CASE("F06 pooling: ceil mode neither reads nor averages cells that are not there") {
  CHECK(output_of(max_pool_op<float>({.kernel = 1, .stride = 3, .ceil_mode = true}), {1, 1, 5, 5}) == shape{1, 1, 2, 2});
  const tensor<float> row({1, 1, 1, 6}, {1, 2, 3, 4, 5, 6});
  const avg_pool_op<float> average({.kernel = {1, 3}, .stride = {1, 2}, .ceil_mode = true});
  const auto r = run(average, row, tensor<float>({1, 1, 1, 3}, {3, 30, 200}));
  check_values(r.output, {2, 4, 5.5F});
  check_values(r.gradients[0], {1, 1, 11, 10, 110, 100});
  // PyTorch divides by cells of image and padding: the last window of [1..6] padded by 1 covers 6 and the padding after it.
  const avg_pool_op<float> padded({.kernel = {1, 3}, .stride = {1, 3}, .padding = {0, 1}, .ceil_mode = true});
  check_values(run(padded, row, tensor<float>({1, 1, 1, 3}, {3, 3, 2})).output, {1, 4, 3});
}

TEST_CASE("F08 max pooling: padding never wins") {
  const tensor<float> x({1, 1, 3, 3}, -5.0F);
  const max_pool_op<float> pool({.kernel = 3, .stride = 1, .padding = 1});
  const auto r = run(pool, x, tensor<float>({1, 1, 3, 3}, 1.0F));
  check_values(r.output, std::vector<float>(9, -5.0F));
  check_values(r.gradients[0], {4, 2, 0, 2, 1, 0, 0, 0, 0});  // the first cell of each window

  const tensor<float> lowest({1, 1, 3, 3}, -inf);
  check_values(run(pool, lowest, tensor<float>({1, 1, 3, 3}, 1.0F)).gradients[0], {4, 2, 0, 2, 1, 0, 0, 0, 0});
}

TEST_CASE("F08 max pooling: of equals the first in row-major order gets the whole gradient") {
  const auto r = run(max_pool_op<float>({.kernel = 2}), tensor<float>({1, 1, 2, 2}), tensor<float>({1, 1, 1, 1}, 1.0F));
  check_values(r.gradients[0], {1, 0, 0, 0});
}

TEST_CASE("F08 max pooling: NaN comes out, and gets the gradient") {
  for (index_t place = 0; place < 9; ++place)
    for (index_t width : {3, 40}) {  // alone, and among neighbours made as one vector
      tensor<float> x({1, 1, 3, width}, inf);
      x(0, 0, place / 3, place % 3) = not_a_number;
      const index_t windows = width / 3;
      const auto r = run(max_pool_op<float>({.kernel = 3, .stride = 3}), x, tensor<float>({1, 1, 1, windows}, 1.0F));
      CHECK(std::isnan(r.output[0]));
      CHECK(r.gradients[0](0, 0, place / 3, place % 3) == 1.0F);
      if (width == 40) {
        const auto dense = run(max_pool_op<float>({.kernel = 3, .stride = 1}), x, tensor<float>({1, 1, 1, 38}, 1.0F));
        for (index_t i = 0; i < 38; ++i) CHECK(std::isnan(dense.output[i]) == (i <= place % 3));
      }
    }
}

TEST_CASE("F09 average pooling: padding counts by default, and not on request") {
  const tensor<float> x({1, 1, 2, 2}, 1.0F), upstream({1, 1, 3, 3}, 1.0F);
  check_values(run(avg_pool_op<float>({.kernel = 2, .stride = 1, .padding = 1}), x, upstream).output,
               {0.25F, 0.5F, 0.25F, 0.5F, 1, 0.5F, 0.25F, 0.5F, 0.25F});
  check_values(run(avg_pool_op<float>({.kernel = 2, .stride = 1, .padding = 1, .count_include_pad = false}), x, upstream).output,
               std::vector<float>(9, 1.0F));
}

TEST_CASE("max pooling by hand: overlapping windows share a cell") {
  const tensor<float> x({1, 1, 3, 5}, {1, 2, 9, 2, 1, 3, 4, 5, 4, 3, 8, 1, 2, 1, 8});
  const auto r = run(max_pool_op<float>({.kernel = 3, .stride = 2}), x, tensor<float>({1, 1, 1, 2}, {1, 10}));
  check_values(r.output, {9, 9});
  check_values(r.gradients[0], {0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("adaptive pooling by hand: PyTorch's bins, 5 cells into 3") {
  const tensor<float> row({1, 1, 1, 5}, {1, 2, 3, 4, 5}), upstream({1, 1, 1, 3}, {6, 60, 600});
  const auto mean = run(adaptive_avg_pool_op<float>({.output = {1, 3}}), row, upstream);  // bins [0, 2), [1, 4), [3, 5)
  check_values(mean.output, {1.5F, 3, 4.5F});
  check_values(mean.gradients[0], {3, 23, 20, 320, 300});
  const auto largest = run(adaptive_max_pool_op<float>({.output = {1, 3}}), row, upstream);
  check_values(largest.output, {2, 4, 5});
  check_values(largest.gradients[0], {0, 6, 0, 60, 600});
}

TEST_CASE("adaptive pooling to more cells than there are repeats them") {
  const auto r =
      run(adaptive_avg_pool_op<float>({.output = 4}), tensor<float>({1, 1, 2, 1}, {1, 2}), tensor<float>({1, 1, 4, 4}, 1.0F));
  check_values(r.output, {1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2});
  check_values(r.gradients[0], {8, 8});
}

TEST_CASE("SAME padding: ceil(input / stride) outputs") {
  CHECK(output_of(max_pool_op<float>({.kernel = 3, .stride = 2, .padding = padding2d::same()}), {2, 3, 6, 7}) ==
        shape{2, 3, 3, 4});
  const tensor<float> row({1, 1, 1, 4}, {1, 2, 3, 4});  // one column is added, at the right
  const avg_pool_op<float> mean({.kernel = {1, 3}, .stride = {1, 2}, .padding = padding2d::same(), .count_include_pad = false});
  check_values(run(mean, row, tensor<float>({1, 1, 1, 2}, 1.0F)).output, {2, 3.5F});
}

TEST_CASE_TEMPLATE("pooling agrees with PyTorch", T, float, double) {
  const auto compare = [](const std::string& name, const op<T>& operation, const shape& dims) {
    check_against_golden(operation, {"pooling", name, dims});
  };
  const auto largest = [&](const std::string& name, const shape& dims, max_pool_options o) {
    compare(name, max_pool_op<T>(o), dims);
  };
  largest("max_overlapping", {2, 3, 9, 8}, {.kernel = 3, .stride = 2});
  largest("max_2_2", {3, 2, 7, 6}, {.kernel = 2});
  largest("max_padding", {2, 2, 7, 8}, {.kernel = 3, .stride = 2, .padding = 1});
  largest("max_ceil", {2, 2, 8, 6}, {.kernel = 3, .stride = 2, .ceil_mode = true});
  largest("max_ceil_padding", {2, 2, 6, 7}, {.kernel = 2, .padding = 1, .ceil_mode = true});
  largest("max_gaps", {2, 2, 8, 8}, {.kernel = 2, .stride = 3});
  largest("max_rectangular", {2, 2, 7, 8}, {.kernel = {3, 2}, .stride = {1, 2}, .padding = {1, 0}});
  const auto mean = [&](const std::string& name, const shape& dims, avg_pool_options o) {
    compare(name, avg_pool_op<T>(o), dims);
  };
  mean("average_overlapping", {2, 3, 9, 8}, {.kernel = 3, .stride = 2});
  avg_pool_options o{.kernel = 3, .stride = 2, .padding = 1};
  mean("average_padding_counts", {2, 2, 7, 8}, o);
  o.ceil_mode = true;
  mean("average_ceil_padding_counts", {2, 2, 8, 7}, o);
  o.count_include_pad = false;
  mean("average_ceil_padding_does_not_count", {2, 2, 8, 7}, o);
  o.ceil_mode = false;
  mean("average_padding_does_not_count", {2, 2, 7, 8}, o);
  mean("average_ceil", {2, 2, 8, 6}, {.kernel = 3, .stride = 2, .ceil_mode = true});
  for (const extent2d& size : {extent2d(1), extent2d(3, 2), extent2d(4, 5), extent2d(7)}) {
    const shape dims = size == extent2d(7) ? shape{2, 2, 5, 6} : shape{2, 2, 7, 5};
    compare("adaptive_average_" + size.text(), adaptive_avg_pool_op<T>({.output = size}), dims);
    compare("adaptive_max_" + size.text(), adaptive_max_pool_op<T>({.output = size}), dims);
  }
}

TEST_CASE("pooling ops keep the contract") {
  const std::vector<shape> odd{{1, 3, 9, 11}}, wide{{1, 2, 7, 75}}, even{{1, 2, 8, 34}};
  const auto max_fault = [](max_pool_options o, const std::vector<shape>& x) {
    return check_gradients(max_pool_op<double>(o), max_pool_op<float>(o), x).failure;
  };
  CHECK(max_fault({}, even) == "");
  CHECK(max_fault({.kernel = 3, .stride = 2}, odd) == "");
  CHECK(max_fault({.kernel = 3, .stride = 2}, wide) == "");
  CHECK(max_fault({.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true}, even) == "");
  CHECK(max_fault({.kernel = {2, 5}, .stride = {3, 1}, .padding = {1, 0, 3, 4}}, wide) == "");
  CHECK(max_fault({.kernel = 4, .stride = 3}, odd) == "");
  CHECK(max_fault({.kernel = {5, 60}, .stride = 2}, wide) == "");  // 300 cells: notes of four bytes

  const auto avg_fault = [](avg_pool_options o, const std::vector<shape>& x) {
    return check_gradients(avg_pool_op<double>(o), avg_pool_op<float>(o), x).failure;
  };
  CHECK(avg_fault({}, even) == "");
  CHECK(avg_fault({.kernel = 3, .stride = 1, .padding = 1}, wide) == "");
  CHECK(avg_fault({.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false}, even) == "");
  CHECK(avg_fault({.kernel = {2, 3}, .stride = 3, .padding = {0, 1, 2, 0}, .ceil_mode = true}, odd) == "");

  const auto bins_fault = [](adaptive_pool_options o, const std::vector<shape>& x) {
    const std::string mean = check_gradients(adaptive_avg_pool_op<double>(o), adaptive_avg_pool_op<float>(o), x).failure;
    return mean + check_gradients(adaptive_max_pool_op<double>(o), adaptive_max_pool_op<float>(o), x).failure;
  };
  CHECK(bins_fault({.output = 1}, wide) == "");
  CHECK(bins_fault({.output = {4, 17}}, even) == "");
  CHECK(bins_fault({.output = {4, 6}}, odd) == "");
}

TEST_CASE("pooling in a graph: names, shapes, errors that say what does not fit") {
  graph<float> g;
  const auto x = g.input({3, 55, 55});
  const auto y = max_pool(x, {.kernel = 3, .stride = 2});
  CHECK(y.name() == "pool1");
  CHECK(y.dims() == shape{1, 3, 27, 27});
  CHECK(avg_pool(y, {.kernel = 2, .name = "mean"}).name() == "mean");
  CHECK(global_avg_pool(y).dims() == shape{1, 3, 1, 1});
  CHECK(adaptive_max_pool(y, {.output = {6, 5}}).dims() == shape{1, 3, 6, 5});
  CHECK_THROWS_WITH_AS(max_pool(x, {.kernel = 56}),
                       "pool4: a window of 56 does not fit into the height of 55 + 0 + 0 (image + padding)", shape_error);
  CHECK_THROWS_AS(max_pool(x, {.kernel = 2, .padding = 2}), option_error);
  CHECK_THROWS_AS(avg_pool(x, {.kernel = 0}), option_error);
  CHECK_THROWS_AS(adaptive_avg_pool(x, {.output = 0}), option_error);
  CHECK_THROWS_AS(max_pool(g.input({10}, "features")), shape_error);
}

TEST_CASE("pooling describes itself by ONNX's names") {
  const attribute_list a = max_pool_op<float>({.kernel = 3, .padding = {0, 1}}).describe();
  CHECK(a[0].first == "kernel_shape");
  CHECK(std::get<std::vector<index_t>>(a[1].second) == std::vector<index_t>{3, 3});
  CHECK(std::get<std::vector<index_t>>(a[3].second) == std::vector<index_t>{0, 1, 0, 1});
  CHECK(avg_pool_op<float>(avg_pool_options{}).describe().back().first == "count_include_pad");
  CHECK(adaptive_avg_pool_op<float>({.output = 6}).describe()[0].first == "output_size");
}

TEST_CASE("ceil mode: the only window may be larger than the image") {
  const tensor<float> x({1, 1, 2, 2}, {1, 5, 3, 2}), upstream({1, 1, 1, 1}, {4});
  const max_pool_options most{.kernel = 3, .stride = 2, .ceil_mode = true};
  const avg_pool_options mean{.kernel = 3, .stride = 2, .ceil_mode = true};
  const auto largest = run(max_pool_op<float>(most), x, upstream);
  check_values(largest.output, {5});
  check_values(largest.gradients[0], {0, 4, 0, 0});
  const auto average = run(avg_pool_op<float>(mean), x, upstream);
  check_values(average.output, {2.75F});
  check_values(average.gradients[0], {1, 1, 1, 1});
  CHECK(check_gradients(max_pool_op<double>(most), max_pool_op<float>(most), {{1, 2, 2, 2}}).failure == "");
  CHECK(check_gradients(avg_pool_op<double>(mean), avg_pool_op<float>(mean), {{1, 2, 2, 2}}).failure == "");
}
