#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "golden/golden.hpp"
#include "held.hpp"
#include "io/temporary_folder.hpp"
#include "minicnn/train/loss.hpp"
#include "minicnn/train/reductions.hpp"
#include "train/toy_network.hpp"

using namespace minicnn;
using labels_t = std::vector<std::int32_t>;

namespace {

/// Mean of a loss and its gradient, as doubles.
template <class Loss, class T>
std::pair<double, std::vector<double>> run(const Loss& loss, const tensor<T>& logits, const labels_t& labels,
                                           double scale = 1.0) {
  tensor<T> gradient(logits.dims(), T(99));
  const double value = loss.value(logits, labels, gradient, scale);
  return {value, std::vector<double>(gradient.begin(), gradient.end())};
}

/// Largest difference between the gradient and central differences.
template <class Loss>
double gradient_fault(const Loss& loss, tensor<double> logits, const labels_t& labels) {
  const auto gradient = run(loss, logits, labels).second;
  double worst = 0.0;
  for (index_t i = 0; i < logits.size(); ++i) {
    const double z = logits[i], h = 1e-5;
    logits[i] = z + h;
    const double up = loss.value(logits, labels);
    logits[i] = z - h;
    const double down = loss.value(logits, labels);
    logits[i] = z;
    worst = (std::max)(worst, std::abs((up - down) / (2 * h) - gradient[static_cast<std::size_t>(i)]));
  }
  return worst;
}

doctest::Approx near(double x) { return doctest::Approx(x).epsilon(1e-9); }

}  // namespace

TEST_CASE("softmax cross-entropy by hand") {
  const softmax_cross_entropy<double> loss;
  // Row 1: exp 1, 2, 5 (sum 8); row 2: equal.
  const tensor<double> z({2, 3}, {0.0, std::log(2.0), std::log(5.0), 7.0, 7.0, 7.0});
  const auto [value, g] = run(loss, z, {2, 0});
  CHECK(value == near((std::log(8.0 / 5.0) + std::log(3.0)) / 2));
  CHECK(g[0] == near(0.125 / 2));
  CHECK(g[1] == near(0.25 / 2));
  CHECK(g[2] == near(-0.375 / 2));
  CHECK(g[3] == near(-2.0 / 6));
  CHECK(g[4] == near(1.0 / 6));
  CHECK(loss.value(z, labels_t{2, 0}) == value);

  SUBCASE("gradient_scale multiplies the gradient only") {
    const auto scaled = run(loss, z, {2, 0}, 0.25);
    CHECK(scaled.first == value);
    for (std::size_t i = 0; i < g.size(); ++i) CHECK(scaled.second[i] == near(g[i] / 4));
  }
}

TEST_CASE("label smoothing and class weights, separately and together, by hand and by differences") {
  const tensor<double> z({2, 3}, {0.0, std::log(2.0), std::log(5.0), std::log(3.0), 0.0, 0.0});
  const double l0 = std::log(8.0), l1 = std::log(4.0), l2 = std::log(8.0 / 5.0);  // -log p of row 1
  const double m0 = std::log(5.0 / 3.0), m1 = std::log(5.0), m2 = m1;             // of row 2
  const labels_t y{2, 0};
  CHECK(softmax_cross_entropy<double>({.label_smoothing = 0.3}).value(z, y) ==
        near(0.5 * (0.7 * l2 + 0.1 * (l0 + l1 + l2) + 0.7 * m0 + 0.1 * (m0 + m1 + m2))));
  CHECK(softmax_cross_entropy<double>({.class_weights = {1.0, 5.0, 2.0}}).value(z, y) == near((2 * l2 + 1 * m0) / 3));
  // PyTorch: smoothing spreads over weighted classes, the mean divides by the labels' weights alone.
  const softmax_cross_entropy<double> both({.label_smoothing = 0.3, .class_weights = {1.0, 5.0, 2.0}});
  CHECK(both.value(z, y) == near((0.7 * 2 * l2 + 0.1 * (l0 + 5 * l1 + 2 * l2) + 0.7 * m0 + 0.1 * (m0 + 5 * m1 + 2 * m2)) / 3));
  CHECK(gradient_fault(softmax_cross_entropy<double>(), z, y) < 1e-9);
  CHECK(gradient_fault(softmax_cross_entropy<double>({.label_smoothing = 0.3}), z, y) < 1e-9);
  CHECK(gradient_fault(softmax_cross_entropy<double>({.class_weights = {1.0, 5.0, 2.0}}), z, y) < 1e-9);
  CHECK(gradient_fault(both, z, y) < 1e-9);
  CHECK_THROWS_AS(softmax_cross_entropy<double>({.class_weights = {1.0, 2.0}}).value(z, y), option_error);
  CHECK_THROWS_AS(softmax_cross_entropy<double>({.class_weights = {0.0, 1.0, 0.0}}).value(z, y), option_error);
  CHECK_THROWS_AS(softmax_cross_entropy<double>({.label_smoothing = 1.0}), option_error);
}

