#pragma once
/// A network's weights in a safetensors file, named as in the network: "conv1.weight", "bn1.running_mean".

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/graph/network.hpp"
#include "minicnn/io/safetensors.hpp"
#include "minicnn/io/save_weights.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Reads every parameter and buffer of the network. Throws file_error naming the tensor if one is missing, has another shape,
/// or the file holds one that the network does not have; the network is then as it was.
template <class T>
MINICNN_COLD void load_weights(network<T>& net, const safetensors_file& file) {
  std::vector<std::pair<view<T>, tensor<T>>> loaded;
  std::vector<char> belongs(file.entries().size());
  const auto read = [&](const std::string& name, view<T> place) {
    loaded.emplace_back(place, tensor<T>(place.dims()));
    file.read(name, loaded.back().second);
  };
  // Shapes first: a wrong file is refused before anything of its size is allocated.
  const auto check = [&](const std::string& name, const shape& dims, bool int8) {
    const tensor_entry& entry = file.at(name);
    if (!(entry.dims == dims))
      fail<file_error>(file.path(), ": tensor \"", name, "\": wanted shape ", dims, ", got ", entry.dims);
    if (entry.type > dtype::bf16 && !(int8 && entry.type == dtype::i8))
      fail<file_error>(file.path(), ": tensor \"", name, "\": wanted floating-point numbers, got ", dtype_name(entry.type));
    belongs[static_cast<std::size_t>(&entry - file.entries().data())] = 1;
  };
  for (const parameter_info& p : net.parameters()) check(p.name, p.dims, p.int8);
  for (const buffer_info& b : net.buffers()) check(b.name, b.dims, false);
  for (std::size_t i = 0; i < belongs.size(); ++i)
    if (const std::string& name = file.entries()[i].name; !belongs[i] && !std::string_view(name).starts_with(training_prefix))
      fail<file_error>(file.path(), ": tensor \"", name, "\" does not belong to this network");
  for (const parameter_info& p : net.parameters()) read(p.name, net.parameter(p.name));
  for (const buffer_info& b : net.buffers()) read(b.name, net.buffer(b.name));
  for (auto& [place, values] : loaded) std::copy(values.begin(), values.end(), place.begin());
}

template <class T>
MINICNN_COLD void load_weights(network<T>& net, const std::string& path) {
  load_weights(net, safetensors_file::open(path));
}

// Overloads have no one name for MINICNN_COMPILED_FUNCTION.
MINICNN_COMPILED_FLOAT(void load_weights<float>(network<float>&, const safetensors_file&));
MINICNN_COMPILED_DOUBLE(void load_weights<double>(network<double>&, const safetensors_file&));
MINICNN_COMPILED_FLOAT(void load_weights<float>(network<float>&, const std::string&));
MINICNN_COMPILED_DOUBLE(void load_weights<double>(network<double>&, const std::string&));

}  // namespace minicnn::inline MINICNN_ABI
