#pragma once
/// Reads the golden files and makes the tensors that they do not store: the C++ twin of make_golden.py.

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "minicnn/core/tensor.hpp"
#include "minicnn/io/safetensors.hpp"

#ifndef MINICNN_TEST_GOLDEN_DIR
#define MINICNN_TEST_GOLDEN_DIR "tests/golden"
#endif

namespace golden {

using minicnn::index_t;
using minicnn::safetensors_file;
using minicnn::shape;
using minicnn::tensor;
using minicnn::view;

/// Which sequence of values a tensor takes; make_golden.py has the same list.
enum salt : std::uint64_t {
  input = 1,
  weight = 2,
  bias = 3,
  upstream = 4,
  mean = 5,
  variance = 6,
  target = 7,
  parameter = 8,
  step = 100
};

/// Number `i` of a sequence in [-0.5, 0.5), a multiple of 2^-32: a 64-bit hash (the finaliser of SplitMix64), upper half.
inline double value(index_t i, std::uint64_t salt) {
  std::uint64_t x = static_cast<std::uint64_t>(i) + 1 + salt * 0x9E3779B97F4A7C15ULL;
  x ^= x >> 30;
  x *= 0xBF58476D1CE4E5B9ULL;
  x ^= x >> 27;
  x *= 0x94D049BB133111EBULL;
  x ^= x >> 31;
  return static_cast<double>(x >> 32) * 0x1p-32 - 0.5;
}

/// Sets every element to shift + scale * value(i, salt), in row-major order.
template <class T>
void fill(view<T> out, std::uint64_t salt, double scale = 1.0, double shift = 0.0) {
  for (index_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(shift + scale * value(i, salt));
}

/// A new tensor so filled.
template <class T = double>
tensor<T> filled(const shape& dims, std::uint64_t salt, double scale = 1.0, double shift = 0.0) {
  tensor<T> out(dims);
  fill(view<T>(out), salt, scale, shift);
  return out;
}

/// "conv2d" -> the path of conv2d.safetensors.
inline std::string path(std::string_view name) {
  return std::string(MINICNN_TEST_GOLDEN_DIR) + "/" + std::string(name) + ".safetensors";
}

/// Opens a golden file by name.
inline safetensors_file open(std::string_view name) { return safetensors_file::open(path(name)); }

/// |got - wanted| / |wanted|, Euclidean, summed in double; |got| where wanted is 0 throughout. Throws if the shapes differ.
/// NaN if an element is: compare as CHECK(relative_difference(...) < bound), which NaN fails.
template <class A, class B>
double relative_difference(view<A> got, view<B> wanted) {
  if (!(got.dims() == wanted.dims())) minicnn::fail<minicnn::shape_error>("golden: got ", got.dims(), ", wanted ", wanted.dims());
  double difference = 0, size = 0;
  for (index_t i = 0; i < got.size(); ++i) {
    const double g = static_cast<double>(got[i]), w = static_cast<double>(wanted[i]);
    difference += (g - w) * (g - w);
    size += w * w;
  }
  return std::sqrt(difference) / (size > 0 ? std::sqrt(size) : 1.0);
}

/// The same against a tensor of a golden file. A name that ends with ".sample" holds every 7th element, one that ends with
/// "input.gradient.sample" every 97th: the same elements of `got` are compared.
template <class A>
double relative_difference(view<A> got, const safetensors_file& file, std::string_view name) {
  const tensor<double> wanted = file.load<double>(name);
  if (!name.ends_with(".sample")) return relative_difference(got, view<const double>(wanted));
  const index_t every = name.ends_with("input.gradient.sample") ? 97 : 7;
  tensor<double> taken(shape{(got.size() + every - 1) / every});
  for (index_t i = 0; i < taken.size(); ++i) taken[i] = static_cast<double>(got[i * every]);
  return relative_difference(view<const double>(taken), view<const double>(wanted));
}

/// Euclidean length, as the ".length" tensors hold it.
template <class A>
double length(view<A> x) {
  double sum = 0;
  for (index_t i = 0; i < x.size(); ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return std::sqrt(sum);
}

}  // namespace golden
