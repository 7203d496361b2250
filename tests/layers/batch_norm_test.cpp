#include "minicnn/layers/batch_norm.hpp"

#include <doctest/doctest.h>

#include "golden/golden.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

namespace {

/// One run with weight 1, bias 0, running mean 0 and variance 1.
template <class T>
op_results<T> run(const tensor<T>& x, const tensor<T>& upstream, bool training = true, isa set = detect_isa()) {
  const shape channels{x.dim(1)};
  op_test_case trial;
  trial.training = training;
  trial.ctx.instruction_set = set;
  op_values<T> values;
  values.inputs.push_back(x);
  values.parameters.emplace_back(channels, T{1});
  values.parameters.emplace_back(channels, T{0});
  values.buffers.emplace_back(channels, T{0});
  values.buffers.emplace_back(channels, T{1});
  values.output_gradient = upstream;
  op_results<T> r = run_test_case(batch_norm_op<T>(batch_norm_options{}), values, trial);
  CHECK(r.fault == "");
  return op_results<T>(r);
}

double as_double(float x) { return static_cast<double>(x); }
double as_double(double x) { return x; }

}  // namespace

TEST_CASE("F18 batch norm: one value per channel is an error in training, and leaves the running statistics alone") {
  CHECK_THROWS_WITH_AS(run(tensor<float>({1, 3, 1, 1}, 2.0F), tensor<float>({1, 3, 1, 1})),
                       "batch normalisation needs more than one value per channel in training, got 1x3x1x1", shape_error);
  CHECK_THROWS_AS(run(tensor<float>({1, 3}, 2.0F), tensor<float>({1, 3})), shape_error);
  CHECK(as_double(run(tensor<float>({1, 1, 1, 1}, 2.0F), tensor<float>({1, 1, 1, 1}), false).output[0]) ==
        doctest::Approx(1.99999).epsilon(1e-6));
}

TEST_CASE_TEMPLATE("F18 batch norm: two values", T, float, double) {
  for (const shape& dims : {shape{2, 1, 1, 1}, shape{2, 1}, shape{1, 1, 2, 1}}) {
    const auto r = run(tensor<T>(dims, {0, 2}), tensor<T>(dims, {1, 0}));
    CHECK(as_double(r.output[0]) == doctest::Approx(-0.999995).epsilon(1e-7));
    CHECK(as_double(r.output[1]) == doctest::Approx(0.999995).epsilon(1e-7));
    CHECK(as_double(r.buffers[0][0]) == doctest::Approx(0.1));
    CHECK(as_double(r.buffers[1][0]) == doctest::Approx(1.1));  // unbiased variance 2
  }
}

TEST_CASE_TEMPLATE("batch norm by hand: gradients", T, float, double) {
  // x = 1, 3: normalised to about -1, 1 (variance 1). dx_i = inverse * (g_i - mean g - xhat_i * mean(g xhat)).
  const auto r = run(tensor<T>({2, 1}, {1, 3}), tensor<T>({2, 1}, {3, 1}));
  CHECK(as_double(r.gradients[1][0]) == doctest::Approx(-2.0).epsilon(1e-5));  // weight: 3 * -1 + 1 * 1
  CHECK(as_double(r.gradients[2][0]) == doctest::Approx(4.0));                 // bias
  CHECK(as_double(r.gradients[0][0]) == doctest::Approx(1e-5).epsilon(1e-2));  // all but eps cancels: 3 - 2 - 1
  const auto frozen = run(tensor<T>({2, 1}, {1, 3}), tensor<T>({2, 1}, {3, 1}), false);
  CHECK(as_double(frozen.gradients[0][0]) == doctest::Approx(3.0).epsilon(1e-5));
  CHECK(as_double(frozen.gradients[1][0]) == doctest::Approx(6.0).epsilon(1e-5));  // 3 * 1 + 1 * 3
}

