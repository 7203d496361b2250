#pragma once
/// A network as a description of its layers, and back: what a weights file says of a network that the registry has no name for.
///
///     const json text = describe_network(net);
///     network<float> again = make_described_network<float>(text);  // without the weights

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/core/printable.hpp"
#include "minicnn/graph/network.hpp"
#include "minicnn/int8/scales.hpp"
#include "minicnn/io/json.hpp"
#include "minicnn/model/layer_table.hpp"
#include "minicnn/model/model_names.hpp"

namespace minicnn::inline MINICNN_ABI {

/// {"input": {"name", "dims"}, "nodes": [{"name", "kind", "inputs", "attributes"}], "outputs", "features"}: nodes in their order,
/// inputs by name, attributes as the layers describe themselves. Weights, initial values and what is frozen are no part of it.
template <class T>
MINICNN_COLD json describe_network(const network<T>& net) {
  const auto name = [&](int id) { return net.nodes()[static_cast<std::size_t>(id)].name; };
  const shape& in = net.input_dims();
  json::array nodes, outputs;
  for (const graph_node<T>& n : net.nodes()) {
    if (n.operation == nullptr) continue;
    json::array inputs;
    for (const int id : n.inputs) inputs.emplace_back(name(id));
    json::object attributes;
    for (const auto& [key, value] : n.operation->describe())
      attributes.emplace_back(key, std::visit([](const auto& v) { return json(v); }, value));
    nodes.push_back(json::object{
        {"name", n.name}, {"kind", n.operation->kind()}, {"inputs", std::move(inputs)}, {"attributes", std::move(attributes)}});
  }
  for (const int id : net.topology().outputs) outputs.emplace_back(name(id));
  return json::object{
      {"input", json::object{{"name", name(net.topology().input)}, {"dims", std::vector<index_t>(in.begin() + 1, in.end())}}},
      {"nodes", std::move(nodes)},
      {"outputs", std::move(outputs)},
      {"features", net.output_dims().size_from(1)}};
}

/// The config of a network that the registry has no name for: it carries the description, and what users are to call it
/// (`model_title`). For square images.
template <class T>
MINICNN_COLD model_config described_config(const network<T>& net, const std::string& title = {}) {
  model_config c{.name = std::string(graph_model), .classes = static_cast<int>(net.output_dims().size_from(1))};
  c.channels = static_cast<int>(net.input_dims()[1]);
  c.image_size = static_cast<int>(net.input_dims()[2]);
  c.graph = describe_network(net);
  if (!title.empty()) c.graph.set("title", title);
  return c;
}

/// What may be other than a description says. 0: as it says.
struct described_network_changes {
  index_t channels = 0, image_size = 0;  ///< of the input; pictures are then as high as wide
  index_t classes = 0;                   ///< units of the layers that make the outputs' logits
};

namespace detail {

/// The layers that make the outputs' logits: for each output the last dense layer or convolution up to it.
inline std::set<std::string> described_heads(const json& text) {
  std::set<std::string> heads;
  for (const json& output : text.at("outputs").as_array()) {
    std::string head;
    for (const json& n : text.at("nodes").as_array()) {
      const std::string &kind = n.at("kind").as_string(), &name = n.at("name").as_string();
      if (kind == "dense" || kind == "conv2d") head = name;
      if (name == output.as_string()) break;
    }
    heads.insert(head);
  }
  return heads;
}

}  // namespace detail

/// The network of a description, with parameters of 0 unless `n.initialize` says otherwise. Throws error that names the layer for
/// a description that is damaged or does not fit together; nothing that it claims takes memory before it is checked, but
/// parameters, which `n.parameter_limit` bounds.
template <class T>
MINICNN_COLD network<T> make_described_network(const json& text, const described_network_changes& c = {},
                                               const network_options& n = {}) {
  constexpr std::size_t most_nodes = 16384;
  const json::array& nodes = text.at("nodes").as_array();
  if (nodes.size() > most_nodes) fail("wanted at most ", most_nodes, " nodes, got ", nodes.size());
  std::vector<index_t> dims;
  for (const json& d : text.at("input").at("dims").as_array()) dims.push_back(detail::layer_text::bounded(d.as_int()));
  if (dims.empty() || dims.size() > 5) fail("input: wanted 1 to 5 extents, got ", dims.size());
  if (c.channels > 0) dims[0] = c.channels;
  if (c.image_size > 0 && dims.size() == 3) dims[1] = dims[2] = c.image_size;

  graph<T> g;
  std::map<std::string, node<T>> made;
  const auto add_node = [&](const std::string& name, node<T> x) {
    if (x.dims().size() > index_t{1} << 40) fail("a result of ", x.dims());
    if (!made.emplace(name, x).second) fail("two nodes are called so");
  };
  const std::string& input = text.at("input").at("name").as_string();
  add_node(input, g.input(shape(dims.begin(), dims.end()), input));
  const bool other_classes = c.classes > 0 && text.at("features").as_int() != c.classes;
  const std::set<std::string> heads = other_classes ? detail::described_heads(text) : std::set<std::string>();
  for (const json& one : nodes) {
    const std::string& name = one.at("name").as_string();
    try {
      if (name.empty()) fail("it has no name");
      std::vector<node<T>> x;
      for (const json& from : one.at("inputs").as_array()) {
        const auto found = made.find(from.as_string());
        if (found == made.end()) fail("its input \"", excerpt(from.as_string()), "\" is no node before it");
        x.push_back(found->second);
      }
      json attributes = one.at("attributes");
      if (heads.count(name) > 0) attributes.set(attributes.has("units") ? "units" : "filters", c.classes);
      add_node(name, detail::make_layer<T>(one.at("kind").as_string(), x, {attributes, name}));
    } catch (const error& e) {
      fail("node ", excerpt(name), ": ", e.what());
    }
  }
  std::vector<node<T>> outputs;
  for (const json& name : text.at("outputs").as_array()) {
    const auto found = made.find(name.as_string());
    if (found == made.end()) fail("output \"", excerpt(name.as_string()), "\" is no node");
    outputs.push_back(found->second);
  }
  return with_equal_scales(network<T>(std::move(g), outputs, n));
}

}  // namespace minicnn::inline MINICNN_ABI
