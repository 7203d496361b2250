#include "minicnn/layers/activation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "layers/against_golden.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;
using namespace minicnn::kernels;  // formulas

namespace {

/// One activation with the definition to compare it with.
template <template <class> class Formula>
struct activation {
  std::string kind;
  double parameter;
  double (*definition)(double x, double parameter);

  template <class T>
  activation_op<T, Formula> make() const {
    if constexpr (requires { Formula<T>{T{1}}; })
      return activation_op<T, Formula>(kind, Formula<T>{static_cast<T>(parameter)});
    else
      return activation_op<T, Formula>(kind);
  }
};

/// Calls `body(activation)` for each of them.
template <class F>
void each(const F& body) {
  body(activation<leaky_relu_formula>{"leaky_relu", 0.1, [](double x, double a) { return x > 0 ? x : a * x; }});
  body(activation<elu_formula>{"elu", 0.7, [](double x, double a) { return x > 0 ? x : a * std::expm1(x); }});
  body(activation<gelu_formula>{"gelu", 0, [](double x, double) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }});
  body(activation<sigmoid_formula>{"sigmoid", 0, [](double x, double) { return 1 / (1 + std::exp(-x)); }});
  body(activation<tanh_formula>{"tanh", 0, [](double x, double) { return std::tanh(x); }});
  body(activation<silu_formula>{"silu", 0, [](double x, double) { return x / (1 + std::exp(-x)); }});
  body(activation<softplus_formula>{"softplus", 0,
                                    [](double x, double) { return std::log1p(std::exp(-std::abs(x))) + std::fmax(x, 0); }});
  body(activation<hard_swish_formula>{"hard_swish", 0,
                                      [](double x, double) { return x * std::fmin(std::fmax(x + 3, 0), 6) / 6; }});
}

template <class T>
tensor<T> outputs(const op<T>& operation, const tensor<T>& x, isa i = detect_isa()) {
  op_test_case trial;
  trial.backward = false;
  trial.ctx.instruction_set = i;
  return run_test_case(operation, {{x}, {}, {}, tensor<T>(x.dims())}, trial).output;
}

}  // namespace

TEST_CASE("derivatives and contract") {
  for (const shape& x : {shape{1, 3, 4, 5}, shape{1, 1}, shape{1, 67}}) {
    CAPTURE(x.text());
    CHECK(check_gradients(relu_op<double>(), relu_op<float>(), {x}).failure == "");
    each([&](const auto& a) {
      CAPTURE(a.kind);
      CHECK(check_gradients(a.template make<double>(), a.template make<float>(), {x}).failure == "");
    });
  }
}

TEST_CASE("derivatives far from zero") {
  gradient_check_options wide;
  wide.fill = [](int, const view<double>& values, random_stream& random) {
    for (double& value : values) value = random.uniform(-9.0, 9.0);
  };
  each([&](const auto& a) {
    CAPTURE(a.kind);
    CHECK(check_gradients(a.template make<double>(), a.template make<float>(), {{1, 40}}, wide).failure == "");
  });
}

TEST_CASE("work that is shared among threads") {
  gradient_check_options few;
  few.probes = 2;
  few.batches = {2};
  CHECK(check_gradients(relu_op<double>(), relu_op<float>(), {{1, 5, 61, 61}}, few).failure == "");
  each([&](const auto& a) {
    CAPTURE(a.kind);
    CHECK(check_gradients(a.template make<double>(), a.template make<float>(), {{1, 3001}}, few).failure == "");
  });
}

TEST_CASE("clip and hard-sigmoid: derivatives and contract") {
  gradient_check_options wide;
  wide.fill = [](int, const view<double>& values, random_stream& random) {
    for (double& value : values) value = random.uniform(-9.0, 9.0);
  };
  const auto check = [&](const op<double>& in_double, const op<float>& in_float) {
    for (const shape& x : {shape{1, 3, 4, 5}, shape{1, 1}, shape{1, 67}}) {
      CHECK(check_gradients(in_double, in_float, {x}).failure == "");
      CHECK(check_gradients(in_double, in_float, {x}, wide).failure == "");
    }
  };
  check(activation_op<double, clip_formula>("clip", {-0.71, 1.13}), activation_op<float, clip_formula>("clip", {-0.71F, 1.13F}));
  check(activation_op<double, clip_formula>("clip", {0, 6}), activation_op<float, clip_formula>("clip", {0, 6}));
  check(activation_op<double, hard_sigmoid_formula>("hard_sigmoid", {0.3, 0.41}),
        activation_op<float, hard_sigmoid_formula>("hard_sigmoid", {0.3F, 0.41F}));
}

