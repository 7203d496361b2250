#pragma once
/// The most multiply-adds this machine can do: what GFLOP/s of kernels are to be compared with.

#include <benchmark/benchmark.h>

#include "minicnn/core/context.hpp"
#include "minicnn/kernels/product/tile.hpp"

namespace bench {

struct peak_kernel {
  /// Independent multiply-adds on registers alone.
  template <class V>
  MINICNN_INLINE static void run(minicnn::index_t steps, float* out) {
    minicnn::kernels::vec<float, V> sum[12], factor = minicnn::kernels::vec<float, V>{} + 0.999F,
                                             term = minicnn::kernels::vec<float, V>{} + 0.001F;
    MINICNN_UNROLL
    for (int i = 0; i < 12; ++i)
      sum[i] = minicnn::kernels::vec<float, V>{} + static_cast<float>(i);  // different, or they become one
    for (minicnn::index_t k = 0; k < steps; ++k) {
      MINICNN_UNROLL
      for (int i = 0; i < 12; ++i) sum[i] = sum[i] * factor + term;
    }
    MINICNN_UNROLL
    for (int i = 1; i < 12; ++i) sum[0] += sum[i];
    *out = sum[0][0];
  }
};

inline void report(benchmark::State& state, double flop) {
  state.counters["GFLOP/s"] = benchmark::Counter(flop * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

/// Argument: threads.
inline void fma_peak(benchmark::State& state) {
  const minicnn::context ctx{static_cast<int>(state.range(0)), minicnn::default_isa()};
  const minicnn::index_t steps = 1000000;
  for (auto _ : state)
    minicnn::parallel_tasks(ctx.threads, ctx.threads, [&](minicnn::index_t, int) {
      float out = 0;
      minicnn::kernels::dispatch<peak_kernel>(ctx.instruction_set, steps, &out);
      benchmark::DoNotOptimize(out);
    });
  report(state, 2.0 * 12 * steps * ctx.threads * minicnn::kernels::vector_bytes(ctx.instruction_set) / 4);
}

}  // namespace bench
