#pragma once
/// Inception v3: Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the inception architecture for computer vision",
/// CVPR 2016, table 1 and figures 5 to 7, in the published model's detail, which torchvision follows.

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

struct inception_v3_options {
  int classes = 2;
  int channels = 3;
  int image_size = 299;     ///< pixels a side; at least 75
  bool aux = true;          ///< the auxiliary head, output 1; prediction leaves it out
  double aux_weight = 0.4;  ///< what its loss counts with in training: that of torchvision's reference recipe and of TensorFlow's
  double dropout = 0.5;     ///< before the last layer
  bool transform_input = false;  ///< first maps ImageNet's normalisation to -1 .. 1: for weights that torchvision ported
  initializer init = initializer::he();
  network_options network = {};
};

namespace detail {

/// Builds the modules: every convolution has a kernel, a name and, but for the reductions of the grid, stride 1 and SAME padding.
template <class T>
struct inception_v3_builder {
  const initializer& init;

  node<T> conv(node<T> x, int filters, extent2d kernel, const char* name) const {
    return conv_bn_relu(
        x, {.filters = filters, .kernel = kernel, .padding = {kernel.height / 2, kernel.width / 2}, .init = init, .name = name},
        {.eps = 1e-3});
  }

  /// Without padding: the grid shrinks.
  node<T> shrink(node<T> x, int filters, index_t kernel, index_t stride, const char* name) const {
    return conv_bn_relu(x, {.filters = filters, .kernel = kernel, .stride = stride, .init = init, .name = name}, {.eps = 1e-3});
  }

  node<T> pooled(node<T> x, int filters) const {
    return conv(avg_pool(x, {.kernel = 3, .stride = 1, .padding = 1}), filters, 1, "branch_pool");
  }

  /// Figure 5, 35x35 maps; one branch keeps a 5x5 filter.
  node<T> module_a(node<T> x, std::string_view name, int pool_filters) const {
    const auto scope = x.owner->scope(name);
    auto branch1x1 = conv(x, 64, 1, "branch1x1");
    auto branch5x5 = conv(conv(x, 48, 1, "branch5x5_1"), 64, 5, "branch5x5_2");
    auto double3x3 = conv(conv(conv(x, 64, 1, "branch3x3dbl_1"), 96, 3, "branch3x3dbl_2"), 96, 3, "branch3x3dbl_3");
    return concat({branch1x1, branch5x5, double3x3, pooled(x, pool_filters)});
  }

  /// Figure 10: from 35x35 to 17x17.
  node<T> reduction_b(node<T> x, std::string_view name) const {
    const auto scope = x.owner->scope(name);
    auto branch3x3 = shrink(x, 384, 3, 2, "branch3x3");
    auto double3x3 = shrink(conv(conv(x, 64, 1, "branch3x3dbl_1"), 96, 3, "branch3x3dbl_2"), 96, 3, 2, "branch3x3dbl_3");
    return concat({branch3x3, double3x3, max_pool(x, {.kernel = 3, .stride = 2})});
  }

  /// Figure 6, 17x17 maps: 7x7 filters as 1x7 and 7x1.
  node<T> module_c(node<T> x, std::string_view name, int filters) const {
    const auto scope = x.owner->scope(name);
    const extent2d row{1, 7}, column{7, 1};
    auto branch1x1 = conv(x, 192, 1, "branch1x1");
    auto y = conv(conv(conv(x, filters, 1, "branch7x7_1"), filters, row, "branch7x7_2"), 192, column, "branch7x7_3");
    auto z = conv(conv(x, filters, 1, "branch7x7dbl_1"), filters, column, "branch7x7dbl_2");
    z = conv(conv(z, filters, row, "branch7x7dbl_3"), filters, column, "branch7x7dbl_4");
    z = conv(z, 192, row, "branch7x7dbl_5");
    return concat({branch1x1, y, z, pooled(x, 192)});
  }

  /// From 17x17 to 8x8.
  node<T> reduction_d(node<T> x, std::string_view name) const {
    const auto scope = x.owner->scope(name);
    auto branch3x3 = shrink(conv(x, 192, 1, "branch3x3_1"), 320, 3, 2, "branch3x3_2");
    auto y = conv(conv(x, 192, 1, "branch7x7x3_1"), 192, {1, 7}, "branch7x7x3_2");
    y = shrink(conv(y, 192, {7, 1}, "branch7x7x3_3"), 192, 3, 2, "branch7x7x3_4");
    return concat({branch3x3, y, max_pool(x, {.kernel = 3, .stride = 2})});
  }

