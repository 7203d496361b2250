#pragma once
/// Layers of attention, shapes and image sizes as ONNX operators: those that are more than a name and attributes. Forms are those
/// of operator set 17.

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_graph.hpp"
#include "minicnn/graph/op.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// The node at hand, for the rules below.
struct onnx_layer {
  onnx_graph& out;
  const attribute_list& attributes;
  const shape &in, &result;           ///< for a batch of one
  const std::vector<std::string>& x;  ///< names of its inputs
  const std::string& y;               ///< and of its value

  /// Writes a parameter in the given shape; returns what it is called.
  std::function<std::string(std::string_view name, const shape& dims)> parameter;
  /// Writes a matrix transposed.
  std::function<std::string(std::string_view name)> transposed;
  std::function<std::vector<double>(std::string_view name)> numbers;  ///< a parameter's values

  template <class V>
  const V& get(std::string_view name) const {
    for (const auto& [key, value] : attributes)
      if (key == name)
        if (const V* found = std::get_if<V>(&value)) return *found;
    fail("ONNX: node ", y, " does not describe its ", name);
  }
  std::string constant(const char* name, double value) const { return out.constants(y + name, {}, {value}); }
  std::string integers(const char* name, const onnx_integers& values) const { return out.integers(y + name, values); }

  /// The attribute `axis` from the first axis on.
  index_t axis() const {
    const index_t given = get<index_t>("axis");
    return given < 0 ? given + in.rank() : given;
  }
};

inline void onnx_reshape(const onnx_layer& l) {
  onnx_integers dims(l.result.begin(), l.result.end());
  dims[0] = 0;  // as it is
  l.out.node("Reshape", {l.x[0], l.integers(".shape", dims)}, l.y);
}

inline void onnx_transpose(const onnx_layer& l) {
  l.out.node("Transpose", l.x, l.y, onnx_attributes().integers("perm", l.get<onnx_integers>("perm")));
}

inline void onnx_slice(const onnx_layer& l) {
  const index_t axis = l.axis(), given = l.get<index_t>("begin"), step = l.get<index_t>("step");
  const index_t begin = given < 0 ? given + l.in[static_cast<int>(axis)] : given;
  l.out.node("Slice",
             {l.x[0], l.integers(".starts", {begin}), l.integers(".ends", {begin + (l.get<index_t>("count") - 1) * step + 1}),
              l.integers(".axes", {axis}), l.integers(".steps", {step})},
             l.y);
}

inline onnx_attributes onnx_mean_over(const onnx_integers& axes, bool keep) {
  onnx_attributes a;
  a.integers("axes", axes).integer("keepdims", keep ? 1 : 0);
  return a;
}

inline void onnx_reduce_mean(const onnx_layer& l) {
  l.out.node("ReduceMean", l.x, l.y, onnx_mean_over(l.get<onnx_integers>("axes"), l.get<bool>("keepdims")));
}

inline void onnx_reduce_sum(const onnx_layer& l) {
  l.out.node("ReduceSum", {l.x[0], l.integers(".axes", l.get<onnx_integers>("axes"))}, l.y,
             onnx_attributes().integer("keepdims", l.get<bool>("keepdims") ? 1 : 0));
}

/// LayerNormalization goes over the last axes alone; over another it is written by its definition.
inline void onnx_layer_norm(const onnx_layer& l) {
  const index_t axis = l.axis(), length = l.in[static_cast<int>(axis)];
  const bool affine = l.get<bool>("affine");
  if (axis + 1 == l.in.rank()) {
    std::vector<std::string> inputs = l.x;
    const std::vector<double> ones(static_cast<std::size_t>(length), 1.0);
    inputs.push_back(affine ? l.parameter("weight", {length}) : l.out.constants(l.y + ".ones", {length}, ones));
    if (affine) inputs.push_back(l.parameter("bias", {length}));
    return l.out.node("LayerNormalization", inputs, l.y,
                      onnx_attributes().integer("axis", -1).real("epsilon", l.get<double>("epsilon")));
  }
  std::vector<index_t> dims(static_cast<std::size_t>(l.in.rank() - axis), 1);
  dims[0] = length;
  const shape per_element(dims.begin(), dims.end());
  const std::string last = affine ? l.y + ".normal" : l.y;
  l.out.node("ReduceMean", l.x, l.y + ".mean", onnx_mean_over({axis}, true));
  l.out.node("Sub", {l.x[0], l.y + ".mean"}, l.y + ".centred");
  l.out.node("Mul", {l.y + ".centred", l.y + ".centred"}, l.y + ".squares");
  l.out.node("ReduceMean", {l.y + ".squares"}, l.y + ".variance", onnx_mean_over({axis}, true));
  l.out.node("Add", {l.y + ".variance", l.constant(".epsilon", l.get<double>("epsilon"))}, l.y + ".above_zero");
  l.out.node("Sqrt", {l.y + ".above_zero"}, l.y + ".deviation");
  l.out.node("Div", {l.y + ".centred", l.y + ".deviation"}, last);
  if (!affine) return;
  l.out.node("Mul", {last, l.parameter("weight", per_element)}, l.y + ".scaled");
  l.out.node("Add", {l.y + ".scaled", l.parameter("bias", per_element)}, l.y);
}

inline void onnx_softmax(const onnx_layer& l) { l.out.node("Softmax", l.x, l.y, onnx_attributes().integer("axis", l.axis())); }

