/// Eigen's matrix products, compiled for this machine (-march=native, as Eigen has no choice at run time).

#include <Eigen/Core>

#include "gemm_shapes.hpp"

int main(int argc, char** argv) {
  using row_major = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Eigen::setNbThreads(bench::peer_threads);
  bench::compare_products(argc, argv, "eigen",
                          [](int m, int n, int k, const float* a, const float* b, bool b_transposed, float* c) {
                            const Eigen::Map<const row_major> left(a, m, k);
                            Eigen::Map<row_major> product(c, m, n);
                            if (b_transposed)
                              product.noalias() = left * Eigen::Map<const row_major>(b, n, k).transpose();
                            else
                              product.noalias() = left * Eigen::Map<const row_major>(b, k, n);
                          });
}
