#pragma once
/// ONNX models and tensors as tests read them: enough of Protocol Buffers and of onnx.proto for the cases that ONNX ships.

#include <cstdint>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/core/half.hpp"
#include "minicnn/core/tensor.hpp"
#include "minicnn/files/file.hpp"

namespace onnx_reader {

using minicnn::index_t;
using minicnn::shape;
using minicnn::tensor;

/// One field of a message: its number and either an integer or bytes (strings, messages, packed lists, fixed numbers).
struct field {
  int number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
  bool counted = false;

  index_t integer() const { return static_cast<index_t>(value); }
  std::string text() const { return std::string(bytes); }
  template <class T>
  T fixed() const {
    T number_of = {};
    std::memcpy(&number_of, bytes.data(), sizeof(T));
    return number_of;
  }
};

inline std::uint64_t take_varint(std::string_view& rest) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (rest.empty()) throw std::runtime_error("protobuf: ends within a number");
    const auto byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if (byte < 0x80) return value;
  }
  throw std::runtime_error("protobuf: a number of more than ten bytes");
}

inline std::string_view take_bytes(std::string_view& rest, std::uint64_t count) {
  if (count > rest.size()) throw std::runtime_error("protobuf: ends within a field");
  const std::string_view bytes = rest.substr(0, count);
  rest.remove_prefix(count);
  return bytes;
}

/// The fields of a message in their order. The bytes must outlive them.
inline std::vector<field> fields(std::string_view message) {
  std::vector<field> out;
  while (!message.empty()) {
    const std::uint64_t key = take_varint(message);
    field f;
    f.number = static_cast<int>(key >> 3);
    switch (key & 7U) {
      case 0:
        f.value = take_varint(message);
        break;
      case 1:
        f.bytes = take_bytes(message, 8);
        break;
      case 2:
        f.bytes = take_bytes(message, take_varint(message)), f.counted = true;
        break;
      case 5:
        f.bytes = take_bytes(message, 4);
        break;
      default:
        throw std::runtime_error("protobuf: unknown wire type");
    }
    out.push_back(f);
  }
  return out;
}

/// A repeated integer, packed or one of many.
inline void add_integers(const field& f, std::vector<index_t>& out) {
  if (!f.counted) return out.push_back(f.integer());
  for (std::string_view rest = f.bytes; !rest.empty();) out.push_back(static_cast<index_t>(take_varint(rest)));
}

/// Halves, as `Half` converts them.
template <class Half>
void add_halves(std::string_view bytes, std::vector<float>& out) {
  for (std::size_t at = 0; at + 2 <= bytes.size(); at += 2) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, bytes.data() + at, 2);
    out.push_back(minicnn::to_float(Half{bits}));
  }
}

template <class Stored>
void add_fixed(std::string_view bytes, std::vector<float>& out) {
  for (std::size_t at = 0; at + sizeof(Stored) <= bytes.size(); at += sizeof(Stored)) {
    Stored value;
    std::memcpy(&value, bytes.data() + at, sizeof(Stored));
    out.push_back(static_cast<float>(value));
  }
}

/// A TensorProto, whatever its type, as floats.
struct stored_tensor {
  enum : index_t { f32 = 1, u8 = 2, u16 = 4, i32 = 6, i64 = 7, boolean = 9, f16 = 10, f64 = 11, bf16 = 16 };

  std::string name;
  index_t type = 0;
  std::vector<index_t> dims;
  std::vector<float> values;

  bool floating() const { return type == f32 || type == f64; }
  tensor<float> as_tensor() const {
    tensor<float> out(shape(dims.begin(), dims.end()));
    if (out.size() != static_cast<index_t>(values.size())) throw std::runtime_error(name + ": another number of values");
    std::copy(values.begin(), values.end(), out.begin());
    return out;
  }
};

