#pragma once
/// What an ONNX model says, as plain structs (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Nothing is interpreted,
/// and the graphs that nodes hold (branches, loops) are not looked into.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/core/printable.hpp"
#include "minicnn/core/shape.hpp"
#include "minicnn/formats/protobuf_reader.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// TensorProto.DataType, as far as numbers are read.
enum class onnx_type { f32 = 1, u8, i8, u16, i16, i32, i64, text, boolean, f16, f64, u32, u64, bf16 = 16 };

/// A tensor as it is stored: its bytes lie in the model or in a file beside it, or its values were listed.
struct onnx_tensor {
  std::string_view name;
  std::vector<index_t> dims;
  std::int64_t type = 0;
  std::string_view raw;
  bool has_raw = false;
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<std::int64_t> integers;  ///< of all types but float and double: halves as their bits
  bool external = false;
  std::vector<std::pair<std::string_view, std::string_view>> place;  ///< of an external one: location, offset, length
};

struct onnx_attribute {
  std::string_view name;
  std::vector<std::int64_t> integers;  ///< one or several
  std::vector<float> reals;
  std::string_view text;
  bool has_text = false, has_graph = false, is_list = false;
  std::vector<onnx_tensor> tensors;  ///< none or one
};

struct onnx_node {
  std::string_view type, domain, name;
  std::vector<std::string_view> inputs, outputs;
  std::vector<onnx_attribute> attributes;

  const onnx_attribute* find(std::string_view key) const {
    for (const onnx_attribute& a : attributes)
      if (a.name == key) return &a;
    return nullptr;
  }
};

/// An input or output of the graph, or a value whose shape the file tells.
struct onnx_value_info {
  std::string_view name;
  std::vector<index_t> dims;  ///< -1: free
  bool has_dims = false;
  std::int64_t type = 0;
};

struct onnx_model {
  std::int64_t opset = 0;  ///< of the operators that have no domain; 0: not said
  std::vector<onnx_node> nodes;
  std::vector<onnx_tensor> initializers;
  std::vector<onnx_value_info> inputs, outputs, known;
  std::vector<std::pair<std::string_view, std::string_view>> metadata;
  bool has_sparse = false;  ///< initializers that are stored as sparse
};

/// Models of images have some hundred nodes. Each may be two bytes of a file and a hundred times that in memory, so they are
/// counted.
inline constexpr std::size_t most_onnx_nodes = 16384, most_onnx_tensors = 65536, most_onnx_attributes = 262144;

/// Fills an onnx_model from bytes, which must outlive it.
class onnx_parser {
 public:
  explicit onnx_parser(onnx_model& out) : out_(out) {}

  /// Throws error for bytes that are no message, and for more nodes, tensors or attributes than any network has.
  void model(std::string_view bytes) {
    for (protobuf_reader r(bytes); r.next();) {
      if (r.field() == 7) graph(r.bytes());  // messages that come twice are one
      if (r.field() == 8) opset(r.bytes());
      if (r.field() == 14) out_.metadata.push_back(pair(r.bytes()));
    }
  }

  static onnx_tensor tensor(std::string_view bytes) {
    onnx_tensor t;
    for (protobuf_reader r(bytes); r.next();) switch (r.field()) {
        case 1:
          r.append(t.dims);
          break;
        case 2:
          t.type = r.integer();
          break;
        case 4:
          r.append(t.floats);
          break;
        case 5:
        case 7:
        case 11:
          r.append(t.integers);
          break;
        case 8:
          t.name = r.bytes();
          break;
        case 9:
          t.raw = r.bytes(), t.has_raw = true;
          break;
        case 10:
          r.append(t.doubles);
          break;
        case 13:
          t.place.push_back(pair(r.bytes()));
          break;
        case 14:
          t.external = r.integer() == 1;
          break;
      }
    return t;
  }

 private:
  /// A key and a value, both texts.
  static std::pair<std::string_view, std::string_view> pair(std::string_view bytes) {
    std::pair<std::string_view, std::string_view> p;
    for (protobuf_reader r(bytes); r.next();) {
      if (r.field() == 1) p.first = r.bytes();
      if (r.field() == 2) p.second = r.bytes();
    }
    return p;
  }

