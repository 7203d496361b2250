// Networks and layers in containers, pools and packed structs; views that begin anywhere; allocators that align as little as
// they may. Vector instructions must not ask for more than the language promises.
#include <doctest/doctest.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#include "field_cases/small_network.hpp"
#include "minicnn/graph/session.hpp"
#include "minicnn/train/adam.hpp"

namespace {

/// Every plain `operator new` of this program returns an address that is 16 beyond a multiple of 64: no better aligned than
/// the language asks for.
void* barely_aligned(std::size_t bytes) {
  void* block = nullptr;
  if (posix_memalign(&block, 64, bytes + 16) != 0) throw std::bad_alloc();
  return static_cast<char*>(block) + 16;
}
/// Not inlined: g++ would see free() given what it takes for the address of a plain operator new.
__attribute__((noinline)) void give_back(void* p) noexcept {
  if (p != nullptr) std::free(static_cast<char*>(p) - 16);
}

}  // namespace

void* operator new(std::size_t bytes) { return barely_aligned(bytes); }
void* operator new[](std::size_t bytes) { return barely_aligned(bytes); }
void operator delete(void* p) noexcept { give_back(p); }
void operator delete[](void* p) noexcept { give_back(p); }
void operator delete(void* p, std::size_t) noexcept { give_back(p); }
void operator delete[](void* p, std::size_t) noexcept { give_back(p); }

using namespace minicnn;

namespace {

/// A training step and a prediction; returns the logits.
std::vector<float> used(network<float>& net) {
  session run(net);
  const tensor<float> x = small::noise({3, 3, 16, 16}, 1);
  adam<float> optimizer(net);
  run.forward(x);
  for (float& g : run.output_gradient()) g = 0.1F;
  run.backward();
  optimizer.step();
  return small::copy_of(net.predict(x));
}

}  // namespace

TEST_CASE("F66 plain operator new aligns to 16 here") {
  const auto number = std::make_unique<double>(1.0);
  CHECK(reinterpret_cast<std::uintptr_t>(number.get()) % 64 == 16);
}

TEST_CASE("F66 vectors of layers, shared networks, networks in a user's pool") {
  std::vector<conv2d_op<float>> layers;
  for (int i = 1; i < 20; ++i) layers.emplace_back(conv2d_options{.filters = i, .kernel = 3});  // moves at every growth
  CHECK(layers[7].options().filters == 8);

  const auto shared = std::make_shared<network<float>>(small::network({.seed = 3}));
  const std::vector<float> wanted = used(*shared);
  std::vector<network<float>> many;
  for (int i = 0; i < 3; ++i) many.push_back(small::network({.seed = 3}));
  for (network<float>& net : many) CHECK(small::same_bits(used(net), wanted));

  // The least alignment that the type asks for, in memory that belongs to somebody else.
  static_assert(alignof(network<float>) <= alignof(std::max_align_t) && alignof(tensor<float>) <= alignof(std::max_align_t));
  alignas(64) static std::byte pool[sizeof(network<float>) + 64];
  for (std::size_t at = alignof(network<float>); at < 64; at += alignof(network<float>)) {
    auto* net = new (pool + at) network<float>(small::network({.seed = 3}));
    CHECK(small::same_bits(used(*net), wanted));
    net->~network();
  }
}

TEST_CASE("F66 views begin at any float") {
  auto net = small::network({.seed = 3});
  session net_run(net);
  const tensor<float> x = small::noise({2, 3, 16, 16}, 1);
  const std::vector<float> wanted = small::copy_of(net.predict(x));
  net_run.forward(x);
  for (float& g : net_run.output_gradient()) g = 0.1F;
  net_run.backward();
  const std::vector<float> gradients = small::copy_of(net.gradient_arena());
  for (index_t at = 1; at < 17; ++at) {
    aligned_buffer<float> block(x.size() + 17);
    std::copy(x.begin(), x.end(), block.data() + at);
    const view<const float> moved(block.data() + at, x.dims());
    auto other = small::network({.seed = 3});
    session other_run(other);
    CHECK(small::same_bits(small::copy_of(other.predict(moved)), wanted));
    other_run.forward(moved);
    for (float& g : other_run.output_gradient()) g = 0.1F;
    other_run.backward();
    CHECK(small::same_bits(small::copy_of(other.gradient_arena()), gradients));
  }
}

// A float that is not on a multiple of four is undefined behaviour by the letter, which the sanitizer reports; x86 reads it.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
TEST_CASE("F66 images in a packed struct") {
#pragma pack(push, 1)
  struct record {
    char label;
    float pixels[3 * 16 * 16];
  };
#pragma pack(pop)
  static_assert(offsetof(record, pixels) == 1);
  const auto net = small::network({.seed = 3});
  const tensor<float> x = small::noise({1, 3, 16, 16}, 1);
  const auto r = std::make_unique<record>();
  std::memcpy(reinterpret_cast<char*>(r.get()) + 1, x.data(), sizeof r->pixels);
  const auto* pixels = reinterpret_cast<const float*>(reinterpret_cast<const char*>(r.get()) + 1);
  CHECK(small::same_bits(small::copy_of(net.predict(view<const float>(pixels, x.dims()))), small::copy_of(net.predict(x))));
}
#endif