TEST_CASE("clip and hard-sigmoid by hand: at an end the gradient is 0, NaN stays NaN") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const op_values<float> values{
      {tensor<float>({1, 7}, {-1, 0, 0.5F, 6, 7, infinity, nan})}, {}, {}, tensor<float>({1, 7}, {1, 2, 3, 4, 5, 6, 7})};
  const op_results<float> r = run_test_case(activation_op<float, clip_formula>("clip", {0, 6}), values, {});
  const float y[] = {0, 0, 0.5F, 6, 6, 6}, dx[] = {0, 0, 3, 0, 0, 0};
  CHECK(std::equal(y, y + 6, r.output.begin()));
  CHECK(std::equal(dx, dx + 6, r.gradients[0].begin()));
  CHECK(std::isnan(r.output[6]));
  const op_values<float> line{{tensor<float>({1, 4}, {-3, 0, 1.5F, nan})}, {}, {}, tensor<float>({1, 4}, {6, 6, 6, 6})};
  const op_results<float> h =
      run_test_case(activation_op<float, hard_sigmoid_formula>("hard_sigmoid", {1.0F / 6, 0.5F}), line, {});
  const float gate[] = {0, 0.5F, 0.75F}, dgate[] = {0, 1, 1};
  for (int i = 0; i < 3; ++i) CHECK(h.output[i] == doctest::Approx(gate[i]));
  for (int i = 0; i < 3; ++i) CHECK(h.gradients[0][i] == doctest::Approx(dgate[i]));
  CHECK(std::isnan(h.output[3]));
}

