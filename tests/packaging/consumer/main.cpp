// A program outside the library's tree, which computes something.
#include <minicnn/core/parallel.hpp>
#include <minicnn/core/tensor.hpp>

#include <cstdio>

int main() {
  minicnn::tensor<> squares({2, 3});
  minicnn::parallel_for(2, squares.size(), 1, [&](minicnn::index_t begin, minicnn::index_t end) {
    for (minicnn::index_t i = begin; i < end; ++i) squares[i] = static_cast<float>(i * i);
  });
  std::printf("minicnn %s: %g\n", minicnn::version_string, static_cast<double>(squares(1, 2)));
  return squares(1, 2) == 25.0F ? 0 : 1;
}
