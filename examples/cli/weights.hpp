#pragma once
// Weights files as the program reads them.

#include <minicnn/model/model_file.hpp>
#include <string>

namespace cli {

constexpr int largest_image_size = 8192;  ///< pixels a side that networks are fed

using minicnn::model_config;
using minicnn::model_info;
using loaded_model = minicnn::loaded_model<float>;

/// What an open weights file says about its network. Warns of a newer version and of odd sizes. Throws minicnn::file_error.
model_info read_info(const minicnn::safetensors_file& file);

/// The network and what is said about it, with the same warnings. Throws minicnn::file_error, which for files of another kind
/// says of which.
loaded_model load_model(const std::string& path, int threads);

}  // namespace cli
