#pragma once
/// A small anti-aliased canvas: filled outlines in floating point colour, with exact pixel coverage.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

#include "minicnn/core/random.hpp"

namespace drawing {

/// Random numbers in the single precision of the canvas. Two draws never stand in one call's arguments: compilers order
/// those as they like, and pictures are to be the same for all of them.
class dice {
 public:
  explicit dice(minicnn::random_key key) : stream_(key) {}

  float in(float low, float high) { return static_cast<float>(stream_.uniform(double{low}, double{high})); }
  bool chance(double probability) { return stream_.chance(probability); }
  int below(int count) { return static_cast<int>(stream_.below(count)); }
  /// A value around `centre`: normal with deviation `spread`, cut at two deviations.
  float around(float centre, float spread) { return centre + spread * static_cast<float>(stream_.truncated_normal()); }
  float normal() { return static_cast<float>(stream_.normal()); }
  std::uint32_t bits() { return stream_.bits(); }

 private:
  minicnn::random_stream stream_;
};

/// sRGB, 0 to 1 (values outside are cut when the picture is stored).
struct color {
  float r = 0, g = 0, b = 0;
};

inline color mix(color a, color b, float share_of_b) {
  return {a.r + (b.r - a.r) * share_of_b, a.g + (b.g - a.g) * share_of_b, a.b + (b.b - a.b) * share_of_b};
}
inline color scaled(color c, float factor) { return {c.r * factor, c.g * factor, c.b * factor}; }
inline float luminance(color c) { return 0.299F * c.r + 0.587F * c.g + 0.114F * c.b; }

/// A colour of the given hue (0 to 1, red to red), saturation and value.
color from_hsv(float hue, float saturation, float value);

struct range {
  float low = 0, high = 0;
};
color random_hsv(dice& d, range hue, range saturation, range value);

/// x to the right, y down.
struct point {
  float x = 0, y = 0;
};

inline point operator+(point a, point b) { return {a.x + b.x, a.y + b.y}; }
inline point operator-(point a, point b) { return {a.x - b.x, a.y - b.y}; }
inline point operator*(point a, float s) { return {a.x * s, a.y * s}; }

/// p -> (xx x + xy y + x, yx x + yy y + y).
struct affine {
  float xx = 1, xy = 0, yx = 0, yy = 1, x = 0, y = 0;

  point operator()(point p) const { return {xx * p.x + xy * p.y + x, yx * p.x + yy * p.y + y}; }
  /// First `inner`, then this.
  affine operator*(const affine& inner) const {
    const point origin = (*this)({inner.x, inner.y});
    return {xx * inner.xx + xy * inner.yx,
            xx * inner.xy + xy * inner.yy,
            yx * inner.xx + yy * inner.yx,
            yx * inner.xy + yy * inner.yy,
            origin.x,
            origin.y};
  }
  affine inverse() const {
    const float d = 1 / (xx * yy - xy * yx);
    const affine linear{yy * d, -xy * d, -yx * d, xx * d, 0, 0};
    const point origin = linear({x, y});
    return {linear.xx, linear.xy, linear.yx, linear.yy, -origin.x, -origin.y};
  }
  /// Mean enlargement.
  float scale() const { return std::sqrt(std::abs(xx * yy - xy * yx)); }
};

inline affine moved(float x, float y) { return {1, 0, 0, 1, x, y}; }
inline affine stretched(float x, float y) { return {x, 0, 0, y, 0, 0}; }
inline affine rotated(float radians) {
  const float c = std::cos(radians), s = std::sin(radians);
  return {c, -s, s, c, 0, 0};
}

/// A closed polygon; curves are flattened when it is made.
using outline = std::vector<point>;

/// The ellipse with half axes rx and ry, turned by `angle` radians.
outline ellipse(point centre, float rx, float ry, float angle = 0);
/// The smooth closed curve through `knots` (Catmull-Rom).
outline blob(const std::vector<point>& knots);
/// A smooth open curve through `knots`, as thick as `start` at its first and `end` at its last knot, with round ends.
outline stroke(const std::vector<point>& knots, float start, float end);
/// The band of the given width along the edge of a closed outline.
outline contour(const outline& edge, float width);
/// The outline with tufts of fur as long as `length`, the same for equal seeds.
outline furry(const outline& edge, float length, std::uint32_t seed);

/// Smooth noise in 0 to 1 whose features have size 1 (value noise on the integer lattice).
float smooth_noise(float x, float y, std::uint32_t seed);

class canvas {
 public:
  canvas(int width, int height)
      : width_(width), height_(height), pixels_(static_cast<std::size_t>(width) * static_cast<std::size_t>(height)) {}

  int width() const { return width_; }
  int height() const { return height_; }
  color& at(int x, int y) {
    return pixels_[static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x)];
  }
  std::vector<color>& pixels() { return pixels_; }

  /// Fills `shape`, placed by `to_pixels`; `paint(p)` is the colour at point p of the shape's own plane.
  template <class Paint>
  void fill(const outline& shape, const affine& to_pixels, float opacity, const Paint& paint) {
    cover(shape, to_pixels);
    const affine back = to_pixels.inverse();
    for (int y = top_; y < bottom_; ++y) {
      const float* row = coverage_.data() + static_cast<std::size_t>(y - top_) * stride();
      for (int x = left_; x < right_; ++x) {
        const float share = opacity * row[x - left_];
        if (share < 0.004F) continue;  // less than one step of a byte
        color& pixel = at(x, y);
        pixel = mix(pixel, paint(back({static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F})), share);
      }
    }
  }
  void fill(const outline& shape, const affine& to_pixels, color paint, float opacity = 1) {
    fill(shape, to_pixels, opacity, [&](point) { return paint; });
  }

  /// Calls `change(p, pixel)` for every pixel, p in pixels.
  template <class Change>
  void each(const Change& change) {
    for (int y = 0; y < height_; ++y)
      for (int x = 0; x < width_; ++x) change(point{static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F}, at(x, y));
  }

  /// Gaussian blur with deviation `sigma` pixels; edges repeat.
  void blur(float sigma);

 private:
  /// Fills coverage_ (0 to 1 for each pixel of the clipped bounding box) by accumulating signed areas edge by edge.
  void cover(const outline& shape, const affine& to_pixels);
  void add_edge(point a, point b);
  std::size_t stride() const { return static_cast<std::size_t>(right_ - left_ + 2); }

  int width_, height_;
  std::vector<color> pixels_;
  int left_ = 0, top_ = 0, right_ = 0, bottom_ = 0;
  std::vector<float> coverage_;
  std::vector<point> placed_;
};

}  // namespace drawing
