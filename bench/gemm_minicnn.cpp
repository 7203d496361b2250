/// minicnn's matrix products at the shapes that its peers are timed at (gemm_openblas, gemm_blis, gemm_onednn, gemm_eigen).

#include "gemm_shapes.hpp"
#include "minicnn/kernels/product/gemm.hpp"

int main(int argc, char** argv) {
  using namespace minicnn;
  const context ctx{bench::peer_threads, default_isa()};
  aligned_buffer<std::byte> memory(kernels::gemm_scratch_bytes<float>(ctx.threads, 4096, 4096, 9216));
  bench::compare_products(
      argc, argv, "minicnn", [&](int m, int n, int k, const float* a, const float* b, bool b_transposed, float* c) {
        scratch work(memory.data(), memory.size());
        const auto right =
            b_transposed ? kernels::transposed(kernels::row_major<float>(b, n, k)) : kernels::row_major<float>(b, k, n);
        kernels::gemm<float>(ctx, kernels::row_major<float>(a, m, k), right, c, n, {}, work);
      });
}