TEST_CASE("weights of classes are 0, or neither so small nor so large that the mean overflows") {
  for (const double bad : {-1.0, 1e-310, 1e-300, 1e-45, 1e16, 1e300, std::numeric_limits<double>::infinity(), std::nan("")}) {
    CAPTURE(bad);
    CHECK(thrown<option_error>([&] {
            softmax_cross_entropy<float>({.class_weights = {1.0, bad}});
          }).find("wanted 0, or 1e-15 to 1e15") != std::string::npos);
  }
  for (const double weight : {1e-15, 1e15}) {
    const auto one = run(softmax_cross_entropy<float>({.class_weights = {1.0, weight}}), tensor<float>({1, 2}, {0.f, 0.f}), {1});
    CHECK(one.first == near(std::log(2.0)));
    CHECK(one.second[1] == near(-0.5));
  }
}

TEST_CASE("F16 cross-entropy and softmax do not overflow") {
  const softmax_cross_entropy<float> loss;
  const float huge = 3e38f;
  const auto sure_and_wrong = run(loss, tensor<float>({1, 2}, {1000.f, -1000.f}), {1});
  CHECK(sure_and_wrong.first == 2000.0);
  CHECK(sure_and_wrong.second == std::vector<double>{1.0, -1.0});
  const auto sure_and_right = run(loss, tensor<float>({1, 2}, {1000.f, -1000.f}), {0});
  CHECK(sure_and_right.first == 0.0);
  CHECK(sure_and_right.second == std::vector<double>{0.0, 0.0});
  const auto ninety = run(loss, tensor<float>({1, 3}, {90.f, 2.f, -2.f}), {1});
  CHECK(ninety.first == near(88.0));
  CHECK(ninety.second[0] == near(1.0));
  const auto equal = run(loss, tensor<float>({1, 3}, {huge, huge, huge}), {2});
  CHECK(equal.first == near(std::log(3.0)));
  CHECK(equal.second[2] == doctest::Approx(-2.0 / 3).epsilon(1e-6));
  const auto apart = run(loss, tensor<float>({1, 2}, {huge, -huge}), {1});
  CHECK(apart.first == doctest::Approx(6e38).epsilon(1e-6));
  CHECK(apart.second == std::vector<double>{1.0, -1.0});

  for (const auto& row : {tensor<float>({1, 3}, {huge, huge, -huge}), tensor<float>({1, 3}, {90.f, 2.f, -2.f}),
                          tensor<float>({1, 3}, {-huge, -huge, -huge})}) {
    tensor<float> p(row.dims());
    softmax<float>(row, p);
    double sum = 0.0;
    for (const float x : p) sum += static_cast<double>(x);
    CHECK(non_finite_count<float>(p) == 0);
    CHECK(sum == doctest::Approx(1.0).epsilon(1e-6));
  }

  const binary_cross_entropy<float> binary;
  const auto low = run(binary, tensor<float>({1, 1}, {-200.f}), {1});
  CHECK(low.first == 200.0);
  CHECK(low.second[0] == -1.0);
  const auto high = run(binary, tensor<float>({1, 1}, {200.f}), {1});
  CHECK(high.first < 1e-80);
  CHECK(high.second[0] == 0.0);
  const auto ends = run(binary, tensor<float>({2}, {huge, -huge}), {0, 1});
  CHECK(ends.first == doctest::Approx(3e38).epsilon(1e-6));
  CHECK(ends.second == std::vector<double>{0.5, -0.5});
}

