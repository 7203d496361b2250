#pragma once
/// AlexNet: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", NIPS 2012.
///
/// Four networks with the same skeleton, five convolutions and three dense layers, and a compact relative:
///
/// | function             | parameters (1000 classes) | what it is                                                          |
/// |----------------------|---------------------------|---------------------------------------------------------------------|
/// | alexnet              | 62,378,344                | one tower, normalisation after pooling (the 2018 cats-and-dogs one) |
/// | alexnet_2012         | 60,965,224                | the paper's two groups, normalisation before pooling                |
/// | alexnet_torchvision  | 61,100,840                | "One weird trick" (2014) widths, no normalisation                   |
/// | alexnet_bn           | 62,381,096                | `alexnet` with batch norm for local response normalisation          |
/// | alexnet_small        | 4,006,952                 | the convolutions, batch norm, averaged maps and one dense layer     |

#include <array>
#include <optional>
#include <utility>

#include "minicnn/graph/network.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/lrn.hpp"
#include "minicnn/layers/pooling.hpp"
#include "minicnn/layers/relu.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Options of all five. Convolution biases start at 0.
struct alexnet_options {
  int classes = 2;
  int channels = 3;
  /// Pixels; at least 59 (torchvision 63, 2012 67). Unset: 227, in alexnet_torchvision 224, in alexnet_small 128.
  std::optional<int> image_size = std::nullopt;
  std::array<int, 5> filters = {96, 256, 384, 384, 256};  ///< of the convolutions; not of alexnet_torchvision
  int dense_units = 4096;                                 ///< of the two hidden dense layers
  /// Rate before or after the hidden dense layers. Unset: 0.5, in alexnet_small 0.2.
  std::optional<double> dropout = std::nullopt;
  initializer init = initializer::he();                   ///< of the convolutions' weights
  std::optional<initializer> dense_init = std::nullopt;   ///< of dense weights; unset: `init`, in alexnet_bn smaller ones
  std::optional<initializer> logits_init = std::nullopt;  ///< of the last layer's weights; unset: as the other dense weights
  double dense_bias = 0.0;                                ///< initial value of the hidden dense layers' biases
  double logits_bias = 0.0;                               ///< initial value of the last layer's biases
  double even_conv_bias = 0.0;  ///< initial value of the biases of conv2, conv4 and conv5 (2012: 1); not of alexnet_torchvision
  lrn_options lrn = {.size = 9, .alpha = 0.001 / 9.0, .beta = 0.75, .k = 1.0};  ///< of `alexnet` alone
  /// alexnet_bn alone: conv1 padded by 4 and all pools 3x3, stride 2, padded by 1, so that maps are 1/4, 1/8 and 1/16 of the
  /// image's sides (32, 16, 8 and, pooled, 4 at 128 px) and nothing at the border is lost.
  bool padded = false;
  /// alexnet_bn alone: rows and columns that the last maps are averaged to before the dense layers, whatever the image's size:
  /// one set of weights then takes any. 0: no such averaging.
  int pooled = 0;
  network_options network = {};
};

/// The paper's section 5: weights from N(0, 0.01), biases 1 in conv2, conv4, conv5 and the hidden dense layers.
inline alexnet_options paper_initialization(alexnet_options o = {}) {
  o.init = o.dense_init.emplace(initializer::normal(0.01));
  o.dense_bias = o.even_conv_bias = 1.0;
  return o;
}

/// Initial values of Caffe's AlexNet (its bvlc_alexnet): the paper's with N(0, 0.005) in the hidden dense layers and biases of
/// 0.1 for 1. With the paper's and two classes, the last layer's input is so long (its square about 10,000) that the paper's rate
/// of 0.01 throws the first steps far off: losses of 10 and more, then units that never answer again.
inline alexnet_options caffe_initialization(alexnet_options o = {}) {
  o.init = o.logits_init.emplace(initializer::normal(0.01));
  o.dense_init = initializer::normal(0.005);
  o.dense_bias = o.even_conv_bias = 0.1;
  return o;
}

namespace detail {

template <class T>
node<T> alexnet_input(graph<T>& g, const alexnet_options& o, int size) {
  size = o.image_size.value_or(size);
  return g.input({o.channels, size, size});
}

}  // namespace detail

