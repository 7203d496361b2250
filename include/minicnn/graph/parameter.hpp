#pragma once
/// The tensors that a network owns and saves: parameters, their gradients, and buffers, each kind in one flat arena.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/graph/op.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Where one parameter lies in the arenas of parameters, gradients and optimizer state (equal offsets in all).
struct parameter_info {
  std::string name;  ///< "conv1.weight"
  int node = 0;      ///< index of the node that owns it
  shape dims;
  index_t offset = 0;
  bool decay = true;      ///< takes weight decay by default
  bool trainable = true;  ///< false when frozen
  bool fixed = false;     ///< frozen by its own name
  index_t fan_in = 1;
  index_t fan_out = 1;
  initializer init;
  bool int8 = false;  ///< whole numbers from -127 to 127, which files store as such
};

/// Where one buffer lies in the arena of buffers.
struct buffer_info {
  std::string name;  ///< "bn1.running_mean"
  int node = 0;
  shape dims;
  index_t offset = 0;
  double initial = 0.0;
};

/// A key for the random numbers of a name (FNV-1a, 64 bits), so that adding a layer leaves the initial values of others alone.
inline std::uint64_t name_hash(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return hash;
}

/// Parameters, gradients and buffers of a network.
template <class T>
struct network_state {
  std::vector<parameter_info> parameters;
  std::vector<buffer_info> buffers;
  aligned_buffer<T> values, gradients, buffer_values;

  /// Collects what the nodes' plans ask for, allocates, and zeroes (the gaps between parameters stay zero).
  MINICNN_COLD void build(const std::vector<std::string>& names, const std::vector<op_plan>& plans) {
    arena_layout<T> layout, buffer_layout;
    for (std::size_t i = 0; i < plans.size(); ++i) {
      for (const parameter_spec& p : plans[i].parameters)
        parameters.push_back({names[i] + "." + p.name, static_cast<int>(i), p.dims, layout.add(p.dims.size()), p.decay, true,
                              false, p.fan_in, p.fan_out, p.init, p.int8});
      for (const buffer_spec& b : plans[i].buffers)
        buffers.push_back({names[i] + "." + b.name, static_cast<int>(i), b.dims, buffer_layout.add(b.dims.size()), b.initial});
    }
    values = zeroed(layout.size());
    buffer_values = zeroed(buffer_layout.size());
  }

  /// Allocates zeroed gradients unless they are there: a network that only predicts does without.
  void need_gradients() {
    if (gradients.size() != values.size()) gradients = zeroed(values.size());
  }

  /// Draws initial values: the same seed gives the same values for a parameter of the same name and shape.
  void initialize(std::uint64_t seed) {
    const random_key key(seed);
    for (const parameter_info& p : parameters)
      minicnn::initialize(value(p), p.init, p.fan_in, p.fan_out, key.of(name_hash(p.name)));
    initialize_buffers();
  }

  void initialize_buffers() {
    for (const buffer_info& b : buffers)
      for (T& x : value(b)) x = static_cast<T>(b.initial);
  }

  view<T> value(const parameter_info& p) { return {values.data() + p.offset, p.dims}; }
  view<const T> value(const parameter_info& p) const { return {values.data() + p.offset, p.dims}; }
  view<T> gradient(const parameter_info& p) {
    need_gradients();
    return {gradients.data() + p.offset, p.dims};
  }
  view<T> value(const buffer_info& b) { return {buffer_values.data() + b.offset, b.dims}; }
  view<const T> value(const buffer_info& b) const { return {buffer_values.data() + b.offset, b.dims}; }

 private:
  static aligned_buffer<T> zeroed(index_t count) {
    aligned_buffer<T> block(count);
    std::fill(block.data(), block.data() + count, T{});
    return block;
  }
};

MINICNN_COMPILED_STRUCT(network_state);

}  // namespace minicnn::inline MINICNN_ABI