  void opset(std::string_view bytes) {
    std::string_view domain;
    std::int64_t version = 0;
    for (protobuf_reader r(bytes); r.next();) {
      if (r.field() == 1) domain = r.bytes();
      if (r.field() == 2) version = r.integer();
    }
    if (domain.empty() || domain == "ai.onnx") out_.opset = version;
  }

  template <class V>
  static void add(std::vector<V>& list, V item, std::size_t most, const char* what) {
    if (list.size() >= most) fail("has more than ", most, " ", what);
    list.push_back(std::move(item));
  }

  void graph(std::string_view bytes) {
    for (protobuf_reader r(bytes); r.next();) switch (r.field()) {
        case 1:
          add(out_.nodes, node(r.bytes()), most_onnx_nodes, "nodes");
          break;
        case 5:
          add(out_.initializers, tensor(r.bytes()), most_onnx_tensors, "initializers");
          break;
        case 11:
          add(out_.inputs, value_info(r.bytes()), most_onnx_tensors, "inputs");
          break;
        case 12:
          add(out_.outputs, value_info(r.bytes()), most_onnx_tensors, "outputs");
          break;
        case 13:
          add(out_.known, value_info(r.bytes()), most_onnx_tensors, "values with shapes");
          break;
        case 15:
          out_.has_sparse = true;
          break;
      }
  }

  onnx_node node(std::string_view bytes) {
    onnx_node n;
    for (protobuf_reader r(bytes); r.next();) switch (r.field()) {
        case 1:
          n.inputs.push_back(r.bytes());
          break;
        case 2:
          n.outputs.push_back(r.bytes());
          break;
        case 3:
          n.name = r.bytes();
          break;
        case 4:
          n.type = r.bytes();
          break;
        case 5:
          if (++attributes_ > most_onnx_attributes) fail("has more than ", most_onnx_attributes, " attributes");
          n.attributes.push_back(attribute(r.bytes()));
          break;
        case 7:
          n.domain = r.bytes();
          break;
      }
    return n;
  }

  static onnx_attribute attribute(std::string_view bytes) {
    onnx_attribute a;
    for (protobuf_reader r(bytes); r.next();) switch (r.field()) {
        case 1:
          a.name = r.bytes();
          break;
        case 2:
          a.reals.push_back(r.real());
          break;
        case 3:
          a.integers.push_back(r.integer());
          break;
        case 4:
          a.text = r.bytes(), a.has_text = true;
          break;
        case 5:
          a.tensors.assign(1, tensor(r.bytes()));
          break;
        case 7:
          r.append(a.reals), a.is_list = true;
          break;
        case 8:
          r.append(a.integers), a.is_list = true;
          break;
        case 6:
        case 11:
          a.has_graph = true;
          break;
      }
    return a;
  }

  static onnx_value_info value_info(std::string_view bytes) {
    onnx_value_info v;
    for (protobuf_reader r(bytes); r.next();) {
      if (r.field() == 1) v.name = r.bytes();
      if (r.field() != 2) continue;
      for (protobuf_reader type(r.bytes()); type.next();) {
        if (type.field() != 1) continue;  // no tensor
        for (protobuf_reader part(type.bytes()); part.next();)
          part.field() == 1 ? void(v.type = part.integer()) : part.field() == 2 ? extents(part.bytes(), v) : void();
      }
    }
    return v;
  }

  static void extents(std::string_view bytes, onnx_value_info& v) {
    v.has_dims = true;
    for (protobuf_reader r(bytes); r.next();) {
      if (r.field() != 1) continue;
      std::int64_t extent = -1;
      for (protobuf_reader dim(r.bytes()); dim.next();)
        if (dim.field() == 1) extent = dim.integer() > 0 ? dim.integer() : -1;  // some write 0 or -1 for a free one
      v.dims.push_back(extent);
    }
  }

  onnx_model& out_;
  std::size_t attributes_ = 0;
};

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