/// One tower with 96-256-384-384-256 filters, ReLU, then pooling, then normalisation. At 227 px 55-27-13-6 pixels a side.
template <class T = float>
MINICNN_COLD network<T> alexnet(const alexnet_options& o = {}) {
  graph<T> g;
  auto x = detail::alexnet_input(g, o, 227);
  const initializer dense_init = o.dense_init.value_or(o.init);
  const initializer last = o.logits_init.value_or(dense_init);
  const double ones = o.even_conv_bias;
  x = lrn(
      max_pool(relu(conv2d(x, {.filters = o.filters[0], .kernel = 11, .stride = 4, .init = o.init})), {.kernel = 3, .stride = 2}),
      o.lrn);
  x = relu(conv2d(x, {.filters = o.filters[1], .kernel = 5, .padding = 2, .init = o.init, .bias_init = ones}));
  x = lrn(max_pool(x, {.kernel = 2, .stride = 2}), o.lrn);
  x = relu(conv2d(x, {.filters = o.filters[2], .kernel = 3, .padding = 1, .init = o.init}));
  x = relu(conv2d(x, {.filters = o.filters[3], .kernel = 3, .padding = 1, .init = o.init, .bias_init = ones}));
  x = relu(conv2d(x, {.filters = o.filters[4], .kernel = 3, .padding = 1, .init = o.init, .bias_init = ones}));
  x = flatten(max_pool(x, {.kernel = 3, .stride = 2}));
  for (int i = 0; i < 2; ++i)
    x = dropout(relu(dense(x, o.dense_units, {.init = dense_init, .bias_init = o.dense_bias})), o.dropout.value_or(0.5));
  return network<T>(std::move(g), {dense(x, o.classes, {.init = last, .bias_init = o.logits_bias, .name = "logits_eval"})},
                    o.network);
}

/// The paper's network: conv2, conv4 and conv5 see half of the maps each (two GPUs then, `groups = 2` here), responses are
/// normalised before overlapping pooling with k = 2, n = 5, alpha = 1e-4, beta = 0.75 (section 3.3).
template <class T = float>
MINICNN_COLD network<T> alexnet_2012(const alexnet_options& o = {}) {
  graph<T> g;
  auto x = detail::alexnet_input(g, o, 227);
  const initializer dense_init = o.dense_init.value_or(o.init);
  const initializer last = o.logits_init.value_or(dense_init);
  const lrn_options paper = {.size = 5, .alpha = 1e-4, .beta = 0.75, .k = 2.0};
  const double ones = o.even_conv_bias;
  x = max_pool(lrn(relu(conv2d(x, {.filters = o.filters[0], .kernel = 11, .stride = 4, .init = o.init})), paper),
               {.kernel = 3, .stride = 2});
  x = relu(conv2d(x, {.filters = o.filters[1], .kernel = 5, .padding = 2, .groups = 2, .init = o.init, .bias_init = ones}));
  x = max_pool(lrn(x, paper), {.kernel = 3, .stride = 2});
  x = relu(conv2d(x, {.filters = o.filters[2], .kernel = 3, .padding = 1, .init = o.init}));
  x = relu(conv2d(x, {.filters = o.filters[3], .kernel = 3, .padding = 1, .groups = 2, .init = o.init, .bias_init = ones}));
  x = relu(conv2d(x, {.filters = o.filters[4], .kernel = 3, .padding = 1, .groups = 2, .init = o.init, .bias_init = ones}));
  x = flatten(max_pool(x, {.kernel = 3, .stride = 2}));
  for (int i = 0; i < 2; ++i)
    x = dropout(relu(dense(x, o.dense_units, {.init = dense_init, .bias_init = o.dense_bias})), o.dropout.value_or(0.5));
  return network<T>(std::move(g), {dense(x, o.classes, {.init = last, .bias_init = o.logits_bias, .name = "logits_eval"})},
                    o.network);
}

/// torchvision's `alexnet`: 64-192-384-256-256 filters (Krizhevsky, "One weird trick for parallelizing convolutional neural
/// networks", 2014), average pooling to 6x6 before the dense layers, dropout before each hidden one. Made for 224 px.
template <class T = float>
MINICNN_COLD network<T> alexnet_torchvision(const alexnet_options& o = {}) {
  graph<T> g;
  auto x = detail::alexnet_input(g, o, 224);
  const initializer dense_init = o.dense_init.value_or(o.init);
  const initializer last = o.logits_init.value_or(dense_init);
  x = relu(conv2d(x, {.filters = 64, .kernel = 11, .stride = 4, .padding = 2, .init = o.init}));
  x = max_pool(x, {.kernel = 3, .stride = 2});
  x = max_pool(relu(conv2d(x, {.filters = 192, .kernel = 5, .padding = 2, .init = o.init})), {.kernel = 3, .stride = 2});
  for (int filters : {384, 256, 256}) x = relu(conv2d(x, {.filters = filters, .kernel = 3, .padding = 1, .init = o.init}));
  x = flatten(adaptive_avg_pool(max_pool(x, {.kernel = 3, .stride = 2}), {.output = 6}));
  for (int i = 0; i < 2; ++i)
    x = relu(dense(dropout(x, o.dropout.value_or(0.5)), o.dense_units, {.init = dense_init, .bias_init = o.dense_bias}));
  return network<T>(std::move(g), {dense(x, o.classes, {.init = last, .bias_init = o.logits_bias, .name = "logits_eval"})},
                    o.network);
}

