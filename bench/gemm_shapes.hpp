#pragma once
/// The shapes that matrix products are compared at, for minicnn and its peers alike: C (M x N) = A (M x K) B, as AlexNet's layers
/// ask for them. Dense layers multiply by a transposed B, as weights (out, in) are stored; "plain": the same product of a B (K x
/// N) as it is, as libraries are often compared.

#include <string>

#include "minicnn/core/arena.hpp"
#include "peak.hpp"

namespace bench {

struct product_shape {
  const char* name;
  int m, n, k;
  bool b_transposed;
};

inline constexpr product_shape product_shapes[] = {
    {"conv1", 96, 3025, 363, false},         {"conv2", 256, 729, 2400, false},        {"conv3", 384, 169, 2304, false},
    {"conv4", 384, 169, 3456, false},        {"fc1_20", 20, 4096, 9216, true},        {"fc1_128", 128, 4096, 9216, true},
    {"fc2_20", 20, 4096, 4096, true},        {"fc1_20_plain", 20, 4096, 9216, false}, {"fc1_128_plain", 128, 4096, 9216, false},
    {"fc2_20_plain", 20, 4096, 4096, false}, {"cube_2048", 2048, 2048, 2048, false}};

/// Threads of all peers: two, as the figures in docs/benchmarks.md; the environment's OMP_NUM_THREADS for libraries that ask it.
inline constexpr int peer_threads = 2;

/// `multiply(m, n, k, a, b, b_transposed, c)` at every shape, all matrices row-major.
template <class F>
void compare_products(int argc, char** argv, const char* library, const F& multiply) {
  benchmark::RegisterBenchmark("peak", fma_peak)->UseRealTime()->Unit(benchmark::kMillisecond)->Arg(peer_threads);
  for (const product_shape& s : product_shapes)
    benchmark::RegisterBenchmark((std::string(library) + "/" + s.name).c_str(),
                                 [s, &multiply](benchmark::State& state) {
                                   const auto filled = [](int count, int period) {
                                     minicnn::aligned_buffer<float> out(count);
                                     for (int i = 0; i < count; ++i)
                                       out.data()[i] = static_cast<float>(i % period - period / 2) * 0.1F;
                                     return out;
                                   };
                                   auto a = filled(s.m * s.k, 17), b = filled(s.k * s.n, 13), c = filled(s.m * s.n, 11);
                                   for (auto _ : state) multiply(s.m, s.n, s.k, a.data(), b.data(), s.b_transposed, c.data());
                                   report(state, 2.0 * s.m * s.n * s.k);
                                 })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  benchmark::Initialize(&argc, argv);
  if (!benchmark::ReportUnrecognizedArguments(argc, argv)) benchmark::RunSpecifiedBenchmarks();
}

}  // namespace bench
