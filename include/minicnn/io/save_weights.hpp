#pragma once
/// A network's weights into a safetensors file, named as in the network: "conv1.weight", "bn1.running_mean".

#include <cmath>
#include <map>
#include <string>
#include <string_view>

#include "minicnn/graph/network.hpp"
#include "minicnn/io/safetensors_writer.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Tensors whose names begin with this belong to a training run (optimizer state) and are passed over by `load_weights`.
inline constexpr std::string_view training_prefix = "training.";

/// Adds all parameters and buffers, in the network's order; 8-bit ones as I8. Throws error naming the parameter if one of those
/// holds another number than -127, ..., 127.
template <class T>
void add_weights(safetensors_writer& out, const network<T>& net, dtype stored_as = dtype_of<T>()) {
  for (const parameter_info& p : net.parameters()) {
    const view<const T> values = net.parameter(p.name);
    for (index_t i = 0; p.int8 && i < values.size(); ++i)
      if (!(values[i] >= T{-127} && values[i] <= T{127}) || std::nearbyint(values[i]) != values[i])
        fail(p.name, ": wanted whole numbers from -127 to 127, got ", values[i]);
    out.add(p.name, values, p.int8 ? dtype::i8 : stored_as);
  }
  for (const buffer_info& b : net.buffers()) out.add(b.name, net.buffer(b.name), stored_as);
}

/// Writes parameters, buffers and metadata. The file appears under its name only when it is complete.
template <class T>
void save_weights(const network<T>& net, const std::string& path, const std::map<std::string, std::string>& metadata = {},
                  dtype stored_as = dtype_of<T>()) {
  safetensors_writer out;
  for (const auto& [key, value] : metadata) out.metadata(key, value);
  add_weights(out, net, stored_as);
  out.write(path);
}

MINICNN_COMPILED_FUNCTION(save_weights);

}  // namespace minicnn::inline MINICNN_ABI
