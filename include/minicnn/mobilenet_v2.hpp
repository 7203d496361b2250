#pragma once
/// MobileNet v2: Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018.

#include <utility>

#include "minicnn/graph/network.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/mobile_blocks.hpp"

namespace minicnn::inline MINICNN_ABI {

struct mobilenet_v2_options {
  int classes = 2;
  int channels = 3;
  int image_size = 224;  ///< pixels a side; any from 1, sensible from 32
  double width = 1.0;    ///< multiplies the channels of all layers, which are then rounded to multiples of 8
  double dropout = 0.2;  ///< before the classifier
  initializer init = initializer::he();
  network_options network = {};
};

/// Table 2: a 3x3 convolution, 17 inverted residual blocks, a 1x1 convolution to 1280 channels, their means, a dense layer; ReLU6
/// throughout. 3,504,872 parameters at 1000 classes. Nodes have torchvision's names: features.1.conv.0.0.
template <class T = float>
MINICNN_COLD network<T> mobilenet_v2(const mobilenet_v2_options& o = {}) {
  constexpr auto relu6 = detail::mobile_activation::relu6;
  const detail::mobile_style style{.init = o.init};
  const auto wide = [&](int channels) { return detail::rounded_channels(channels * o.width); };
  graph<T> g;
  auto x = g.input({o.channels, o.image_size, o.image_size});
  x = detail::mobile_unit(x, style, {.filters = wide(32), .kernel = 3, .stride = 2, .activation = relu6}, "features.0");
  constexpr struct {
    int expansion, channels, blocks, stride;
  } stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  int number = 1;
  for (const auto& stage : stages)
    for (int block = 0; block < stage.blocks; ++block, ++number) {
      const auto scope = g.scope(text_of("features.", number));
      const int before = static_cast<int>(x.dims()[1]), hidden = before * stage.expansion, stride = block == 0 ? stage.stride : 1;
      int part = 0;
      const auto next = [&part] { return text_of("conv.", part++); };
      auto y = x;
      if (stage.expansion != 1) y = detail::mobile_unit(y, style, {.filters = hidden, .activation = relu6}, next());
      y = detail::mobile_unit(y, style, {hidden, 3, stride, true, relu6}, next());
      const auto conv = next(), bn = next();
      y = detail::mobile_unit(y, style, {.filters = wide(stage.channels)}, conv, bn);
      x = stride == 1 && before == wide(stage.channels) ? add(x, y) : y;
    }
  const int last = o.width > 1 ? wide(1280) : 1280;
  x = detail::mobile_unit(x, style, {.filters = last, .activation = relu6}, text_of("features.", number));
  x = dropout(flatten(global_avg_pool(x)), o.dropout);
  return network<T>(std::move(g), {dense(x, o.classes, {.init = initializer::normal(0.01), .name = "classifier.1"})}, o.network);
}

MINICNN_COMPILED_FUNCTION(mobilenet_v2);

}  // namespace minicnn::inline MINICNN_ABI
