#pragma once
// Tensors of normally distributed numbers, for tests that want any numbers.

#include <cstdint>

#include "minicnn/core/random.hpp"
#include "minicnn/core/tensor.hpp"

template <class T = float>
minicnn::tensor<T> noise(const minicnn::shape& dims, std::uint64_t seed = 5) {
  minicnn::tensor<T> out(dims);
  minicnn::random_stream r{minicnn::random_key(seed)};
  for (T& x : out) x = static_cast<T>(r.normal());
  return out;
}
