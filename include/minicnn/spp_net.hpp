#pragma once
/// SPP-net: He, Zhang, Ren and Sun, "Spatial pyramid pooling in deep convolutional networks for visual recognition", ECCV 2014:
/// ZF-5 (table 1) with a four-level pyramid.

#include <utility>

#include "minicnn/graph/network.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/lrn.hpp"
#include "minicnn/layers/pooling.hpp"
#include "minicnn/layers/spatial_pyramid.hpp"

namespace minicnn::inline MINICNN_ABI {

struct spp_net_options {
  int classes = 2;
  int channels = 3;
  int image_size = 224;  ///< pixels a side that the network is planned for; it takes any height and width from 31
  int dense_units = 4096;
  double dropout = 0.5;
  std::vector<index_t> pyramid = {6, 3, 2, 1};                                       ///< bins a side of each level
  lrn_options lrn = {.size = 5, .alpha = 1e-4, .beta = 0.75, .k = 2.0, .name = {}};  ///< AlexNet's, as in ZF
  initializer init = initializer::he();
  initializer dense_init = initializer::normal(0.01);
  network_options network = {};
};

/// 77,037,672 parameters at 1000 classes.
///
/// | layer   | what                                 | maps at 224 px | at 180 px |
/// |---------|--------------------------------------|----------------|-----------|
/// | conv1   | 96 of 7x7, stride 2; LRN; pool 3x3/2 | 55 x 55        | 44 x 44   |
/// | conv2   | 256 of 5x5, stride 2; LRN; pool 3x3/2| 13 x 13        | 10 x 10   |
/// | conv3-4 | 384 of 3x3                           | 13 x 13        | 10 x 10   |
/// | conv5   | 256 of 3x3                           | 13 x 13        | 10 x 10   |
/// | spp     | 50 bins of 256 maps                  | 12,800         | 12,800    |
/// | fc6-7   | 4096, dropout                        |                |           |
///
/// Training with several sizes (section 2.3): change the size from epoch to epoch; `forward` plans for whatever comes. Prediction
/// takes any height and width.
template <class T = float>
MINICNN_COLD network<T> spp_net(const spp_net_options& o = {}) {
  graph<T> g;
  auto x = g.input({o.channels, o.image_size, o.image_size});
  const auto pool = [](node<T> y, bool ceil) { return max_pool(y, {.kernel = 3, .stride = 2, .ceil_mode = ceil}); };
  x = relu(conv2d(x, {.filters = 96, .kernel = 7, .stride = 2, .padding = 1, .init = o.init}));
  x = pool(lrn(x, o.lrn), true);
  x = relu(conv2d(x, {.filters = 256, .kernel = 5, .stride = 2, .padding = 1, .init = o.init}));
  x = pool(lrn(x, o.lrn), false);
  for (const int filters : {384, 384, 256}) x = relu(conv2d(x, {.filters = filters, .kernel = 3, .padding = 1, .init = o.init}));
  x = spatial_pyramid(x, {.levels = o.pyramid});
  for (const char* name : {"fc6", "fc7"})
    x = dropout(relu(dense(x, o.dense_units, {.init = o.dense_init, .name = name})), o.dropout);
  return network<T>(std::move(g), {dense(x, o.classes, {.init = o.dense_init, .name = "fc8"})}, o.network);
}

MINICNN_COMPILED_FUNCTION(spp_net);

}  // namespace minicnn::inline MINICNN_ABI
