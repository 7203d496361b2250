#include "minicnn/layers/arithmetic.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "golden/golden.hpp"
#include "minicnn/graph/network.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

namespace {

constexpr arithmetic all_of_them[] = {arithmetic::add, arithmetic::sub, arithmetic::mul, arithmetic::div};

/// Values away from 0, which a quotient needs.
gradient_check_options away_from_zero() {
  gradient_check_options o;
  o.fill = [](int, const view<double>& values, random_stream& random) {
    for (double& value : values) value = random.uniform(0.5, 2.0) * (random.chance(0.5) ? 1.0 : -1.0);
  };
  return o;
}

/// What an operation makes of the golden file's inputs, and the gradients, against PyTorch.
template <class T>
void check_case(const std::string& name, const op<T>& operation, const shape& first, const shape& second) {
  CAPTURE(name);
  const bool trained = operation.plan({std::vector<shape>{first, second}, true, {}}).parameters.size() == 1;
  op_values<T> values;
  values.inputs.push_back(golden::filled<T>(first, golden::input, 2.0));
  (trained ? values.parameters : values.inputs).push_back(golden::filled<T>(second, golden::weight, 1.0, 2.0));
  const std::vector<shape> inputs = trained ? std::vector<shape>{first} : std::vector<shape>{first, second};
  values.output_gradient = golden::filled<T>(operation.plan({inputs, true, {}}).output, golden::upstream, 2.0);
  const op_results<T> got = run_test_case(operation, values, {});
  const golden::safetensors_file file = golden::open("operators");
  const double bound = sizeof(T) == sizeof(float) ? 1e-6 : 1e-14;
  CHECK(golden::relative_difference(view<const T>(got.output), file, name + ".output") < bound);
  CHECK(golden::relative_difference(view<const T>(got.gradients[0]), file, name + ".input.gradient") < bound);
  CHECK(golden::relative_difference(view<const T>(got.gradients[1]), file, name + ".second.gradient") < bound);
}

}  // namespace

TEST_CASE("arithmetic: derivatives and contract") {
  const std::pair<shape, shape> pairs[] = {{{1, 3, 4, 5}, {1, 3, 4, 5}},
                                           {{1, 3, 9, 5}, {1, 3, 1, 1}},
                                           {{1, 3, 4, 5}, {1, 1, 4, 5}},
                                           {{1, 3, 4, 5}, {1, 3, 4, 1}},
                                           {{1, 3, 1, 5}, {1, 1, 4, 5}},
                                           {{1, 2, 1, 1}, {1, 2, 3, 7}},
                                           {{1, 1, 40}, {1, 7, 1}},
                                           {{1, 1}, {1, 1}},
                                           {{1, 2, 3, 4, 5, 2}, {1, 1, 3, 1, 5, 1}}};
  for (const arithmetic what : all_of_them)
    for (const auto& [a, b] : pairs) {
      CAPTURE(static_cast<int>(what));
      const std::string shapes = text_of(a, " and ", b);
      CAPTURE(shapes);
      CHECK(check_gradients(arithmetic_op<double>(what), arithmetic_op<float>(what), {a, b}, away_from_zero()).failure == "");
    }
}

TEST_CASE("arithmetic with a trained operand: derivatives and contract") {
  const std::pair<shape, shape> pairs[] = {{{1, 3, 4, 5}, {3, 1, 1}}, {{1, 4, 5}, {4, 5}}, {{1, 4, 5}, {5}},
                                           {{1, 4, 5}, {4, 1}},       {{1, 7}, {1}},       {{1, 6, 19}, {1, 6, 19}}};
  for (const arithmetic what : {arithmetic::add, arithmetic::sub, arithmetic::mul})
    for (const auto& [a, w] : pairs) {
      CAPTURE(static_cast<int>(what));
      const std::string operand = w.text();
      CAPTURE(operand);
      CHECK(check_gradients(arithmetic_op<double>(what, w, {}), arithmetic_op<float>(what, w, {}), {a}).failure == "");
    }
}

TEST_CASE("arithmetic: work that is shared among threads") {
  gradient_check_options few = away_from_zero();
  few.probes = 2;
  few.batches = {2};
  for (const auto& [a, b] :
       {std::pair<shape, shape>{{1, 5, 61, 67}, {1, 5, 1, 1}}, {{1, 5, 61, 67}, {1, 1, 61, 67}}, {{1, 40961}, {1, 40961}}}) {
    const std::string second = b.text();
    CAPTURE(second);
    CHECK(check_gradients(arithmetic_op<double>(arithmetic::mul), arithmetic_op<float>(arithmetic::mul), {a, b}, few).failure ==
          "");
  }
}

