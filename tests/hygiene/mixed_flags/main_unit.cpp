// One of two units that are compiled with different flags.
#include <minicnn/core/tensor.hpp>
#include <minicnn/kernels/product/gemm.hpp>

float sum_in_other_unit();
#if defined(PASS_A_TENSOR)
void change_in_other_unit(minicnn::tensor<float>& x);
#endif

int main() {
  minicnn::tensor<float> x({2, 2}, 1.0F);
#if defined(PASS_A_TENSOR)
  change_in_other_unit(x);
#endif
  return x[0] + x[3] == 2.0F && sum_in_other_unit() == 8.0F ? 0 : 1;
}
