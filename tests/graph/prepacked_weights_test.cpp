// Predictions with weights that are packed once: session_options::prepack_weights.

#include <doctest/doctest.h>

#include <cmath>

#include "io/temporary_folder.hpp"
#include "minicnn/graph/session.hpp"
#include "minicnn/io/checkpoint.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/pooling.hpp"
#include "minicnn/train/loss.hpp"
#include "minicnn/train/sgd.hpp"
#include "noise.hpp"

using namespace minicnn;

namespace {

/// Convolutions of both ways: conv2 and conv3 pay by Winograd, in groups too, the others do not.
template <class T>
network<T> mixed() {
  graph<T> g;
  auto x = relu(conv2d(g.input({3, 30, 30}), {.filters = 32, .kernel = 5, .stride = 2, .padding = 2}));
  x = batch_norm(relu(conv2d(x, {.filters = 48, .kernel = 5, .padding = 2})));
  x = relu(conv2d(x, {.filters = 64, .kernel = 3, .padding = 1, .groups = 2}));
  x = relu(conv2d(x, {.filters = 24, .kernel = 1}));
  return network<T>(std::move(g), {dense(flatten(global_avg_pool(x)), 4)});
}

template <class T>
std::vector<double> values(const view<const T>& v) {
  return {v.begin(), v.end()};
}

template <class T>
void check_near(const std::vector<double>& got, const std::vector<double>& want) {
  REQUIRE(got.size() == want.size());
  double size = 0;
  for (const double y : want) size = (std::max)(size, std::abs(y));
  for (std::size_t i = 0; i < got.size(); ++i) CHECK(std::abs(got[i] - want[i]) < (sizeof(T) == 4 ? 2e-5 : 1e-12) * size);
}

}  // namespace

TEST_CASE_TEMPLATE("packed once, weights give the same predictions, for any batch and instruction set", T, float, double) {
  const auto net = mixed<T>();
  const auto x = noise<T>({5, 3, 30, 30});
  for (const isa i : {isa::baseline, isa::avx2, isa::avx512}) {
    if (i > detect_isa()) continue;
    INFO("isa ", std::string(name_of(i)));
    session<T> fresh(net, {.threads = 2, .instruction_set = i});
    session<T> fixed(net, {.threads = 2, .instruction_set = i, .prepack_weights = true});
    const index_t before = (fresh.predict(x), fresh.memory_bytes());
    for (const index_t n : {5, 1, 3}) {  // smaller batches use what was packed for the larger one
      const view<const T> part(x.data(), {n, 3, 30, 30});
      const auto want = values<T>(fresh.predict(part)), got = values<T>(fixed.predict(part));
      check_near<T>(got, want);
      CHECK(values<T>(fixed.predict(part)) == got);
    }
    CHECK(fixed.memory_bytes() > before);
  }
}

TEST_CASE("the same bits for any number of threads, and as without when no convolution changes its way") {
  const auto net = mixed<float>();
  const auto x = noise<float>({2, 3, 30, 30});
  std::vector<std::vector<double>> seen;
  for (const int threads : {1, 2, 3}) {
    session<float> run(net, {.threads = threads, .prepack_weights = true});
    seen.push_back(values<float>(run.predict(x)));
  }
  CHECK(seen[0] == seen[1]);
  CHECK(seen[0] == seen[2]);

  for (const bool bf16 : {false, true}) {
    session<float> fresh(net, {.threads = 2, .bf16 = bf16, .winograd = false});
    session<float> fixed(net, {.threads = 2, .bf16 = bf16, .winograd = false, .prepack_weights = true});
    for (const index_t n : {2, 1}) {
      const view<const float> part(x.data(), {n, 3, 30, 30});
      CHECK(values<float>(fixed.predict(part)) == values<float>(fresh.predict(part)));
    }
  }
}

TEST_CASE("weights that change after all are packed again") {
  auto net = mixed<float>();
  const auto x = noise<float>({2, 3, 30, 30});
  session<float> fresh(net), fixed(net, {.prepack_weights = true}), run(net);
  const auto check_both = [&] { check_near<float>(values<float>(fixed.predict(x)), values<float>(fresh.predict(x))); };
  const auto first = values<float>(fixed.predict(x));
  check_both();

  for (float& w : net.parameter("conv2.weight")) w *= 2;
  check_both();
  CHECK(values<float>(fixed.predict(x)) != first);

  net.initialize(9);
  check_both();

  sgd<float> optimizer(net, {.learning_rate = 0.5});
  const softmax_cross_entropy<float> loss;
  const std::vector<std::int32_t> labels{0, 1};
  const auto before = values<float>(fixed.predict(x));
  for (int step = 0; step < 2; ++step) {
    run.forward(x);
    loss(run, labels);
    run.backward();
    optimizer.step();
    check_both();
  }
  CHECK(values<float>(fixed.predict(x)) != before);

  const view<float> kept = net.parameter("conv3.weight");
  check_both();
  for (float& w : kept) w = 0;
  fixed.repack();  // what is written through an older view must be told
  check_both();
}

TEST_CASE("in bf16 too: near fp32, filters narrowed once") {
  const auto net = mixed<float>();
  const auto x = noise<float>({4, 3, 30, 30});
  session<float> exact(net, {.threads = 2}), fixed(net, {.threads = 2, .bf16 = true, .prepack_weights = true});
  const auto want = values<float>(exact.predict(x)), got = values<float>(fixed.predict(x));
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < want.size(); ++i) difference += (got[i] - want[i]) * (got[i] - want[i]), size += want[i] * want[i];
  CHECK(std::sqrt(difference / size) < 0.05);  // three layers of at most 2 % each
  CHECK(got != want);
}

TEST_CASE("growing batches, a network that moved, weights read from a file") {
  auto first = mixed<float>();
  const auto x = noise<float>({5, 3, 30, 30});
  const view<const float> one(x.data(), {1, 3, 30, 30});
  session<float> fresh(first), fixed(first, {.prepack_weights = true});
  const auto check_both = [&](const view<const float>& images) {
    check_near<float>(values<float>(fixed.predict(images)), values<float>(fresh.predict(images)));
  };
  check_both(one);
  check_both(x);
  network<float> moved = std::move(first);
  check_both(one);

  const temporary_folder folder;
  const std::string path = folder / "weights.safetensors";
  auto second = mixed<float>();
  second.initialize(3);
  save_weights(second, path);
  const auto before = values<float>(fixed.predict(one));
  load_weights(moved, path);
  check_both(one);
  CHECK(values<float>(fixed.predict(one)) != before);
}

TEST_CASE("a regularization loss is no edit: weights stay packed") {
  auto net = mixed<float>();
  const auto x = noise<float>({1, 3, 30, 30});
  const sgd<float> optimizer(net, {.weight_decay = 0.1});
  session<float> run(net, {.prepack_weights = true});
  run.predict(x);
  const view<float> older = net.parameter("conv3.weight");
  const auto first = values<float>(run.predict(x));
  for (float& w : older) w = 0;  // not told, so what is packed stays as long as nothing else is an edit
  CHECK(optimizer.regularization_loss() > 0);
  CHECK(values<float>(run.predict(x)) == first);
  run.repack();
  CHECK(values<float>(run.predict(x)) != first);
}
