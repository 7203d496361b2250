#pragma once
// A weights file that is enough by itself: how to build the network, how to feed it, what its outputs mean.

#include <cstdint>
#include <map>
#include <minicnn/data/transform.hpp>
#include <minicnn/io/safetensors.hpp>
#include <string>
#include <vector>

#include "model.hpp"

namespace cli {

/// Temperatures that leave every probability a finite number; what training fits lies well within.
inline constexpr double least_temperature = 1e-4, most_temperature = 1e6;

struct weights_info {
  model_options model;
  std::vector<std::string> classes;  ///< in the order of the outputs
  minicnn::image_transform picture;  ///< of evaluation
  std::uint64_t split_seed = 0;      ///< of the stratified split that training made
  double val_fraction = 0.1;
  std::int64_t limit = 0;    ///< images taken before the split, 0: all
  std::string tta = "none";  ///< none, flip or ten-crop
  double temperature = 1.0;  ///< logits are divided by it
  double clip = 0.0;         ///< submit keeps probabilities so far from 0 and 1
};

/// `names` with the number of the output behind each that occurs more than once: names are keys in what the program writes.
std::vector<std::string> distinct_names(const std::vector<std::string>& names);

/// As metadata of a safetensors file: texts, most of them JSON, in the C locale.
std::map<std::string, std::string> to_metadata(const weights_info& info);

/// Throws minicnn::file_error naming the file and the entry that is missing, wrong or outside its range. Warns of a newer
/// version.
weights_info info_from_metadata(const minicnn::safetensors_file& file);

struct loaded_model {
  weights_info info;
  minicnn::network<float> net;
};

/// Builds the network that a file describes and reads its weights. Throws minicnn::error.
loaded_model load_model(const std::string& path, int threads);

}  // namespace cli
