#pragma once
/// What decides a network: its name in the registry and options, or a description of its layers. Stored in weights files as JSON,
/// so that a file alone is enough.

#include <string>

#include "minicnn/io/json_value.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Name and options of a network that `make_model` builds.
struct model_config {
  std::string name = "alexnet-bn";
  int classes = 2;      ///< outputs
  int channels = 0;     ///< 0: the model's own
  int image_size = 0;   ///< pixels a side; 0: the model's own
  double dropout = -1;  ///< below 0: the model's own
  /// Initial weights: he, glorot, lecun, dirac, orthogonal (of gain sqrt(2)), paper, caffe (AlexNets: the 2012 paper's, Caffe's;
  /// others: he) or truncated-normal:DEVIATION.
  std::string init = "he";
  double dense_bias = 0.0;   ///< initial biases of hidden dense layers
  double logits_bias = 0.0;  ///< initial biases of the last layer
  bool padded = false;       ///< alexnet-bn: padded conv1 and pools
  int pooled = 0;            ///< alexnet-bn: maps averaged to so many rows and columns before the dense layers, 0: as they are
  bool aux = true;           ///< googlenet and inception-v3: auxiliary heads in training
  bool transform_input = false;  ///< the same two: undoes ImageNet's normalisation, for weights that torchvision ported
  bool zero_init = false;        ///< ResNets: the last batch norm of each block begins with weight 0
  json graph = {};  ///< "graph", the name of networks that the registry does not have: their layers (model/described_network.hpp)
};

inline json to_json(const model_config& c) {
  json::object text{{"name", c.name},
                    {"classes", c.classes},
                    {"channels", c.channels},
                    {"image_size", c.image_size},
                    {"dropout", c.dropout},
                    {"init", c.init},
                    {"dense_bias", c.dense_bias},
                    {"logits_bias", c.logits_bias},
                    {"padded", c.padded},
                    {"pooled", c.pooled},
                    {"aux", c.aux},
                    {"transform_input", c.transform_input}};
  if (c.zero_init) text.emplace_back("zero_init", true);
  if (!c.graph.is_null()) text.emplace_back("graph", c.graph);
  return text;
}

namespace detail {

/// A member that must fit an int. Throws error naming it and what was found.
inline int int_member(const json& text, std::string_view key) {
  const std::int64_t value = text.at(key).as_int();
  if (value < -(std::int64_t{1} << 31) || value >= std::int64_t{1} << 31)
    fail("member \"", key, "\": ", value, " is out of range");
  return static_cast<int>(value);
}

}  // namespace detail

/// Throws error naming the member that is missing or of another kind. Values are checked where the network is built.
inline model_config model_config_from(const json& text) {
  model_config c;
  c.name = text.at("name").as_string();
  c.classes = detail::int_member(text, "classes");
  c.channels = detail::int_member(text, "channels");
  c.image_size = detail::int_member(text, "image_size");
  c.dropout = text.at("dropout").as_double();
  c.init = text.at("init").as_string();
  c.dense_bias = text.at("dense_bias").as_double();
  c.logits_bias = text.at("logits_bias").as_double();
  // Files of version 0.1 do not have these.
  if (const json* padded = text.find("padded")) c.padded = padded->as_bool();
  if (text.find("pooled") != nullptr) c.pooled = detail::int_member(text, "pooled");
  if (const json* aux = text.find("aux")) c.aux = aux->as_bool();
  if (const json* undo = text.find("transform_input")) c.transform_input = undo->as_bool();
  if (const json* zero = text.find("zero_init")) c.zero_init = zero->as_bool();
  if (const json* graph = text.find("graph")) c.graph = *graph;
  return c;
}

}  // namespace minicnn::inline MINICNN_ABI
