#pragma once
/// ConvNeXt: Liu, Mao, Wu, Feichtenhofer, Darrell and Xie, "A ConvNet for the 2020s", CVPR 2022.

#include <array>
#include <utility>

#include "minicnn/graph/network.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/add.hpp"
#include "minicnn/layers/arithmetic.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/layer_norm.hpp"
#include "minicnn/layers/pooling.hpp"
#include "minicnn/layers/stochastic_depth.hpp"

namespace minicnn::inline MINICNN_ABI {

struct convnext_options {
  std::array<int, 4> blocks = {3, 3, 9, 3};         ///< of each stage: those of tiny
  std::array<int, 4> widths = {96, 192, 384, 768};  ///< channels of each stage
  int classes = 2;
  int channels = 3;
  int image_size = 224;           ///< pixels a side; at least 32
  double stochastic_depth = 0.1;  ///< chance that the last block is left out in training; blocks before it have less
  initializer init = initializer::truncated_normal(0.02);
  network_options network = {};
};

namespace detail {

/// 7x7 depthwise, layer normalisation, 1x1 to four times as many channels, GELU, 1x1 back, a factor a channel (figure 4). `name`
/// has the factor, as in torchvision; the layers are NAME.block.0, .2, .3 and .5.
template <class T>
MINICNN_COLD node<T> convnext_block(node<T> x, const std::string& name, double drop_rate, const initializer& init) {
  const index_t width = x.dims()[1];
  const auto part = [&](int i) { return text_of(name, ".block.", i); };
  auto y = conv2d(x, {.filters = width, .kernel = 7, .padding = 3, .groups = width, .init = init, .name = part(0)});
  y = layer_norm(y, {.axis = 1, .eps = 1e-6, .name = part(2)});
  y = gelu(conv2d(y, {.filters = 4 * width, .init = init, .name = part(3)}), {.name = part(4)});
  y = conv2d(y, {.filters = width, .init = init, .name = part(5)});
  y = mul_weight(y, {width, 1, 1}, {.parameter = "layer_scale", .init = initializer::constant(1e-6), .name = name});
  if (drop_rate > 0) y = stochastic_depth(y, drop_rate, {.name = name + ".stochastic_depth"});
  return add(y, x, {.name = name + ".add"});
}

}  // namespace detail

/// Patches of 4 x 4, four stages of blocks, halvings between them. ConvNeXt tiny has 28,589,128 parameters at 1000 classes. Nodes
/// have torchvision's names: features.1.0.block.0. Dense layers on channels are convolutions of 1x1 here, with the same weights.
template <class T = float>
MINICNN_COLD network<T> convnext(const convnext_options& o = {}) {
  graph<T> g;
  auto x = g.input({o.channels, o.image_size, o.image_size});
  x = conv2d(x, {.filters = o.widths[0], .kernel = 4, .stride = 4, .init = o.init, .name = "features.0.0"});
  x = layer_norm(x, {.axis = 1, .eps = 1e-6, .name = "features.0.1"});
  int blocks = 0, place = 0;
  for (const int count : o.blocks) blocks += count;
  for (int stage = 0; stage < 4; ++stage) {
    const auto s = static_cast<std::size_t>(stage);
    if (stage > 0) {
      x = layer_norm(x, {.axis = 1, .eps = 1e-6, .name = text_of("features.", 2 * stage, ".0")});
      x = conv2d(
          x, {.filters = o.widths[s], .kernel = 2, .stride = 2, .init = o.init, .name = text_of("features.", 2 * stage, ".1")});
    }
    for (int block = 0; block < o.blocks[s]; ++block, ++place)
      x = detail::convnext_block(x, text_of("features.", 2 * stage + 1, ".", block),
                                 blocks > 1 ? o.stochastic_depth * place / (blocks - 1) : 0.0, o.init);
  }
  x = flatten(layer_norm(global_avg_pool(x), {.axis = 1, .eps = 1e-6, .name = "classifier.0"}));
  return network<T>(std::move(g), {dense(x, o.classes, {.init = o.init, .name = "classifier.2"})}, o.network);
}

MINICNN_COMPILED_FUNCTION(convnext);

}  // namespace minicnn::inline MINICNN_ABI
