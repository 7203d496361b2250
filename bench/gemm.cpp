/// Matrix products at AlexNet's shapes, in GFLOP/s. Arguments: threads, M, N, K.

#include "minicnn/kernels/product/gemm.hpp"

#include "peak.hpp"

namespace {

using minicnn::index_t;

/// C (M x N) = A B with A, B stored as `a_transposed`, `b_transposed` say (dense layers: x W^T, dy W, dy^T x).
void multiply(benchmark::State& state, bool a_transposed, bool b_transposed) {
  const minicnn::context ctx{static_cast<int>(state.range(0)), minicnn::default_isa()};
  const index_t m = state.range(1), n = state.range(2), k = state.range(3);
  minicnn::aligned_buffer<float> a(m * k), b(k * n), c(m * n);
  for (index_t i = 0; i < m * k; ++i) a.data()[i] = static_cast<float>(i % 17 - 8) * 0.1F;
  for (index_t i = 0; i < k * n; ++i) b.data()[i] = static_cast<float>(i % 13 - 6) * 0.1F;
  const auto left = a_transposed ? minicnn::kernels::transposed(minicnn::kernels::row_major<float>(a.data(), k, m))
                                 : minicnn::kernels::row_major<float>(a.data(), m, k);
  const auto right = b_transposed ? minicnn::kernels::transposed(minicnn::kernels::row_major<float>(b.data(), n, k))
                                  : minicnn::kernels::row_major<float>(b.data(), k, n);
  const index_t bytes = minicnn::kernels::gemm_scratch_bytes<float>(ctx.threads, m, n, k);
  minicnn::aligned_buffer<std::byte> memory(bytes);
  for (auto _ : state) {
    minicnn::scratch work(memory.data(), bytes);
    minicnn::kernels::gemm<float>(ctx, left, right, c.data(), n, {}, work);
  }
  bench::report(state, 2.0 * static_cast<double>(m * n * k));
}

void plain_shapes(benchmark::internal::Benchmark* b) {
  b->UseRealTime()->Unit(benchmark::kMillisecond);
  b->Args({2, 96, 3025, 363})
      ->Args({2, 256, 729, 2400})
      ->Args({2, 384, 169, 2304})
      ->Args({2, 384, 169, 3456})
      ->Args({2, 2048, 2048, 2048});
}

/// fc1 of AlexNet for several batches: forward x W^T, backward dy W, weight gradient dy^T x.
void dense_shapes(benchmark::internal::Benchmark* b, int pass) {
  b->UseRealTime()->Unit(benchmark::kMillisecond);
  for (index_t batch : {1, 20, 64, 128}) {
    if (pass == 0) b->Args({2, batch, 4096, 9216});
    if (pass == 1) b->Args({2, batch, 9216, 4096});
    if (pass == 2) b->Args({2, 4096, 9216, batch});
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::RegisterBenchmark("peak", bench::fma_peak)->UseRealTime()->Unit(benchmark::kMillisecond)->Arg(1)->Arg(2);
  plain_shapes(benchmark::RegisterBenchmark("product", multiply, false, false));
  dense_shapes(benchmark::RegisterBenchmark("fc1/forward", multiply, false, true), 0);
  dense_shapes(benchmark::RegisterBenchmark("fc1/backward_input", multiply, false, false), 1);
  dense_shapes(benchmark::RegisterBenchmark("fc1/backward_weight", multiply, true, false), 2);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
