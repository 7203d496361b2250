#include "minicnn/graph/passes/fold_batch_norm.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/add.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/pooling.hpp"

using namespace minicnn;

namespace {

template <class T>
void fill(const view<T>& x, std::uint64_t seed, double low, double high) {
  random_stream s{random_key(seed)};
  for (index_t i = 0; i < x.size(); ++i) x.data()[i] = static_cast<T>(s.uniform(low, high));
}

/// A network with every case: with and without bias, with and without affine, two readers, a norm behind ReLU, a residual, an
/// auxiliary head.
network<double> example() {
  graph<double> g;
  auto x = relu(batch_norm(conv2d(g.input({3, 9, 9}), {.filters = 6, .kernel = 3, .bias = false})));
  auto y = batch_norm(conv2d(x, {.filters = 6, .kernel = 3, .padding = 1}), {.eps = 1e-3, .affine = false});
  x = relu(add(y, x));
  auto z = conv2d(x, {.filters = 4, .kernel = 1, .name = "shared"});
  x = add(batch_norm(z), z);  // two readers of the convolution: stays
  x = batch_norm(relu(x));    // behind ReLU: stays
  auto aux = dense(flatten(x), 2, {.name = "aux"});
  auto out = dense(flatten(global_avg_pool(x)), 3, {.name = "out"});
  network<double> net(std::move(g), {out, aux});
  fill(net.parameter_arena(), 1, -1.0, 1.0);
  fill(net.buffer_arena(), 2, 0.1, 2.0);
  return net;
}

/// A user's operation under the name of one of ours: twice its input.
class twice_op : public op<double> {
 public:
  explicit twice_op(std::string kind) : kind_(std::move(kind)) {}
  std::string_view kind() const override { return kind_; }
  attribute_list describe() const override { return {}; }
  op_plan plan(const plan_request& r) const override {
    op_plan out;
    out.output = r.inputs[0];
    return out;
  }
  void forward(const frame<double>& f) const override {
    for (index_t i = 0; i < f.output.size(); ++i) f.output[i] = 2 * f.input()[i];
  }
  void backward(const frame<double>&) const override {}

 private:
  std::string kind_;
};

/// A user's normalisation with fixed numbers, y = (x - c) * (1 + c) + 0.5 in channel c, that says so.
class fixed_norm final : public op<double>, public channel_mapping<double> {
 public:
  std::string_view kind() const override { return "mine"; }
  const channel_mapping<double>* as_channel_mapping() const override { return this; }
  attribute_list describe() const override { return {}; }
  op_plan plan(const plan_request& r) const override {
    op_plan out;
    out.output = r.inputs[0];
    return out;
  }
  void forward(const frame<double>& f) const override {
    const index_t channels = f.output.dim(1), area = f.output.dims().size_from(2);
    for (index_t i = 0; i < f.output.size(); ++i) {
      const double c = static_cast<double>(i / area % channels);
      f.output[i] = (f.input()[i] - c) * (1 + c) + 0.5;
    }
  }
  void backward(const frame<double>&) const override {}
  std::vector<channel_map> channel_maps(std::span<const view<const double>>, std::span<const view<const double>>) const override {
    return {{0, 1, 0.5}, {1, 2, 0.5}, {2, 3, 0.5}};
  }
};

}  // namespace

TEST_CASE("a user's operation that says what it does to channels is folded too") {
  graph<double> g;
  const auto x = conv2d(g.input({2, 4, 4}), {.filters = 3, .kernel = 3});
  const auto y = g.add(std::make_shared<fixed_norm>(), {x}, "norm", {});
  const network<double> net(std::move(g), {y});
  const network<double> folded = fold_batch_norm(net);
  CHECK(folded.nodes().size() == 2);
  tensor<double> images({2, 2, 4, 4});
  fill<double>(images, 3, -1.0, 1.0);
  const tensor<double> want = net.predict(images), got = folded.predict(images);
  for (index_t i = 0; i < want.size(); ++i) CHECK(got[i] == doctest::Approx(want[i]));
}

TEST_CASE("an operation that calls itself conv2d or batch_norm is not taken for one") {
  graph<double> g;
  auto x = g.input({2, 4, 4});
  x = batch_norm(g.add(std::make_shared<twice_op>("conv2d"), {x}, "mine", {}));
  x = g.add(std::make_shared<twice_op>("batch_norm"), {conv2d(x, {.filters = 3, .kernel = 3})}, "also_mine", {});
  const network<double> net(std::move(g), {x});
  const network<double> folded = fold_batch_norm(net);
  CHECK(folded.nodes().size() == net.nodes().size());
  tensor<double> images({2, 2, 4, 4});
  fill<double>(images, 3, -1.0, 1.0);
  const tensor<double> want = net.predict(images), got = folded.predict(images);
  for (index_t i = 0; i < want.size(); ++i) CHECK(got[i] == doctest::Approx(want[i]));
}

TEST_CASE("a folded network computes what the network computes in evaluation mode") {
  const network<double> net = example();
  const network<double> folded = fold_batch_norm(net);
  tensor<double> images({2, 3, 9, 9});
  fill<double>(images, 3, -1.0, 1.0);
  const tensor<double> want = net.predict(images), got = folded.predict(images);
  REQUIRE(got.dims() == want.dims());
  for (index_t i = 0; i < want.size(); ++i) CHECK(got.data()[i] == doctest::Approx(want.data()[i]).epsilon(1e-12));
}

TEST_CASE("only norms right behind a convolution of their own vanish; names stay, auxiliary heads go") {
  const network<double> net = example();
  const network<double> folded = fold_batch_norm(net);
  const auto names = [](const network<double>& n) {
    std::string out;
    for (const auto& node : n.nodes()) out.append(node.name).append(" ");
    return out;
  };
  CHECK(names(net) == "input conv1 bn1 relu1 conv2 bn2 add1 relu2 shared bn3 add2 relu3 bn4 flatten1 aux pool1 flatten2 out ");
  CHECK(names(folded) == "input conv1 relu1 conv2 add1 relu2 shared bn3 add2 relu3 bn4 pool1 flatten2 out ");
  CHECK(folded.output_count() == 1);
  CHECK(folded.parameter("conv1.bias").size() == 6);  // had none
}

TEST_CASE("the folded weights by hand") {
  graph<double> g;
  network<double> net([&] {
    auto y = batch_norm(conv2d(g.input({1, 1, 1}), {.filters = 1, .kernel = 1}), {.eps = 1.0});
    return network<double>(std::move(g), {y});
  }());
  net.parameter("conv1.weight").data()[0] = 5.0;
  net.parameter("conv1.bias").data()[0] = 7.0;
  net.parameter("bn1.weight").data()[0] = 4.0;
  net.parameter("bn1.bias").data()[0] = 0.5;
  net.buffer("bn1.running_mean").data()[0] = 1.0;
  net.buffer("bn1.running_var").data()[0] = 3.0;
  network<double> folded = fold_batch_norm(net);  // gain 4 / sqrt(3 + 1) = 2
  CHECK(folded.parameter("conv1.weight").data()[0] == 10.0);
  CHECK(folded.parameter("conv1.bias").data()[0] == 12.5);
}
