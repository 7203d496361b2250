// The other one: the same headers, other flags.
#include <minicnn/core/tensor.hpp>
#include <minicnn/kernels/product/gemm.hpp>

float sum_in_other_unit();
float sum_in_other_unit() {
  const minicnn::tensor<float> x({2, 4}, 1.0F);
  float sum = 0;
  for (const float value : x) sum += value;
  return sum;
}

void change_in_other_unit(minicnn::tensor<float>& x);
void change_in_other_unit(minicnn::tensor<float>& x) { x[0] = 1.0F; }
