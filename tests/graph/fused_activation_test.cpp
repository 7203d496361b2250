// Activations that are left to the operation before them (graph/passes/fuse.hpp).

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/graph/passes/fold_batch_norm.hpp"
#include "minicnn/graph/session.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/add.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/flatten.hpp"
#include "noise.hpp"

using namespace minicnn;

namespace {

using node_f = node<float>;

struct step {
  std::string what;
  std::function<node_f(node_f)> make;
};

/// What may apply an activation; the node is called "made".
const std::vector<step>& makers() {
  static const std::vector<step> list{
      {"1x1", [](node_f x) { return conv2d(x, {.filters = 24, .name = "made"}); }},
      {"strided", [](node_f x) { return conv2d(x, {.filters = 9, .kernel = 3, .stride = 2, .padding = 1, .name = "made"}); }},
      {"Winograd", [](node_f x) { return conv2d(x, {.filters = 64, .kernel = 3, .padding = 1, .name = "made"}); }},
      {"grouped", [](node_f x) { return conv2d(x, {.filters = 32, .kernel = 3, .groups = 4, .name = "made"}); }},
      {"depthwise", [](node_f x) { return conv2d(x, {.filters = 64, .kernel = 3, .padding = 1, .groups = 64, .name = "made"}); }},
      {"depthwise, stride 2",
       [](node_f x) { return conv2d(x, {.filters = 64, .kernel = 5, .stride = 2, .padding = 2, .groups = 64, .name = "made"}); }},
      {"dense", [](node_f x) { return dense(flatten(x), 70, {.name = "made"}); }},
      {"batch norm", [](node_f x) { return batch_norm(x, {.name = "made"}); }},
      {"sum", [](node_f x) { return add(conv2d(x, {.filters = 64}), x, {.name = "made"}); }}};
  return list;
}

const std::vector<step>& activations() {
  static const std::vector<step> list{{"relu", [](node_f x) { return relu(x); }},
                                      {"relu6", [](node_f x) { return relu6(x); }},
                                      {"leaky_relu", [](node_f x) { return leaky_relu(x); }},
                                      {"sigmoid", [](node_f x) { return sigmoid(x); }},
                                      {"silu", [](node_f x) { return silu(x); }},
                                      {"hard_swish", [](node_f x) { return hard_swish(x); }},
                                      {"hard_sigmoid", [](node_f x) { return hard_sigmoid(x); }},
                                      {"gelu", [](node_f x) { return gelu(x); }}};
  return list;
}

/// Passes an activation on, and counts its runs.
class counted_op final : public op<float> {
 public:
  counted_op(std::shared_ptr<const op<float>> counted, int& runs) : op_(std::move(counted)), runs_(runs) {}
  std::string_view kind() const override { return op_->kind(); }
  attribute_list describe() const override { return op_->describe(); }
  op_role role() const override { return op_->role(); }
  std::optional<kernels::fused_activation<float>> activation(isa i) const override { return op_->activation(i); }
  op_plan plan(const plan_request& request) const override { return op_->plan(request); }
  void forward(const frame<float>& f) const override { ++runs_, op_->forward(f); }
  void backward(const frame<float>& f) const override { ++runs_, op_->backward(f); }

 private:
  std::shared_ptr<const op<float>> op_;
  int& runs_;
};

/// `made` and `activation` behind each other.
network<float> chain(const step& made, const step& activation) {
  graph<float> g;
  const node_f x = relu(g.input({64, 15, 15}));
  return network<float>(std::move(g), {activation.make(made.make(x))});
}

/// Largest difference, as a share of the largest value.
double difference(const view<const float>& a, const view<const float>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0, largest = 1e-30;
  for (index_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
    largest = std::max(largest, std::abs(static_cast<double>(b[i])));
  }
  return most / largest;
}

}  // namespace

TEST_CASE("a prediction with fused activations is that of the layers one by one") {
  const tensor<float> pictures = noise({3, 64, 15, 15}, 1);
  for (const step& made : makers())
    for (const step& activation : activations()) {
      CAPTURE(made.what);
      CAPTURE(activation.what);
      const network<float> net = chain(made, activation);
      for (const bool prepack : {false, true}) {
        session<float> fused(net, {.prepack_weights = prepack});
        session<float> apart(net, {.retain = {"made"}, .prepack_weights = prepack});  // a value that is read stays
        CHECK(difference(fused.predict(pictures), apart.predict(pictures)) < 1e-6);
      }
    }
}

