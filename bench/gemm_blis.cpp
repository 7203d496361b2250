/// BLIS's matrix products. BLIS_NUM_THREADS=2 for the figures of docs/benchmarks.md.

#include "gemm_fortran.hpp"

int main(int argc, char** argv) { bench::blas_products(argc, argv, "blis"); }
