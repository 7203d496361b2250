#pragma once
/// Networks by name: what `--model`, weights files and `make_model` (make_model.hpp) choose from.
///
///     auto net = make_model<float>({.name = "resnet18", .classes = 10});

#include <span>
#include <string_view>

#include "minicnn/alexnet.hpp"
#include "minicnn/convnext.hpp"
#include "minicnn/densenet.hpp"
#include "minicnn/efficientnet.hpp"
#include "minicnn/fast_cifar.hpp"
#include "minicnn/googlenet.hpp"
#include "minicnn/inception_v3.hpp"
#include "minicnn/lenet5.hpp"
#include "minicnn/mobilenet_v2.hpp"
#include "minicnn/mobilenet_v3.hpp"
#include "minicnn/model/described_network.hpp"
#include "minicnn/model/make_model.hpp"
#include "minicnn/model/model_names.hpp"
#include "minicnn/network_in_network.hpp"
#include "minicnn/resnet.hpp"
#include "minicnn/resnet_variants.hpp"
#include "minicnn/spp_net.hpp"
#include "minicnn/squeezenet.hpp"
#include "minicnn/vgg.hpp"
#include "minicnn/vision_transformer.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// What all networks have in common; `c` is complete.
template <class Options>
MINICNN_COLD Options options_of(const model_config& c, const network_options& n) {
  Options made;
  made.classes = c.classes;
  made.channels = c.channels;
  made.image_size = c.image_size;
  made.init = initializer_named(c.init);
  made.network = n;
  if constexpr (requires { made.dropout; }) made.dropout = c.dropout;
  if constexpr (requires { made.zero_init; }) made.zero_init = c.zero_init;
  if constexpr (requires { made.dense_init; })
    if (!keeps_dense_init(c.init)) made.dense_init = made.init;
  if constexpr (requires { made.aux; }) made.aux = c.aux, made.transform_input = c.transform_input;
  return made;
}

MINICNN_COLD inline alexnet_options alexnet_options_of(const model_config& c, const network_options& n) {
  auto made = options_of<alexnet_options>(c, n);
  made.dense_bias = c.dense_bias;
  made.logits_bias = c.logits_bias;
  made.padded = c.padded;
  made.pooled = c.pooled;
  if (c.init == "paper") made = paper_initialization(made);
  if (c.init == "caffe") made = caffe_initialization(made);
  return made;
}

template <class T, network<T> (*make)(const alexnet_options&)>
network<T> make_alexnet(const model_config& c, const network_options& n) {
  return make(alexnet_options_of(c, n));
}

template <class T, int depth, bool batch_norm>
network<T> make_vgg(const model_config& c, const network_options& n) {
  auto made = options_of<vgg_options>(c, n);
  made.depth = depth, made.batch_norm = batch_norm;
  return vgg<T>(made);
}

template <class T, int depth, bool small_stem = false, int width = 64>
network<T> make_resnet(const model_config& c, const network_options& n) {
  auto made = options_of<resnet_options>(c, n);
  made.depth = depth, made.small_stem = small_stem, made.width = width;
  return resnet<T>(made);
}

template <class T, int depth>
network<T> make_resnet_cifar(const model_config& c, const network_options& n) {
  auto made = options_of<resnet_cifar_options>(c, n);
  made.depth = depth;
  return resnet_cifar<T>(made);
}

template <class T, int first, int second, int third, int depth>
network<T> make_fast_cifar(const model_config& c, const network_options& n) {
  auto made = options_of<fast_cifar_options>(c, n);
  made.widths = {first, second, third}, made.depth = depth;
  return fast_cifar<T>(made);
}

template <class T, squeezenet_version version>
network<T> make_squeezenet(const model_config& c, const network_options& n) {
  auto made = options_of<squeezenet_options>(c, n);
  made.version = version;
  return squeezenet<T>(made);
}

template <class T, mobilenet_v3_size size>
network<T> make_mobilenet_v3(const model_config& c, const network_options& n) {
  auto made = options_of<mobilenet_v3_options>(c, n);
  made.size = size;
  return mobilenet_v3<T>(made);
}

template <class T, int depth>
network<T> make_densenet(const model_config& c, const network_options& n) {
  auto made = options_of<densenet_options>(c, n);
  made.depth = depth;
  return densenet<T>(made);
}

template <class T, int squeeze, bool d>
network<T> make_resnet_variant(const model_config& c, const network_options& n) {
  auto made = options_of<resnet_variant_options>(c, n);
  made.squeeze = squeeze, made.d = d;
  return resnet_variant<T>(made);
}

template <class T>
network<T> make_vit_tiny(const model_config& c, const network_options& n) {
  auto made = options_of<vision_transformer_options>(c, n);
  made.patch = 4, made.width = 192, made.layers = 6, made.heads = 3, made.hidden = 768;
  return vision_transformer<T>(made);
}

