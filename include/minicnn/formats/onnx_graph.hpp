#pragma once
/// The messages of an ONNX model (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): what an operator, a weight and a graph
/// look like in the file. It knows nothing of networks.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "minicnn/formats/protobuf_writer.hpp"
#include "minicnn/io/tensor_bytes.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Numbers of the fields that are used, by message.
namespace onnx_field {
namespace model {
inline constexpr int ir_version = 1, producer_name = 2, producer_version = 3, graph = 7, opset_import = 8, metadata_props = 14;
}
namespace opset {
inline constexpr int domain = 1, version = 2;
}
namespace entry {
inline constexpr int key = 1, value = 2;
}
namespace graph {
inline constexpr int node = 1, name = 2, initializer = 5, input = 11, output = 12;
}
namespace node {
inline constexpr int input = 1, output = 2, name = 3, op_type = 4, attribute = 5;
}
namespace attribute {
inline constexpr int name = 1, f = 2, i = 3, s = 4, ints = 8, type = 20;
}
namespace tensor {
inline constexpr int dims = 1, data_type = 2, name = 8, raw_data = 9;
}
namespace value_info {
inline constexpr int name = 1, type = 2;
}
namespace type {
inline constexpr int tensor_type = 1, elem_type = 1, shape = 2;
}
namespace extent {
inline constexpr int dim = 1, dim_value = 1, dim_param = 2;
}
}  // namespace onnx_field

using onnx_integers = std::vector<index_t>;

/// An operator's attributes.
class onnx_attributes {
 public:
  onnx_attributes& integer(std::string_view name, index_t value) {
    protobuf_message a = named(name);
    a.integer(onnx_field::attribute::i, value);
    return add(std::move(a), 2);
  }
  onnx_attributes& real(std::string_view name, double value) {
    protobuf_message a = named(name);
    a.real(onnx_field::attribute::f, static_cast<float>(value));
    return add(std::move(a), 1);
  }
  onnx_attributes& text(std::string_view name, std::string_view value) {
    protobuf_message a = named(name);
    a.text(onnx_field::attribute::s, value);
    return add(std::move(a), 3);
  }
  onnx_attributes& integers(std::string_view name, const onnx_integers& values) {
    protobuf_message a = named(name);
    for (const index_t v : values) a.integer(onnx_field::attribute::ints, v);
    return add(std::move(a), 7);
  }
  const std::vector<protobuf_message>& list() const { return list_; }

 private:
  static protobuf_message named(std::string_view name) {
    protobuf_message a;
    a.text(onnx_field::attribute::name, name);
    return a;
  }
  onnx_attributes& add(protobuf_message a, int type) {
    a.integer(onnx_field::attribute::type, type);
    list_.push_back(std::move(a));
    return *this;
  }

  std::vector<protobuf_message> list_;
};

/// A GraphProto in the making. Values are known by name; operators must be added in an order in which they can run.
class onnx_graph {
 public:
  explicit onnx_graph(std::string_view name) { graph_.text(onnx_field::graph::name, name); }

  /// A float tensor of this name that the graph is given or gives; the first axis is the batch, of any size, and with
  /// `free_size` those behind the channels are of any size too.
  void input(const std::string& name, const shape& dims) { graph_.message(onnx_field::graph::input, value_info(name, dims)); }
  void output(const std::string& name, const shape& dims) { graph_.message(onnx_field::graph::output, value_info(name, dims)); }
  bool free_size = false, signed_weights = false;

  /// The operator `type`, called like the value that it makes.
  void node(std::string_view type, const std::vector<std::string>& inputs, const std::string& output,
            const onnx_attributes& attributes = {}) {
    protobuf_message n;
    for (const std::string& input : inputs) n.text(onnx_field::node::input, input);
    n.text(onnx_field::node::output, output);
    n.text(onnx_field::node::name, output);
    n.text(onnx_field::node::op_type, type);
    for (const protobuf_message& a : attributes.list()) n.message(onnx_field::node::attribute, a);
    form_ += n.bytes();
    graph_.message(onnx_field::graph::node, std::move(n));
  }

