#include "scene.hpp"

namespace drawing {

namespace {

/// What the random numbers of a scene are for.
enum scene_stream : std::uint64_t { layout, behind, clutter, before, light, grain };

}  // namespace

scene::scene(minicnn::random_key key) : key_(key) {
  dice d(key_.of(layout));
  place_ = random_place(d);
}

void scene::draw_behind(canvas& c) const {
  dice d(key_.of(behind)), things(key_.of(clutter));
  draw_place(c, place_, d);
  const float w = static_cast<float>(c.width()), h = static_cast<float>(c.height());
  const int count = things.chance(0.6) ? things.below(5) : 0;
  for (int i = 0; i < count; ++i) {
    const float x = things.in(0, w), y = h * things.in(0.3F, 1.05F);
    draw_thing(c, things, {x, y}, (std::min)(w, h) * things.in(0.08F, 0.26F));
  }
}

void scene::draw_shadow(canvas& c, point centre, float radius) const {
  for (const float share : {1.0F, 0.85F, 0.7F, 0.55F})
    c.fill(ellipse(centre, radius * share, radius * share * 0.22F), {}, {0.05F, 0.05F, 0.08F}, 0.13F);
}

void scene::draw_before(canvas& c) const {
  dice d(key_.of(before));
  const float w = static_cast<float>(c.width()), h = static_cast<float>(c.height());
  if (place_.kind == place_kind::meadow) {
    const int blades = 40 + d.below(50);
    draw_blades(c, d, place_.ground, blades, h * d.in(0.88F, 0.97F), h + 10);
  }
  if (d.chance(0.2)) {
    const float x = w * (d.chance(0.5) ? d.in(0, 0.2F) : d.in(0.8F, 1)), y = h * d.in(0.97F, 1.08F);
    draw_thing(c, d, {x, y}, (std::min)(w, h) * d.in(0.1F, 0.22F));
  }
}

void scene::develop(canvas& c) const {
  dice d(key_.of(light));
  const float w = static_cast<float>(c.width()), h = static_cast<float>(c.height());
  if (d.chance(0.6)) c.blur(d.in(0.3F, 1.0F));

  const float exposure = d.in(0.7F, 1.2F), contrast = d.in(0.75F, 1.15F), warmth = d.around(0, 0.07F), vignette = d.in(0, 0.35F);
  const float from = d.in(0, 2 * std::numbers::pi_v<float>), steepness = d.in(0, 0.25F);
  const point slope = rotated(from)({steepness, 0});
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
