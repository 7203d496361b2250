#pragma once
/// Networks for 32-pixel pictures that learn in few epochs: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU",
/// arXiv 2404.00498, 2024 (airbench), after Page's ResNet-9 of 2018.
///
/// | options                                          | the paper's | multiply-adds | parameters |
/// |--------------------------------------------------|-------------|---------------|------------|
/// | the defaults                                     | airbench94  | 118 M         | 1,971,640  |
/// | .widths = {128, 384, 384}                        | airbench95  | 302 M         |  4,604,728 |
/// | .widths = {128, 384, 512}, .depth = 3            | airbench96  | 452 M         |  9,915,704 |
///
/// The first filters see 2x2 pixels, and are meant to be set by `whiten` (data/pca.hpp) and fixed: each eigenvector of the
/// patches' covariance, scaled, with both signs. Three groups follow, of `depth` 3x3 convolutions without bias, each with batch
/// norm without weight and GELU, and a maximum over 2x2 behind the first.

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
#include "minicnn/layers/pooling.hpp"
#include "minicnn/layers/scale.hpp"

namespace minicnn::inline MINICNN_ABI {

struct fast_cifar_options {
  int classes = 10;
  int channels = 3;
  int image_size = 32;  ///< pixels a side; any from 9
  std::array<int, 3> widths{64, 256, 256};
  int depth = 2;            ///< convolutions of a group: 2, or 3 with an identity beside the last two
  int whitening = 2;        ///< rows and columns of the first filters, of which there are 2 * channels * whitening^2
  double logits = 1.0 / 9;  ///< what the last layer's outputs are multiplied by
  double norm_momentum = 0.4;
  double norm_eps = 1e-12;
  initializer init = initializer::dirac();
  network_options network = {};
};

namespace detail {

/// conv1, maximum, then batch norm and GELU, then the other convolutions with theirs.
template <class T>
MINICNN_COLD node<T> fast_cifar_group(node<T> x, const fast_cifar_options& o, int filters) {
  const auto conv = [&](node<T> from, int i) {
    return conv2d(from,
                  {.filters = filters, .kernel = 3, .padding = 1, .bias = false, .init = o.init, .name = text_of("conv", i)});
  };
  const auto norm = [&](node<T> from, int i) {
    return batch_norm(from, {.eps = o.norm_eps, .momentum = o.norm_momentum, .scale = false, .name = text_of("norm", i)});
  };
  x = gelu(norm(max_pool(conv(x, 1), {.kernel = 2, .stride = 2}), 1));
  const node<T> identity = x;
  for (int i = 2; i <= o.depth; ++i) {
    x = norm(conv(x, i), i);
    if (o.depth == 3 && i == 3) x = add(x, identity);
    x = gelu(x);
  }
  return x;
}

}  // namespace detail

/// Throws option_error for a depth other than 2 or 3.
template <class T = float>
MINICNN_COLD network<T> fast_cifar(const fast_cifar_options& o = {}) {
  if (o.depth != 2 && o.depth != 3) fail<option_error>("fast_cifar: depth is ", o.depth, ", wanted 2 or 3");
  graph<T> g;
  auto x = g.input({o.channels, o.image_size, o.image_size});
  const int filters = 2 * o.channels * o.whitening * o.whitening;
  x = gelu(conv2d(x, {.filters = filters, .kernel = o.whitening, .init = o.init, .name = "whiten"}));
  for (int i = 0; i < 3; ++i) {
    const auto scope = g.scope(text_of("group", i + 1));
    x = detail::fast_cifar_group(x, o, o.widths[static_cast<std::size_t>(i)]);
  }
  x = flatten(adaptive_max_pool(x, {.output = 1}));
  x = dense(x, o.classes, {.bias = false, .init = initializer::torch_default(), .name = "head"});
  x = scale(x, {.factor = {o.logits}, .name = "logits"});
  return network<T>(std::move(g), {x}, o.network);
}

MINICNN_COMPILED_FUNCTION(fast_cifar);

}  // namespace minicnn::inline MINICNN_ABI
