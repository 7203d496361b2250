#pragma once
// The networks that the program knows by name.

#include <minicnn/graph/network.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace cli {

/// Everything that decides a network's parameters: stored in weights files as JSON, so that a file alone is enough.
struct model_options {
  std::string name = "alexnet-bn";
  int classes = 2;
  int channels = 3;
  int image_size = 0;  ///< 0: the model's own
  double dropout = 0.5;
  std::string init = "he";   ///< he, glorot, lecun, paper (the model's paper) or truncated-normal:DEVIATION
  double dense_bias = 0.0;   ///< first value of the biases of hidden dense layers
  double logits_bias = 0.0;  ///< first value of the last layer's biases
  bool padded = false;       ///< alexnet-bn: padded conv1 and pools
  int pooled = 0;            ///< alexnet-bn: maps averaged to so many rows and columns before the dense layers, 0: as they are
};

/// Names for --model, in the order of the help.
std::vector<std::string> model_names();

/// The size that a model was made for. Throws option_error naming the known models.
int default_image_size(const std::string& name);

/// Builds the network with first parameter values from `seed`. Throws option_error for an unknown name or initialiser and
/// shape_error for an image size that is too small.
minicnn::network<float> make_model(const model_options& o, std::uint64_t seed, int threads);

/// Throws option_error for a text that names no initialiser.
void check_init(const std::string& text);

nlohmann::ordered_json to_json(const model_options& o);
/// Throws minicnn::error naming the member that is missing or wrong.
model_options model_from_json(const nlohmann::ordered_json& text);

}  // namespace cli
