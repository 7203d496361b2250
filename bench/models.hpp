#pragma once
/// The networks that bench_step and bench_layers know by name: two classes (LeNet-5 and ResNet-20 ten), without weights of
/// anyone.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/minicnn.hpp"

namespace bench {

using minicnn::network;

struct model {
  std::string name;
  std::function<network<float>(int)> make;  ///< takes pixels a side; 0: the network's own size
};

namespace detail {

/// `build(options)` with the size that is asked for.
template <class Options, class F>
std::function<network<float>(int)> sized(Options options, F build) {
  return [=](int size) {
    Options chosen = options;
    if (size > 0) chosen.image_size = size;
    return build(chosen);
  };
}

}  // namespace detail

inline std::vector<model> models() {
  using detail::sized;
  namespace m = minicnn;
  std::vector<model> out = {
      {"lenet5", sized(m::lenet5_options{}, [](const auto& o) { return m::lenet5<float>(o); })},
      {"alexnet", sized(m::alexnet_options{}, [](const auto& o) { return m::alexnet<float>(o); })},
      {"alexnet-2012", sized(m::alexnet_options{}, [](const auto& o) { return m::alexnet_2012<float>(o); })},
      {"alexnet-torchvision", sized(m::alexnet_options{}, [](const auto& o) { return m::alexnet_torchvision<float>(o); })},
      {"alexnet-bn", sized(m::alexnet_options{}, [](const auto& o) { return m::alexnet_bn<float>(o); })},
      {"alexnet-small", sized(m::alexnet_options{}, [](const auto& o) { return m::alexnet_small<float>(o); })},
      {"googlenet", sized(m::googlenet_options{}, [](const auto& o) { return m::googlenet<float>(o); })},
      {"inception-v3", sized(m::inception_v3_options{}, [](const auto& o) { return m::inception_v3<float>(o); })},
      {"spp-net", sized(m::spp_net_options{}, [](const auto& o) { return m::spp_net<float>(o); })},
      {"nin", sized(m::network_in_network_options{}, [](const auto& o) { return m::network_in_network<float>(o); })},
      {"squeezenet", sized(m::squeezenet_options{}, [](const auto& o) { return m::squeezenet<float>(o); })},
      {"mobilenet-v2", sized(m::mobilenet_v2_options{}, [](const auto& o) { return m::mobilenet_v2<float>(o); })},
      {"mobilenet-v3-small", sized(m::mobilenet_v3_options{}, [](const auto& o) { return m::mobilenet_v3<float>(o); })},
      {"mobilenet-v3-large", sized(m::mobilenet_v3_options{.size = m::mobilenet_v3_size::v3_large},
                                   [](const auto& o) { return m::mobilenet_v3<float>(o); })},
      {"efficientnet-b0", sized(m::efficientnet_options{}, [](const auto& o) { return m::efficientnet<float>(o); })},
      {"densenet121", sized(m::densenet_options{}, [](const auto& o) { return m::densenet<float>(o); })},
      {"convnext-tiny", sized(m::convnext_options{}, [](const auto& o) { return m::convnext<float>(o); })},
      {"vit-b16", sized(m::vision_transformer_options{}, [](const auto& o) { return m::vision_transformer<float>(o); })},
      {"resnet20", sized(m::resnet_cifar_options{.depth = 20}, [](const auto& o) { return m::resnet_cifar<float>(o); })}};
  for (const int depth : {11, 13, 16, 19}) {
    const std::string name = "vgg" + std::to_string(depth);
    for (const bool norm : {false, true})
      out.push_back({norm ? name + "-bn" : name,
                     sized(m::vgg_options{.depth = depth, .batch_norm = norm}, [](const auto& o) { return m::vgg<float>(o); })});
  }
  for (const int depth : {18, 34, 50, 101, 152})
    out.push_back({"resnet" + std::to_string(depth),
                   sized(m::resnet_options{.depth = depth}, [](const auto& o) { return m::resnet<float>(o); })});
  return out;
}

}  // namespace bench