TEST_CASE("batch norm: a mean of 1000 with a deviation of 1 loses nothing") {
  random_stream random(random_key(3));
  const tensor<float> upstream({8, 2, 40, 60}, 1.0F);
  tensor<float> x(upstream.dims());
  for (float& value : x) value = static_cast<float>(1000.0 + random.normal());
  for (isa set : {isa::baseline, isa::avx2, isa::avx512}) {
    if (set > detect_isa()) continue;
    const auto r = run(x, upstream, true, set);
    for (index_t c = 0; c < 2; ++c) {
      double mean = 0, squares = 0;
      for (index_t n = 0; n < 8; ++n)
        for (index_t i = 0; i < 2400; ++i) mean += as_double(x[(n * 2 + c) * 2400 + i]) / 19200;
      for (index_t n = 0; n < 8; ++n)
        for (index_t i = 0; i < 2400; ++i) squares += std::pow(as_double(x[(n * 2 + c) * 2400 + i]) - mean, 2);
      CHECK(as_double(r.buffers[0][c]) == doctest::Approx(0.1 * mean).epsilon(1e-7));
      CHECK(as_double(r.buffers[1][c]) == doctest::Approx(0.9 + 0.1 * squares / 19199).epsilon(1e-6));
      const double inverse = 1 / std::sqrt(squares / 19200 + 1e-5);
      double worst = 0;
      for (index_t n = 0; n < 8; ++n)
        for (index_t i = 0; i < 2400; ++i) {
          const index_t at = (n * 2 + c) * 2400 + i;
          worst = (std::max)(worst, std::abs(as_double(r.output[at]) - (as_double(x[at]) - mean) * inverse));
        }
      CHECK(worst < 1e-6);
    }
  }
}

TEST_CASE("batch norm of a constant channel gives the bias") {
  const auto r = run(tensor<float>({4, 2, 3, 3}, 7.3F), tensor<float>({4, 2, 3, 3}, 1.0F));
  for (float y : r.output) CHECK(y == 0.0F);
  for (float dx : r.gradients[0]) CHECK(dx == 0.0F);
}

TEST_CASE_TEMPLATE("batch norm agrees with PyTorch", T, float, double) {
  const golden::safetensors_file file = golden::open("batch_norm");
  const auto compare = [&](const std::string& name, const shape& dims, batch_norm_options o, bool training = true) {
    const shape channels{dims[1]};
    op_values<T> values;
    values.inputs.push_back(golden::filled<T>(dims, golden::input, 4.0, 1.0));
    values.parameters.push_back(golden::filled<T>(channels, golden::weight, 1.0, 1.0));
    values.parameters.push_back(golden::filled<T>(channels, golden::bias));
    values.buffers.push_back(golden::filled<T>(channels, golden::mean));
    values.buffers.push_back(golden::filled<T>(channels, golden::variance, 1.0, 1.0));
    values.output_gradient = golden::filled<T>(dims, golden::upstream, 2.0);
    op_test_case trial;
    trial.training = training;
    const op_results<T> r = run_test_case(batch_norm_op<T>(o), values, trial);
    const auto check = [&](const tensor<T>& got, const std::string& what) {
      CAPTURE(what);
      CHECK(golden::relative_difference(view<const T>(got), file, name + "." + what) <
            (sizeof(T) == sizeof(float) ? 1e-5 : 1e-12));
    };
    check(r.output, "output");
    check(r.gradients[0], "input.gradient");
    check(r.gradients[1], "weight.gradient");
    check(r.gradients[2], "bias.gradient");
    check(r.buffers[0], "running_mean");
    check(r.buffers[1], "running_var");
  };
  compare("training", {3, 4, 3, 2}, {});
  compare("training_momentum_0.3_eps_0.01", {2, 3, 2, 3}, {.eps = 0.01, .momentum = 0.3});
  compare("training_after_dense", {5, 4}, {});
  compare("evaluation", {3, 4, 3, 2}, {}, false);
}

