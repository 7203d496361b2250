#pragma once
/// GoogLeNet: Szegedy et al., "Going deeper with convolutions", CVPR 2015, table 1, as torchvision has it (ported from
/// TensorFlow's), so that its weights fit.

#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/graph/network.hpp"
#include "minicnn/layers/concat.hpp"
#include "minicnn/layers/conv_bn_relu.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/pooling.hpp"
#include "minicnn/layers/scale.hpp"

namespace minicnn::inline MINICNN_ABI {

struct googlenet_options {
  int classes = 2;
  int channels = 3;
  int image_size = 224;     ///< pixels a side; any from 15
  bool aux = true;          ///< the two auxiliary heads, outputs 1 and 2; prediction leaves them out
  double aux_weight = 0.3;  ///< what the loss of each counts with in training (section 5)
  double dropout = 0.2;     ///< before the last layer (torchvision and, as written in the paper's table, 40 %)
  double aux_dropout = 0.7;
  bool transform_input = false;  ///< first maps ImageNet's normalisation to -1 .. 1: for weights that torchvision ported
  initializer init = initializer::he();
  network_options network = {};
};

/// Filters of an inception module: a row of table 1.
struct inception_filters {
  int branch1;               ///< 1x1
  int reduce3x3, branch3x3;  ///< 1x1, then 3x3
  int reduce5x5, branch5x5;  ///< 1x1, then 5x5 in the paper, 3x3 in torchvision
  int pool_projection;       ///< 3x3 max pooling, then 1x1
};

namespace detail {

/// What TensorFlow's inception networks use.
inline batch_norm_options inception_norm() { return {.eps = 1e-3}; }

/// Figure 2b: four branches side by side.
template <class T>
MINICNN_COLD node<T> googlenet_inception(node<T> x, std::string_view name, const inception_filters& f, const initializer& init) {
  const auto scope = x.owner->scope(name);
  const auto conv = [&](node<T> y, int filters, index_t kernel, const char* called) {
    return conv_bn_relu(y, {.filters = filters, .kernel = kernel, .padding = kernel / 2, .init = init, .name = called},
                        inception_norm());
  };
  auto branch1 = conv(x, f.branch1, 1, "branch1");
  auto branch2 = conv(conv(x, f.reduce3x3, 1, "branch2.0"), f.branch3x3, 3, "branch2.1");
  auto branch3 = conv(conv(x, f.reduce5x5, 1, "branch3.0"), f.branch5x5, 3, "branch3.1");
  auto branch4 =
      conv(max_pool(x, {.kernel = 3, .stride = 1, .padding = 1, .ceil_mode = true}), f.pool_projection, 1, "branch4.1");
  return concat({branch1, branch2, branch3, branch4});
}

/// Section 5: a small classifier on top of 4a and of 4d. Maps are averaged to 4x4 whatever their size.
template <class T>
MINICNN_COLD node<T> googlenet_head(node<T> x, std::string_view name, const googlenet_options& o) {
  const auto scope = x.owner->scope(name);
  x = adaptive_avg_pool(x, {.output = 4});
  x = flatten(conv_bn_relu(x, {.filters = 128, .init = o.init, .name = "conv"}, inception_norm()));
  x = dropout(relu(dense(x, 1024, {.init = o.init, .name = "fc1"})), o.aux_dropout);
  return dense(x, o.classes, {.init = initializer::normal(0.01), .name = "fc2"});
}

}  // namespace detail

/// 6,624,904 parameters at 1000 classes without auxiliary heads, 13,004,888 with. Nodes have torchvision's names.
///
/// As in torchvision every convolution is followed by batch normalisation in place of LRN (eps 0.001), the branch of the paper's
/// 5x5 filters has 3x3 ones, and windows of pooling that stick out count (28, 14 and 7 pixels a side from 224).
template <class T = float>
MINICNN_COLD network<T> googlenet(const googlenet_options& o = {}) {
  graph<T> g;
  auto x = g.input({o.channels, o.image_size, o.image_size});
  if (o.transform_input) x = scale(x, scale_options::imagenet_to_unit());
  const auto pool = [](node<T> y, index_t kernel) { return max_pool(y, {.kernel = kernel, .stride = 2, .ceil_mode = true}); };
  const auto inception = [&](const char* name, const inception_filters& f) {
    x = detail::googlenet_inception(x, name, f, o.init);
  };
  const batch_norm_options norm = detail::inception_norm();

  x = conv_bn_relu(x, {.filters = 64, .kernel = 7, .stride = 2, .padding = 3, .init = o.init, .name = "conv1"}, norm);
  x = pool(x, 3);
  x = conv_bn_relu(x, {.filters = 64, .init = o.init, .name = "conv2"}, norm);
  x = conv_bn_relu(x, {.filters = 192, .kernel = 3, .padding = 1, .init = o.init, .name = "conv3"}, norm);
  x = pool(x, 3);
  inception("inception3a", {64, 96, 128, 16, 32, 32});
  inception("inception3b", {128, 128, 192, 32, 96, 64});
  x = pool(x, 3);
  inception("inception4a", {192, 96, 208, 16, 48, 64});
  const auto after_4a = x;
  inception("inception4b", {160, 112, 224, 24, 64, 64});
  inception("inception4c", {128, 128, 256, 24, 64, 64});
  inception("inception4d", {112, 144, 288, 32, 64, 64});
  const auto after_4d = x;
  inception("inception4e", {256, 160, 320, 32, 128, 128});
  x = pool(x, 2);
  inception("inception5a", {256, 160, 320, 32, 128, 128});
  inception("inception5b", {384, 192, 384, 48, 128, 128});
  x = dropout(flatten(global_avg_pool(x)), o.dropout);
  std::vector<node<T>> outputs{dense(x, o.classes, {.init = initializer::normal(0.01), .name = "fc"})};
  std::vector<double> weights{1.0};
  if (o.aux) {
    outputs.push_back(detail::googlenet_head(after_4a, "aux1", o));
    outputs.push_back(detail::googlenet_head(after_4d, "aux2", o));
    weights.insert(weights.end(), 2, o.aux_weight);
  }
  network<T> net(std::move(g), outputs, o.network);
  net.loss_weights(std::move(weights));
  return net;
}

MINICNN_COMPILED_FUNCTION(googlenet);

}  // namespace minicnn::inline MINICNN_ABI
