#include "canvas.hpp"

namespace drawing {

namespace {

/// Catmull-Rom between b and c.
point spline(point a, point b, point c, point d, float t) {
  const float t2 = t * t, t3 = t2 * t;
  return (b * 2 + (c - a) * t + (a * 2 - b * 5 + c * 4 - d) * t2 + (b * 3 - a - c * 3 + d) * t3) * 0.5F;
}

point unit_normal(point along) {
  const float length = (std::max)(std::hypot(along.x, along.y), 1e-6F);
  return {-along.y / length, along.x / length};
}

std::uint32_t hash(std::uint32_t x, std::uint32_t y, std::uint32_t seed) {
  std::uint32_t h = x * 0x8DA6B343U ^ y * 0xD8163841U ^ seed * 0xCB1AB31FU;
  h = (h ^ (h >> 16)) * 0x7FEB352DU;
  h = (h ^ (h >> 15)) * 0x846CA68BU;
  return h ^ (h >> 16);
}

float hash_unit(int x, int y, std::uint32_t seed) {
  return static_cast<float>(hash(static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(y), seed) >> 8) * 0x1.0p-24F;
}

constexpr int curve_steps = 7;  // pieces between two knots: at most a pixel or two long at these sizes

}  // namespace

color from_hsv(float hue, float saturation, float value) {
  const auto channel = [&](float offset) {
    const float k = std::fmod(offset + hue * 6, 6.0F);
    return value - value * saturation * std::clamp((std::min)(k, 4 - k), 0.0F, 1.0F);
  };
  return {channel(5), channel(3), channel(1)};
}

color random_hsv(dice& d, range hue, range saturation, range value) {
  const float h = d.in(hue.low, hue.high), s = d.in(saturation.low, saturation.high), v = d.in(value.low, value.high);
  return from_hsv(h, s, v);
}

outline ellipse(point centre, float rx, float ry, float angle) {
  constexpr int corners = 40;
  const affine turn = rotated(angle);
  outline out;
  out.reserve(corners);
  for (int i = 0; i < corners; ++i) {
    const float a = 2 * std::numbers::pi_v<float> * static_cast<float>(i) / corners;
    out.push_back(centre + turn({rx * std::cos(a), ry * std::sin(a)}));
  }
  return out;
}

outline blob(const std::vector<point>& knots) {
  const std::size_t n = knots.size();
  outline out;
  out.reserve(n * curve_steps);
  for (std::size_t i = 0; i < n; ++i)
    for (int s = 0; s < curve_steps; ++s)
      out.push_back(
          spline(knots[(i + n - 1) % n], knots[i], knots[(i + 1) % n], knots[(i + 2) % n], static_cast<float>(s) / curve_steps));
  return out;
}

outline stroke(const std::vector<point>& knots, float start, float end) {
  std::vector<point> line;
  const std::size_t n = knots.size();
  for (std::size_t i = 0; i + 1 < n; ++i)
    for (int s = 0; s < curve_steps; ++s)
      line.push_back(spline(knots[i == 0 ? 0 : i - 1], knots[i], knots[i + 1], knots[(std::min)(i + 2, n - 1)],
                            static_cast<float>(s) / curve_steps));
  line.push_back(knots.back());

  outline left, right;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const point along = line[(std::min)(i + 1, line.size() - 1)] - line[i == 0 ? 0 : i - 1];
    const float share = static_cast<float>(i) / static_cast<float>(line.size() - 1);
    const point offset = unit_normal(along) * (0.5F * (start + (end - start) * share));
    left.push_back(line[i] + offset);
    right.push_back(line[i] - offset);
  }
  // Half circles at both ends, from the left bank to the right one and back.
  const auto cap = [&](outline& out, point centre, point from, float side) {
    for (int s = 1; s < 6; ++s)
      out.push_back(centre + rotated(side * std::numbers::pi_v<float> * static_cast<float>(s) / 6)(from - centre));
  };
  outline out = left;
  cap(out, line.back(), left.back(), -1);
  out.insert(out.end(), right.rbegin(), right.rend());
  cap(out, line.front(), right.front(), -1);
  return out;
}

outline contour(const outline& edge, float width) {
  const std::size_t n = edge.size();
  outline out, inner;
  out.reserve(2 * n + 2);
  for (std::size_t i = 0; i <= n; ++i) {
    const point normal = unit_normal(edge[(i + 1) % n] - edge[(i + n - 1) % n]) * (width / 2);
    out.push_back(edge[i % n] + normal);
    inner.push_back(edge[i % n] - normal);
  }
  // One polygon: around, over a bridge, back around inside; the bridge is crossed both ways and so encloses nothing.
  out.insert(out.end(), inner.rbegin(), inner.rend());
  return out;
}

outline furry(const outline& edge, float length, std::uint32_t seed) {
  if (length <= 0) return edge;
  const std::size_t n = edge.size();
  outline out = edge;
  for (std::size_t i = 0; i < n; ++i) {
    const float tuft = hash_unit(static_cast<int>(i), 0, seed) + (i % 2 == 0 ? 0.25F : -0.75F);
    out[i] = edge[i] + unit_normal(edge[(i + 1) % n] - edge[(i + n - 1) % n]) * (-length * tuft);
  }
  return out;
}

float smooth_noise(float x, float y, std::uint32_t seed) {
  const float fx = std::floor(x), fy = std::floor(y);
  const int ix = static_cast<int>(fx), iy = static_cast<int>(fy);
  const auto ease = [](float t) { return t * t * (3 - 2 * t); };
  const float tx = ease(x - fx), ty = ease(y - fy);
  const float above = hash_unit(ix, iy, seed) * (1 - tx) + hash_unit(ix + 1, iy, seed) * tx;
  const float below = hash_unit(ix, iy + 1, seed) * (1 - tx) + hash_unit(ix + 1, iy + 1, seed) * tx;
  return above * (1 - ty) + below * ty;
}