  /// A tensor of floats. Its values must stay where they are until the model is written. Returns its name.
  template <class T>
  const std::string& weights(const std::string& name, const view<const T>& values) {
    protobuf_message t = tensor_header(name, values.dims(), float_type);
    converted_.emplace_back();
    t.borrowed(onnx_field::tensor::raw_data, tensor_bytes(named_tensor<T>{name, values, dtype::f32}, converted_.back()));
    graph_.message(onnx_field::graph::initializer, std::move(t));
    return name;
  }

  /// The same of values that are gone afterwards.
  template <class T>
  const std::string& copied_weights(const std::string& name, const view<const T>& values) {
    protobuf_message t = tensor_header(name, values.dims(), float_type);
    std::string& kept = converted_.emplace_back();
    const std::string_view bytes = tensor_bytes(named_tensor<T>{name, values, dtype::f32}, kept);
    if (bytes.data() != kept.data()) kept.assign(bytes);
    t.borrowed(onnx_field::tensor::raw_data, kept);
    graph_.message(onnx_field::graph::initializer, std::move(t));
    return name;
  }

  /// A few floats. Returns their name.
  std::string constants(std::string name, const shape& dims, const std::vector<double>& values) {
    return small_tensor(std::move(name), dims, float_type, encoded(std::vector<float>(values.begin(), values.end())));
  }

  /// A list of int64: bounds and paddings, which operators take as inputs. Returns its name.
  std::string integers(std::string name, const onnx_integers& values) {
    return small_tensor(std::move(name), {static_cast<index_t>(values.size())}, integer_type, encoded(values));
  }

  /// Whole numbers of type `V`: std::uint8_t, std::int8_t or std::int32_t. Returns their name.
  template <class V>
  std::string whole(std::string name, const shape& dims, const std::vector<double>& values) {
    std::vector<V> stored;
    for (const double v : values) stored.push_back(static_cast<V>(v));
    constexpr int type = std::is_same_v<V, std::uint8_t> ? 2 : std::is_same_v<V, std::int8_t> ? 3 : 6;
    return small_tensor(std::move(name), dims, type, encoded(stored));
  }

  /// Operators and small constants since the last call, as they are written.
  std::string take_form() { return std::exchange(form_, {}); }

  /// The finished message; nothing may be added afterwards. This object must outlive it.
  protobuf_message take() { return std::move(graph_); }

 private:
  static constexpr int float_type = 1, integer_type = 7;  // TensorProto.DataType

  protobuf_message value_info(const std::string& name, const shape& dims) const {
    protobuf_message extents, tensor, type, info;
    for (int axis = 0; axis < dims.rank(); ++axis) {
      protobuf_message extent;
      if (axis == 0)
        extent.text(onnx_field::extent::dim_param, "batch");
      else if (free_size && axis > 1)
        extent.text(onnx_field::extent::dim_param, text_of(name, ".", axis == 2 ? "height" : axis == 3 ? "width" : "depth"));
      else
        extent.integer(onnx_field::extent::dim_value, dims[axis]);
      extents.message(onnx_field::extent::dim, std::move(extent));
    }
    tensor.integer(onnx_field::type::elem_type, float_type);
    tensor.message(onnx_field::type::shape, std::move(extents));
    type.message(onnx_field::type::tensor_type, std::move(tensor));
    info.text(onnx_field::value_info::name, name);
    info.message(onnx_field::value_info::type, std::move(type));
    return info;
  }

  static protobuf_message tensor_header(const std::string& name, const shape& dims, int type) {
    protobuf_message t;
    for (const index_t extent : dims) t.integer(onnx_field::tensor::dims, extent);
    t.integer(onnx_field::tensor::data_type, type);
    t.text(onnx_field::tensor::name, name);
    return t;
  }

  template <class V>
  static std::string encoded(const std::vector<V>& values) {
    std::string bytes(values.size() * sizeof(V), '\0');
    auto* place = reinterpret_cast<unsigned char*>(bytes.data());
    for (std::size_t i = 0; i < values.size(); ++i) store_little_endian(values[i], place + i * sizeof(V));
    return bytes;
  }

  std::string small_tensor(std::string name, const shape& dims, int type, const std::string& bytes) {
    protobuf_message t = tensor_header(name, dims, type);
    t.text(onnx_field::tensor::raw_data, bytes);
    form_ += t.bytes();
    graph_.message(onnx_field::graph::initializer, std::move(t));
    return name;
  }

  protobuf_message graph_;
  std::string form_;
  std::deque<std::string> converted_;  ///< weights that are not kept as little-endian floats
};

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
