#include "minicnn/layers/group_norm.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "golden/golden.hpp"
#include "layers/against_golden.hpp"
#include "minicnn/graph/session.hpp"
#include "minicnn/layers/class_token.hpp"
#include "minicnn/layers/prelu.hpp"
#include "minicnn/layers/scale.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

namespace {

/// A network of one function, and PyTorch's output and gradient of the input.
template <class T, class Make>
void check_function(const std::string& name, const shape& dims, const Make& make) {
  CAPTURE(name);
  graph<T> g;
  const node<T> x = scale(g.input({dims[1], dims[2], dims[3]}),
                          {.factor = std::vector<double>(static_cast<std::size_t>(dims[1]), 1.0), .name = "in"});
  network<T> net(std::move(g), {make(x)});
  session<T> run(net, {.retain = {"in"}});
  const tensor<T> input = golden::filled<T>(dims, golden::input, 2.0);
  run.forward(input);
  const golden::safetensors_file file = golden::open("operators");
  const double bound = sizeof(T) == sizeof(float) ? 1e-5 : 1e-12;
  CHECK(golden::relative_difference(run.output(0), file, name + ".output") < bound);
  golden::fill(run.output_gradient(0), golden::upstream, 2.0);
  run.backward();
  CHECK(golden::relative_difference(view<const T>(run.gradient("in")), file, name + ".input.gradient") < bound);
}

}  // namespace

TEST_CASE_TEMPLATE("normalised groups, shuffled pixels and slopes as PyTorch", T, float, double) {
  check_function<T>("group_norm", {2, 6, 3, 4}, [](node<T> x) { return group_norm(x, {.groups = 2}); });
  check_function<T>("instance_norm", {2, 6, 3, 4}, [](node<T> x) { return group_norm(x, {.groups = 6, .affine = false}); });
  check_function<T>("pixel_shuffle", {2, 8, 3, 4}, [](node<T> x) { return depth_to_space(x, 2); });
  check_against_golden(prelu_op<T>(), {"operators", "prelu", {2, 3, 4, 5}});
}

TEST_CASE("group_norm: names of parameters, errors") {
  graph<float> g;
  const node<float> x = g.input({6, 3, 4});
  const node<float> y = group_norm(x, {.groups = 3});
  CHECK(y.name() == "gn.shift");
  CHECK_THROWS_WITH_AS(group_norm(x, {.groups = 4}), "group_norm: groups must divide the 6 channels, got 4", option_error);
  const network<float> net(std::move(g), {y});
  CHECK(net.parameter("gn.scale.weight")[5] == 1.0F);
  CHECK(net.parameter("gn.shift.bias")[5] == 0.0F);
}

TEST_CASE("depth_to_space by hand, both orders") {
  for (const depth_order order : {depth_order::pixel_shuffle, depth_order::depth_first}) {
    graph<float> g;
    network<float> net(std::move(g), {depth_to_space(g.input({8, 1, 1}), 2, order)});
    tensor<float> x({1, 8, 1, 1});
    for (index_t i = 0; i < 8; ++i) x.data()[i] = static_cast<float>(i);
    const tensor<float> y = net.predict(x);
    CHECK(y.dims() == shape{1, 2, 2, 2});
    const float shuffled[] = {0, 1, 2, 3, 4, 5, 6, 7}, first[] = {0, 2, 4, 6, 1, 3, 5, 7};
    CHECK(std::equal(y.begin(), y.end(), order == depth_order::pixel_shuffle ? shuffled : first));
  }
  graph<float> g;
  CHECK_THROWS_WITH_AS(depth_to_space(g.input({6, 1, 1}), 2), doctest::Contains("channels must be a multiple of 4"), shape_error);
}

TEST_CASE("prelu: derivatives and contract, by hand") {
  for (const shape& x : {shape{1, 3, 4, 5}, shape{1, 40}, shape{1, 1, 67}})
    CHECK(check_gradients(prelu_op<double>(), prelu_op<float>(), {x}).failure == "");
  const op_values<float> values{
      {tensor<float>({1, 2, 2}, {-2, 3, -4, 0})}, {tensor<float>({2}, {0.5F, -1})}, {}, tensor<float>({1, 2, 2}, {1, 2, 3, 4})};
  const op_results<float> r = run_test_case(prelu_op<float>(), values, {});
  const float y[] = {-1, 3, 4, 0}, dx[] = {0.5F, 2, -3, -4}, dw[] = {-2, -12};
  CHECK(std::equal(y, y + 4, r.output.begin()));
  CHECK(std::equal(dx, dx + 4, r.gradients[0].begin()));
  CHECK(std::equal(dw, dw + 2, r.gradients[1].begin()));
}

TEST_CASE("class_token: derivatives and contract, by hand") {
  for (const shape& x : {shape{1, 3, 4}, shape{1, 1, 1}, shape{1, 7, 19}})
    CHECK(check_gradients(class_token_op<double>(), class_token_op<float>(), {x}).failure == "");
  const op_values<float> values{{tensor<float>({2, 1, 2}, {1, 2, 3, 4})},
                                {tensor<float>({1, 1, 2}, {8, 9})},
                                {},
                                tensor<float>({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8})};
  const op_results<float> r = run_test_case(class_token_op<float>(), values, {});
  const float y[] = {8, 9, 1, 2, 8, 9, 3, 4}, dx[] = {3, 4, 7, 8}, dtoken[] = {6, 8};
  CHECK(std::equal(y, y + 8, r.output.begin()));
  CHECK(std::equal(dx, dx + 4, r.gradients[0].begin()));
  CHECK(std::equal(dtoken, dtoken + 2, r.gradients[1].begin()));
  graph<float> g;
  CHECK_THROWS_WITH_AS(class_token(g.input({4})), doctest::Contains("wants an input of (n, tokens, width), got 1x4"),
                       shape_error);
}

TEST_CASE("space_to_depth is the way back") {
  for (const depth_order order : {depth_order::pixel_shuffle, depth_order::depth_first}) {
    graph<float> g;
    const node<float> x = g.input({3, 4, 6});
    const node<float> deep = space_to_depth(x, 2, order);
    CHECK(deep.dims() == shape{1, 12, 2, 3});
    network<float> net(std::move(g), {depth_to_space(deep, 2, order), deep});
    tensor<float> input(shape{1, 3, 4, 6});
    for (index_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(i);
    const tensor<float> back = net.predict(input);
    CHECK(std::equal(back.begin(), back.end(), input.begin(), input.end()));
  }
  // One channel of 2 x 4: blocks are (0, 1, 4, 5) and (2, 3, 6, 7), whose first pixels come first.
  graph<float> g;
  network<float> net(std::move(g), {space_to_depth(g.input({1, 2, 4}), 2, depth_order::depth_first)});
  const tensor<float> y = net.predict(tensor<float>({1, 1, 2, 4}, {0, 1, 2, 3, 4, 5, 6, 7}));
  const float wanted[] = {0, 2, 1, 3, 4, 6, 5, 7};
  CHECK(std::equal(y.begin(), y.end(), wanted, wanted + 8));
  graph<float> odd;
  CHECK_THROWS_WITH_AS(space_to_depth(odd.input({1, 3, 4}), 2), doctest::Contains("must be multiples of 2"), shape_error);
}
