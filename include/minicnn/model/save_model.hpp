#pragma once
/// Writing weights files that are enough by themselves. Which networks can be built by name is not needed for that:
/// model_file.hpp, which reads such files, knows them all.
///
///     network<float> net = alexnet_bn<float>({.classes = 2, .image_size = 96});
///     const std::vector<std::string> names{"cat", "dog"};
///     save_model(net, {.config = {.name = "alexnet-bn"}, .classes = names, .transform = transform}, "cats.safetensors");

#include <string>
#include <utility>

#include "minicnn/io/save_weights.hpp"
#include "minicnn/model/model_info.hpp"

namespace minicnn::inline MINICNN_ABI {

/// `info` with what is left open in it filled in. Throws option_error naming `path` if it does not fit the network's input and
/// outputs, or itself. That `config` names this very network is the caller's word: `load_model` names the tensor that differs.
template <class T>
MINICNN_COLD model_info checked_info(const network<T>& net, model_info info, const std::string& path) {
  try {
    if (info.config.image_size == 0) info.config.image_size = static_cast<int>(net.input_dims()[2]);
    info.config = completed(info.config);
    info.config.channels = static_cast<int>(net.input_dims()[1]);
    detail::check_info(info);
    detail::want(net.output_dims().size_from(1) == info.config.classes, "classes", "as many as the network has outputs",
                 info.config.classes);
  } catch (const error& e) {
    fail<option_error>(path, ": cannot be written: ", e.what());
  }
  return info;
}

/// Writes weights and `info`. The file appears under its name only when it is complete. Throws option_error if `info` does not
/// fit the network.
template <class T>
void save_model(const network<T>& net, const model_info& info, const std::string& path) {
  save_weights(net, path, to_metadata(checked_info(net, info, path)));
}

MINICNN_COMPILED_FUNCTION(save_model);

}  // namespace minicnn::inline MINICNN_ABI
