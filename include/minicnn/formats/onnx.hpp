#pragma once
/// Networks as ONNX models (https://onnx.ai) for other programs to run.
///
///     write_onnx("net.onnx", net);
///     write_onnx("net.onnx", net, {.probabilities = true});
///
/// No protobuf library is needed. Operator set 17 and file version 8 (ONNX 1.12, 2022).

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_free_size.hpp"
#include "minicnn/formats/onnx_layers.hpp"
#include "minicnn/graph/output_nodes.hpp"

namespace minicnn::inline MINICNN_ABI {

struct onnx_options {
  /// Whether a softmax follows the first output: the model's result is then called "probabilities". Default: the output as it is
  /// (logits, in all networks here), called like its node.
  bool probabilities = false;

  /// Logits are divided by it before the softmax. Above 0.
  double temperature = 1.0;

  /// Whether the model takes images of any height and width. Default: of those that the network was built for.
  bool free_size = false;

  /// Whether weights of quantised layers are signed bytes. Default: the same numbers plus 128, unsigned. ONNX Runtime multiplies
  /// signed ones by an instruction that saturates on x86-64 without VNNI, and the answers are wrong; with VNNI, and on other
  /// runtimes, they are faster.
  bool signed_weights = false;

  /// Texts kept in the model as metadata_props.
  std::map<std::string, std::string> metadata = {};
};

/// Writes what `predict` computes as an ONNX model: the first output in evaluation mode, without auxiliary heads and dropout.
///
/// Its input, called as in the network ("input"), is what the network is fed, (batch, c, h, w) of prepared pictures in float: any
/// batch, but the height and width that the network was built for, unless `free_size` is set. Weights are stored as float under
/// the network's names.
///
/// Throws error naming the node if ONNX cannot express it (an LRN window of an even number of channels, a layer of the caller's
/// own), shape_error naming the node that `free_size` cannot be had with, option_error for a temperature not above 0, file_error
/// if the model would be larger than the 2147483647 bytes that the format allows or writing fails. The file appears under its
/// name only when it is complete.
template <class T>
void write_onnx(const std::string& path, const network<T>& net, const onnx_options& o = {}) {
  if (!(o.temperature > 0.0)) fail<option_error>("ONNX: temperature must be above 0, got ", o.temperature);
  namespace field = detail::onnx_field;
  const std::vector<char> needed = nodes_of_first_output(net);
  if (o.free_size) detail::check_free_size(net, needed);
  detail::onnx_graph graph("minicnn");
  graph.free_size = o.free_size, graph.signed_weights = o.signed_weights;
  detail::onnx_translator<T> translator(net, graph);
  for (std::size_t i = 0; i < needed.size(); ++i)
    if (needed[i]) translator.add(static_cast<int>(i));

  std::string result = translator.value(net.topology().outputs[0]);
  if (o.probabilities) {
    const std::string factor = graph.constants("temperature.reciprocal", {}, {1.0 / o.temperature});
    graph.node("Mul", {result, factor}, "tempered");
    result = "probabilities";
    graph.node("Softmax", {"tempered"}, result, detail::onnx_attributes().integer("axis", 1));
  }
  graph.output(result, net.output_dims());

  protobuf_message model, operators;
  model.integer(field::model::ir_version, 8);
  model.text(field::model::producer_name, "minicnn");
  model.text(field::model::producer_version, version_string);
  model.message(field::model::graph, graph.take());
  operators.text(field::opset::domain, "");
  operators.integer(field::opset::version, 17);
  model.message(field::model::opset_import, std::move(operators));
  for (const auto& [key, value] : o.metadata) {
    protobuf_message entry;
    entry.text(field::entry::key, key);
    entry.text(field::entry::value, value);
    model.message(field::model::metadata_props, std::move(entry));
  }
  atomic_file file(path);
  model.write(file);
  file.commit();
}

}  // namespace minicnn::inline MINICNN_ABI
