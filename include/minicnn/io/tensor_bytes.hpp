#pragma once
/// Tensors on their way into a file: under which name, in which type, as which bytes.

#include <bit>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>

#include "minicnn/core/tensor.hpp"
#include "minicnn/io/dtype.hpp"

namespace minicnn::inline MINICNN_ABI {

/// A tensor as a file will have it. Only the view is kept.
template <class T>
struct named_tensor {
  std::string name;
  view<const T> values;
  dtype stored = dtype_of<T>();
};

/// Throws error, naming the tensor, if it has a finite value that the type it is to be stored in cannot hold.
template <class T>
void check_range(const named_tensor<T>& tensor) {
  if (tensor.stored != dtype::f16 && tensor.stored != dtype::bf16) return;
  const double limit = tensor.stored == dtype::f16 ? 65520.0 : 0x1.FFp127;  // from here on rounding gives infinity
  for (const T value : tensor.values)
    if (std::isfinite(value) && std::abs(static_cast<double>(value)) >= limit)
      fail("tensor \"", tensor.name, "\": ", value, " is too large for ", dtype_name(tensor.stored));
}

/// The elements of a float or double tensor as `stored` (F64, F32, F16 or BF16, rounded to nearest even), little-endian. The
/// text returned lies in `buffer`, or is the tensor's own memory where nothing has to be converted. Throws as `check_range`.
template <class T>
std::string_view tensor_bytes(const named_tensor<T>& tensor, std::string& buffer) {
  const view<const T>& values = tensor.values;
  if (tensor.stored == dtype_of<T>() && std::endian::native == std::endian::little)
    return {reinterpret_cast<const char*>(values.data()), static_cast<std::size_t>(values.size()) * sizeof(T)};
  detail::with_dtype(tensor.stored, [&](auto to) {
    using stored = decltype(to);
    if constexpr (dtype_of<stored>() <= dtype::bf16) {
      check_range(tensor);
      buffer.resize(static_cast<std::size_t>(values.size()) * sizeof(stored));
      auto* place = reinterpret_cast<unsigned char*>(buffer.data());
      for (const T value : values) {
        detail::store_little_endian(detail::convert_element<stored>(value), place);
        place += sizeof(stored);
      }
    } else {
      fail<option_error>("tensor \"", tensor.name, "\": cannot store ", dtype_name(dtype_of<T>()), " as ",
                         dtype_name(tensor.stored));
    }
  });
  return buffer;
}

}  // namespace minicnn::inline MINICNN_ABI
