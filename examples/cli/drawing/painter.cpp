#include "painter.hpp"

namespace drawing {

color painter::coat(point p, const fur_options& o) const {
  const look& l = look_;
  float marked = 0;
  switch (l.pattern) {
    case coat_pattern::plain:
      break;
    case coat_pattern::stripes: {
      const point q = rotated(-o.stripe_angle)(p);
      const float wave = std::sin(q.x * 10 / l.pattern_size + 3.5F * smooth_noise(q.x * 1.3F, q.y * 1.3F, l.seed));
      marked = 0.8F * std::clamp(wave * 2 - 0.7F, 0.0F, 1.0F);
      break;
    }
    case coat_pattern::patches:
      marked = std::clamp((smooth_noise(p.x * 1.1F / l.pattern_size + 17, p.y * 1.1F / l.pattern_size, l.seed) - 0.52F) * 14,
                          0.0F, 1.0F);
      break;
    case coat_pattern::spots:
      marked =
          std::clamp((smooth_noise(p.x * 3.4F / l.pattern_size, p.y * 3.4F / l.pattern_size, l.seed) - 0.62F) * 10, 0.0F, 1.0F);
      break;
    case coat_pattern::points:
      marked = o.extremity;
      break;
  }
  const color c = mix(mix(l.base, l.mark, marked), l.light, o.light);
  const float hair = smooth_noise(p.x * 16, p.y * 7, l.seed + 1) + 0.6F * smooth_noise(p.x * 5, p.y * 5, l.seed + 2);
  return scaled(c, o.darken * (0.88F + 0.16F * hair));
}

void painter::fur(const outline& shape, const affine& place, const fur_options& o) {
  point low{1e9F, 1e9F}, high{-1e9F, -1e9F};
  for (const point p : shape) {
    low = {(std::min)(low.x, p.x), (std::min)(low.y, p.y)};
    high = {(std::max)(high.x, p.x), (std::max)(high.y, p.y)};
  }
  const point centre = (low + high) * 0.5F, half = (high - low) * 0.5F;
  const outline edge = furry(shape, look_.fur, look_.seed);
  target_.fill(edge, place, 1, [&](point p) {
    const point n{(p.x - centre.x) / half.x, (p.y - centre.y) / half.y};
    const float r2 = n.x * n.x + n.y * n.y;
    return scaled(coat(p, o), 1.03F + n.x * look_.light_x + n.y * look_.light_y - 0.10F * r2 * r2);
  });
  if (o.lined) {
    const float width = (std::max)(0.055F, 0.9F / place.scale());
    target_.fill(contour(edge, width), place, line_color(), look_.line_darkness);
  }
}

void painter::line(const std::vector<point>& knots, const affine& place, float width, color c, float opacity) {
  const float thick = (std::max)(width, 0.7F / place.scale());
  target_.fill(stroke(knots, thick, thick), place, c, opacity);
}

}  // namespace drawing
