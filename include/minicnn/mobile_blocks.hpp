#pragma once
/// What MobileNets and EfficientNets are made of: inverted residual blocks with depthwise convolutions (Sandler et al.,
/// "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018) and squeeze-and-excitation (Hu et al.,
/// "Squeeze-and-excitation networks", CVPR 2018). Nodes with parameters have torchvision's names.

#include <algorithm>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/add.hpp"
#include "minicnn/layers/arithmetic.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/pooling.hpp"
#include "minicnn/layers/stochastic_depth.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// `channels` rounded to the nearest multiple of 8, but not to less than nine tenths of it: widths of scaled mobile networks.
inline int rounded_channels(double channels) {
  const int rounded = (std::max)(8, static_cast<int>(channels + 4) / 8 * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

/// What all blocks of a network have in common.
struct mobile_style {
  initializer init = initializer::he();
  batch_norm_options norm = {};
};

enum class mobile_activation { none, relu, relu6, hard_swish, silu };

template <class T>
MINICNN_COLD node<T> activated(node<T> x, mobile_activation how) {
  switch (how) {
    case mobile_activation::relu:
      return relu(x);
    case mobile_activation::relu6:
      return relu6(x);
    case mobile_activation::hard_swish:
      return hard_swish(x);
    case mobile_activation::silu:
      return silu(x);
    case mobile_activation::none:
      break;
  }
  return x;
}

/// Filters of one size around their middle, of all channels or, with `groups`, depthwise; batch normalisation; activation.
struct mobile_conv {
  int filters, kernel = 1, stride = 1;
  bool depthwise = false;
  mobile_activation activation = mobile_activation::none;
};

/// The convolution is called `conv`, its normalisation `bn`.
template <class T>
MINICNN_COLD node<T> mobile_unit(node<T> x, const mobile_style& style, const mobile_conv& c, std::string conv, std::string bn) {
  batch_norm_options norm = style.norm;
  norm.name = std::move(bn);
  x = conv2d(x, {.filters = c.filters,
                 .kernel = c.kernel,
                 .stride = c.stride,
                 .padding = (c.kernel - 1) / 2,
                 .groups = c.depthwise ? c.filters : 1,
                 .bias = false,
                 .init = style.init,
                 .name = std::move(conv)});
  return activated(batch_norm(x, std::move(norm)), c.activation);
}

/// The same, called NAME.0 and NAME.1.
template <class T>
MINICNN_COLD node<T> mobile_unit(node<T> x, const mobile_style& style, const mobile_conv& c, const std::string& name) {
  return mobile_unit(x, style, c, name + ".0", name + ".1");
}

/// Channels weighed by what all of them hold on average: x * gate(fc2(activation(fc1(mean of x)))). The convolutions of 1 x 1 are
/// called NAME.fc1, with `squeezed` filters, and NAME.fc2. With `hard` the gate is hard_sigmoid, else sigmoid.
template <class T>
MINICNN_COLD node<T> squeeze_excite(node<T> x, int squeezed, mobile_activation activation, bool hard, const initializer& init,
                                    const std::string& name) {
  node<T> gate = global_avg_pool(x);
  gate = activated(conv2d(gate, {.filters = squeezed, .init = init, .name = name + ".fc1"}), activation);
  gate = conv2d(gate, {.filters = x.dims()[1], .init = init, .name = name + ".fc2"});
  return mul(x, hard ? hard_sigmoid(gate) : sigmoid(gate));
}

/// An inverted residual block: to `expanded` channels, depthwise, a gate for each channel, back to `filters`.
struct mobile_block {
  int kernel, expanded, filters, stride;
  mobile_activation activation;
  int squeezed = 0;        ///< channels within squeeze-and-excitation; 0: without
  bool hard_gate = false;  ///< hard-sigmoid, and ReLU within (MobileNet v3); else sigmoid, and the block's activation
  double drop_rate = 0.0;  ///< of stochastic depth
};

/// Parts are called block.0, block.1, ... within the current scope, as in torchvision's MobileNet v3 and EfficientNet. The input
/// is added where it has the result's shape; nothing follows the last normalisation ("linear bottleneck").
template <class T>
MINICNN_COLD node<T> inverted_residual(node<T> x, const mobile_style& style, const mobile_block& b) {
  int part = 0;
  const auto next = [&part] { return text_of("block.", part++); };
  node<T> y = x;
  if (b.expanded != x.dims()[1]) y = mobile_unit(y, style, {.filters = b.expanded, .activation = b.activation}, next());
  const mobile_conv depthwise{b.expanded, b.kernel, b.stride, true, b.activation};
  y = mobile_unit(y, style, depthwise, next());
  if (b.squeezed > 0)
    y = squeeze_excite(y, b.squeezed, b.hard_gate ? mobile_activation::relu : b.activation, b.hard_gate, style.init, next());
  y = mobile_unit(y, style, {.filters = b.filters}, next());
  if (b.stride != 1 || x.dims()[1] != b.filters) return y;
  if (b.drop_rate > 0) y = stochastic_depth(y, b.drop_rate);
  return add(y, x);
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
