// A training step asks for no memory: every operator new of this program is counted.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "minicnn/alexnet.hpp"
#include "minicnn/train/adam.hpp"
#include "minicnn/train/clip.hpp"
#include "minicnn/train/loss.hpp"
#include "minicnn/train/sgd.hpp"

namespace {
std::atomic<long> allocations{0};

void* counted(std::size_t bytes, std::size_t align) {
  allocations += 1;
  void* block = nullptr;
  if (posix_memalign(&block, align < sizeof(void*) ? sizeof(void*) : align, bytes == 0 ? 1 : bytes) != 0) return nullptr;
  return block;
}
void* counted_or_throw(std::size_t bytes, std::size_t align) {
  void* block = counted(bytes, align);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
}  // namespace

#if defined(__GNUC__) && !defined(__clang__)
// These replacements do belong together; g++ only sees malloc's family meet delete once they are inlined.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

void* operator new(std::size_t n) { return counted_or_throw(n, 16); }
void* operator new[](std::size_t n) { return counted_or_throw(n, 16); }
void* operator new(std::size_t n, std::align_val_t a) { return counted_or_throw(n, static_cast<std::size_t>(a)); }
void* operator new[](std::size_t n, std::align_val_t a) { return counted_or_throw(n, static_cast<std::size_t>(a)); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return counted(n, 16); }
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return counted(n, static_cast<std::size_t>(a));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

using namespace minicnn;

namespace {

/// Allocations of five steps after the first, the last with a smaller batch.
template <class Optimizer, class Options>
long allocations_of(network<float> net, Options options) {
  Optimizer optimizer(net, options);
  const softmax_cross_entropy<float> loss;
  const tensor<float> images({4, 3, 67, 67}, 0.5F);
  const std::int32_t labels[] = {0, 1, 1, 0};
  long before = 0;
  for (int step = 0; step < 6; ++step) {
    const index_t n = step == 5 ? 3 : 4;
    net.forward(view<const float>(images.data(), {n, 3, 67, 67}));
    loss(net, std::span<const std::int32_t>(labels, static_cast<std::size_t>(n)));
    net.backward();
    const gradient_clip clip = clip_gradients(net, 1.0);
    if (!optimizer.step(1.0, clip)) return -1;
    if (step == 0) before = allocations;
  }
  return allocations - before;
}

alexnet_options narrow(int threads) {
  return {.image_size = 67, .filters = {12, 32, 48, 48, 32}, .dense_units = 64, .network = {.threads = threads}};
}

}  // namespace

TEST_CASE("the counter counts") {
  const long before = allocations;
  ::operator delete(::operator new(8));  // a new-expression might be left out by the compiler
  CHECK(allocations == before + 1);
}

TEST_CASE("no operator new in a training step, for any AlexNet, optimizer and number of threads") {
  for (const int threads : {1, 2}) {
    CHECK(allocations_of<adam<float>>(alexnet<float>(narrow(threads)), adam_options{}) == 0);
    CHECK(allocations_of<sgd<float>>(alexnet_bn<float>(narrow(threads)), sgd_options{.momentum = 0.9}) == 0);
    CHECK(allocations_of<sgd<float>>(alexnet_2012<float>(narrow(threads)), sgd_options{.momentum = 0.9}) == 0);
  }
}
