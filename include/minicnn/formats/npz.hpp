#pragma once
/// NumPy's .npz: a zip archive with one .npy file (format version 1.0) a tensor. `numpy.load("f.npz")["conv1.weight"]`.

#include <span>
#include <string>
#include <string_view>

#include "minicnn/formats/zip_writer.hpp"
#include "minicnn/io/tensor_bytes.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// The header of a .npy file: magic, version, length, a Python literal, spaces up to a multiple of 64 bytes.
inline std::string npy_header(std::string_view descr, const shape& dims) {
  std::string text = text_of("{'descr': '", descr, "', 'fortran_order': False, 'shape': (");
  for (const index_t extent : dims) text += to_text(extent) + (dims.rank() == 1 ? "," : ", ");
  if (dims.rank() > 1) text.resize(text.size() - 2);
  text += "), }";
  text.append(63 - (10 + text.size()) % 64, ' ');
  text += '\n';
  std::string out("\x93NUMPY\x01\x00", 8);
  append_little_endian(out, text.size(), 2);
  return out + text;
}

}  // namespace detail

/// Writes the tensors, stored as F64, F32 or F16. Throws option_error for other types, which NumPy does not have, and
/// file_error if writing fails.
template <class T>
void write_npz(const std::string& path, std::span<const named_tensor<T>> tensors) {
  zip_writer out(path);
  std::string buffer;
  for (const named_tensor<T>& one : tensors) {
    if (one.stored > dtype::f16) fail<option_error>("npz: tensor \"", one.name, "\": NumPy has no ", dtype_name(one.stored));
    const std::string header = detail::npy_header(text_of("<f", dtype_size(one.stored)), one.values.dims());
    out.add(one.name + ".npy", {header, tensor_bytes(one, buffer)});
  }
  out.commit();
}

}  // namespace minicnn::inline MINICNN_ABI
