// What does not fit is an exception of the library that names the layer, what was wanted and what came; in release builds too.
#include <doctest/doctest.h>

#include <functional>

#include "field_cases/small_network.hpp"
#include "io/temporary_folder.hpp"
#include "minicnn/train/loss.hpp"

using namespace minicnn;

TEST_CASE("F54 wrong input shapes, labels, windows and sizes: text with the layer and both values") {
  auto net = small::network();
  session net_run(net);
  const auto forward = [&](const shape& dims) {
    const tensor<float> images(dims);
    return thrown([&] { net_run.forward(images); });
  };
  const auto predict = [&](const shape& dims) { return thrown([&] { net.predict(tensor<float>(dims)); }); };
  for (const auto& call :
       {std::function<std::string(const shape&)>(forward), std::function<std::string(const shape&)>(predict)}) {
    // One channel into three.
    const std::string channels = call({2, 1, 16, 16});
    CHECK(contains(channels, "conv1"));
    CHECK(contains(channels, "1"));
    CHECK(contains(channels, "3"));
    // A flattened size that the dense layer does not fit: both numbers.
    const std::string dense = call({2, 3, 32, 32});
    CHECK(contains(dense, "fc1"));
    CHECK(contains(dense, "108"));  // 12 * 3 * 3
    CHECK(contains(dense, "588"));  // 12 * 7 * 7
    // Other ranks, and nothing at all.
    CHECK(contains(call({2, 3, 16}), "2x3x16"));
    CHECK(contains(call({3, 16, 16}), "3x16x16"));
    CHECK_FALSE(call({0, 3, 16, 16}).empty());
  }
  // A pool larger than its image.
  const std::string pool = thrown<shape_error>([] {
    graph<float> g;
    max_pool(g.input({1, 2, 2}), {.kernel = 5});
  });
  CHECK(contains(pool, "pool1"));
  CHECK(contains(pool, "5"));
  CHECK(contains(pool, "2"));
  const std::string kernel = thrown<shape_error>([] {
    graph<float> g;
    conv2d(g.input({1, 2, 2}), {.filters = 1, .kernel = 5});
  });
  CHECK(contains(kernel, "conv1"));
  // A dense layer on planes.
  CHECK(contains(thrown<shape_error>([] {
                   graph<float> g;
                   dense(g.input({1, 2, 2}), 5);
                 }),
                 "flatten"));
  // Labels.
  const tensor<float> images({2, 3, 16, 16});
  net_run.forward(images);
  const softmax_cross_entropy<float> loss;
  const std::vector<std::int32_t> two{0, 2}, minus{-1, 0}, three{0, 1, 1};
  CHECK(thrown([&] { loss(net_run, two); }) == "loss: sample 1 has label 2, but there are 2 classes (labels 0 to 1)");
  CHECK(thrown([&] { loss(net_run, minus); }) == "loss: sample 0 has label -1, but there are 2 classes (labels 0 to 1)");
  CHECK(contains(thrown([&] { loss(net_run, three); }), "3"));
  // Backward without forward, values that were not kept.
  auto fresh = small::network();
  session fresh_run(fresh);
  CHECK(thrown([&] { fresh_run.backward(); }) == "session: forward has not run");
  CHECK(contains(thrown([&] { net_run.value("conv1"); }), "conv1"));
  // After all this the network works.
  CHECK(net.predict(tensor<float>({2, 3, 16, 16})).dims() == shape{2, 2});
}
