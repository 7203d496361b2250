// A training step asks for no memory: every operator new of this program is counted.
#include <doctest/doctest.h>

#include <thread>

#include "counted_new.hpp"
#include "minicnn/alexnet.hpp"
#include "minicnn/train/adam.hpp"
#include "minicnn/train/callbacks.hpp"
#include "minicnn/train/classification.hpp"
#include "minicnn/train/clip.hpp"
#include "minicnn/train/loss.hpp"
#include "minicnn/train/sgd.hpp"
#include "minicnn/train/trainer.hpp"
#include "team_of_threads.hpp"

using namespace minicnn;

namespace {

/// Allocations of five steps after the first, the last with a smaller batch.
template <class Optimizer, class Options>
long allocations_of(network<float> net, Options options) {
  session run(net);
  Optimizer optimizer(net, options);
  const softmax_cross_entropy<float> loss;
  const tensor<float> images({4, 3, 67, 67}, 0.5F);
  const std::int32_t labels[] = {0, 1, 1, 0};
  long before = 0;
  for (int step = 0; step < 6; ++step) {
    const index_t n = step == 5 ? 3 : 4;
    run.forward(view<const float>(images.data(), {n, 3, 67, 67}));
    loss(run, std::span<const std::int32_t>(labels, static_cast<std::size_t>(n)));
    run.backward();
    const gradient_clip clip = clip_gradients(net, 1.0);
    if (!optimizer.step(1.0, clip)) return -1;
    if (step == 0) before = counted_new::allocations;
  }
  return counted_new::allocations - before;
}

alexnet_options narrow(int threads) {
  return {.image_size = 67, .filters = {12, 32, 48, 48, 32}, .dense_units = 64, .network = {.threads = threads}};
}

}  // namespace

TEST_CASE("the counter counts") {
  const long before = counted_new::allocations;
  ::operator delete(::operator new(8));  // a new-expression might be left out by the compiler
  CHECK(counted_new::allocations == before + 1);
}

TEST_CASE("no operator new in a training step, for any AlexNet, optimizer and number of threads") {
  for (const int threads : {1, 2}) {
    CHECK(allocations_of<adam<float>>(alexnet<float>(narrow(threads)), adam_options{}) == 0);
    CHECK(allocations_of<sgd<float>>(alexnet_bn<float>(narrow(threads)), sgd_options{.momentum = 0.9}) == 0);
    CHECK(allocations_of<sgd<float>>(alexnet_2012<float>(narrow(threads)), sgd_options{.momentum = 0.9}) == 0);
  }
}

namespace {

/// Grey pictures: batches of 8, the last of 5.
struct grey_pictures {
  tensor<float> images = tensor<float>({8, 3, 67, 67}, 0.5F);
  std::int32_t labels[8] = {0, 1, 1, 0, 1, 0, 0, 1};
  index_t left = 0;
  batch<float> now = {};
  index_t size() const { return 37; }
  index_t batches() const { return 5; }
  void start_epoch(index_t, index_t) { left = size(); }
  const batch<float>* next() {
    const index_t n = (std::min)(left, index_t{8});
    if (n == 0) return nullptr;
    left -= n;
    now.images = view<const float>(images.data(), {n, 3, 67, 67});
    now.labels = std::span<const std::int32_t>(labels, static_cast<std::size_t>(n));
    return &now;
  }
};

}  // namespace

TEST_CASE("no operator new in the steps of a trainer, by whole batches, by shards and on several ranks") {
  for (const index_t shards : {1, 3}) {
    std::atomic<long> before{0}, after{0};
    {
      auto net = alexnet_bn<float>(narrow(1));
      sgd<float> optimizer(net, {.learning_rate = 0.01, .momentum = 0.9});
      const classification<float> task;
      grey_pictures data;
      lambda_callback count({.on_step = [&](const step_report& s) {
        if (s.batch == 1) before = counted_new::allocations.load();
        if (s.batch == 5) after = counted_new::allocations.load();
      }});
      fit_options o;
      o.epochs = 1, o.shards = shards, o.callbacks = {&count};
      trainer<float> loop(net, optimizer, task, data, o);
      loop.run();
    }
    CHECK(before > 0);
    CHECK(after - before == 0);
    if (shards == 1) continue;
    // The other rank may still be in its first step when rank 0 has done it, but no longer when both have done the second. It
    // waits in its last one, since the epoch's end allocates.
    std::atomic<bool> counted{false};
    const auto errors = threads_as_ranks::run(2, [&](team& me) {
      auto net = alexnet_bn<float>(narrow(1));
      sgd<float> optimizer(net, {.learning_rate = 0.01, .momentum = 0.9});
      const classification<float> task;
      grey_pictures data;
      lambda_callback count({.on_step = [&](const step_report& s) {
        if (s.batch == 2 && me.rank() == 0) before = counted_new::allocations.load();
        if (s.batch == 5 && me.rank() == 0) after = counted_new::allocations.load(), counted = true;
        while (s.batch == 5 && !counted) std::this_thread::yield();
      }});
      fit_options o;
      o.epochs = 1, o.shards = shards, o.ranks = &me, o.callbacks = {&count};
      trainer<float> loop(net, optimizer, task, data, o);
      loop.run();
    });
    for (const std::string& e : errors) CHECK(e == "");
    CHECK(after - before == 0);
  }
}
