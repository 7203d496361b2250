#pragma once
/// MobileNet v3: Howard et al., "Searching for MobileNetV3", ICCV 2019.

#include <span>
#include <utility>

#include "minicnn/graph/network.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/mobile_blocks.hpp"

namespace minicnn::inline MINICNN_ABI {

/// The two networks of the paper.
enum class mobilenet_v3_size { v3_small, v3_large };

struct mobilenet_v3_options {
  mobilenet_v3_size size = mobilenet_v3_size::v3_small;
  int classes = 2;
  int channels = 3;
  int image_size = 224;  ///< pixels a side; any from 1, sensible from 32
  double width = 1.0;    ///< multiplies the channels of all layers, which are then rounded to multiples of 8
  double dropout = 0.2;  ///< before the classifier
  initializer init = initializer::he();
  network_options network = {};
};

namespace detail {

/// A line of tables 1 and 2.
struct mobilenet_v3_row {
  int kernel, expanded, filters;
  bool squeeze, hard_swish;
  int stride;
};

inline constexpr mobilenet_v3_row mobilenet_v3_small_rows[] = {
    {3, 16, 16, true, false, 2}, {3, 72, 24, false, false, 2}, {3, 88, 24, false, false, 1}, {5, 96, 40, true, true, 2},
    {5, 240, 40, true, true, 1}, {5, 240, 40, true, true, 1},  {5, 120, 48, true, true, 1},  {5, 144, 48, true, true, 1},
    {5, 288, 96, true, true, 2}, {5, 576, 96, true, true, 1},  {5, 576, 96, true, true, 1},
};

inline constexpr mobilenet_v3_row mobilenet_v3_large_rows[] = {
    {3, 16, 16, false, false, 1}, {3, 64, 24, false, false, 2}, {3, 72, 24, false, false, 1}, {5, 72, 40, true, false, 2},
    {5, 120, 40, true, false, 1}, {5, 120, 40, true, false, 1}, {3, 240, 80, false, true, 2}, {3, 200, 80, false, true, 1},
    {3, 184, 80, false, true, 1}, {3, 184, 80, false, true, 1}, {3, 480, 112, true, true, 1}, {3, 672, 112, true, true, 1},
    {5, 672, 160, true, true, 2}, {5, 960, 160, true, true, 1}, {5, 960, 160, true, true, 1},
};

}  // namespace detail

/// Tables 1 (large) and 2 (small): inverted residual blocks with squeeze-and-excitation in most, ReLU at first and hard-swish
/// later; batch normalisation with eps 0.001 and momentum 0.01, as torchvision has it. At 1000 classes 2,542,856 parameters
/// (small) and 5,483,032 (large). Nodes have torchvision's names: features.1.block.0.0.
template <class T = float>
MINICNN_COLD network<T> mobilenet_v3(const mobilenet_v3_options& o = {}) {
  using detail::mobile_activation;
  const bool is_small = o.size == mobilenet_v3_size::v3_small;
  const detail::mobile_style style{.init = o.init, .norm = {.eps = 0.001, .momentum = 0.01}};
  const auto wide = [&](int channels) { return detail::rounded_channels(channels * o.width); };
  graph<T> g;
  auto x = g.input({o.channels, o.image_size, o.image_size});
  const detail::mobile_conv first{.filters = wide(16), .kernel = 3, .stride = 2, .activation = mobile_activation::hard_swish};
  x = detail::mobile_unit(x, style, first, "features.0");
  int number = 1;
  using rows = std::span<const detail::mobilenet_v3_row>;
  for (const detail::mobilenet_v3_row& row :
       is_small ? rows(detail::mobilenet_v3_small_rows) : rows(detail::mobilenet_v3_large_rows)) {
    const auto scope = g.scope(text_of("features.", number++));
    const int expanded = wide(row.expanded);
    x = detail::inverted_residual(x, style,
                                  {.kernel = row.kernel,
                                   .expanded = expanded,
                                   .filters = wide(row.filters),
                                   .stride = row.stride,
                                   .activation = row.hard_swish ? mobile_activation::hard_swish : mobile_activation::relu,
                                   .squeezed = row.squeeze ? detail::rounded_channels(expanded / 4) : 0,
                                   .hard_gate = true});
  }
  const detail::mobile_conv last{.filters = 6 * static_cast<int>(x.dims()[1]), .activation = mobile_activation::hard_swish};
  x = detail::mobile_unit(x, style, last, text_of("features.", number));
  const initializer dense_init = initializer::normal(0.01);
  x = dense(flatten(global_avg_pool(x)), wide(is_small ? 1024 : 1280), {.init = dense_init, .name = "classifier.0"});
  x = dropout(hard_swish(x), o.dropout);
  return network<T>(std::move(g), {dense(x, o.classes, {.init = dense_init, .name = "classifier.3"})}, o.network);
}

MINICNN_COMPILED_FUNCTION(mobilenet_v3);

}  // namespace minicnn::inline MINICNN_ABI
