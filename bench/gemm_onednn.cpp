/// oneDNN's matrix products. OMP_NUM_THREADS=2 for the figures of docs/benchmarks.md.

#include <dnnl.h>

#include "gemm_shapes.hpp"

int main(int argc, char** argv) {
  bench::compare_products(argc, argv, "onednn",
                          [](int m, int n, int k, const float* a, const float* b, bool b_transposed, float* c) {
                            dnnl_sgemm('N', b_transposed ? 'T' : 'N', m, n, k, 1.0F, a, k, b, b_transposed ? k : n, 0.0F, c, n);
                          });
}
