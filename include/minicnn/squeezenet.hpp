#pragma once
/// SqueezeNet: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size", 2016,
/// table 1, and the authors' version 1.1, which needs 2.4 times less computation.

#include <array>
#include <utility>

#include "minicnn/graph/network.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/concat.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/pooling.hpp"

namespace minicnn::inline MINICNN_ABI {

/// The two versions.
enum class squeezenet_version { v1_0, v1_1 };

struct squeezenet_options {
  squeezenet_version version = squeezenet_version::v1_1;
  int classes = 2;
  int channels = 3;
  int image_size = 224;  ///< pixels a side; at least 17 (21 for 1.0)
  double dropout = 0.5;  ///< before conv10
  initializer init = initializer::he();
  network_options network = {};
};

/// A fire module (section 3.2): `squeeze` 1x1 filters, then `expand` 1x1 and as many 3x3 filters side by side.
template <class T>
MINICNN_COLD node<T> fire(node<T> x, int squeeze, int expand, const initializer& init) {
  x = relu(conv2d(x, {.filters = squeeze, .init = init, .name = "squeeze"}));
  return concat({relu(conv2d(x, {.filters = expand, .init = init, .name = "expand1x1"})),
                 relu(conv2d(x, {.filters = expand, .kernel = 3, .padding = 1, .init = init, .name = "expand3x3"}))});
}

/// One convolution, eight fire modules with three poolings between them, and a 1x1 convolution whose maps are averaged.
/// Parameters at 1000 classes: 1,248,424 (1.0), 1,235,496 (1.1). Windows of pooling that stick out count (Caffe's rule).
template <class T = float>
MINICNN_COLD network<T> squeezenet(const squeezenet_options& o = {}) {
  const bool first = o.version == squeezenet_version::v1_0;
  graph<T> g;
  auto x = g.input({o.channels, o.image_size, o.image_size});
  const auto pool = [](node<T> y) { return max_pool(y, {.kernel = 3, .stride = 2, .ceil_mode = true}); };
  x = relu(conv2d(x, {.filters = first ? 96 : 64, .kernel = first ? 7 : 3, .stride = 2, .init = o.init}));
  x = pool(x);
  const std::array<int, 8> squeeze = {16, 16, 32, 32, 48, 48, 64, 64};  // fire2 to fire9
  for (int i = 0; i < 8; ++i) {
    const auto scope = g.scope(text_of("fire", i + 2));
    x = fire(x, squeeze[static_cast<std::size_t>(i)], 4 * squeeze[static_cast<std::size_t>(i)], o.init);
    if (first ? i == 2 || i == 6 : i == 1 || i == 3) x = pool(x);
  }
  x = dropout(x, o.dropout);
  // The published networks rectify the logits. A bias of 1 keeps these from being 0, without a gradient, early in training.
  x = relu(conv2d(x, {.filters = o.classes, .init = initializer::normal(0.01), .bias_init = 1.0, .name = "conv10"}));
  return network<T>(std::move(g), {flatten(global_avg_pool(x))}, o.network);
}

MINICNN_COMPILED_FUNCTION(squeezenet);

}  // namespace minicnn::inline MINICNN_ABI