template <class T, class Options, network<T> (*make)(const Options&)>
network<T> make_plain(const model_config& c, const network_options& n) {
  return make(options_of<Options>(c, n));
}

/// How each of them is built from a complete config. A table of its own: asking for names compiles no network.
template <class T>
struct model_builder {
  std::string_view name;
  network<T> (*make)(const model_config&, const network_options&);
};

template <class T>
inline constexpr model_builder<T> model_builders[] = {
    {"lenet5", make_plain<T, lenet5_options, lenet5<T>>},
    {"alexnet", make_alexnet<T, alexnet<T>>},
    {"alexnet-2012", make_alexnet<T, alexnet_2012<T>>},
    {"alexnet-torchvision", make_alexnet<T, alexnet_torchvision<T>>},
    {"alexnet-bn", make_alexnet<T, alexnet_bn<T>>},
    {"alexnet-small", make_alexnet<T, alexnet_small<T>>},
    {"vgg11", make_vgg<T, 11, false>},
    {"vgg13", make_vgg<T, 13, false>},
    {"vgg16", make_vgg<T, 16, false>},
    {"vgg19", make_vgg<T, 19, false>},
    {"vgg11-bn", make_vgg<T, 11, true>},
    {"vgg13-bn", make_vgg<T, 13, true>},
    {"vgg16-bn", make_vgg<T, 16, true>},
    {"vgg19-bn", make_vgg<T, 19, true>},
    {"googlenet", make_plain<T, googlenet_options, googlenet<T>>},
    {"inception-v3", make_plain<T, inception_v3_options, inception_v3<T>>},
    {"resnet18", make_resnet<T, 18>},
    {"resnet34", make_resnet<T, 34>},
    {"resnet50", make_resnet<T, 50>},
    {"resnet101", make_resnet<T, 101>},
    {"resnet152", make_resnet<T, 152>},
    {"resnet18-cifar", make_resnet<T, 18, true>},
    {"resnet18-small", make_resnet<T, 18, false, 40>},
    {"resnet20", make_resnet_cifar<T, 20>},
    {"resnet32", make_resnet_cifar<T, 32>},
    {"resnet44", make_resnet_cifar<T, 44>},
    {"resnet56", make_resnet_cifar<T, 56>},
    {"resnet110", make_resnet_cifar<T, 110>},
    {"fast-cifar", make_fast_cifar<T, 64, 256, 256, 2>},
    {"fast-cifar-wide", make_fast_cifar<T, 128, 384, 384, 2>},
    {"fast-cifar-deep", make_fast_cifar<T, 128, 384, 512, 3>},
    {"spp-net", make_plain<T, spp_net_options, spp_net<T>>},
    {"nin", make_plain<T, network_in_network_options, network_in_network<T>>},
    {"nin-cifar", make_plain<T, network_in_network_options, network_in_network_cifar<T>>},
    {"squeezenet", make_squeezenet<T, squeezenet_version::v1_1>},
    {"squeezenet-1.0", make_squeezenet<T, squeezenet_version::v1_0>},
    {"mobilenet-v2", make_plain<T, mobilenet_v2_options, mobilenet_v2<T>>},
    {"mobilenet-v3-small", make_mobilenet_v3<T, mobilenet_v3_size::v3_small>},
    {"mobilenet-v3-large", make_mobilenet_v3<T, mobilenet_v3_size::v3_large>},
    {"efficientnet-b0", make_plain<T, efficientnet_options, efficientnet<T>>},
    {"densenet121", make_densenet<T, 121>},
    {"densenet169", make_densenet<T, 169>},
    {"densenet201", make_densenet<T, 201>},
    {"se-resnet50", make_resnet_variant<T, 16, false>},
    {"resnet50-d", make_resnet_variant<T, 0, true>},
    {"convnext-tiny", make_plain<T, convnext_options, convnext<T>>},
    {"vit-b16", make_plain<T, vision_transformer_options, vision_transformer<T>>},
    {"vit-tiny", make_vit_tiny<T>},
};

}  // namespace detail

template <class T>
MINICNN_COLD network<T> make_model(const model_config& config, const network_options& n) {
  const model_config c = completed(config);
  try {
    if (c.name == graph_model)
      return make_described_network<T>(c.graph, {.channels = c.channels, .image_size = c.image_size, .classes = c.classes}, n);
    return detail::find_model(std::span<const detail::model_builder<T>>(detail::model_builders<T>), c.name).make(c, n);
  } catch (const shape_error& e) {
    fail<shape_error>("model ", model_title(c), " at ", c.image_size, " pixels: ", e.what());
  }
}

MINICNN_COMPILED_FUNCTION(make_model);

}  // namespace minicnn::inline MINICNN_ABI