inline stored_tensor read_tensor(std::string_view message) {
  stored_tensor t;
  std::string_view raw;
  std::vector<index_t> integers;
  for (const field& f : fields(message)) {
    if (f.number == 1) add_integers(f, t.dims);
    if (f.number == 2) t.type = f.integer();
    if (f.number == 4) add_fixed<float>(f.bytes, t.values);
    if (f.number == 5 || f.number == 7) add_integers(f, integers);
    if (f.number == 8) t.name = f.text();
    if (f.number == 9) raw = f.bytes;
    if (f.number == 10) add_fixed<double>(f.bytes, t.values);
  }
  for (const index_t i : integers) t.values.push_back(static_cast<float>(i));
  switch (t.type) {
    case stored_tensor::f16:
      add_halves<minicnn::float16>(raw, t.values);
      break;
    case stored_tensor::u16:  // of ONNX's cases: numpy has no bfloat16, so its bits are kept
    case stored_tensor::bf16:
      add_halves<minicnn::bfloat16>(raw, t.values);
      break;
    case stored_tensor::f32:
      add_fixed<float>(raw, t.values);
      break;
    case stored_tensor::f64:
      add_fixed<double>(raw, t.values);
      break;
    case stored_tensor::i32:
      add_fixed<std::int32_t>(raw, t.values);
      break;
    case stored_tensor::i64:
      add_fixed<std::int64_t>(raw, t.values);
      break;
    default:
      add_fixed<std::uint8_t>(raw, t.values);
  }
  return t;
}

/// An operator with its attributes of the three types that layers have, and texts.
struct operation {
  std::string type, name;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, index_t> integers;
  std::map<std::string, float> reals;
  std::map<std::string, std::vector<index_t>> lists;
  std::map<std::string, std::string> texts;

  index_t integer(const std::string& key, index_t missing) const { return integers.count(key) ? integers.at(key) : missing; }
  double real(const std::string& key, double missing) const {
    return reals.count(key) ? static_cast<double>(reals.at(key)) : missing;
  }
  std::vector<index_t> list(const std::string& key, std::vector<index_t> missing) const {
    return lists.count(key) ? lists.at(key) : missing;
  }
  std::string text(const std::string& key) const { return texts.count(key) ? texts.at(key) : ""; }
};

inline operation read_operation(std::string_view message) {
  operation o;
  for (const field& f : fields(message)) {
    if (f.number == 1) o.inputs.push_back(f.text());
    if (f.number == 2) o.outputs.push_back(f.text());
    if (f.number == 3) o.name = f.text();
    if (f.number == 4) o.type = f.text();
    if (f.number != 5) continue;
    std::string key;
    for (const field& a : fields(f.bytes)) {
      if (a.number == 1) key = a.text();
      if (a.number == 2) o.reals[key] = a.fixed<float>();
      if (a.number == 3) o.integers[key] = a.integer();
      if (a.number == 4) o.texts[key] = a.text();
      if (a.number == 8) add_integers(a, o.lists[key]);
    }
  }
  return o;
}

struct model {
  index_t ir_version = 0, opset = 0;
  std::vector<operation> operations;
  std::map<std::string, stored_tensor> initializers;
  std::vector<std::string> inputs, outputs;  ///< inputs without those that are initializers
  std::map<std::string, std::string> metadata;
};

inline model read_model(std::string_view bytes) {
  model m;
  std::vector<std::string> inputs;
  for (const field& f : fields(bytes)) {
    if (f.number == 1) m.ir_version = f.integer();
    if (f.number == 8) {
      std::string domain;
      index_t version = 0;
      for (const field& g : fields(f.bytes)) (g.number == 1 ? void(domain = g.text()) : void(version = g.integer()));
      if (domain.empty()) m.opset = version;
    }
    if (f.number == 14) {
      const std::vector<field> entry = fields(f.bytes);
      m.metadata[entry.at(0).text()] = entry.at(1).text();
    }
    if (f.number != 7) continue;
    for (const field& g : fields(f.bytes)) {
      if (g.number == 1) m.operations.push_back(read_operation(g.bytes));
      if (g.number == 5) {
        stored_tensor t = read_tensor(g.bytes);
        m.initializers.emplace(t.name, std::move(t));
      }
      if (g.number == 11) inputs.push_back(fields(g.bytes).at(0).text());
      if (g.number == 12) m.outputs.push_back(fields(g.bytes).at(0).text());
    }
  }
  for (std::string& name : inputs)
    if (m.initializers.count(name) == 0) m.inputs.push_back(std::move(name));
  return m;
}

}  // namespace onnx_reader
