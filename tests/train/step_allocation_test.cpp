// A training step asks for no memory: every operator new of this program is counted.
#include <doctest/doctest.h>

#include "counted_new.hpp"
#include "minicnn/alexnet.hpp"
#include "minicnn/train/adam.hpp"
#include "minicnn/train/clip.hpp"
#include "minicnn/train/loss.hpp"
#include "minicnn/train/sgd.hpp"

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
