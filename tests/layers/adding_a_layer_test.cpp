// The layer of docs/adding-a-layer.md (examples/channel_scale.hpp) against the contract and by hand.
#include <doctest/doctest.h>

#include <algorithm>

#include "../../examples/channel_scale.hpp"
#include "minicnn/graph/network.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace mine;

TEST_CASE("channel_scale: derivatives and contract") {
  for (const shape& x : {shape{1, 3, 5, 7}, shape{1, 1, 1, 1}, shape{1, 40, 2, 2}}) {
    CAPTURE(x.text());
    CHECK(check_gradients(channel_scale_op<double>({}), channel_scale_op<float>({}), {x}).failure == "");
  }
}

TEST_CASE("channel_scale: by hand") {
  const op_values<float> values{
      {tensor<float>({1, 2, 1, 2}, {1, 2, 3, 4})}, {tensor<float>({2}, {10, -1})}, {}, tensor<float>({1, 2, 1, 2}, {1, 1, 0, 2})};
  const op_results<float> r = run_test_case(channel_scale_op<float>({}), values, {});
  const float y[] = {10, 20, -3, -4}, dx[] = {10, 10, 0, -2}, dfactor[] = {3, 8};
  CHECK(std::equal(r.output.begin(), r.output.end(), y));
  CHECK(std::equal(r.gradients[0].begin(), r.gradients[0].end(), dx));
  CHECK(std::equal(r.gradients[1].begin(), r.gradients[1].end(), dfactor));
}

TEST_CASE("channel_scale: in a network") {
  graph<float> g;
  node<float> x = g.input({3, 4, 4});
  x = channel_scale(x, {.init = 0.5});
  network<float> net(std::move(g), {x});
  CHECK(net.parameter("scale1.factor")[2] == 0.5F);
  const tensor<float> y = net.predict(tensor<float>({2, 3, 4, 4}, 3.0F));
  for (float value : y) CHECK(value == 1.5F);

  graph<float> h;
  CHECK_THROWS_WITH_AS(channel_scale(h.input({10})), "scale1: channel_scale wants an input of (n, c, h, w), got 1x10",
                       shape_error);
}
