#pragma once
/// Residual networks with later improvements: squeeze-and-excitation (Hu, Shen and Sun, "Squeeze-and-excitation networks", CVPR
/// 2018) and ResNet-D (He et al., "Bag of tricks for image classification with convolutional neural networks", CVPR 2019).

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "minicnn/mobile_blocks.hpp"
#include "minicnn/resnet.hpp"

namespace minicnn::inline MINICNN_ABI {

struct resnet_variant_options {
  int depth = 50;  ///< 18, 34, 50, 101 or 152

  /// Channels divided by this are what lies within squeeze-and-excitation at the end of each block's branch; 0: none. The paper
  /// has 16.
  int squeeze = 0;

  /// ResNet-D: three 3x3 convolutions in place of the first of 7x7, and shortcuts that average 2x2 pixels where they halve the
  /// image.
  bool d = false;

  bool zero_init = false;  ///< as in resnet_options

  int classes = 2;
  int channels = 3;
  int image_size = 224;  ///< pixels a side; any from 1, sensible from 32
  initializer init = initializer::he();
  network_options network = {};
};

namespace detail {

/// A block of either kind, called as in torchvision; with se.fc1 and se.fc2, and downsample.1 and .2 in ResNet-D, as timm has
/// them.
template <class T>
MINICNN_COLD node<T> variant_block(node<T> x, int filters, int stride, const resnet_variant_options& o) {
  const bool bottleneck = o.depth >= 50;
  const int out = bottleneck ? 4 * filters : filters;
  auto y = x;
  if (bottleneck) y = relu(normalized_conv(y, {.filters = filters, .init = o.init, .name = "conv1"}, "bn1"));
  y = relu(normalized_conv(
      y,
      {.filters = filters, .kernel = 3, .stride = stride, .padding = 1, .init = o.init, .name = bottleneck ? "conv2" : "conv1"},
      bottleneck ? "bn2" : "bn1"));
  if (bottleneck)
    y = normalized_conv(y, {.filters = out, .init = o.init, .name = "conv3"}, "bn3", o.zero_init);
  else
    y = normalized_conv(y, {.filters = out, .kernel = 3, .padding = 1, .init = o.init, .name = "conv2"}, "bn2", o.zero_init);
  if (o.squeeze > 0) y = squeeze_excite(y, (std::max)(1, out / o.squeeze), mobile_activation::relu, false, o.init, "se");
  if (stride == 1 && x.dims()[1] == out) return relu(add(y, x));
  if (!o.d)
    return relu(
        add(y, normalized_conv(x, {.filters = out, .stride = stride, .init = o.init, .name = "downsample.0"}, "downsample.1")));
  if (stride != 1) x = avg_pool(x, {.kernel = 2, .ceil_mode = true, .count_include_pad = false, .name = "downsample.0"});
  return relu(add(y, normalized_conv(x, {.filters = out, .init = o.init, .name = "downsample.1"}, "downsample.2")));
}

}  // namespace detail

/// `resnet` with the variations that are asked for. At 1000 classes SE-ResNet-50 (`.squeeze = 16`) has 28,088,024 parameters,
/// ResNet-50-D (`.d = true`) 25,576,264.
template <class T = float>
MINICNN_COLD network<T> resnet_variant(const resnet_variant_options& o = {}) {
  const std::array<int, 4> blocks = resnet_blocks(o.depth);
  graph<T> g;
  auto x = g.input({o.channels, o.image_size, o.image_size});
  if (o.d) {
    const auto stem = [&](int filters, int stride, std::string conv, std::string bn) {
      conv2d_options c{.filters = filters, .kernel = 3, .stride = stride, .padding = 1, .init = o.init, .name = std::move(conv)};
      x = relu(detail::normalized_conv(x, std::move(c), std::move(bn)));
    };
    stem(32, 2, "conv1.0", "conv1.1");
    stem(32, 1, "conv1.3", "conv1.4");
    stem(64, 1, "conv1.6", "bn1");
  } else {
    x = relu(detail::normalized_conv(x, {.filters = 64, .kernel = 7, .stride = 2, .padding = 3, .init = o.init, .name = "conv1"},
                                     "bn1"));
  }
  x = max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
  for (int stage = 0; stage < 4; ++stage)
    for (int block = 0; block < blocks[static_cast<std::size_t>(stage)]; ++block) {
      const auto scope = g.scope(text_of("layer", stage + 1, ".", block));
      x = detail::variant_block(x, 64 << stage, stage > 0 && block == 0 ? 2 : 1, o);
    }
  x = flatten(global_avg_pool(x));
  return network<T>(std::move(g), {dense(x, o.classes, {.init = initializer::normal(0.01), .name = "fc"})}, o.network);
}

MINICNN_COMPILED_FUNCTION(resnet_variant);

}  // namespace minicnn::inline MINICNN_ABI