  /// Figure 7, 8x8 maps: 1x3 and 3x1 filters side by side.
  node<T> module_e(node<T> x, std::string_view name) const {
    const auto scope = x.owner->scope(name);
    auto branch1x1 = conv(x, 320, 1, "branch1x1");
    auto y = conv(x, 384, 1, "branch3x3_1");
    y = concat({conv(y, 384, {1, 3}, "branch3x3_2a"), conv(y, 384, {3, 1}, "branch3x3_2b")});
    auto z = conv(conv(x, 448, 1, "branch3x3dbl_1"), 384, 3, "branch3x3dbl_2");
    z = concat({conv(z, 384, {1, 3}, "branch3x3dbl_3a"), conv(z, 384, {3, 1}, "branch3x3dbl_3b")});
    return concat({branch1x1, y, z, pooled(x, 192)});
  }

  /// Section 4: a classifier beside the last 17x17 maps. Windows of 5x5, three apart, make 5x5 of 17x17; smaller maps are
  /// averaged to 5x5 bins, so that the head's parameters fit every image size.
  node<T> head(node<T> x, std::string_view name, int classes) const {
    const auto scope = x.owner->scope(name);
    x = x.dims()[2] >= 17 ? avg_pool(x, {.kernel = 5, .stride = 3}) : adaptive_avg_pool(x, {.output = 5});
    x = shrink(conv(x, 128, 1, "conv0"), 768, 5, 1, "conv1");
    return dense(flatten(global_avg_pool(x)), classes, {.init = initializer::normal(0.001), .name = "fc"});
  }
};

}  // namespace detail

/// 27,161,264 parameters at 1000 classes with the auxiliary head, 23,834,568 without. Nodes have torchvision's names
/// (TensorFlow's originally). Batch normalisation has eps 0.001; padding counts in average pooling.
template <class T = float>
MINICNN_COLD network<T> inception_v3(const inception_v3_options& o = {}) {
  graph<T> g;
  auto x = g.input({o.channels, o.image_size, o.image_size});
  if (o.transform_input) x = scale(x, scale_options::imagenet_to_unit());
  const detail::inception_v3_builder<T> build{o.init};
  x = build.shrink(x, 32, 3, 2, "Conv2d_1a_3x3");
  x = build.shrink(x, 32, 3, 1, "Conv2d_2a_3x3");
  x = max_pool(build.conv(x, 64, 3, "Conv2d_2b_3x3"), {.kernel = 3, .stride = 2});
  x = build.shrink(x, 80, 1, 1, "Conv2d_3b_1x1");
  x = max_pool(build.shrink(x, 192, 3, 1, "Conv2d_4a_3x3"), {.kernel = 3, .stride = 2});
  x = build.module_a(x, "Mixed_5b", 32);
  x = build.module_a(x, "Mixed_5c", 64);
  x = build.module_a(x, "Mixed_5d", 64);
  x = build.reduction_b(x, "Mixed_6a");
  x = build.module_c(x, "Mixed_6b", 128);
  x = build.module_c(x, "Mixed_6c", 160);
  x = build.module_c(x, "Mixed_6d", 160);
  x = build.module_c(x, "Mixed_6e", 192);
  const auto after_6e = x;
  x = build.reduction_d(x, "Mixed_7a");
  x = build.module_e(x, "Mixed_7b");
  x = build.module_e(x, "Mixed_7c");
  x = dropout(flatten(global_avg_pool(x)), o.dropout);
  std::vector<node<T>> outputs{dense(x, o.classes, {.init = initializer::normal(0.01), .name = "fc"})};
  std::vector<double> weights{1.0};
  if (o.aux) {
    outputs.push_back(build.head(after_6e, "AuxLogits", o.classes));
    weights.push_back(o.aux_weight);
  }
  network<T> net(std::move(g), outputs, o.network);
  net.loss_weights(std::move(weights));
  return net;
}

MINICNN_COMPILED_FUNCTION(inception_v3);

}  // namespace minicnn::inline MINICNN_ABI
