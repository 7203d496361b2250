#pragma once
/// Network in network: Lin, Chen and Yan, "Network in network", ICLR 2014: 1x1 convolutions after each spatial one ("mlpconv"),
/// and global average pooling in place of dense layers.
///
/// | function                 | parameters              | what it is                                                   |
/// |--------------------------|-------------------------|--------------------------------------------------------------|
/// | network_in_network       | 7,595,176 (1000 classes)| the authors' ImageNet model, on AlexNet's layers             |
/// | network_in_network_cifar | 966,986 (10 classes)    | the paper's CIFAR-10 model (section 4.2, released by them)   |

#include <optional>
#include <string>
#include <utility>

#include "minicnn/graph/network.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/pooling.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Options of both.
struct network_in_network_options {
  int classes = 2;
  int channels = 3;
  std::optional<int> image_size = std::nullopt;  ///< pixels a side; unset: 224 and 32 as published; at least 39 and 4
  double dropout = 0.5;
  initializer init = initializer::he();
  network_options network = {};
};

namespace detail {

/// ReLU(1x1 convolution), called cccp`number` as the authors do ("cascaded cross channel parametric pooling").
template <class T>
MINICNN_COLD node<T> cccp(node<T> x, int number, int filters, const initializer& init) {
  return relu(conv2d(x, {.filters = filters, .init = init, .name = text_of("cccp", number)}));
}

/// The last one, whose maps are averaged to logits. The published networks rectify it; small weights and a bias of 1 keep its
/// maps from being 0, without a gradient, early in training.
template <class T>
MINICNN_COLD node<T> last_cccp(node<T> x, int number, int classes) {
  x = conv2d(x, {.filters = classes, .init = initializer::normal(0.01), .bias_init = 1.0, .name = text_of("cccp", number)});
  return flatten(global_avg_pool(relu(x)));
}

}  // namespace detail

/// conv1 to conv4 with 96, 256, 384 and 1024 filters, each with two 1x1 layers; the last has a map per class. Windows of pooling
/// that stick out count (Caffe's rule).
template <class T = float>
MINICNN_COLD network<T> network_in_network(const network_in_network_options& o = {}) {
  graph<T> g;
  const int size = o.image_size.value_or(224);
  auto x = g.input({o.channels, size, size});
  const auto mlpconv = [&](node<T> y, int number, const conv2d_options& conv) {
    const int filters = static_cast<int>(conv.filters);
    return detail::cccp(detail::cccp(relu(conv2d(y, conv)), 2 * number - 1, filters, o.init), 2 * number, filters, o.init);
  };
  const auto pool = [](node<T> y) { return max_pool(y, {.kernel = 3, .stride = 2, .ceil_mode = true}); };
  x = pool(mlpconv(x, 1, {.filters = 96, .kernel = 11, .stride = 4, .init = o.init}));
  x = pool(mlpconv(x, 2, {.filters = 256, .kernel = 5, .padding = 2, .init = o.init}));
  x = dropout(pool(mlpconv(x, 3, {.filters = 384, .kernel = 3, .padding = 1, .init = o.init})), o.dropout);
  x = relu(conv2d(x, {.filters = 1024, .kernel = 3, .padding = 1, .init = o.init}));
  x = detail::cccp(x, 7, 1024, o.init);
  return network<T>(std::move(g), {detail::last_cccp(x, 8, o.classes)}, o.network);
}

/// Three blocks of 192 filters (5x5, 5x5, 3x3), the first pooled by maxima, the second by means, dropout after both.
template <class T = float>
MINICNN_COLD network<T> network_in_network_cifar(const network_in_network_options& o = {}) {
  graph<T> g;
  const int size = o.image_size.value_or(32);
  auto x = g.input({o.channels, size, size});
  x = relu(conv2d(x, {.filters = 192, .kernel = 5, .padding = 2, .init = o.init}));
  x = detail::cccp(detail::cccp(x, 1, 160, o.init), 2, 96, o.init);
  x = dropout(max_pool(x, {.kernel = 3, .stride = 2, .ceil_mode = true}), o.dropout);
  x = relu(conv2d(x, {.filters = 192, .kernel = 5, .padding = 2, .init = o.init}));
  x = detail::cccp(detail::cccp(x, 3, 192, o.init), 4, 192, o.init);
  x = dropout(avg_pool(x, {.kernel = 3, .stride = 2, .ceil_mode = true}), o.dropout);
  x = relu(conv2d(x, {.filters = 192, .kernel = 3, .padding = 1, .init = o.init}));
  x = detail::cccp(x, 5, 192, o.init);
  return network<T>(std::move(g), {detail::last_cccp(x, 6, o.classes)}, o.network);
}

MINICNN_COMPILED_FUNCTION(network_in_network);
MINICNN_COMPILED_FUNCTION(network_in_network_cifar);

}  // namespace minicnn::inline MINICNN_ABI
