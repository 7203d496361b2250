#pragma once
/// ONNX models as bytes, put together by hand: what no exporter writes, and what makes inputs constants.

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "minicnn/core/shape.hpp"

namespace onnx_bytes {

using minicnn::index_t;

inline std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7FU) | 0x80U);
  return out + static_cast<char>(value);
}
/// A field of bytes, text or an inner message.
inline std::string counted(int field, const std::string& bytes) {
  return varint(static_cast<std::uint64_t>(field) << 3 | 2U) + varint(bytes.size()) + bytes;
}
inline std::string integer(int field, index_t value) {
  return varint(static_cast<std::uint64_t>(field) << 3) + varint(static_cast<std::uint64_t>(value));
}

/// An attribute of text.
inline std::string text(const std::string& name, const std::string& value) {
  return counted(1, name) + counted(4, value) + integer(20, 3);
}
/// An attribute of integers, or of one.
inline std::string integers(const std::string& name, const std::vector<index_t>& values, bool list = true) {
  std::string out = counted(1, name);
  for (const index_t v : values) out += integer(list ? 8 : 3, v);
  return out + integer(20, list ? 7 : 2);
}

/// A field `node` of a graph.
inline std::string node_message(const std::string& type, const std::vector<std::string>& inputs,
                                const std::vector<std::string>& outputs, const std::string& name = "",
                                const std::vector<std::string>& attributes = {}, const std::string& domain = "") {
  std::string out;
  for (const std::string& one : inputs) out += counted(1, one);
  for (const std::string& one : outputs) out += counted(2, one);
  if (!name.empty()) out += counted(3, name);
  out += counted(4, type);
  for (const std::string& one : attributes) out += counted(5, one);
  if (!domain.empty()) out += counted(7, domain);
  return counted(1, out);
}

/// Name, shape and type (float) of a tensor, without values.
inline std::string tensor_header(const std::string& name, const std::vector<index_t>& dims, int type = 1) {
  std::string out;
  for (const index_t d : dims) out += integer(1, d);
  return out + integer(2, type) + counted(8, name);
}
/// A tensor of floats.
inline std::string float_tensor(const std::string& name, const std::vector<index_t>& dims, const std::vector<float>& values) {
  std::string bytes;
  for (const float v : values)
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(std::bit_cast<std::uint32_t>(v) >> shift & 0xFFU);
  return tensor_header(name, dims) + counted(4, bytes);
}
/// A list of int64.
inline std::string integer_tensor(const std::string& name, const std::vector<index_t>& values) {
  std::string out = tensor_header(name, {static_cast<index_t>(values.size())}, 7);
  for (const index_t v : values) out += integer(7, v);
  return out;
}

/// A float value of a graph; the first axis is free.
inline std::string value_info(const std::string& name, const std::vector<index_t>& dims) {
  std::string extents = counted(1, counted(2, "n"));
  for (const index_t d : dims) extents += counted(1, integer(1, d));
  return counted(1, name) + counted(2, counted(1, integer(1, 1) + counted(2, extents)));
}

/// A model with the input x (n, 3, 8, 8) and the output y.
inline std::string small_model(const std::string& nodes, const std::string& more = "", index_t opset = 13) {
  const std::string graph = nodes + more + counted(11, value_info("x", {3, 8, 8})) + counted(12, counted(1, "y"));
  return integer(1, 7) + counted(8, counted(1, "") + integer(2, opset)) + counted(7, graph);
}

}  // namespace onnx_bytes