TEST_CASE("batch norm keeps the contract") {
  const auto fault = [](batch_norm_options o, const shape& x, std::vector<index_t> batches = {1, 3}) {
    gradient_check_options check;
    check.batches = std::move(batches);
    return check_gradients(batch_norm_op<double>(o), batch_norm_op<float>(o), {x}, check).failure;
  };
  CHECK(fault({}, {1, 3, 5, 7}) == "");
  CHECK(fault({}, {1, 2, 1, 33}) == "");
  CHECK(fault({.eps = 1e-3, .momentum = 0.01}, {1, 5, 2, 2}) == "");
  CHECK(fault({.affine = false}, {1, 3, 4, 4}) == "");
  CHECK(fault({.scale = false}, {1, 3, 4, 4}) == "");
  CHECK(fault({.bias = false}, {1, 3, 4, 4}) == "");
  CHECK(fault({}, {1, 37}, {3, 8}) == "");
  CHECK(fault({}, {1, 1}, {3, 8}) == "");
  CHECK(fault({.affine = false}, {1, 20, 1, 1}, {4}) == "");
  CHECK(fault({}, {1, 2, 70, 60}, {2}) == "");  // planes of more than one chunk
}

TEST_CASE("batch norm in a graph") {
  graph<float> g;
  const auto x = g.input({3, 4, 4});
  const auto y = batch_norm(x);
  CHECK(y.name() == "bn1");
  CHECK(y.dims() == x.dims());
  CHECK(batch_norm(g.input({10}, "features")).dims() == shape{1, 10});
  const op_plan p = batch_norm_op<float>(batch_norm_options{}).plan({std::vector<shape>{{2, 3, 4, 4}}, true, {}});
  CHECK(p.parameters[0].name == "weight");
  CHECK_FALSE(p.parameters[0].decay);
  CHECK_FALSE(p.parameters[1].decay);
  CHECK(p.buffers[1].initial == 1.0);
  CHECK_THROWS_AS(batch_norm(x, {.eps = 0}), option_error);
  CHECK_THROWS_AS(batch_norm(x, {.momentum = 1.5}), option_error);
}

TEST_CASE("without weight or bias these are 1 and 0, and the other keeps its gradient") {
  const tensor<double> x({3, 2, 2, 2}, 0.0);
  op_values<double> values;
  random_stream random(random_key(5));
  values.inputs.push_back(x);
  for (double& v : values.inputs[0]) v = random.normal();
  values.output_gradient = tensor<double>(x.dims());
  for (double& v : values.output_gradient) v = random.normal();
  values.parameters.emplace_back(shape{2}, 1.0);
  values.parameters.emplace_back(shape{2}, 0.25);
  values.buffers.emplace_back(shape{2}, 0.0);
  values.buffers.emplace_back(shape{2}, 1.0);
  for (const bool training : {true, false}) {
    op_test_case trial;
    trial.training = training;
    const auto whole = run_test_case(batch_norm_op<double>({}), values, trial);
    op_values<double> less = values;
    less.parameters.erase(less.parameters.begin());
    const auto biased = run_test_case(batch_norm_op<double>({.scale = false}), less, trial);
    REQUIRE(biased.gradients.size() == 2);
    for (index_t i = 0; i < x.size(); ++i) CHECK(biased.output[i] == whole.output[i]);
    for (index_t i = 0; i < x.size(); ++i) CHECK(biased.gradients[0][i] == whole.gradients[0][i]);
    for (index_t c = 0; c < 2; ++c) CHECK(biased.gradients[1][c] == whole.gradients[2][c]);
    const auto scaled = run_test_case(batch_norm_op<double>({.bias = false}), less, trial);
    REQUIRE(scaled.gradients.size() == 2);
    for (index_t c = 0; c < 2; ++c) CHECK(scaled.gradients[1][c] == doctest::Approx(whole.gradients[1][c]));
    for (index_t i = 0; i < x.size(); ++i) CHECK(scaled.output[i] == doctest::Approx(0.25 * (whole.output[i] - 0.25)));
  }
}

TEST_CASE("folded into a convolution without weight, and without bias") {
  const tensor<double> mean({1}, {2.0}), variance({1}, {3.0}), value({1}, {0.5});
  const view<const double> buffers[] = {mean, variance}, parameters[] = {value};
  const channel_map biased = batch_norm_op<double>({.eps = 1.0, .scale = false}).channel_maps(parameters, buffers)[0];
  CHECK(biased.center == 2.0);
  CHECK(biased.scale == 0.5);
  CHECK(biased.shift == 0.5);
  const channel_map scaled = batch_norm_op<double>({.eps = 1.0, .bias = false}).channel_maps(parameters, buffers)[0];
  CHECK(scaled.scale == 0.25);
  CHECK(scaled.shift == 0.0);
}
