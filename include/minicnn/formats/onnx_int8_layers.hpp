#pragma once
/// Layers on 8-bit numbers as ONNX writes them: real operators between DequantizeLinear and QuantizeLinear (QDQ), which runtimes
/// turn into 8-bit kernels of their own. Operator set 13, which has scales by channel.

#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_tensor_layers.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Names of scale and zero point of a quantisation that the layer describes, say "input".
inline std::pair<std::string, std::string> onnx_quantization(const onnx_layer& l, const std::string& what) {
  const std::string scale = l.out.constants(text_of(l.y, ".", what, "_scale"), {}, {l.get<double>(what + "_scale")});
  const auto zero = static_cast<double>(l.get<index_t>(what + "_zero"));
  return {scale, l.out.whole<std::uint8_t>(text_of(l.y, ".", what, "_zero"), {}, {zero})};
}

/// `bytes` as real numbers of the quantisation `what`.
inline std::string onnx_dequantized(const onnx_layer& l, const std::string& bytes, const std::string& what) {
  const auto [scale, zero] = onnx_quantization(l, what);
  const std::string real = text_of(l.y, ".", what);
  l.out.node("DequantizeLinear", {bytes, scale, zero}, real);
  return real;
}

/// The layer's value: real numbers as bytes, within its bounds. Saturation is a ReLU where the zero point is 0.
inline void onnx_quantized(const onnx_layer& l, std::string real, bool bounded) {
  const auto low = bounded ? l.get<index_t>("low") : 0, high = bounded ? l.get<index_t>("high") : 255;
  if (low > 0 || high < 255) {
    const double scale = l.get<double>("output_scale");
    const auto zero = l.get<index_t>("output_zero");
    const auto bound = [&](const char* name, index_t byte) { return l.constant(name, static_cast<double>(byte - zero) * scale); };
    l.out.node("Clip", {real, bound(".low", low), bound(".high", high)}, l.y + ".bounded");
    real = l.y + ".bounded";
  }
  const auto [scale, zero] = onnx_quantization(l, "output");
  l.out.node("QuantizeLinear", {real, scale, zero}, l.y);
}

/// real * factor + shift, one of each a channel.
inline std::string onnx_mapped(const onnx_layer& l, const std::string& real) {
  shape per_channel = l.result;
  per_channel.set(0, 1);
  for (int axis = 2; axis < per_channel.rank(); ++axis) per_channel.set(axis, 1);
  l.out.node("Mul", {real, l.parameter("factor", per_channel)}, l.y + ".scaled");
  l.out.node("Add", {l.y + ".scaled", l.parameter("shift", per_channel)}, l.y + ".mapped");
  return l.y + ".mapped";
}

/// Weights as bytes, and their zero points: the names of both (`onnx_options::signed_weights`).
inline std::pair<std::string, std::string> onnx_weight_bytes(const onnx_layer& l, const shape& dims, index_t filters) {
  std::vector<double> weights = l.numbers("weight");
  const std::string name = l.y + ".weight", zero = l.y + ".weight_zero";
  const std::vector<double> zeros(static_cast<std::size_t>(filters), l.out.signed_weights ? 0.0 : 128.0);
  if (l.out.signed_weights)
    return {l.out.whole<std::int8_t>(name, dims, weights), l.out.whole<std::int8_t>(zero, {filters}, zeros)};
  for (double& w : weights) w += 128;
  return {l.out.whole<std::uint8_t>(name, dims, weights), l.out.whole<std::uint8_t>(zero, {filters}, zeros)};
}

/// Weights and biases as real numbers made of whole ones by scales for each filter: the names of both.
inline std::pair<std::string, std::string> onnx_int8_weights(const onnx_layer& l, const shape& dims) {
  const std::vector<double> scale = l.numbers("scale"), bias = l.numbers("bias");
  const index_t filters = static_cast<index_t>(scale.size());
  std::vector<double> unit = scale, whole;
  for (std::size_t f = 0; f < unit.size(); ++f) {
    unit[f] *= l.get<double>("input_scale");
    whole.push_back(std::nearbyint(bias[f] / unit[f]));
  }
  const onnx_attributes axis = onnx_attributes().integer("axis", 0);
  const auto name = [&](const char* part) { return l.y + part; };
  const auto [bytes, zero] = onnx_weight_bytes(l, dims, filters);
  l.out.node("DequantizeLinear", {bytes, l.out.constants(name(".weight_scale"), {filters}, scale), zero}, name(".weights"), axis);
  l.out.node("DequantizeLinear",
             {l.out.whole<std::int32_t>(name(".bias"), {filters}, whole), l.out.constants(name(".bias_scale"), {filters}, unit)},
             name(".biases"), axis);
  return {name(".weights"), name(".biases")};
}

/// A convolution or dense layer; `window` its kernel, strides, padding and dilations.
inline void onnx_int8_conv2d(const onnx_layer& l, onnx_attributes window) {
  const index_t filters = l.get<index_t>("filters"), group = l.get<index_t>("group");
  const auto& kernel = l.get<onnx_integers>("kernel_shape");
  const bool dense = l.in.rank() == 2, real = l.get<bool>("real"), mapped = l.get<bool>("mapped");
  const shape dims = dense ? shape{filters, l.in[1]} : shape{filters, l.in[1] / group, kernel[0], kernel[1]};
  const std::string x = onnx_dequantized(l, l.x[0], "input");
  const auto [weight, bias] = onnx_int8_weights(l, dims);
  const bool flat = !dense && l.result.rank() == 2;
  std::string y = real && !flat && !mapped ? l.y : l.y + ".sum";
  if (dense)
    l.out.node("Gemm", {x, weight, bias}, y, onnx_attributes().integer("transB", 1));
  else
    l.out.node("Conv", {x, weight, bias}, y,
               window.integers("dilations", l.get<onnx_integers>("dilations")).integer("group", group));
  if (flat) {
    const std::string result = real && !mapped ? l.y : l.y + ".flattened";
    l.out.node("Flatten", {y}, result, onnx_attributes().integer("axis", 1));
    y = result;
  }
  if (mapped) {
    l.out.node("Relu", {y}, l.y + ".relu");
    y = onnx_mapped(l, l.y + ".relu");
  }
  if (real && mapped) l.out.node("Identity", {y}, l.y);
  if (real) return;
  if (l.x.size() > 1) {
    l.out.node("Add", {y, onnx_dequantized(l, l.x[1], "addend")}, l.y + ".added");
    y = l.y + ".added";
  }
  onnx_quantized(l, y, true);
}

/// Sums, concatenations and maps of channels, quantize and dequantize. False: it is none of them.
inline bool onnx_int8_layer(std::string_view kind, const onnx_layer& l) {
  if (kind == "quantize") return onnx_quantized(l, l.x[0], false), true;
  if (kind == "dequantize") {
    const auto [scale, zero] = onnx_quantization(l, "input");
    return l.out.node("DequantizeLinear", {l.x[0], scale, zero}, l.y), true;
  }
  if (kind != "int8_add" && kind != "int8_concat" && kind != "int8_scale") return false;
  std::vector<std::string> inputs;
  for (std::size_t i = 0; i < l.x.size(); ++i) inputs.push_back(onnx_dequantized(l, l.x[i], text_of("input", i)));
  std::string y = l.y + ".exact";
  if (kind == "int8_add")
    l.out.node("Add", inputs, y);
  else if (kind == "int8_concat")
    l.out.node("Concat", inputs, y, onnx_attributes().integer("axis", 1));
  else
    y = onnx_mapped(l, inputs[0]);
  onnx_quantized(l, y, true);
  return true;
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