namespace detail {

/// The five convolutions of alexnet_bn and alexnet_small, ReLU, pooling and batch norm between them; the last pool included.
/// Normalising after ReLU is deliberate: it trains better on this topology than before it (Mishkin et al., 2017, "Systematic
/// evaluation of CNN advances on the ImageNet", table 4).
template <class T>
MINICNN_COLD node<T> alexnet_bn_body(node<T> x, const alexnet_options& o, bool padded) {
  const int edge = padded ? 1 : 0;
  x = relu(conv2d(x, {.filters = o.filters[0], .kernel = 11, .stride = 4, .padding = 4 * edge, .init = o.init}));
  x = batch_norm(max_pool(x, {.kernel = 3, .stride = 2, .padding = edge}));
  x = relu(conv2d(x, {.filters = o.filters[1], .kernel = 5, .padding = 2, .init = o.init}));
  x = batch_norm(max_pool(x, {.kernel = padded ? 3 : 2, .stride = 2, .padding = edge}));
  for (int filters : {o.filters[2], o.filters[3], o.filters[4]})
    x = batch_norm(relu(conv2d(x, {.filters = filters, .kernel = 3, .padding = 1, .init = o.init})));
  return max_pool(x, {.kernel = 3, .stride = 2, .padding = edge});
}

}  // namespace detail

/// `alexnet` with batch norm where it has local response normalisation, and after conv3, conv4 and conv5 too.
template <class T = float>
MINICNN_COLD network<T> alexnet_bn(const alexnet_options& o = {}) {
  graph<T> g;
  auto x = detail::alexnet_bn_body(detail::alexnet_input(g, o, 227), o, o.padded);
  if (o.pooled > 0) x = adaptive_avg_pool(x, {.output = o.pooled});
  x = flatten(x);
  // Small dense weights, as in Caffe's AlexNet: with He's, 4096 activations of size 1 make a rate that suits the convolutions
  // a hundred times too high for the last layer.
  const initializer hidden = o.dense_init.value_or(initializer::normal(0.005));
  const initializer last = o.logits_init.value_or(o.dense_init.value_or(initializer::normal(0.01)));
  for (int i = 0; i < 2; ++i)
    x = dropout(relu(dense(x, o.dense_units, {.init = hidden, .bias_init = o.dense_bias})), o.dropout.value_or(0.5));
  return network<T>(std::move(g), {dense(x, o.classes, {.init = last, .bias_init = o.logits_bias, .name = "logits_eval"})},
                    o.network);
}

/// The body of alexnet_bn, padded; its last maps are averaged to one value each (Lin, Chen and Yan, "Network in network", ICLR
/// 2014, section 3.2), which go through dropout into one dense layer. 3,750,466 parameters for two classes; one set of weights
/// takes images of any size.
template <class T = float>
MINICNN_COLD network<T> alexnet_small(const alexnet_options& o = {}) {
  graph<T> g;
  auto x = detail::alexnet_bn_body(detail::alexnet_input(g, o, 128), o, true);
  x = dropout(flatten(adaptive_avg_pool(x, {.output = 1})), o.dropout.value_or(0.2));
  const initializer last = o.logits_init.value_or(o.dense_init.value_or(initializer::normal(0.01)));
  return network<T>(std::move(g), {dense(x, o.classes, {.init = last, .bias_init = o.logits_bias, .name = "logits_eval"})},
                    o.network);
}

MINICNN_COMPILED_FUNCTION(alexnet);
MINICNN_COMPILED_FUNCTION(alexnet_2012);
MINICNN_COMPILED_FUNCTION(alexnet_torchvision);
MINICNN_COMPILED_FUNCTION(alexnet_bn);
MINICNN_COMPILED_FUNCTION(alexnet_small);

}  // namespace minicnn::inline MINICNN_ABI
