#pragma once
/// VGG: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015, table 1,
/// columns A (11), B (13), D (16) and E (19).

#include <array>
#include <utility>

#include "minicnn/graph/network.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/pooling.hpp"

namespace minicnn::inline MINICNN_ABI {

struct vgg_options {
  int depth = 16;  ///< layers with weights: 11, 13, 16 or 19
  int classes = 2;
  int channels = 3;
  int image_size = 224;                  ///< pixels a side, at least 32
  bool batch_norm = false;               ///< between each convolution and its ReLU, as torchvision's vgg16_bn has it
  int dense_units = 4096;                ///< of fc6 and fc7
  double dropout = 0.5;                  ///< after fc6 and fc7
  initializer init = initializer::he();  ///< of the convolutions
  initializer dense_init = initializer::normal(0.01);  ///< of fc6, fc7 and fc8: the paper's, section 3.1
  network_options network = {};
};

/// Convolutions of each of the five blocks. Throws option_error for other depths.
inline std::array<int, 5> vgg_blocks(int depth) {
  switch (depth) {
    case 11:
      return {1, 1, 2, 2, 2};
    case 13:
      return {2, 2, 2, 2, 2};
    case 16:
      return {2, 2, 3, 3, 3};
    case 19:
      return {2, 2, 4, 4, 4};
    default:
      fail<option_error>("vgg: depth is ", depth, ", wanted 11, 13, 16 or 19");
  }
}

/// Blocks of 3x3 convolutions with 64, 128, 256, 512 and 512 filters, each followed by 2x2 max pooling, then three dense layers.
/// Parameters at 1000 classes: 132,863,336 (11), 133,047,848 (13), 138,357,544 (16), 143,667,240 (19).
///
/// Before fc6 maps are averaged to 7x7, as in torchvision, which changes nothing at 224 px and lets one set of weights serve
/// other sizes. Convolutions are called as the authors call them, conv1_1 to conv5_4, normalisations bn1_1 to bn5_4.
template <class T = float>
MINICNN_COLD network<T> vgg(const vgg_options& o = {}) {
  graph<T> g;
  auto x = g.input({o.channels, o.image_size, o.image_size});
  const std::array<int, 5> convolutions = vgg_blocks(o.depth), filters = {64, 128, 256, 512, 512};
  for (std::size_t block = 0; block < 5; ++block) {
    for (int i = 1; i <= convolutions[block]; ++i) {
      const std::string place = text_of(block + 1, "_", i);
      x = conv2d(x, {.filters = filters[block], .kernel = 3, .padding = 1, .init = o.init, .name = "conv" + place});
      x = relu(o.batch_norm ? batch_norm(x, {.name = "bn" + place}) : x, {.name = "relu" + place});
    }
    x = max_pool(x, {.kernel = 2, .stride = 2});
  }
  x = flatten(adaptive_avg_pool(x, {.output = 7, .name = "avgpool"}));
  for (const char* name : {"fc6", "fc7"})
    x = dropout(relu(dense(x, o.dense_units, {.init = o.dense_init, .name = name})), o.dropout);
  return network<T>(std::move(g), {dense(x, o.classes, {.init = o.dense_init, .name = "fc8"})}, o.network);
}

MINICNN_COMPILED_FUNCTION(vgg);

}  // namespace minicnn::inline MINICNN_ABI