TEST_CASE("activations run in the operation before them, where nothing else reads its value") {
  const tensor<float> pictures = noise({2, 8, 9, 9}, 2);
  const auto runs = [&](const std::function<node_f(node_f, const std::function<node_f(node_f)>&)>& build, bool training = false) {
    int count = 0;
    graph<float> g;
    const auto counted = [&](node_f x) {
      return x.owner->add(
          std::make_shared<counted_op>(std::make_shared<activation_op<float, kernels::silu_formula>>("silu"), count), {x},
          "counted", {});
    };
    const node_f x = g.input({8, 9, 9});
    network<float> net(std::move(g), {build(x, counted)});
    session<float> run(net);
    if (training)
      run.forward(pictures);
    else
      run.predict(pictures);
    return count;
  };
  const auto conv = [](node_f x) { return conv2d(x, {.filters = 8}); };
  CHECK(runs([&](node_f x, const auto& silu) { return silu(conv(x)); }) == 0);
  CHECK(runs([&](node_f x, const auto& silu) { return silu(batch_norm(conv(x))); }) == 0);
  CHECK(runs([&](node_f x, const auto& silu) { return silu(add(conv(x), conv(x))); }) == 0);
  CHECK(runs([&](node_f x, const auto& silu) { return silu(relu(conv(x))); }) == 1);  // one activation an operation
  CHECK(runs([&](node_f x, const auto& silu) { return silu(x); }) == 1);
  CHECK(runs([&](node_f x, const auto& silu) {
          const node_f y = conv(x);
          return add(silu(y), y);
        }) == 1);
  CHECK(runs([&](node_f x, const auto& silu) { return silu(conv(x)); }, true) == 1);  // its gradient reads what came in
}

TEST_CASE("in training batch norm takes the gradient of the bounds behind it along") {
  const tensor<float> pictures = noise({4, 6, 10, 10}, 4);
  for (const bool six : {false, true}) {
    int runs = 0;
    graph<float> g;
    node_f x = batch_norm(conv2d(g.input({6, 10, 10}), {.filters = 12, .kernel = 3, .name = "conv"}), {.name = "norm"});
    const auto clip = [](float low, float high) {
      return std::make_shared<activation_op<float, kernels::clip_formula>>("clip", kernels::clip_formula<float>{low, high});
    };
    x = x.owner->add(std::make_shared<counted_op>(clip(0.0F, six ? 0.5F : INFINITY), runs), {x}, "bounds", {});
    network<float> net(std::move(g), {dense(flatten(x), 5)});
    const auto gradients = [&](std::vector<std::string> retain) {
      session<float> run(net, {.retain = std::move(retain)});
      runs = 0;
      run.forward(pictures);
      random_stream random{random_key(9)};
      for (float& d : run.output_gradient()) d = static_cast<float>(random.normal());
      run.backward();
      std::vector<float> out;
      for (const parameter_info& p : net.parameters()) {
        const view<const float> d = net.parameter_gradient(p.name);
        out.insert(out.end(), d.begin(), d.end());
      }
      return out;
    };
    const std::vector<float> apart = gradients({"norm"});
    CHECK(runs == 2);
    const std::vector<float> joined = gradients({});
    CHECK(runs == 0);
    REQUIRE(joined.size() == apart.size());
    for (std::size_t i = 0; i < joined.size(); ++i) CHECK(joined[i] == doctest::Approx(apart[i]).epsilon(1e-4).scale(0.1));
    gradients({"bounds"});  // its gradient is read, so it is made
    CHECK(runs == 1);
  }
}

TEST_CASE("an activation behind a folded batch norm runs in the convolution") {
  graph<float> g;
  const node_f x = silu(batch_norm(conv2d(g.input({8, 12, 12}), {.filters = 16, .kernel = 3, .bias = false})));
  network<float> net(std::move(g), {x});
  const tensor<float> pictures = noise({2, 8, 12, 12}, 3);
  session<float> run(net);
  for (int step = 0; step < 3; ++step) run.forward(pictures);  // running statistics of its own
  const network<float> folded = fold_batch_norm(net);
  session<float> plain(net), fused(folded, {.prepack_weights = true});
  CHECK(difference(fused.predict(pictures), plain.predict(pictures)) < 1e-5);
}