inline void onnx_matmul(const onnx_layer& l) {
  std::string second = l.x[1];
  if (l.get<bool>("transpose_b")) {
    onnx_integers order;
    for (index_t i = 0; i < l.in.rank(); ++i) order.push_back(i);
    std::swap(order[order.size() - 1], order[order.size() - 2]);
    l.out.node("Transpose", {second}, l.y + ".transposed", onnx_attributes().integers("perm", order));
    second = l.y + ".transposed";
  }
  l.out.node("MatMul", {l.x[0], second}, l.y);
}

/// A dense layer on the last of several axes. Its weights are (in, units) in the file.
inline void onnx_dense_on_last_axis(const onnx_layer& l) {
  const bool bias = l.get<bool>("bias");
  l.out.node("MatMul", {l.x[0], l.transposed("weight")}, bias ? l.y + ".product" : l.y);
  if (bias) l.out.node("Add", {l.y + ".product", l.parameter("bias", {l.get<index_t>("units")})}, l.y);
}

/// The token, repeated for each picture of the batch, before the others.
inline void onnx_class_token(const onnx_layer& l) {
  l.out.node("Shape", l.x, l.y + ".shape");
  l.out.node("Slice", {l.y + ".shape", l.integers(".begin", {0}), l.integers(".end", {1})}, l.y + ".batch");
  l.out.node("Concat", {l.y + ".batch", l.integers(".one", {1, l.in[2]})}, l.y + ".extents",
             onnx_attributes().integer("axis", 0));
  l.out.node("Expand", {l.parameter("class_token", {1, 1, l.in[2]}), l.y + ".extents"}, l.y + ".token");
  l.out.node("Concat", {l.y + ".token", l.x[0]}, l.y, onnx_attributes().integer("axis", 1));
}

inline void onnx_conv_transpose(const onnx_layer& l) {
  const onnx_integers& kernel = l.get<onnx_integers>("kernel_shape");
  const index_t group = l.get<index_t>("group"), filters = l.get<index_t>("filters");
  std::vector<std::string> inputs{l.x[0], l.parameter("weight", {l.in[1], filters / group, kernel[0], kernel[1]})};
  if (l.get<bool>("bias")) inputs.push_back(l.parameter("bias", {filters}));
  onnx_attributes a;
  for (const char* list : {"kernel_shape", "strides", "dilations", "output_padding", "pads"})
    a.integers(list, l.get<onnx_integers>(list));
  l.out.node("ConvTranspose", inputs, l.y, a.integer("group", group));
}

inline void onnx_pad(const onnx_layer& l) {
  const onnx_integers& p = l.get<onnx_integers>("pads");
  onnx_attributes a;
  a.text("mode", l.get<std::string>("mode"));
  l.out.node("Pad",
             {l.x[0], l.integers(".pads", {0, 0, p[0], p[1], 0, 0, p[2], p[3]}), l.constant(".value", l.get<double>("value"))},
             l.y, a);
}

/// The float by which `from` times it, rounded down, is `to`, computed in floats or in doubles: the ratio, or the next one above.
/// That may take another pixel as the `nearest` where i / scale is whole, which needs a common divisor: there it is the ratio
/// unless its product with `from` is too small in floats as well.
inline double onnx_resize_scale(index_t from, index_t to, bool nearest) {
  float scale = static_cast<float>(static_cast<double>(to) / static_cast<double>(from));
  while (
      static_cast<float>(from) * scale < static_cast<float>(to) ||
      (!(nearest && std::gcd(from, to) > 1) && static_cast<double>(from) * static_cast<double>(scale) < static_cast<double>(to)))
    scale = std::nextafter(scale, std::numeric_limits<float>::infinity());
  return static_cast<double>(scale);
}

inline void onnx_resize(const onnx_layer& l) {
  const bool nearest = l.get<std::string>("mode") == "nearest";
  std::vector<double> scales{1, 1};
  for (const int axis : {2, 3}) scales.push_back(onnx_resize_scale(l.in[axis], l.result[axis], nearest));
  onnx_attributes a;
  a.text("mode", nearest ? "nearest" : "linear");
  a.text("coordinate_transformation_mode", nearest                        ? "asymmetric"
                                           : l.get<bool>("align_corners") ? "align_corners"
                                                                          : "half_pixel");
  if (nearest) a.text("nearest_mode", "floor");
  l.out.node("Resize", {l.x[0], "", l.out.constants(l.y + ".scales", {4}, scales)}, l.y, a);
}

inline void onnx_prelu(const onnx_layer& l) {
  std::vector<index_t> dims(static_cast<std::size_t>(l.in.rank() - 1), 1);
  dims[0] = l.in[1];
  l.out.node("PRelu", {l.x[0], l.parameter("weight", shape(dims.begin(), dims.end()))}, l.y);
}

/// Whether the layer is one of these; its operators are then written.
inline bool onnx_tensor_layer(std::string_view kind, const onnx_layer& l) {
  using rule = void (*)(const onnx_layer&);
  static constexpr std::pair<std::string_view, rule> rules[] = {
      {"class_token", onnx_class_token},
      {"conv_transpose", onnx_conv_transpose},
      {"layer_norm", onnx_layer_norm},
      {"matmul", onnx_matmul},
      {"pad", onnx_pad},
      {"prelu", onnx_prelu},
      {"reduce_mean", onnx_reduce_mean},
      {"reduce_sum", onnx_reduce_sum},
      {"reshape", onnx_reshape},
      {"resize", onnx_resize},
      {"slice", onnx_slice},
      {"softmax", onnx_softmax},
      {"transpose", onnx_transpose},
  };
  for (const auto& [ours, how] : rules)
    if (kind == ours) return how(l), true;
  return false;
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
