#pragma once
/// Geometries that the kernels of max and average pooling are tried on.

#include <vector>

#include "minicnn/kernels/pool/pooling.hpp"

/// Odd sizes around the vector widths, both vector strides and a scalar one, padding, incomplete windows, bins.
inline std::vector<minicnn::kernels::pool_geometry> pool_cases() {
  using minicnn::index_t;
  using minicnn::kernels::pool_axis;
  std::vector<minicnn::kernels::pool_geometry> out;
  const auto axis = [](index_t in, index_t kernel, index_t stride, index_t pad, bool ceil) {
    return pool_axis{in, (in + 2 * pad - kernel + (ceil ? stride - 1 : 0)) / stride + 1, kernel, stride, pad, pad};
  };
  for (index_t width : {1, 2, 5, 8, 13, 16, 27, 33, 55, 70})
    for (index_t stride : {1, 2, 3})
      for (index_t kernel : {1, 2, 3, 5})
        for (index_t pad : {0, 1}) {
          if (kernel > width || pad >= kernel) continue;
          out.push_back({axis(width < 9 ? width : 6, kernel, stride, pad, false), axis(width, kernel, stride, pad, false)});
        }
  out.push_back({axis(8, 3, 2, 0, true), axis(34, 3, 2, 0, true)});
  out.push_back({axis(3, 3, 1, 1, false), axis(955, 3, 1, 1, false)});
  out.push_back({axis(2, 2, 1, 0, false), axis(1030, 2, 1, 0, false)});
  out.push_back({axis(4, 3, 1, 1, false), axis(45, 40, 1, 0, false)});
  out.push_back({axis(20, 20, 1, 0, false), axis(40, 30, 1, 0, false)});
  out.push_back({pool_axis::bins(7, 3), pool_axis::bins(40, 17)});
  out.push_back({pool_axis::bins(6, 3), pool_axis::bins(40, 20)});
  out.push_back({pool_axis::bins(13, 1), pool_axis::bins(13, 1)});
  return out;
}