TEST_CASE("a NaN among the logits is not hidden") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const auto& row : {tensor<float>({1, 2}, {nan, 1.f}), tensor<float>({1, 2}, {1.f, nan})})
    for (const std::int32_t y : {0, 1}) CHECK(!is_finite(softmax_cross_entropy<float>().value(row, labels_t{y})));
  CHECK(!is_finite(binary_cross_entropy<float>().value(held(tensor<float>({1}, {nan})), labels_t{1})));
}

TEST_CASE("binary cross-entropy by hand and by differences") {
  const tensor<double> z({3, 1}, {0.0, std::log(3.0), -std::log(4.0)});
  const labels_t y{1, 0, 1};
  // sigmoid: 1/2, 3/4, 1/5
  CHECK(binary_cross_entropy<double>().value(z, y) == near((std::log(2.0) + std::log(4.0) + std::log(5.0)) / 3));
  const binary_cross_entropy<double> weighted({.pos_weight = {3.0}});
  const auto [value, g] = run(weighted, z, y);
  CHECK(value == near((3 * std::log(2.0) + std::log(4.0) + 3 * std::log(5.0)) / 3));
  CHECK(g[0] == near(-0.5));
  CHECK(g[1] == near(0.25));
  CHECK(g[2] == near(-0.8));
  CHECK(gradient_fault(weighted, z, y) < 1e-9);
  CHECK_THROWS_AS(weighted.value(held(tensor<double>({3, 2})), y), shape_error);
  CHECK_THROWS_AS(binary_cross_entropy<double>({.pos_weight = {1.0, 2.0}}).value(z, y), option_error);
  CHECK_THROWS_AS(binary_cross_entropy<double>({.pos_weight = {-1.0}}), option_error);
}

TEST_CASE("F54 labels and shapes that do not fit are named") {
  const softmax_cross_entropy<float> loss;
  tensor<float> z({3, 2}), gradient({3, 2}, 7.f);
  const auto text_for = [&](const labels_t& y) -> std::string {
    try {
      loss.value(z, y, gradient);
    } catch (const error& e) {
      return e.what();
    }
    return "";
  };
  CHECK(text_for({0, 2, 1}) == "loss: sample 1 has label 2, but there are 2 classes (labels 0 to 1)");
  CHECK(text_for({0, 1, -1}) == "loss: sample 2 has label -1, but there are 2 classes (labels 0 to 1)");
  CHECK(text_for({0, 1}) == "loss: logits are 3x2, labels 2");
  CHECK(gradient[0] == 7.f);  // nothing was written
  CHECK_THROWS_AS(loss.value(held(tensor<float>({0, 2})), labels_t{}), shape_error);
  CHECK_THROWS_AS(binary_cross_entropy<float>().value(held(tensor<float>({1})), labels_t{2}), option_error);
}

