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
  int channels = 0;     ///< 0: the model's own
  int image_size = 0;   ///< pixels a side; 0: the model's own
  double dropout = -1;  ///< below 0: the model's own
  /// he, glorot, lecun, paper, caffe (AlexNets: the 2012 paper's, Caffe's; others: he) or truncated-normal:DEVIATION.
  std::string init = "he";
  double dense_bias = 0.0;   ///< first value of the biases of hidden dense layers
  double logits_bias = 0.0;  ///< first value of the last layer's biases
  bool padded = false;       ///< alexnet-bn: padded conv1 and pools
  int pooled = 0;            ///< alexnet-bn: maps averaged to so many rows and columns before the dense layers, 0: as they are
  bool aux = true;           ///< googlenet and inception-v3: auxiliary heads in training
  bool transform_input = false;  ///< the same two: undoes ImageNet's normalisation, for weights that torchvision ported
};

/// Names for --model, in the order of the help.
std::vector<std::string> model_names();

/// The size that a model was made for. Throws option_error naming the known models.
int default_image_size(const std::string& name);

/// Whether a model has auxiliary heads.
bool has_aux(const std::string& name);

/// With the model's own values in place of those left open. Throws option_error naming the known models.
model_options completed(model_options o);

/// Builds the network with first parameter values from `seed`; without them (`initialize` false) it wants a file's. Throws
/// option_error for an unknown name or initialiser and shape_error, which names model, size and node, for an image size that is
/// too small.
minicnn::network<float> make_model(const model_options& o, std::uint64_t seed, int threads, bool initialize = true,
                                   minicnn::index_t parameter_limit = 0);

/// Throws option_error for a text that names no initialiser.
void check_init(const std::string& text);

nlohmann::ordered_json to_json(const model_options& o);
/// Throws minicnn::error naming the member that is missing or wrong.
model_options model_from_json(const nlohmann::ordered_json& text);

}  // namespace cli
