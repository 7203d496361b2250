#pragma once
/// Products by a library with BLAS's own interface, which is column-major: C^T = B^T A^T.

#include "gemm_shapes.hpp"

extern "C" void sgemm_(const char* transpose_a, const char* transpose_b, const int* m, const int* n, const int* k,
                       const float* alpha, const float* a, const int* lda, const float* b, const int* ldb, const float* beta,
                       float* c, const int* ldc);

namespace bench {

inline void blas_products(int argc, char** argv, const char* library) {
  compare_products(argc, argv, library, [](int m, int n, int k, const float* a, const float* b, bool b_transposed, float* c) {
    const float one = 1.0F, zero = 0.0F;
    sgemm_(b_transposed ? "T" : "N", "N", &n, &m, &k, &one, b, b_transposed ? &k : &n, a, &k, &zero, c, &n);
  });
}

}  // namespace bench
