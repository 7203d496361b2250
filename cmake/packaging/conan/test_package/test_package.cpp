#include <minicnn/core/tensor.hpp>

int main() { return minicnn::tensor<>({2, 3}, 1.0F).size() == 6 ? 0 : 1; }