TEST_CASE_TEMPLATE("arithmetic as PyTorch", T, float, double) {
  const std::pair<std::string, arithmetic> operations[] = {
      {"add", arithmetic::add}, {"sub", arithmetic::sub}, {"mul", arithmetic::mul}, {"div", arithmetic::div}};
  const shape x{2, 3, 4, 5};
  for (const auto& [name, what] : operations) {
    const arithmetic_op<T> two(what);
    check_case<T>(name + "_equal", two, x, x);
    check_case<T>(name + "_gate", two, x, {2, 3, 1, 1});
    check_case<T>(name + "_plane", two, x, {2, 1, 4, 5});
    check_case<T>(name + "_column", two, x, {2, 3, 4, 1});
    check_case<T>(name + "_row", two, x, {2, 1, 1, 5});
    check_case<T>(name + "_crossed", two, {2, 3, 1, 5}, {2, 1, 4, 5});
    const auto trained = [what = what](const shape& w) { return arithmetic_op<T>(what, w, {}); };
    check_case<T>(name + "_trained_channels", trained({3, 1, 1}), x, {3, 1, 1});
    check_case<T>(name + "_trained_places", trained({4, 5}), {2, 4, 5}, {4, 5});
    check_case<T>(name + "_trained_one", trained({1}), {2, 3}, {1});
  }
}

TEST_CASE("arithmetic by hand: a gate for each channel") {
  const op_values<float> values{{tensor<float>({1, 2, 1, 2}, {1, 2, 3, 4}), tensor<float>({1, 2, 1, 1}, {10, -1})},
                                {},
                                {},
                                tensor<float>({1, 2, 1, 2}, {1, 1, 1, 2})};
  const op_results<float> r = run_test_case(arithmetic_op<float>(arithmetic::mul), values, {});
  const float y[] = {10, 20, -3, -4}, da[] = {10, 10, -1, -2}, db[] = {3, 11};
  CHECK(std::equal(r.output.begin(), r.output.end(), y, y + 4));
  CHECK(std::equal(r.gradients[0].begin(), r.gradients[0].end(), da, da + 4));
  CHECK(std::equal(r.gradients[1].begin(), r.gradients[1].end(), db, db + 2));
  const op_results<float> q = run_test_case(arithmetic_op<float>(arithmetic::div), values, {});
  const float quotient[] = {0.1F, 0.2F, -3, -4}, dq[] = {-0.03F, -11};
  for (int i = 0; i < 4; ++i) CHECK(q.output[i] == doctest::Approx(quotient[i]));
  for (int i = 0; i < 2; ++i) CHECK(q.gradients[1][i] == doctest::Approx(dq[i]));
}

TEST_CASE("arithmetic: names, attributes, errors") {
  graph<float> g;
  const node<float> x = g.input({2, 5, 5});
  CHECK(mul(x, x).name() == "mul1");
  CHECK(mul(x, x).name() == "mul2");
  CHECK(sub(x, x).name() == "sub1");
  CHECK(div(x, x).name() == "div1");
  CHECK(broadcast_add(x, x, {.name = "both"}).name() == "both");
  const node<float> scaled =
      mul_weight(x, {2, 1, 1}, {.parameter = "layer_scale", .init = initializer::constant(0.1), .name = "block"});
  CHECK(scaled.name() == "block");
  CHECK(g.at(scaled.id).operation->kind() == "mul");
  CHECK(g.at(scaled.id).operation->describe() ==
        attribute_list{{"parameter", std::string("layer_scale")}, {"shape", std::vector<index_t>{2, 1, 1}}});
  CHECK(add_weight(x, {5}).name() == "sum1");
  const node<float> other = g.input({3, 5, 5}, "other");
  CHECK_THROWS_WITH_AS(mul(x, other), "mul3: mul wants equal extents or 1 on each axis, got 1x2x5x5 and 1x3x5x5", shape_error);
  const node<float> flat = g.input({5}, "flat");
  CHECK_THROWS_WITH_AS(mul(x, flat), doctest::Contains("as many axes and one batch, got 1x2x5x5 and 1x5"), shape_error);
  CHECK_THROWS_WITH_AS(add_weight(flat, {2, 5}), doctest::Contains("without the batch axis of its input"), shape_error);
  CHECK_THROWS_WITH_AS(mul_weight(g.input({1, 5}, "row"), {2, 5}), doctest::Contains("is larger than its input"), shape_error);
}

TEST_CASE("arithmetic in a network: a value times itself, and a gate in place") {
  graph<double> g;
  node<double> x = g.input({2, 3, 3});
  x = mul(mul_weight(x, {2, 1, 1}, {.init = initializer::constant(3.0)}), x);
  const node<double> square = mul(x, x, {.name = "square"});
  network<double> net(std::move(g), {square});
  tensor<double> in(shape{2, 2, 3, 3}, 0.5);
  for (const double value : net.predict(in)) CHECK(value == doctest::Approx(0.5625));  // (3 / 4)^2
}
