#pragma once
/// Maps of numbers as pictures: enlarged, coloured, laid over a photograph, or side by side in a grid.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include "minicnn/core/tensor.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Pixels as bytes (height, width, 3): red, green, blue interleaved, as picture encoders and decoders have them.
using rgb_picture = tensor<unsigned char>;

/// Bilinear interpolation of a map (h, w) between cell centres, edges continued: (height, width).
template <class T>
tensor<T> enlarge(const view<const T>& map, index_t height, index_t width) {
  if (map.dims().rank() != 2 || map.size() == 0 || height < 1 || width < 1)
    fail<shape_error>("enlarge: wanted a map (h, w), got ", map.dims(), " to become ", height, "x", width);
  const index_t h = map.dim(0), w = map.dim(1);
  tensor<T> out({height, width});
  const auto place = [](index_t i, index_t from, index_t to) {
    const double p = (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
    return (std::clamp)(p, 0.0, static_cast<double>(from - 1));
  };
  for (index_t y = 0; y < height; ++y) {
    const double py = place(y, h, height);
    const auto y0 = static_cast<index_t>(py), y1 = (std::min)(y0 + 1, h - 1);
    const double fy = py - static_cast<double>(y0);
    for (index_t x = 0; x < width; ++x) {
      const double px = place(x, w, width);
      const auto x0 = static_cast<index_t>(px), x1 = (std::min)(x0 + 1, w - 1);
      const double fx = px - static_cast<double>(x0);
      const auto at = [&](index_t j, index_t i) { return static_cast<double>(map(j, i)); };
      out(y, x) =
          static_cast<T>((1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x1)) + fy * ((1 - fx) * at(y1, x0) + fx * at(y1, x1)));
    }
  }
  return out;
}

/// A colour for `heat` in [0, 1]: dark blue over turquoise, green and yellow to red. Lightness rises to the middle and falls
/// again, so that both ends stay dark enough to be told from a bright photograph.
inline std::array<unsigned char, 3> heat_colour(double heat) {
  static constexpr double stops[][3] = {{48, 18, 120},  {52, 96, 235},  {30, 190, 210}, {90, 225, 100},
                                        {235, 215, 50}, {245, 130, 35}, {180, 20, 10}};
  const double p = (heat > 0 ? (std::min)(heat, 1.0) : 0.0) * 6;
  const auto i = (std::min)(static_cast<std::size_t>(p), std::size_t{5});
  const double f = p - static_cast<double>(i);
  std::array<unsigned char, 3> out{};
  for (std::size_t c = 0; c < 3; ++c) out[c] = static_cast<unsigned char>(stops[i][c] * (1 - f) + stops[i + 1][c] * f + 0.5);
  return out;
}

/// `picture` (height, width, 3) with `map` (h, w) laid over it: the map is enlarged, divided by its largest value, and mixed in
/// the more the hotter it is. What is not above 0 (or not a number) counts as 0; a map without anything above 0 leaves the
/// picture blueish all over.
inline rgb_picture overlay(const view<const unsigned char>& picture, const view<const float>& map) {
  if (picture.dims().rank() != 3 || picture.dim(2) != 3)
    fail<shape_error>("overlay: wanted a picture (h, w, 3), got ", picture.dims());
  const tensor<float> heat = enlarge(map, picture.dim(0), picture.dim(1));
  float top = 0;
  for (const float v : heat)
    if (v > top && std::isfinite(v)) top = v;
  rgb_picture out(picture.dims());
  for (index_t i = 0; i < heat.size(); ++i) {
    const double h = top > 0 && heat[i] > 0 ? (std::min)(static_cast<double>(heat[i] / top), 1.0) : 0.0;
    const double share = 0.2 + 0.4 * h;
    const std::array<unsigned char, 3> colour = heat_colour(h);
    for (std::size_t c = 0; c < 3; ++c) {
      const index_t k = 3 * i + static_cast<index_t>(c);
      out[k] = static_cast<unsigned char>((1 - share) * picture[k] + share * colour[c] + 0.5);
    }
  }
  return out;
}

/// A planar picture (3 or 1, h, w) of values as interleaved bytes: byte = scale * value + offset of its channel, rounded and
/// cut at 0 and 255. `scale` and `offset` turn a network's normalised input back into what can be looked at.
template <class T>
rgb_picture to_bytes(const view<const T>& planes, const std::array<double, 3>& scale, const std::array<double, 3>& offset) {
  if (planes.dims().rank() != 3 || (planes.dim(0) != 1 && planes.dim(0) != 3))
    fail<shape_error>("picture: wanted (3, h, w) or (1, h, w), got ", planes.dims());
  const index_t h = planes.dim(1), w = planes.dim(2);
  rgb_picture out({h, w, 3});
  for (index_t c = 0; c < 3; ++c)
    for (index_t i = 0; i < h * w; ++i) {
      const auto channel = static_cast<std::size_t>(c);
      const double v = static_cast<double>(planes[(planes.dim(0) == 3 ? c : 0) * h * w + i]) * scale[channel] + offset[channel];
      out[3 * i + c] = static_cast<unsigned char>(v >= 255 ? 255 : v > 0 ? v + 0.5 : 0);
    }
  return out;
}

/// Every pixel `factor` times as high and wide.
inline rgb_picture magnified(const view<const unsigned char>& picture, index_t factor) {
  if (picture.dims().rank() != 3 || picture.dim(2) != 3 || factor < 1)
    fail<shape_error>("magnified: wanted a picture (h, w, 3), got ", picture.dims(), " times ", factor);
  rgb_picture out({picture.dim(0) * factor, picture.dim(1) * factor, 3});
  for (index_t y = 0; y < out.dim(0); ++y)
    for (index_t x = 0; x < out.dim(1); ++x)
      for (index_t c = 0; c < 3; ++c) out(y, x, c) = picture(y / factor, x / factor, c);
  return out;
}

/// Pictures of one size, row by row from the top left, `columns` in a row, `gap` white pixels between them.
inline rgb_picture side_by_side(const std::vector<rgb_picture>& pictures, index_t columns, index_t gap) {
  if (pictures.empty() || columns < 1 || gap < 0) fail<option_error>("side_by_side: nothing to show");
  const index_t h = pictures[0].dim(0), w = pictures[0].dim(1), n = static_cast<index_t>(pictures.size());
  columns = (std::min)(columns, n);
  const index_t rows = (n + columns - 1) / columns;
  rgb_picture out({rows * (h + gap) - gap, columns * (w + gap) - gap, 3}, 255);
  for (index_t k = 0; k < n; ++k) {
    const rgb_picture& p = pictures[static_cast<std::size_t>(k)];
    if (!(p.dims() == pictures[0].dims())) fail<shape_error>("side_by_side: pictures of ", pictures[0].dims(), " and ", p.dims());
    for (index_t y = 0; y < h; ++y)
      std::copy_n(p.data() + y * w * 3, w * 3, &out(k / columns * (h + gap) + y, k % columns * (w + gap), 0));
  }
  return out;
}

}  // namespace minicnn::inline MINICNN_ABI
