// Memory does not grow with the number of steps or predictions.
#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>

#include "minicnn/alexnet.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/train/adam.hpp"
#include "minicnn/train/callbacks.hpp"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

using namespace minicnn;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// A sanitizer keeps freed blocks for a while; leaks it finds by itself.
constexpr bool measured = false;
constexpr int fewer = 20;
#else
constexpr bool measured = true;
constexpr int fewer = 1;
#endif

constexpr double mebibyte = 1048576;

double resident_bytes() {
#if defined(__GLIBC__)
  ::malloc_trim(0);  // what is free does not count, wherever it lies
#endif
  std::ifstream file("/proc/self/statm");
  double total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

network<float> xor_network() {
  graph<float> g;
  return network<float>(std::move(g), {dense(tanh(dense(g.input({2}), 4)), 2)}, {.seed = 1, .threads = 1});
}

struct four_points {
  struct batch {
    view<const float> images;
    std::span<const std::int32_t> labels;
  };
  tensor<float> x{{4, 2}, {0, 0, 0, 1, 1, 0, 1, 1}};
  std::vector<std::int32_t> y{0, 1, 1, 0};
  batch all{x, y};
  bool given = false;
  static index_t size() { return 4; }
  static index_t batches() { return 1; }
  void start_epoch(index_t, index_t first = 0) { given = first > 0; }
  const batch* next() { return std::exchange(given, true) ? nullptr : &all; }
};

}  // namespace

TEST_CASE("F60 XOR: 50,000 epochs of four samples take no memory, and learn") {
  auto net = xor_network();
  session run(net);
  adam<float> optimizer(net, {.learning_rate = 0.01});
  const softmax_cross_entropy<float> loss;
  const four_points data;
  const auto epochs = [&](int count) {
    double last = 0;
    for (int i = 0; i < count; ++i) {
      run.forward(data.x);
      last = loss(run, data.y);
      run.backward();
      optimizer.step();
    }
    return last;
  };
  epochs(1000);
  const double before = resident_bytes();
  CHECK(epochs(50000 / fewer) < 0.01);
  if (measured) CHECK(resident_bytes() - before < mebibyte);
}

TEST_CASE("F60 fit: 50,000 epochs with validation keep one record each and nothing else") {
  auto net = xor_network();
  adam<float> optimizer(net, {.learning_rate = 0.01});
  four_points train, validation;
  constexpr int epochs = 50000 / fewer;
  double before = 0;
  lambda_callback measure({.on_epoch = [&](const epoch_record& e, const evaluation&) {
    if (e.epoch == 1000) before = resident_bytes();
  }});
  const auto history =
      fit(net, optimizer, classification<float>(), train, validation, {.epochs = epochs, .callbacks = {&measure}});
  CHECK(history.size() == epochs);
  // The list of records doubles when it is full and returns a copy: up to three times its size at the end.
  if (measured) CHECK(resident_bytes() - before < mebibyte + 3.0 * epochs * sizeof(epoch_record));
}

TEST_CASE("F60 AlexNet: 1,000 predictions take no memory, with a workspace or without") {
  const auto net = alexnet<float>({.image_size = 63, .dense_units = 512});
  const tensor<float> image({1, 3, 63, 63}, 0.5F);
  session<float> space(net, {.threads = 1});
  const auto predictions = [&](int count) {
    for (int i = 0; i < count; ++i) i % 2 == 0 ? (void)space.predict(image) : (void)net.predict(image);
  };
  predictions(20);
  const double before = resident_bytes();
  predictions(1000 / fewer);
  if (measured) CHECK(resident_bytes() - before < mebibyte);
}
