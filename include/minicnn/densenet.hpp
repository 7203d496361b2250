#pragma once
/// DenseNet: Huang, Liu, van der Maaten and Weinberger, "Densely connected convolutional networks", CVPR 2017.

#include <array>
#include <utility>

#include "minicnn/graph/network.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/concat.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/pooling.hpp"

namespace minicnn::inline MINICNN_ABI {

struct densenet_options {
  int depth = 121;  ///< layers with weights: 121, 161, 169 or 201
  int classes = 2;
  int channels = 3;
  int image_size = 224;  ///< pixels a side; at least 29, sensible from 32
  initializer init = initializer::he();
  network_options network = {};
};

/// Layers of each of the four blocks, filters that each layer adds and filters of the first convolution (table 1 and, for 161,
/// the authors' code).
struct densenet_plan {
  std::array<int, 4> layers;
  int growth, first;
};

/// Throws option_error for other depths.
inline densenet_plan densenet_plan_of(int depth) {
  switch (depth) {
    case 121:
      return {{6, 12, 24, 16}, 32, 64};
    case 161:
      return {{6, 12, 36, 24}, 48, 96};
    case 169:
      return {{6, 12, 32, 32}, 32, 64};
    case 201:
      return {{6, 12, 48, 32}, 32, 64};
    default:
      fail<option_error>("densenet: depth is ", depth, ", wanted 121, 161, 169 or 201");
  }
}

namespace detail {

/// Batch normalisation, ReLU, convolution without bias: in this order here.
template <class T>
MINICNN_COLD node<T> norm_relu_conv(node<T> x, std::string norm, conv2d_options conv) {
  conv.bias = false;
  batch_norm_options bn{.name = std::move(norm)};
  return conv2d(relu(batch_norm(x, std::move(bn))), std::move(conv));
}

}  // namespace detail

/// DenseNet-BC: each layer sees what all layers of its block before it made, and adds `growth` channels to it (a 1x1 convolution
/// to four times as many, then 3x3); between blocks a 1x1 convolution halves the channels and pooling the image. At 1000 classes
/// 7,978,856 parameters (121), 28,681,000 (161), 14,149,480 (169) and 20,013,928 (201). Nodes have torchvision's names:
/// features.denseblock1.denselayer1.conv1.
template <class T = float>
MINICNN_COLD network<T> densenet(const densenet_options& o = {}) {
  const densenet_plan plan = densenet_plan_of(o.depth);
  graph<T> g;
  auto x = g.input({o.channels, o.image_size, o.image_size});
  {
    const auto scope = g.scope("features");
    x = conv2d(x,
               {.filters = plan.first, .kernel = 7, .stride = 2, .padding = 3, .bias = false, .init = o.init, .name = "conv0"});
    x = max_pool(relu(batch_norm(x, {.name = "norm0"})), {.kernel = 3, .stride = 2, .padding = 1});
    for (int block = 0; block < 4; ++block) {
      for (int layer = 0; layer < plan.layers[static_cast<std::size_t>(block)]; ++layer) {
        const auto inner = g.scope(text_of("denseblock", block + 1, ".denselayer", layer + 1));
        auto y = detail::norm_relu_conv(x, "norm1", {.filters = 4 * plan.growth, .init = o.init, .name = "conv1"});
        y = detail::norm_relu_conv(y, "norm2",
                                   {.filters = plan.growth, .kernel = 3, .padding = 1, .init = o.init, .name = "conv2"});
        x = concat({x, y});
      }
      if (block == 3) break;
      const auto inner = g.scope(text_of("transition", block + 1));
      x = detail::norm_relu_conv(x, "norm", {.filters = x.dims()[1] / 2, .init = o.init, .name = "conv"});
      x = avg_pool(x, {.kernel = 2});
    }
    x = relu(batch_norm(x, {.name = "norm5"}));
  }
  x = flatten(global_avg_pool(x));
  return network<T>(std::move(g), {dense(x, o.classes, {.init = initializer::normal(0.01), .name = "classifier"})}, o.network);
}

MINICNN_COMPILED_FUNCTION(densenet);

}  // namespace minicnn::inline MINICNN_ABI
