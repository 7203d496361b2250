#include "scene.hpp"

#include <utility>

namespace drawing {

namespace {

/// What the random numbers of a scene are for.
enum stream : std::uint64_t { layout, behind, clutter, before, light, grain };

outline rectangle(float left, float top, float right, float bottom) {
  return {{left, top}, {right, top}, {right, bottom}, {left, bottom}};
}

color any_color(dice& d, float most_saturation) { return from_hsv(d.in(0, 1), d.in(0.05F, most_saturation), d.in(0.3F, 0.95F)); }

void draw_blades(canvas& c, dice& d, color grass, int count, float top, float bottom) {
  const float w = static_cast<float>(c.width()), size = static_cast<float>((std::min)(c.width(), c.height()));
  for (int i = 0; i < count; ++i) {
    const point foot{d.in(-4, w + 4), d.in(top, bottom)};
    const float length = size * d.in(0.04F, 0.12F), lean = d.in(-0.5F, 0.5F) * length;
    const color blade = mix(scaled(grass, d.in(0.7F, 1.35F)), {0.85F, 0.80F, 0.35F}, d.in(0, 0.2F));
    c.fill({foot + point{-0.8F, 0}, foot + point{lean, -length}, foot + point{0.8F, 0}}, {}, blade, 0.9F);
  }
}

/// A thing of any shape: ball, box, cone, plant, bowl.
void draw_thing(canvas& c, dice& d, point foot, float size) {
  const color paint = any_color(d, 0.8F);
  const affine at = moved(foot.x, foot.y) * stretched(size, size);
  const auto shaded = [&](const outline& shape) {
    c.fill(shape, at, 1, [&](point p) { return scaled(paint, 1.0F - 0.25F * p.x + 0.15F * (-p.y - 0.5F)); });
    c.fill(contour(shape, 0.05F), at, scaled(paint, 0.4F), 0.5F);
  };
  switch (d.below(6)) {
    case 0:
      shaded(ellipse({0, -0.5F}, 0.5F, 0.5F));
      c.fill(stroke({{-0.5F, -0.5F}, {0, -0.35F}, {0.5F, -0.5F}}, 0.1F, 0.1F), at, any_color(d, 0.8F));
      return;
    case 1:
      shaded(rectangle(-0.5F, -0.1F - d.in(0.3F, 1.0F), 0.5F, 0));
      return;
    case 2:
      shaded({{-0.5F, 0}, {d.in(-0.3F, 0.3F), -1.1F}, {0.5F, 0}});
      return;
    case 3:
      for (int i = 0; i < 7; ++i) {
        const float a = d.in(-0.9F, 0.9F), n = d.in(0.7F, 1.3F);
        c.fill(stroke({{0, 0}, {0.5F * n * a, -0.7F * n}, {n * a, -0.9F * n}}, 0.16F, 0.04F), at,
               from_hsv(d.in(0.22F, 0.42F), 0.6F, d.in(0.3F, 0.7F)));
      }
      return;
    case 4:
      shaded(blob({{-0.6F, -0.4F}, {0.6F, -0.4F}, {0.4F, 0}, {-0.4F, 0}}));
      return;
    default:
      shaded(blob({{-0.3F, -0.9F}, {0.3F, -0.9F}, {0.25F, -0.4F}, {0.5F, 0}, {-0.5F, 0}, {-0.25F, -0.4F}}));
      return;
  }
}

void draw_clouds(canvas& c, dice& d, float bottom) {
  const float w = static_cast<float>(c.width());
  for (int i = 0, n = 1 + d.below(4); i < n; ++i) {
    const point centre{d.in(0, w), d.in(0, bottom)};
    const float size = w * d.in(0.04F, 0.1F);
    for (int k = 0; k < 5; ++k)
      c.fill(ellipse(centre + point{d.in(-1.8F, 1.8F) * size, d.in(-0.4F, 0.3F) * size}, size * d.in(0.6F, 1.1F),
                     size * d.in(0.4F, 0.7F)),
             {}, {0.97F, 0.97F, 0.98F}, 0.7F);
  }
}

}  // namespace

scene::scene(minicnn::random_key key) : key_(key) {
  dice d(key_.of(layout));
  kind_ = static_cast<place_kind>(d.below(place_kind_count));
  horizon_ = d.in(0.3F, 0.75F);
  wall_ = any_color(d, 0.5F);
  ground_ = any_color(d, 0.55F);
  accent_ = any_color(d, 0.7F);
  if (kind_ == place_kind::meadow) ground_ = from_hsv(d.in(0.2F, 0.36F), d.in(0.35F, 0.75F), d.in(0.35F, 0.75F));
  if (kind_ == place_kind::meadow || kind_ == place_kind::sky)
    wall_ = from_hsv(d.in(0.52F, 0.62F), d.in(0.1F, 0.55F), d.in(0.7F, 0.97F));
  if (kind_ == place_kind::planks) ground_ = from_hsv(d.in(0.05F, 0.11F), d.in(0.3F, 0.65F), d.in(0.35F, 0.8F));
  if (kind_ == place_kind::bricks) wall_ = from_hsv(d.in(0.0F, 0.09F), d.in(0.2F, 0.6F), d.in(0.4F, 0.75F));
}

void scene::draw_behind(canvas& c) const {
  dice d(key_.of(behind));
  const float w = static_cast<float>(c.width()), h = static_cast<float>(c.height()), floor = horizon_ * h;
  const std::uint32_t seed = d.bits();
  const float unit = 1 / (std::min)(w, h);
  const auto fill_ground = [&](color near, color far) {
    c.fill(rectangle(0, floor, w, h), {}, 1, [&](point p) {
      return scaled(mix(far, near, (p.y - floor) / (h - floor)),
                    0.9F + 0.2F * smooth_noise(p.x * unit * 40, p.y * unit * 60, seed));
    });
  };
  switch (kind_) {
    case place_kind::gradient: {
      const point axis = rotated(d.in(0, 6.28F))({0.7F * unit, 0});
      c.each([&](point p, color& out) {
        out = mix(wall_, ground_, std::clamp(0.5F + axis.x * (p.x - w / 2) + axis.y * (p.y - h / 2), 0.0F, 1.0F));
      });
      break;
    }
    case place_kind::meadow:
      c.each([&](point p, color& out) { out = mix(wall_, {0.95F, 0.96F, 0.97F}, p.y / h); });
      if (d.chance(0.5)) draw_clouds(c, d, floor);
      for (int i = 0; i < 9; ++i)
        c.fill(ellipse({d.in(0, w), floor}, w * d.in(0.08F, 0.2F), h * d.in(0.05F, 0.2F)), {},
               scaled(ground_, d.in(0.45F, 0.8F)));
      fill_ground(ground_, scaled(ground_, 0.85F));
      draw_blades(c, d, ground_, 130, floor + 4, h + 8);
      break;
    case place_kind::sofa: {
      c.each([&](point, color& out) { out = wall_; });
      const float top = h * d.in(0.08F, 0.3F), seat = h * d.in(0.6F, 0.85F);
      const int cushions = 1 + d.below(3);
      for (int i = 0; i < cushions; ++i) {
        const float l = w * static_cast<float>(i) / static_cast<float>(cushions), r = l + w / static_cast<float>(cushions);
        c.fill(blob({{l + 2, top + 6}, {(l + r) / 2, top}, {r - 2, top + 6}, {r, seat}, {(l + r) / 2, seat + 8}, {l, seat}}), {},
               1, [&](point p) {
                 return scaled(ground_,
                               1.1F -
                                   0.35F * std::abs(2 * (p.x - l) / (r - l) - 1) * std::abs(2 * (p.y - top) / (seat - top) - 1) +
                                   0.1F * smooth_noise(p.x, p.y, seed));
               });
      }
      c.fill(rectangle(0, seat, w, h), {}, 1, [&](point p) {
        return scaled(ground_, 1.12F - 0.3F * (p.y - seat) / (h - seat) + 0.1F * smooth_noise(p.x, p.y, seed));
      });
      if (d.chance(0.6)) {
        const affine at = moved(d.in(0, w), seat) * rotated(d.in(-0.4F, 0.4F)) * stretched(h * 0.2F, h * 0.2F);
        c.fill(blob({{-0.9F, -0.9F}, {0, -0.75F}, {0.9F, -0.9F}, {0.8F, 0}, {0.9F, 0.9F}, {0, 0.75F}, {-0.9F, 0.9F}, {-0.8F, 0}}),
               at, 1, [&](point p) { return scaled(std::sin(p.x * 9) > 0 ? accent_ : scaled(accent_, 0.75F), 1 - 0.15F * p.y); });
      }
      break;
    }
    case place_kind::tiles: {
      c.each([&](point p, color& out) { out = scaled(wall_, 1.05F - 0.2F * p.y / h); });
      const float size = d.in(0.25F, 0.6F), turn = d.in(-0.5F, 0.5F);
      const color other = d.chance(0.5) ? accent_ : scaled(ground_, 0.85F);
      c.fill(rectangle(0, floor, w, h), {}, 1, [&](point p) {
        const float depth = 1 / (0.08F + (p.y - floor) / h);  // perspective: rows get closer towards the horizon
        const point q = rotated(turn)({(p.x / w - 0.5F) * depth, depth});
        const float u = q.x / size, v = q.y / size;
        const bool odd = ((static_cast<int>(std::floor(u)) + static_cast<int>(std::floor(v))) & 1) != 0;
        const color tile = odd ? other : ground_;
        return depth > 7 ? mix(tile, mix(other, ground_, 0.5F), std::clamp((depth - 7) / 4, 0.0F, 1.0F)) : tile;
      });
      break;
    }
    case place_kind::sky:
      c.each([&](point p, color& out) { out = mix(wall_, {0.97F, 0.94F, 0.90F}, 0.8F * p.y / h); });
      draw_clouds(c, d, h);
      if (d.chance(0.4)) fill_ground(ground_, scaled(ground_, 0.8F));
      break;
    case place_kind::room: {
      const float stripe = d.chance(0.5) ? d.in(5, 20) : 0;
      c.each([&](point p, color& out) { out = scaled(wall_, stripe > 0 && std::fmod(p.x, 2 * stripe) < stripe ? 0.9F : 1.0F); });
      if (d.chance(0.7)) {
        const float l = w * d.in(-0.1F, 0.7F), t = h * d.in(-0.05F, 0.2F), dx = w * d.in(0.2F, 0.4F), dy = h * d.in(0.2F, 0.4F);
        c.fill(rectangle(l - 3, t - 3, l + dx + 3, t + dy + 3), {}, scaled(accent_, 0.7F));
        c.fill(rectangle(l, t, l + dx, t + dy), {}, 1, [&](point p) {
          return mix({0.75F, 0.86F, 0.95F}, {0.95F, 0.95F, 0.9F}, (p.y - t) / dy);
        });
        c.fill(rectangle(l + dx / 2 - 1.5F, t, l + dx / 2 + 1.5F, t + dy), {}, scaled(accent_, 0.7F));
      }
      fill_ground(ground_, scaled(ground_, 0.85F));
      c.fill(rectangle(0, floor - 4, w, floor), {}, mix(wall_, {1, 1, 1}, 0.5F));
      break;
    }
    case place_kind::planks:
    case place_kind::bricks: {
      const bool bricks = kind_ == place_kind::bricks;
      const float row = h * d.in(0.07F, 0.16F), column = bricks ? row * 2.2F : w * d.in(0.5F, 1.5F);
      const color face = bricks ? wall_ : ground_;
      const affine turn = rotated(d.in(-0.12F, 0.12F));
      c.each([&](point pixel, color& out) {
        const point p = turn(pixel);
        const float v = std::floor(p.y / row), u = std::floor(p.x / column + 0.5F * v);
        const float fy = p.y / row - v, fx = p.x / column + 0.5F * v - u;
        const bool joint = fy * row < (bricks ? 2.0F : 1.0F) || fx * column < (bricks ? 2.0F : 1.0F);
        const float tone = 0.85F + 0.3F * smooth_noise(u * 7.3F, v * 5.1F, seed) +
                           0.12F * smooth_noise(p.x * (bricks ? 0.4F : 0.06F), p.y * 0.5F, seed + 1) - 0.1F;
        out = joint ? (bricks ? mix(face, {0.8F, 0.78F, 0.75F}, 0.7F) : scaled(face, 0.55F)) : scaled(face, tone);
      });
      if (bricks && d.chance(0.6)) fill_ground(ground_, scaled(ground_, 0.9F));
      break;
    }
  }
  dice things(key_.of(clutter));
  const int count = things.chance(0.6) ? things.below(5) : 0;
  for (int i = 0; i < count; ++i)
    draw_thing(c, things, {things.in(0, w), h * things.in(0.3F, 1.05F)}, (std::min)(w, h) * things.in(0.08F, 0.26F));
}

void scene::draw_shadow(canvas& c, point centre, float radius) const {
  for (const float share : {1.0F, 0.85F, 0.7F, 0.55F})
    c.fill(ellipse(centre, radius * share, radius * share * 0.22F), {}, {0.05F, 0.05F, 0.08F}, 0.13F);
}

void scene::draw_before(canvas& c) const {
  dice d(key_.of(before));
  const float w = static_cast<float>(c.width()), h = static_cast<float>(c.height());
  if (kind_ == place_kind::meadow) draw_blades(c, d, ground_, 40 + d.below(50), h * d.in(0.88F, 0.97F), h + 10);
  if (d.chance(0.2))
    draw_thing(c, d, {d.chance(0.5) ? d.in(0, 0.2F * w) : d.in(0.8F * w, w), h * d.in(0.97F, 1.08F)},
               (std::min)(w, h) * d.in(0.1F, 0.22F));
}

void scene::develop(canvas& c) const {
  dice d(key_.of(light));
  const float w = static_cast<float>(c.width()), h = static_cast<float>(c.height());
  if (d.chance(0.6)) c.blur(d.in(0.3F, 1.0F));

  const float exposure = d.in(0.7F, 1.2F), contrast = d.in(0.75F, 1.15F), warmth = d.around(0, 0.07F), vignette = d.in(0, 0.35F);
  const point slope = rotated(d.in(0, 6.28F))({d.in(0, 0.25F), 0});
  const float gray = d.chance(0.06) ? 1.0F : d.in(0, 0.35F);
  const float noise = d.chance(0.7) ? d.in(0.004F, 0.045F) : 0.0F;
  dice grains(key_.of(grain));
  c.each([&](point p, color& out) {
    const point n{2 * p.x / w - 1, 2 * p.y / h - 1};
    const float gain = exposure * (1 + slope.x * n.x + slope.y * n.y) * (1 - 0.5F * vignette * (n.x * n.x + n.y * n.y));
    const color lit = scaled(mix(out, {luminance(out), luminance(out), luminance(out)}, gray), gain);
    // Uniform noise of the same deviation as a normal one costs a tenth; seen in pixels, nobody can tell.
    const std::uint32_t bits = noise > 0 ? grains.bits() : 0x80808080U;
    const auto develop_one = [&](float v, float tint, unsigned shift) {
      const float uniform = static_cast<float>((bits >> shift) & 255U) / 255.0F - 0.5F;
      return (v - 0.5F) * contrast + 0.5F + tint + noise * 3.46F * uniform;
    };
    out = {develop_one(lit.r, warmth, 0), develop_one(lit.g, 0, 8), develop_one(lit.b, -warmth, 16)};
  });
}

}  // namespace drawing
