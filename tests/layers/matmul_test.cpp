#include "minicnn/layers/matmul.hpp"

#include <doctest/doctest.h>

#include "golden/golden.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

TEST_CASE("matmul: derivatives and contract") {
  for (const bool transposed : {false, true})
    for (const auto& [a, b] : {std::pair<shape, shape>{{1, 3, 4, 5}, {1, 3, 5, 6}},
                               {{1, 1, 1}, {1, 1, 1}},
                               {{1, 2, 1, 9, 17}, {1, 2, 1, 17, 3}},
                               {{1, 1, 33}, {1, 33, 20}}}) {
      shape second = b;
      if (transposed) second.set(b.rank() - 2, b[b.rank() - 1]), second.set(b.rank() - 1, b[b.rank() - 2]);
      const std::string shapes = text_of(a, " and ", second);
      CAPTURE(shapes);
      const matmul_options o{.transpose_b = transposed};
      CHECK(check_gradients(matmul_op<double>(o), matmul_op<float>(o), {a, second}).failure == "");
    }
}

TEST_CASE_TEMPLATE("matmul as PyTorch", T, float, double) {
  for (const bool transposed : {false, true}) {
    const std::string name = transposed ? "matmul_transposed" : "matmul";
    CAPTURE(name);
    const matmul_op<T> operation({.transpose_b = transposed});
    op_values<T> values;
    values.inputs.push_back(golden::filled<T>({2, 3, 4, 5}, golden::input, 2.0));
    values.inputs.push_back(golden::filled<T>(transposed ? shape{2, 3, 6, 5} : shape{2, 3, 5, 6}, golden::weight, 1.0, 2.0));
    values.output_gradient = golden::filled<T>({2, 3, 4, 6}, golden::upstream, 2.0);
    const op_results<T> got = run_test_case(operation, values, {});
    const golden::safetensors_file file = golden::open("operators");
    const double bound = sizeof(T) == sizeof(float) ? 1e-6 : 1e-14;
    CHECK(golden::relative_difference(view<const T>(got.output), file, name + ".output") < bound);
    CHECK(golden::relative_difference(view<const T>(got.gradients[0]), file, name + ".input.gradient") < bound);
    CHECK(golden::relative_difference(view<const T>(got.gradients[1]), file, name + ".second.gradient") < bound);
  }
}

TEST_CASE("matmul by hand, names and errors") {
  const op_values<float> values{
      {tensor<float>({1, 2, 2}, {1, 2, 3, 4}), tensor<float>({1, 2, 1}, {10, 100})}, {}, {}, tensor<float>({1, 2, 1}, {1, 2})};
  const op_results<float> r = run_test_case(matmul_op<float>({}), values, {});
  CHECK(r.output[0] == 210);
  CHECK(r.output[1] == 430);
  CHECK(r.gradients[0][3] == 200);
  CHECK(r.gradients[1][0] == 7);  // 1 * 1 + 3 * 2
  graph<float> g;
  const node<float> a = g.input({3, 4}), b = g.input({3, 5}, "b");
  CHECK(matmul(a, a, {.transpose_b = true}).name() == "matmul1");
  CHECK(matmul(a, a, {.transpose_b = true}).dims() == shape{1, 3, 3});
  CHECK_THROWS_WITH_AS(
      matmul(a, b), "matmul3: matmul wants (n, ..., rows, depth) and (n, ..., depth, columns), got 1x3x4 and 1x3x5", shape_error);
}
