#pragma once
// Small files in the formats of MNIST and CIFAR-10, as bytes.
#include <string>
#include <vector>

#include "pictures.hpp"

namespace picture_files {

using pictures::bytes;

inline void put_big_endian(bytes& out, std::size_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<unsigned char>(value >> shift));
}

/// Pixel i of picture k is (31 k + i) mod 251.
inline bytes idx_pictures(unsigned count, unsigned rows = 28, unsigned columns = 28) {
  bytes out;
  for (const std::size_t n : {std::size_t{2051}, std::size_t{count}, std::size_t{rows}, std::size_t{columns}})
    put_big_endian(out, n);
  for (unsigned k = 0; k < count; ++k)
    for (unsigned i = 0; i < rows * columns; ++i) out.push_back(static_cast<unsigned char>((31 * k + i) % 251));
  return out;
}

inline bytes idx_labels(const std::vector<int>& labels) {
  bytes out;
  put_big_endian(out, 2049);
  put_big_endian(out, labels.size());
  for (const int label : labels) out.push_back(static_cast<unsigned char>(label));
  return out;
}

/// Records of one colour a picture: red 10 k, green 20 k, blue 200 - k, all modulo 256.
inline bytes cifar10_records(const std::vector<int>& labels) {
  bytes out;
  for (std::size_t k = 0; k < labels.size(); ++k) {
    out.push_back(static_cast<unsigned char>(labels[k]));
    for (const std::size_t value : {10 * k, 20 * k, 200 - k}) out.insert(out.end(), 1024, static_cast<unsigned char>(value));
  }
  return out;
}

}  // namespace picture_files