TEST_CASE("the losses are PyTorch's") {
  const auto file = golden::open("loss");
  const auto check = [&](const std::string& name, const auto& loss, const tensor<double>& z, const auto& targets) {
    CAPTURE(name);
    tensor<double> gradient(z.dims());
    CHECK(loss.value(z, targets, gradient) == doctest::Approx(file.load<double>(name + ".loss")[0]).epsilon(1e-12));
    CHECK(golden::relative_difference<double>(gradient, file, name + ".input.gradient") < 1e-12);
  };
  const labels_t y{2, 0, 3, 1, 2};
  const std::vector<double> w{1.0, 2.0, 0.5, 1.5};
  const auto z = golden::filled({5, 4}, golden::input, 8.0);
  using entropy = softmax_cross_entropy<double>;
  check("cross_entropy", entropy(), z, y);
  check("cross_entropy_smoothing_0.1", entropy({.label_smoothing = 0.1}), z, y);
  check("cross_entropy_weights", entropy({.class_weights = w}), z, y);
  check("cross_entropy_smoothing_0.1_weights", entropy({.label_smoothing = 0.1, .class_weights = w}), z, y);
  check("cross_entropy_large", entropy(), golden::filled({3, 4}, golden::input, 8.0, 1000.0), labels_t{1, 0, 3});
  using binary = binary_cross_entropy<double>;
  const auto targets = [](const shape& dims) {
    labels_t t;
    for (index_t i = 0; i < dims.size(); ++i) t.push_back(golden::value(i, golden::target) > 0 ? 1 : 0);
    return t;
  };
  check("binary", binary(), golden::filled({6, 1}, golden::input, 8.0), targets({6, 1}));
  check("binary_positive_weight", binary({.pos_weight = {3.0}}), golden::filled({6, 1}, golden::input, 8.0), targets({6, 1}));
  check("binary_three_outputs", binary({.pos_weight = {3.0, 1.0, 0.5}}), golden::filled({4, 3}, golden::input, 8.0),
        targets({4, 3}));
  const auto wanted = golden::filled({3, 4}, golden::target, 2.0);
  check("mean_squared_error", mean_squared_error<double>(), golden::filled({3, 4}, golden::input, 8.0),
        static_cast<view<const double>>(wanted));
}

TEST_CASE("softmax and sigmoid in place") {
  tensor<double> z({2, 2}, {0.0, std::log(3.0), 5.0, 5.0});
  softmax<double>(z, z);
  CHECK(z[0] == near(0.25));
  CHECK(z[1] == near(0.75));
  CHECK(z[2] == near(0.5));
  tensor<double> s({3}, {0.0, std::log(3.0), -std::log(3.0)});
  sigmoid<double>(s, s);
  CHECK(s[0] == 0.5);
  CHECK(s[1] == near(0.75));
  CHECK(s[2] == near(0.25));
  CHECK(sigmoid(-1000.0) == 0.0);
  CHECK(sigmoid(1000.0) == 1.0);
  tensor<double> other({3});
  CHECK_THROWS_AS(softmax<double>(z, other), shape_error);
}

TEST_CASE("losses on a network's outputs") {
  auto net = toy::copies<double>(3, 2);
  session net_run(net);
  const tensor<double> x({2, 3}, {0.0, 1.0, 2.0, 3.0, 1.0, 0.0});
  const labels_t y{0, 1};
  const softmax_cross_entropy<double> loss;
  const auto [alone, g] = run(loss, x, y);
  net_run.forward(x);
  CHECK(loss(net_run, y) == alone);
  for (index_t i = 0; i < 6; ++i) {
    CHECK(net_run.output_gradient(0)[i] == g[static_cast<std::size_t>(i)]);
    CHECK(net_run.output_gradient(1)[i] == 0.0);
  }
  net_run.forward(x);
  CHECK(loss(net_run, {{0, 1.0}, {1, 0.3}}, y, 0.5) == near(1.3 * alone));
  for (index_t i = 0; i < 6; ++i) {
    CHECK(net_run.output_gradient(0)[i] == near(0.5 * g[static_cast<std::size_t>(i)]));
    CHECK(net_run.output_gradient(1)[i] == near(0.15 * g[static_cast<std::size_t>(i)]));
  }
}
