#pragma once
/// Residual networks: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016.
///
/// | function     | depths                | for                       | parameters |
/// |--------------|-----------------------|---------------------------|----------------------------------------------------------|
/// | resnet       | 18, 34, 50, 101, 152  | ImageNet (table 1)        | 11,689,512 21,797,672 25,557,032 44,549,160 60,192,808 |
/// | resnet_cifar | 20, 32, 44, 56, 110   | CIFAR-10 (section 4.2)    | 0.27 M 0.46 M 0.66 M 0.85 M 1.7 M |

#include <array>
#include <string>
#include <utility>

#include "minicnn/graph/network.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/add.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/pad_channels.hpp"
#include "minicnn/layers/pooling.hpp"

namespace minicnn::inline MINICNN_ABI {

struct resnet_options {
  int depth = 18;  ///< layers with weights: 18, 34, 50, 101 or 152
  int classes = 2;
  int channels = 3;
  int image_size = 224;     ///< pixels a side; any from 1, sensible from 32
  int width = 64;           ///< filters of the first stage; the next ones have twice, four and eight times as many
  bool small_stem = false;  ///< for pictures of 32 pixels: the first convolution is 3x3 with stride 1, without a pool behind it
  bool zero_init = false;   ///< the last batch norm of each block begins with weight 0, the block as the identity
  initializer init = initializer::he();
  network_options network = {};
};

struct resnet_cifar_options {
  int depth = 20;  ///< 6 n + 2 layers with weights; the paper's are 20, 32, 44, 56 and 110
  int classes = 10;
  int channels = 3;
  int image_size = 32;
  bool zero_init = false;  ///< as in resnet_options
  initializer init = initializer::he();
  network_options network = {};
};

namespace detail {

/// A convolution without bias, called `conv`, and its batch normalisation, called `bn`.
template <class T>
MINICNN_COLD node<T> normalized_conv(node<T> x, conv2d_options o, std::string bn, bool zero_init = false) {
  o.bias = false;
  batch_norm_options norm{.scale_init = zero_init ? 0.0 : 1.0, .name = std::move(bn)};
  return batch_norm(conv2d(x, std::move(o)), std::move(norm));
}

/// Two 3x3 convolutions beside the identity. Where the shape changes, a 1x1 convolution takes the identity's place (option B).
template <class T>
MINICNN_COLD node<T> basic_block(node<T> x, int filters, int stride, const initializer& init, bool zero_init = false) {
  auto y = relu(normalized_conv(
      x, {.filters = filters, .kernel = 3, .stride = stride, .padding = 1, .init = init, .name = "conv1"}, "bn1"));
  y = normalized_conv(y, {.filters = filters, .kernel = 3, .padding = 1, .init = init, .name = "conv2"}, "bn2", zero_init);
  if (stride != 1 || x.dims()[1] != filters)
    x = normalized_conv(x, {.filters = filters, .stride = stride, .init = init, .name = "downsample.0"}, "downsample.1");
  return relu(add(y, x));
}

/// 1x1, 3x3, 1x1 with a quarter of the filters within (figure 5, right). The stride is in the 3x3 convolution, as torchvision has
/// it ("v1.5"); the paper has it in the first one, which is about half a point less accurate.
template <class T>
MINICNN_COLD node<T> bottleneck_block(node<T> x, int filters, int stride, const initializer& init, bool zero_init = false) {
  auto y = relu(normalized_conv(x, {.filters = filters, .init = init, .name = "conv1"}, "bn1"));
  y = relu(normalized_conv(y, {.filters = filters, .kernel = 3, .stride = stride, .padding = 1, .init = init, .name = "conv2"},
                           "bn2"));
  y = normalized_conv(y, {.filters = 4 * filters, .init = init, .name = "conv3"}, "bn3", zero_init);
  if (stride != 1 || x.dims()[1] != 4 * filters)
    x = normalized_conv(x, {.filters = 4 * filters, .stride = stride, .init = init, .name = "downsample.0"}, "downsample.1");
  return relu(add(y, x));
}

}  // namespace detail

/// Blocks of each of the four stages (table 1). Throws option_error for other depths.
inline std::array<int, 4> resnet_blocks(int depth) {
  switch (depth) {
    case 18:
      return {2, 2, 2, 2};
    case 34:
    case 50:
      return {3, 4, 6, 3};
    case 101:
      return {3, 4, 23, 3};
    case 152:
      return {3, 8, 36, 3};
    default:
      fail<option_error>("resnet: depth is ", depth, ", wanted 18, 34, 50, 101 or 152");
  }
}

/// Table 1: basic blocks up to 34 layers, bottlenecks above. Maps of 112, 56, 28, 14 and 7 pixels a side at 224, with
/// `small_stem` of 32, 32, 16, 8 and 4 at 32; one set of weights serves every image size. Nodes have torchvision's names:
/// layer1.0.conv1.
template <class T = float>
MINICNN_COLD network<T> resnet(const resnet_options& o = {}) {
  graph<T> g;
  auto x = g.input({o.channels, o.image_size, o.image_size});
  const int reach = o.small_stem ? 3 : 7, stride = o.small_stem ? 1 : 2;
  x = relu(detail::normalized_conv(
      x, {.filters = o.width, .kernel = reach, .stride = stride, .padding = reach / 2, .init = o.init, .name = "conv1"}, "bn1"));
  if (!o.small_stem) x = max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
  const std::array<int, 4> blocks = resnet_blocks(o.depth);
  for (int stage = 0; stage < 4; ++stage)
    for (int block = 0; block < blocks[static_cast<std::size_t>(stage)]; ++block) {
      const auto scope = g.scope(text_of("layer", stage + 1, ".", block));
      const int filters = o.width << stage, step = stage > 0 && block == 0 ? 2 : 1;
      x = o.depth < 50 ? detail::basic_block(x, filters, step, o.init, o.zero_init)
                       : detail::bottleneck_block(x, filters, step, o.init, o.zero_init);
    }
  x = flatten(global_avg_pool(x));
  return network<T>(std::move(g), {dense(x, o.classes, {.init = initializer::normal(0.01), .name = "fc"})}, o.network);
}

/// Section 4.2: a 3x3 convolution, three stages of n basic blocks with 16, 32 and 64 filters at 32, 16 and 8 pixels a side,
/// global average pooling. Shortcuts have no parameters (option A): every second pixel, and zeros for the new channels.
template <class T = float>
MINICNN_COLD network<T> resnet_cifar(const resnet_cifar_options& o = {}) {
  if (o.depth < 8 || (o.depth - 2) % 6 != 0)
    fail<option_error>("resnet_cifar: depth is ", o.depth, ", wanted 6 n + 2: 20, 32, 44, 56, 110");
  graph<T> g;
  auto x = g.input({o.channels, o.image_size, o.image_size});
  x = relu(detail::normalized_conv(x, {.filters = 16, .kernel = 3, .padding = 1, .init = o.init, .name = "conv1"}, "bn1"));
  for (int stage = 0; stage < 3; ++stage)
    for (int block = 0; block < (o.depth - 2) / 6; ++block) {
      const auto scope = g.scope(text_of("layer", stage + 1, ".", block));
      const int filters = 16 << stage, stride = stage > 0 && block == 0 ? 2 : 1;
      auto y = relu(detail::normalized_conv(
          x, {.filters = filters, .kernel = 3, .stride = stride, .padding = 1, .init = o.init, .name = "conv1"}, "bn1"));
      y = detail::normalized_conv(y, {.filters = filters, .kernel = 3, .padding = 1, .init = o.init, .name = "conv2"}, "bn2",
                                  o.zero_init);
      if (stride != 1) {
        x = max_pool(x, {.kernel = 1, .stride = stride, .name = "subsample"});
        x = pad_channels(x, {.before = filters / 4, .after = filters / 4});
      }
      x = relu(add(y, x));
    }
  x = flatten(global_avg_pool(x));
  return network<T>(std::move(g), {dense(x, o.classes, {.init = initializer::normal(0.01), .name = "fc"})}, o.network);
}

MINICNN_COMPILED_FUNCTION(resnet);
MINICNN_COMPILED_FUNCTION(resnet_cifar);

}  // namespace minicnn::inline MINICNN_ABI