void canvas::cover(const outline& shape, const affine& to_pixels) {
  placed_.clear();
  float x0 = 1e9F, y0 = 1e9F, x1 = -1e9F, y1 = -1e9F;
  for (const point p : shape) {
    const point q = to_pixels(p);
    x0 = (std::min)(x0, q.x), x1 = (std::max)(x1, q.x), y0 = (std::min)(y0, q.y), y1 = (std::max)(y1, q.y);
    placed_.push_back(q);
  }
  const auto pixel = [](float v, int limit) { return static_cast<int>(std::clamp(v, 0.0F, static_cast<float>(limit))); };
  left_ = pixel(std::floor(x0), width_), right_ = pixel(std::ceil(x1), width_);
  top_ = pixel(std::floor(y0), height_), bottom_ = pixel(std::ceil(y1), height_);
  if (left_ >= right_ || top_ >= bottom_) {
    right_ = left_;
    return;
  }
  coverage_.assign(stride() * static_cast<std::size_t>(bottom_ - top_), 0.0F);
  for (std::size_t i = 0; i < placed_.size(); ++i) add_edge(placed_[i], placed_[(i + 1) % placed_.size()]);
  for (int y = top_; y < bottom_; ++y) {
    float* row = coverage_.data() + static_cast<std::size_t>(y - top_) * stride();
    float area = 0;
    for (int x = 0; x < right_ - left_; ++x) {
      area += row[x];
      row[x] = (std::min)(std::abs(area), 1.0F);
    }
  }
}

// Each row's running sum from the left is to be the covered share of a pixel; so an edge adds, at the pixels that it
// crosses, the height it spans times the share of the pixel to its right, and the rest one pixel further.
void canvas::add_edge(point a, point b) {
  if (a.y == b.y) return;
  const float sign = a.y < b.y ? 1.0F : -1.0F;
  if (a.y > b.y) std::swap(a, b);
  const float slope = (b.x - a.x) / (b.y - a.y);
  const float limit = static_cast<float>(right_ - left_);
  const int first = (std::max)(top_, static_cast<int>(std::floor(a.y))),
            last = (std::min)(bottom_, static_cast<int>(std::ceil(b.y)));
  for (int y = first; y < last; ++y) {
    const float from = (std::max)(a.y, static_cast<float>(y)), to = (std::min)(b.y, static_cast<float>(y + 1));
    if (to <= from) continue;
    float* row = coverage_.data() + static_cast<std::size_t>(y - top_) * stride();
    const float height = sign * (to - from);
    // Clamping to the box keeps what lies left of it as full height and drops what lies right of it.
    const float xa = std::clamp(a.x + (from - a.y) * slope - static_cast<float>(left_), 0.0F, limit);
    const float xb = std::clamp(a.x + (to - a.y) * slope - static_cast<float>(left_), 0.0F, limit);
    const float low = (std::min)(xa, xb), high = (std::max)(xa, xb);
    const int begin = static_cast<int>(low), end = static_cast<int>(std::ceil(high));
    if (end <= begin + 1) {
      const float right_share = 1 - (0.5F * (low + high) - static_cast<float>(begin));
      row[begin] += height * right_share;
      row[begin + 1] += height * (1 - right_share);
      continue;
    }
    // Covered share of pixel x: the part of the edge left of it counts in full, the part inside by what lies right of it.
    const float per_pixel = height / (high - low);
    float before = 0;
    for (int x = begin; x < end; ++x) {
      const float l = (std::max)(low, static_cast<float>(x)), r = (std::min)(high, static_cast<float>(x + 1));
      const float covered = per_pixel * ((l - low) + (r - l) * (static_cast<float>(x + 1) - 0.5F * (l + r)));
      row[x] += covered - before;
      before = covered;
    }
    row[end] += height - before;
  }
}

void canvas::blur(float sigma) {
  if (sigma <= 0) return;
  const int radius = static_cast<int>(std::ceil(3 * sigma));
  std::vector<float> weights;
  float sum = 0;
  for (int i = -radius; i <= radius; ++i) {
    weights.push_back(std::exp(-0.5F * static_cast<float>(i * i) / (sigma * sigma)));
    sum += weights.back();
  }
  const auto pass = [&](int length, int lines, std::size_t step, std::size_t line_step) {
    std::vector<color> line(static_cast<std::size_t>(length + 2 * radius));
    for (int l = 0; l < lines; ++l) {
      color* start = pixels_.data() + static_cast<std::size_t>(l) * line_step;
      for (int i = 0; i < length + 2 * radius; ++i)
        line[static_cast<std::size_t>(i)] = start[static_cast<std::size_t>(std::clamp(i - radius, 0, length - 1)) * step];
      for (int i = 0; i < length; ++i) {
        color total;
        for (std::size_t k = 0; k < weights.size(); ++k) {
          const color& c = line[static_cast<std::size_t>(i) + k];
          total.r += weights[k] * c.r, total.g += weights[k] * c.g, total.b += weights[k] * c.b;
        }
        start[static_cast<std::size_t>(i) * step] = scaled(total, 1 / sum);
      }
    }
  };
  pass(width_, height_, 1, static_cast<std::size_t>(width_));
  pass(height_, width_, static_cast<std::size_t>(width_), 1);
}

}  // namespace drawing
