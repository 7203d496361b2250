#pragma once
/// Whether 8-bit values are read on the scale on which they are made.

#include <string>
#include <string_view>
#include <variant>

#include "minicnn/graph/network.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

inline const attribute_value* find_attribute(const attribute_list& all, std::string_view name) {
  for (const auto& [key, value] : all)
    if (key == name) return &value;
  return nullptr;
}

inline double quantization_number(const attribute_value& v) {
  return std::holds_alternative<double>(v) ? std::get<double>(v) : static_cast<double>(std::get<index_t>(v));
}

}  // namespace detail

/// The same network. Throws error that names the node, the one before it and both values where a node's `input_scale` or zero
/// point is not the `output_scale` or zero point of the node that made its bytes: the result would be silently wrong by their
/// ratio. Operations without a scale of their own (pooling, flattening) leave bytes on the scale that they came with.
template <class T>
MINICNN_COLD network<T> with_equal_scales(network<T> net) {
  const auto node = [&](int id) -> const graph_node<T>& { return net.nodes()[static_cast<std::size_t>(id)]; };
  for (const graph_node<T>& n : net.nodes()) {
    if (n.operation == nullptr) continue;
    const attribute_list reads = n.operation->describe();
    for (std::size_t k = 0; k < n.inputs.size(); ++k)
      for (const std::string& what : {text_of("input", k, "_"), std::string(k == 0 ? "input_" : k == 1 ? "addend_" : "")}) {
        const graph_node<T>* from = &node(n.inputs[k]);
        while (from->bytes && from->operation != nullptr && !from->inputs.empty() &&
               detail::find_attribute(from->operation->describe(), "output_scale") == nullptr)
          from = &node(from->inputs[0]);
        if (!from->bytes || from->operation == nullptr) continue;
        const attribute_list makes = from->operation->describe();
        for (const char* number : {"scale", "zero"}) {
          const attribute_value* read = detail::find_attribute(reads, what + number);
          const attribute_value* made = detail::find_attribute(makes, std::string("output_") + number);
          if (read == nullptr || made == nullptr) continue;
          const double a = detail::quantization_number(*read), b = detail::quantization_number(*made);
          if (!(a == b))
            fail("node ", n.name, ": reads the bytes of ", from->name, " with ", what, number, " = ", a,
                 ", they are made with output_", number, " = ", b);
        }
      }
  }
  return net;
}

}  // namespace minicnn::inline MINICNN_ABI