TEST_CASE_TEMPLATE("values agree with the definition, also at the ends of the range", T, float, double) {
  std::vector<double> at{0.0, -0.0,   1e-6,    -1e-6, 1e-3,    -1e-3, 0.5, -0.5, 2.9999,
                         3.0, 3.0001, -2.9999, -3.0,  -3.0001, 20,    -20, 50,   -50};
  for (int i = -400; i <= 400; ++i) at.push_back(i / 37.0);
  tensor<T> x({1, static_cast<index_t>(at.size())});
  for (index_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(at[static_cast<std::size_t>(i)]);
  // A few units in the last place. Rounding x / sqrt 2 alone moves gelu's tail by x^2 units, so it counts as 0.01 at least.
  const double tolerance = 16 * static_cast<double>(std::numeric_limits<T>::epsilon());
  each([&](const auto& a) {
    CAPTURE(a.kind);
    for (isa i : {isa::baseline, isa::avx2, isa::avx512}) {
      if (i > detect_isa()) continue;
      CAPTURE(name_of(i));
      const tensor<T> y = outputs<T>(a.template make<T>(), x, i);
      for (index_t k = 0; k < x.size(); ++k) {
        const double wanted = a.definition(static_cast<double>(x[k]), static_cast<double>(static_cast<T>(a.parameter)));
        const double got = static_cast<double>(y[k]);
        const double size = (std::max)(std::abs(wanted), a.kind == "gelu" ? 0.01 : 0.0);
        if (std::abs(got - wanted) <= tolerance * size + 1e-30) continue;
        CAPTURE(x[k]);
        CHECK(got == wanted);
      }
    }
  });
}

TEST_CASE_TEMPLATE("as PyTorch", T, float, double) {
  const auto check = [](const std::string& name, const op<T>& operation) {
    check_against_golden(operation, {"activation", name, {2, 3, 4, 4}, 16.0});
  };
  check("relu", relu_op<T>());
  check("leaky_relu", activation_op<T, leaky_relu_formula>("leaky_relu", {T(0.01)}));
  check("leaky_relu_slope_0.2", activation_op<T, leaky_relu_formula>("leaky_relu", {T(0.2)}));
  check("elu", activation_op<T, elu_formula>("elu", {T(1)}));
  check("elu_alpha_0.5", activation_op<T, elu_formula>("elu", {T(0.5)}));
  check("gelu", activation_op<T, gelu_formula>("gelu"));
  check("sigmoid", activation_op<T, sigmoid_formula>("sigmoid"));
  check("tanh", activation_op<T, tanh_formula>("tanh"));
  check("silu", activation_op<T, silu_formula>("silu"));
  check("softplus", activation_op<T, softplus_formula>("softplus"));
  check("hard_swish", activation_op<T, hard_swish_formula>("hard_swish"));
  check("relu6", activation_op<T, clip_formula>("clip", {T(0), T(6)}));
  check("hard_sigmoid", activation_op<T, hard_sigmoid_formula>("hard_sigmoid", {T(1.0 / 6), T(0.5)}));
}

TEST_CASE("F64 arguments of 100 and infinity make no NaN, NaN stays NaN") {
  const float infinity = std::numeric_limits<float>::infinity();
  const tensor<float> x({1, 5}, {100.0F, -100.0F, infinity, 3e38F, std::numeric_limits<float>::quiet_NaN()});
  each([&](const auto& a) {
    CAPTURE(a.kind);
    const tensor<float> y = outputs<float>(a.template make<float>(), x);
    CHECK(y[0] == doctest::Approx(a.definition(100.0, a.parameter)));
    CHECK(std::abs(static_cast<double>(y[1]) - a.definition(-100.0, a.parameter)) < 1e-4);
    CHECK_FALSE(std::isnan(y[2]));
    CHECK_FALSE(std::isnan(y[3]));
    CHECK(std::isnan(y[4]));
  });
}

TEST_CASE("ReLU by hand, and what a network may do with it") {
  const op_values<float> values{{tensor<float>({1, 5}, {-2, -0.0F, 0, 0.5F, 3})}, {}, {}, tensor<float>({1, 5}, {1, 2, 3, 4, 5})};
  const op_results<float> r = run_test_case(relu_op<float>(), values, {});
  const float y[] = {0, 0, 0, 0.5F, 3}, dx[] = {0, 0, 0, 4, 5};
  CHECK(std::equal(r.output.begin(), r.output.end(), y, y + 5));
  CHECK(std::equal(r.gradients[0].begin(), r.gradients[0].end(), dx, dx + 5));

  const std::vector<shape> inputs{{1, 5}};
  const op_plan p = relu_op<float>().plan({inputs, true, {}});
  CHECK(relu_op<float>().role() == op_role::relu);
  CHECK(p.in_place);
  CHECK(p.gradient_in_place);
  CHECK(p.backward_reads_output);
  CHECK_FALSE(p.backward_reads_input);
}

TEST_CASE("names, attributes, errors") {
  graph<float> g;
  const node<float> x = g.input({4, 5, 5});
  CHECK(relu(x).name() == "relu1");
  CHECK(relu(x).name() == "relu2");
  CHECK(relu(x, {.name = "rectified"}).name() == "rectified");
  CHECK(leaky_relu(x).name() == "leaky_relu1");
  CHECK(elu(x).name() == "elu1");
  CHECK(gelu(x).name() == "gelu1");
  CHECK(sigmoid(x).name() == "sigmoid1");
  CHECK(minicnn::tanh(x).name() == "tanh1");
  CHECK(silu(x).name() == "silu1");
  CHECK(softplus(x).name() == "softplus1");
  CHECK(relu6(x).name() == "clip1");
  CHECK(hard_sigmoid(x).name() == "hard_sigmoid1");
  CHECK(g.at(relu6(x).id).operation->describe() == attribute_list{{"min", 0.0}, {"max", 6.0}});
  CHECK(g.at(hard_sigmoid(x, 0.2).id).operation->describe() == attribute_list{{"alpha", 0.2}, {"beta", 0.5}});
  CHECK_THROWS_WITH_AS(clip(x, 1.0, 1.0), "clip: low must be below high, got 1 and 1", option_error);
  CHECK_THROWS_WITH_AS(hard_sigmoid(x, 0.0), "hard_sigmoid: slope must be above 0, got 0", option_error);
  const node<float> last = hard_swish(x, {.name = "last"});
  CHECK(last.name() == "last");
  CHECK(last.dims() == shape{1, 4, 5, 5});
  CHECK(g.at(last.id).operation->kind() == "hard_swish");
  CHECK(g.at(leaky_relu(x, 0.2).id).operation->describe() == attribute_list{{"alpha", 0.2}});
  CHECK(g.at(elu(x, 0.5).id).operation->describe() == attribute_list{{"alpha", 0.5}});
  CHECK_THROWS_WITH_AS(leaky_relu(x, -0.1), "leaky_relu: slope must be at least 0, got -0.1", option_error);
  CHECK_THROWS_WITH_AS(elu(x, -1.0), "elu: alpha must be at least 0, got -1", option_error);
}
