#pragma once
/// What is known of the networks of the registry without building one: names, image sizes, initial values.

#include <algorithm>
#include <numbers>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/core/number.hpp"
#include "minicnn/core/printable.hpp"
#include "minicnn/graph/initializer.hpp"
#include "minicnn/model/model_config.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Whether dense weights keep the model's own initial values: He's scheme has its own for them, as have those of whole networks,
/// and dirac is for convolutions.
inline bool keeps_dense_init(std::string_view init) {
  return init == "he" || init == "dirac" || init == "paper" || init == "caffe";
}

/// A name of the registry and what the network was made for.
struct registered_model {
  std::string_view name;
  int image_size, channels;
  double dropout;
};

inline constexpr registered_model registered_models[] = {
    {"lenet5", 32, 1, 0},
    {"alexnet", 227, 3, 0.5},
    {"alexnet-2012", 227, 3, 0.5},
    {"alexnet-torchvision", 224, 3, 0.5},
    {"alexnet-bn", 227, 3, 0.5},
    {"alexnet-small", 128, 3, 0.5},
    {"vgg11", 224, 3, 0.5},
    {"vgg13", 224, 3, 0.5},
    {"vgg16", 224, 3, 0.5},
    {"vgg19", 224, 3, 0.5},
    {"vgg11-bn", 224, 3, 0.5},
    {"vgg13-bn", 224, 3, 0.5},
    {"vgg16-bn", 224, 3, 0.5},
    {"vgg19-bn", 224, 3, 0.5},
    {"googlenet", 224, 3, 0.2},
    {"inception-v3", 299, 3, 0.5},
    {"resnet18", 224, 3, 0},
    {"resnet34", 224, 3, 0},
    {"resnet50", 224, 3, 0},
    {"resnet101", 224, 3, 0},
    {"resnet152", 224, 3, 0},
    {"resnet18-cifar", 32, 3, 0},
    {"resnet18-small", 224, 3, 0},
    {"resnet20", 32, 3, 0},
    {"resnet32", 32, 3, 0},
    {"resnet44", 32, 3, 0},
    {"resnet56", 32, 3, 0},
    {"resnet110", 32, 3, 0},
    {"fast-cifar", 32, 3, 0},
    {"fast-cifar-wide", 32, 3, 0},
    {"fast-cifar-deep", 32, 3, 0},
    {"spp-net", 224, 3, 0.5},
    {"nin", 224, 3, 0.5},
    {"nin-cifar", 32, 3, 0.5},
    {"squeezenet", 224, 3, 0.5},
    {"squeezenet-1.0", 224, 3, 0.5},
    {"mobilenet-v2", 224, 3, 0.2},
    {"mobilenet-v3-small", 224, 3, 0.2},
    {"mobilenet-v3-large", 224, 3, 0.2},
    {"efficientnet-b0", 224, 3, 0.2},
    {"densenet121", 224, 3, 0},
    {"densenet169", 224, 3, 0},
    {"densenet201", 224, 3, 0},
    {"se-resnet50", 224, 3, 0},
    {"resnet50-d", 224, 3, 0},
    {"convnext-tiny", 224, 3, 0},
    {"vit-b16", 224, 3, 0},
    {"vit-tiny", 32, 3, 0},
};

template <class Row>
MINICNN_COLD const Row& find_model(std::span<const Row> table, std::string_view name) {
  std::string known;
  for (const Row& m : table) {
    if (name == m.name) return m;
    known += std::string(known.empty() ? "" : ", ") + std::string(m.name);
  }
  fail<option_error>("model ", excerpt(name), ": unknown; known are ", known);
}
inline const registered_model& find_model(std::string_view name) {
  return find_model(std::span<const registered_model>(registered_models), name);
}

/// Pixels a side of the input's images, as many as it has rows; 1 where it has no images.
inline int described_image_size(const json& text) {
  const json::array& dims = text.at("input").at("dims").as_array();
  return dims.size() == 3 ? static_cast<int>(std::clamp(dims[1].as_int(), std::int64_t{1}, std::int64_t{1} << 14)) : 1;
}
inline int described_channels(const json& text) {
  const json::array& dims = text.at("input").at("dims").as_array();
  return dims.empty() ? 0 : static_cast<int>(std::clamp(dims[0].as_int(), std::int64_t{0}, std::int64_t{1} << 20));
}

}  // namespace detail

/// The initializer that `model_config::init` names. Throws option_error for another text.
inline initializer initializer_named(std::string_view text) {
  if (text == "dirac") return initializer::dirac();
  if (detail::keeps_dense_init(text)) return initializer::he();
  if (text == "glorot") return initializer::glorot();
  if (text == "lecun") return initializer::lecun();
  if (text == "orthogonal") return initializer::orthogonal(std::numbers::sqrt2);
  constexpr std::string_view truncated = "truncated-normal:";
  if (text.starts_with(truncated)) {
    const std::optional<double> deviation = parse_number(text.substr(truncated.size()));
    if (deviation && *deviation > 0 && *deviation <= 1000) return initializer::truncated_normal(*deviation);
  }
  fail<option_error>(
      "initial values: wanted he, glorot, lecun, dirac, orthogonal, paper, caffe or truncated-normal:DEVIATION, above 0 and up "
      "to 1000, got \"",
      excerpt(text), "\"");
}

/// Names of the registry, in the order of the documents.
inline std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const detail::registered_model& m : detail::registered_models) names.emplace_back(m.name);
  return names;
}

/// The image size that a model was made for, in pixels a side. Throws option_error naming the known models.
inline int default_image_size(std::string_view name) { return detail::find_model(name).image_size; }

/// Whether a model has auxiliary heads.
inline bool has_aux(std::string_view name) { return name == "googlenet" || name == "inception-v3"; }

/// The name of networks that are described layer by layer in `model_config::graph`: what an import made of another program's. It
/// is none of the registry's names.
inline constexpr std::string_view graph_model = "graph";

/// What users are told that a network is: its name in the registry, or the title that its description has.
inline std::string model_title(const model_config& c) {
  if (c.name != graph_model) return c.name;
  const json* title = c.graph.find("title");
  const std::string text = title != nullptr && title->is_string() ? title->as_string() : "";
  return text.find_first_not_of(" \t\r\n") != text.npos ? excerpt(text) : "network without a name";
}

/// The image size that the network was made for. Throws as the other does, and error for a description that has none.
inline int default_image_size(const model_config& c) {
  return c.name == graph_model ? detail::described_image_size(c.graph) : default_image_size(c.name);
}

/// With the model's own values in place of those left open. Throws option_error naming the known models.
inline model_config completed(model_config c) {
  if (c.name == graph_model) {
    if (c.image_size == 0) c.image_size = default_image_size(c);
    if (c.channels == 0) c.channels = detail::described_channels(c.graph);
    if (c.dropout < 0) c.dropout = 0;
    return c;
  }
  const detail::registered_model& m = detail::find_model(c.name);
  if (c.image_size == 0) c.image_size = m.image_size;
  if (c.channels == 0) c.channels = m.channels;
  if (c.dropout < 0) c.dropout = m.dropout;
  return c;
}

}  // namespace minicnn::inline MINICNN_ABI
