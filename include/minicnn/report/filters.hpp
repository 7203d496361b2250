#pragma once
/// What a network has learned, as pictures: the filters of its first layer, and feature maps of an image.

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/analysis/grad_cam.hpp"
#include "minicnn/report/heat_map.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Columns for `count` tiles so that the grid is somewhat wider than high.
inline index_t grid_columns(index_t count) {
  return (std::max)(static_cast<index_t>(std::ceil(std::sqrt(1.5 * static_cast<double>(count)))), index_t{1});
}

}  // namespace detail

/// The weights (out, in, kh, kw) of the first convolution that sees the input, as `Krizhevsky et al., 2012` show them in their
/// figure 3: a tile a filter, grey is zero, its largest weight fully bright or dark. Inputs of other than 1 or 3 channels are
/// shown by their mean. A tile's pixels are `magnify` times enlarged (0: so that tiles are about 32 pixels wide); at most
/// `most` filters. Throws option_error for a network whose input meets no convolution.
template <class T>
rgb_picture filter_picture(const network<T>& net, index_t magnify = 0, index_t most = 128) {
  const parameter_info* first = nullptr;
  for (const parameter_info& p : net.parameters())
    if (p.dims.rank() == 4 && p.name.ends_with("weight") && (first == nullptr || p.node < first->node)) first = &p;
  if (first == nullptr) fail<option_error>("filter_picture: the network has no convolution");
  const view<const T> weights = net.parameter(first->name);
  const index_t channels = weights.dim(1), h = weights.dim(2), w = weights.dim(3);
  const bool coloured = channels == 3;
  if (magnify == 0) magnify = (std::max)(32 / (std::max)(h, w), index_t{1});
  std::vector<rgb_picture> tiles;
  for (index_t k = 0; k < (std::min)(weights.dim(0), most); ++k) {
    tensor<double> planes({coloured ? 3 : 1, h, w});
    for (index_t c = 0; c < channels; ++c)
      for (index_t i = 0; i < h * w; ++i)
        planes[(coloured ? c * h * w : 0) + i] +=
            static_cast<double>(weights[(k * channels + c) * h * w + i]) / (coloured ? 1.0 : static_cast<double>(channels));
    double top = 0;
    for (const double v : planes) top = (std::max)(top, std::abs(v));
    const double scale = top > 0 ? 127 / top : 0;
    const rgb_picture tile = to_bytes<double>(planes, {scale, scale, scale}, {127.5, 127.5, 127.5});
    tiles.push_back(magnified(tile, magnify));
  }
  return side_by_side(tiles, detail::grid_columns(static_cast<index_t>(tiles.size())), 2);
}

/// Feature maps (1, channels, h, w) or (channels, h, w) of one image in a grid: each map from its own smallest (dark) to its
/// largest value, at most `most` of them, those that vary most first. Tiles are magnified to about 64 pixels.
template <class T>
rgb_picture activation_picture(const view<const T>& maps, index_t most = 48) {
  const int rank = maps.dims().rank();
  if ((rank != 3 && !(rank == 4 && maps.dim(0) == 1)) || maps.size() == 0)
    fail<shape_error>("activation_picture: wanted the feature maps of one image, got ", maps.dims());
  const index_t channels = maps.dim(rank - 3), h = maps.dim(rank - 2), w = maps.dim(rank - 1);
  std::vector<std::pair<double, index_t>> order;  // negative range, so that sorting puts wide ranges first
  for (index_t c = 0; c < channels; ++c) {
    const auto [low, high] = std::minmax_element(maps.data() + c * h * w, maps.data() + (c + 1) * h * w);
    order.emplace_back(-static_cast<double>(*high - *low), c);
  }
  std::sort(order.begin(), order.end());
  order.resize((std::min)(order.size(), static_cast<std::size_t>(most)));
  const index_t magnify = (std::max)(64 / (std::max)(h, w), index_t{1});
  std::vector<rgb_picture> tiles;
  for (const auto& [range, c] : order) {
    const T* map = maps.data() + c * h * w;
    const double low = static_cast<double>(*std::min_element(map, map + h * w));
    rgb_picture tile({h, w, 3});
    for (index_t i = 0; i < h * w; ++i) {
      const auto colour = heat_colour(range < 0 ? (static_cast<double>(map[i]) - low) / -range : 0.0);
      for (index_t k = 0; k < 3; ++k) tile[3 * i + k] = colour[static_cast<std::size_t>(k)];
    }
    tiles.push_back(magnified(tile, magnify));
  }
  return side_by_side(tiles, detail::grid_columns(static_cast<index_t>(tiles.size())), 2);
}

}  // namespace minicnn::inline MINICNN_ABI
