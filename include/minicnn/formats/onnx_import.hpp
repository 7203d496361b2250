#pragma once
/// Networks of other programs from ONNX models (https://onnx.ai).
///
///     network<float> net = load_onnx("resnet18.onnx");
///     imported_onnx<float> model = import_onnx("resnet18.onnx", {.height = 224, .width = 224});
///
/// No protobuf library is needed. docs/onnx.md has the table of operators.

#include <string>
#include <utility>

#include "minicnn/formats/onnx_loading.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Builds the network that an ONNX model of operator set 7 to 21 describes, with its weights: what its first output is made of,
/// in evaluation mode. Layers and weights are called as in the model. The batch is free, whatever the model says; images have the
/// size that the model or `o` says. A softmax at the end is left out: losses and `predict` take logits.
///
/// Weights may lie in the model or in files in its folder, in any type of numbers; they become `T`. Memory is of the order of the
/// model's own size. Throws file_error that names the file: for what is no model, and, all in one message, for every operator
/// that no layer stands for, by node, operator and attribute.
template <class T = float>
MINICNN_COLD imported_onnx<T> import_onnx(const std::string& path, const onnx_import_options& o = {}) {
  return detail::onnx_loading<T>(path, o).run();
}

/// The network alone.
template <class T = float>
network<T> load_onnx(const std::string& path, const onnx_import_options& o = {}) {
  return std::move(import_onnx<T>(path, o).net);
}

}  // namespace minicnn::inline MINICNN_ABI
