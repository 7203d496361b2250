#pragma once
/// EfficientNet: Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", ICML 2019.

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "minicnn/graph/network.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/mobile_blocks.hpp"

namespace minicnn::inline MINICNN_ABI {

struct efficientnet_options {
  int version = 0;  ///< B0 to B7: the factors of `efficientnet_scale`
  int classes = 2;
  int channels = 3;
  int image_size = 224;           ///< pixels a side; any from 1, sensible from 32. The paper's for each version are larger.
  double dropout = 0.2;           ///< before the classifier; 0.2 for B0 and B1, 0.3 to B3, 0.4 to B5, 0.5 to B7
  double stochastic_depth = 0.2;  ///< chance that the last block would be left out in training; blocks before it have less
  initializer init = initializer::he();
  network_options network = {};
};

/// Factors for the channels and for the number of blocks (section 3.3 and the authors' code). Throws option_error outside 0 to 7.
inline std::array<double, 2> efficientnet_scale(int version) {
  constexpr std::array<std::array<double, 2>, 8> all{
      {{1.0, 1.0}, {1.0, 1.1}, {1.1, 1.2}, {1.2, 1.4}, {1.4, 1.8}, {1.6, 2.2}, {1.8, 2.6}, {2.0, 3.1}}};
  if (version < 0 || version > 7) fail<option_error>("efficientnet: version is ", version, ", wanted 0 to 7");
  return all[static_cast<std::size_t>(version)];
}

/// Table 1: inverted residual blocks with squeeze-and-excitation and SiLU. At 1000 classes 5,288,548 parameters for B0,
/// 7,794,184, 9,109,994, 12,233,232, 19,341,616, 30,389,784, 43,040,704 and 66,347,960 for B1 to B7. Nodes have torchvision's
/// names: features.1.0.block.0.0. Batch normalisation of B5 to B7 has eps 0.001 and momentum 0.01 there, and so here.
template <class T = float>
MINICNN_COLD network<T> efficientnet(const efficientnet_options& o = {}) {
  constexpr auto silu = detail::mobile_activation::silu;
  const auto [width, depth] = efficientnet_scale(o.version);
  detail::mobile_style style{.init = o.init};
  if (o.version >= 5) style.norm = {.eps = 0.001, .momentum = 0.01};
  const auto wide = [width = width](int channels) { return detail::rounded_channels(channels * width); };
  const auto deep = [depth = depth](int blocks) { return static_cast<int>(std::ceil(blocks * depth)); };
  constexpr struct {
    int expansion, kernel, stride, channels, blocks;
  } stages[] = {{1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
                {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};
  int blocks = 0;
  for (const auto& stage : stages) blocks += deep(stage.blocks);

  graph<T> g;
  auto x = g.input({o.channels, o.image_size, o.image_size});
  x = detail::mobile_unit(x, style, {.filters = wide(32), .kernel = 3, .stride = 2, .activation = silu}, "features.0");
  int number = 1, place = 0;
  for (const auto& stage : stages) {
    for (int block = 0; block < deep(stage.blocks); ++block, ++place) {
      const auto scope = g.scope(text_of("features.", number, ".", block));
      const int before = static_cast<int>(x.dims()[1]);
      x = detail::inverted_residual(x, style,
                                    {.kernel = stage.kernel,
                                     .expanded = detail::rounded_channels(before * stage.expansion),
                                     .filters = wide(stage.channels),
                                     .stride = block == 0 ? stage.stride : 1,
                                     .activation = silu,
                                     .squeezed = (std::max)(1, before / 4),
                                     .drop_rate = o.stochastic_depth * place / blocks});
    }
    ++number;
  }
  const detail::mobile_conv last{.filters = 4 * static_cast<int>(x.dims()[1]), .activation = silu};
  x = detail::mobile_unit(x, style, last, text_of("features.", number));
  x = dropout(flatten(global_avg_pool(x)), o.dropout);
  return network<T>(std::move(g), {dense(x, o.classes, {.init = initializer::normal(0.01), .name = "classifier.1"})}, o.network);
}

MINICNN_COMPILED_FUNCTION(efficientnet);

}  // namespace minicnn::inline MINICNN_ABI
