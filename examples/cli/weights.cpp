#include "weights.hpp"

#include "import_weights.hpp"
#include "messages.hpp"

namespace cli {

model_info read_info(const minicnn::safetensors_file& file) {
  model_info info = minicnn::read_model_info(file);
  for (const std::string& text : info.warnings) warn(text);
  return info;
}

loaded_model load_model(const std::string& path, int threads) {
  loaded_model model = minicnn::load_model(open_weights(path), threads);
  for (const std::string& text : model.info.warnings) warn(text);
  return model;
}

}  // namespace cli
