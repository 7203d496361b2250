#include "painter.hpp"

namespace drawing {

namespace {

/// The points with x negated, in reverse order: the other half of a symmetric outline.
outline mirrored(const outline& half) {
  outline out;
  for (auto p = half.rbegin(); p != half.rend(); ++p) out.push_back({-p->x, p->y});
  return out;
}

/// A turned head: points further out towards the viewer move more.
struct turn {
  float yaw, pitch;
  point operator()(float x, float y, float depth) const {
    return {x * std::cos(yaw) + depth * std::sin(yaw), y * std::cos(pitch) + depth * std::sin(pitch)};
  }
  affine around(float x, float y, float depth) const {
    const point p = (*this)(x, y, depth);
    return moved(p.x, p.y) * stretched(std::cos(yaw), std::cos(pitch));
  }
};

/// An ear of the head's right side around its root at the origin; `side` mirrors it.
void draw_front_ear(painter& p, const affine& root, float side) {
  const anatomy& a = p.body();
  const affine place = root * stretched(side, 1);
  const float w = a.ear_width, h = a.ear_length;
  switch (a.ears) {
    case ear::pointed: {
      const affine lean = place * rotated(0.25F + a.ear_spread);
      p.fur(blob({{-0.48F * w, 0.15F},
                  {-0.36F * w, -0.35F * h},
                  {-0.02F * w, -0.93F * h},
                  {0.05F * w, -0.93F * h},
                  {0.40F * w, -0.35F * h},
                  {0.52F * w, 0.15F}}),
            lean, {.extremity = 0.9F});
      p.flat(blob({{-0.26F * w, 0.05F},
                   {-0.18F * w, -0.3F * h},
                   {0.02F * w, -0.72F * h},
                   {0.24F * w, -0.3F * h},
                   {0.30F * w, 0.05F}}),
             lean, p.looks().ear_inside, 0.85F);
      return;
    }
    case ear::folded: {
      const affine lean = place * rotated(0.3F + a.ear_spread);
      p.fur(blob({{-0.50F * w, 0.15F}, {-0.40F * w, -0.25F * h}, {0.0F, -0.46F * h}, {0.45F * w, -0.3F * h}, {0.52F * w, 0.15F}}),
            lean, {.extremity = 0.7F, .darken = 0.8F});
      // The upper half of the triangle falls outwards over the lower one.
      p.fur(blob({{-0.38F * w, -0.30F * h},
                  {0.0F, -0.50F * h},
                  {0.42F * w, -0.36F * h},
                  {0.72F * w, 0.05F * h},
                  {0.80F * w, 0.32F * h},
                  {0.66F * w, 0.34F * h},
                  {0.30F * w, 0.05F * h}}),
            lean, {.extremity = 1, .darken = 0.93F});
      return;
    }
    case ear::hanging: {
      const affine lean = place * rotated(-a.ear_spread);
      p.fur(blob({{-0.22F * w, -0.12F},
                  {0.18F * w, -0.2F},
                  {0.62F * w, 0.12F * h},
                  {0.80F * w, 0.65F * h},
                  {0.66F * w, 1.05F * h},
                  {0.36F * w, 1.1F * h},
                  {0.12F * w, 0.72F * h},
                  {0.04F * w, 0.3F * h}}),
            lean, {.extremity = 1, .darken = 0.84F});
      return;
    }
  }
}

/// A cat's muzzle: two small puffs, a triangle of a nose, the mouth an omega.
void draw_short_muzzle(painter& p, const affine& place, const turn& t) {
  const anatomy& a = p.body();
  const float w = a.muzzle_width, light = p.looks().light_muzzle ? 0.85F : 0.3F;
  const affine at = place * t.around(0, 0.38F, 0.75F + a.muzzle);
  p.fur(ellipse({0, 0.2F}, 0.75F * w, 0.6F * w), at, {.extremity = 0.8F, .light = light, .lined = false});
  if (a.tongue) p.flat(ellipse({0, 0.22F}, 0.08F, 0.14F), at, tongue_pink);
  for (const float side : {-1.0F, 1.0F})
    p.fur(ellipse({0.85F * w * side, 0.02F}, w, 0.82F * w), at, {.extremity = 0.8F, .light = light, .lined = false});
  draw_nose(p, at * moved(0, -0.15F));
  p.line({{0, -0.1F}, {0, 0.05F}}, at, 0.035F, ink);
  for (const float side : {-1.0F, 1.0F})
    p.line({{0, 0.05F}, {0.5F * w * side, 0.16F}, {1.15F * w * side, 0.08F}}, at, 0.035F, ink);
}

/// A dog's muzzle: one long block with a wide nose pad on its top.
void draw_long_muzzle(painter& p, const affine& place, const turn& t) {
  const anatomy& a = p.body();
  const float w = a.muzzle_width, light = p.looks().light_muzzle ? 0.85F : 0.0F;
  const affine root = place * t.around(0, 0.36F, 0.7F), tip = place * t.around(0, 0.45F, 0.75F + 0.6F * a.muzzle);
  if (a.tongue) {
    p.flat(blob({{-0.13F, 0.25F}, {0.13F, 0.25F}, {0.15F, 0.6F}, {0, 0.74F}, {-0.15F, 0.6F}}), tip, tongue_pink);
    p.line({{0, 0.3F}, {0, 0.58F}}, tip, 0.03F, scaled(tongue_pink, 0.7F));
  }
  p.fur(blob({{-0.72F * w, -0.35F},
              {0, -0.5F},
              {0.72F * w, -0.35F},
              {1.02F * w, 0.1F},
              {0.7F * w, 0.42F},
              {0, 0.5F},
              {-0.7F * w, 0.42F},
              {-1.02F * w, 0.1F}}),
        root, {.extremity = 0.9F, .light = light, .lined = false});
  p.fur(blob({{-0.7F * w, -0.28F},
              {0, -0.36F},
              {0.7F * w, -0.28F},
              {w, 0.12F},
              {0.62F * w, 0.38F},
              {0, 0.36F},
              {-0.62F * w, 0.38F},
              {-w, 0.12F}}),
        tip, {.extremity = 0.9F, .light = light});
  draw_nose(p, tip * moved(0, -0.12F));
  p.line({{0, 0.02F}, {0, 0.2F}}, tip, 0.04F, ink);
  for (const float side : {-1.0F, 1.0F})
    p.line({{0, 0.2F}, {0.42F * w * side, 0.28F}, {0.85F * w * side, 0.16F}}, tip, 0.04F, ink);
}

}  // namespace

void draw_front_head(painter& p, const affine& upright) {
  const anatomy& a = p.body();
  const turn t{p.looks().yaw, p.looks().pitch};
  const affine place = upright * rotated(p.looks().tilt);
  const auto ears = [&] {
    for (const float side : {-1.0F, 1.0F}) {
      const point root = a.ears == ear::hanging ? t(0.62F * side, -0.62F, 0.1F) : t(0.56F * side, -0.62F, -0.05F);
      draw_front_ear(p, place * moved(root.x, root.y), side);
    }
  };
  if (a.ears != ear::hanging) ears();

  outline right{{0.32F * a.skull, -0.84F},      {a.skull, -0.62F},     {0.94F * a.cheek, -0.15F}, {a.cheek, 0.22F},
                {a.jaw, 0.62F * a.chin / 0.8F}, {0.3F * a.jaw, a.chin}};
  outline knots = right;
  for (const point q : mirrored(right)) knots.push_back(q);
  p.fur(blob(knots), place * stretched(1 - 0.06F * std::abs(t.yaw), 1), {.extremity = 0.15F, .stripe_angle = 0});
  if (a.ears == ear::hanging) ears();

  for (const float side : {-1.0F, 1.0F}) draw_eye(p, place * t.around(a.eye_distance * side, -0.1F, 0.75F), side);
  if (a.round_nose)
    draw_long_muzzle(p, place, t);
  else
    draw_short_muzzle(p, place, t);
  for (const float side : {-1.0F, 1.0F}) {
    const float out = a.muzzle_width * (a.round_nose ? 0.8F : 1.2F);
    draw_whiskers(p, place, t(out * side, 0.4F, 0.75F + 0.5F * a.muzzle), side, 1 + 0.5F * side * std::sin(t.yaw));
  }
}

}  // namespace drawing
