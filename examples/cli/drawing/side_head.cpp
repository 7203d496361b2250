#include "painter.hpp"

namespace drawing {

namespace {

/// A pointed or folded ear on its root; `inside`: the near one, of which the inside shows.
void draw_upright_ear(painter& p, const affine& head, point root, bool inside) {
  const anatomy& a = p.body();
  const bool pointed = a.ears == ear::pointed;
  const float w = a.ear_width, h = 0.85F * a.ear_length, tip = pointed ? h : 0.5F * h, darken = inside ? 1.0F : 0.7F;
  const affine at = head * moved(root.x, root.y) * rotated(-0.12F - a.ear_spread);
  p.fur(blob({{-0.42F * w, 0.15F},
              {-0.32F * w, -0.4F * tip},
              {-0.03F * w, -tip},
              {0.05F * w, -tip},
              {0.34F * w, -0.35F * tip},
              {0.44F * w, 0.15F}}),
        at, {.extremity = 0.9F, .darken = darken});
  if (!pointed) {
    // The upper half falls forward.
    p.fur(blob({{-0.34F * w, -0.36F * h},
                {0.05F * w, -0.58F * h},
                {0.42F * w, -0.34F * h},
                {0.72F * w, 0.14F * h},
                {0.62F * w, 0.24F * h},
                {0.22F * w, -0.02F * h}}),
          at, {.extremity = 1, .darken = 0.9F * darken});
  } else if (inside) {
    p.flat(
        blob({{-0.1F * w, 0.02F}, {-0.06F * w, -0.35F * h}, {0.04F * w, -0.72F * h}, {0.22F * w, -0.3F * h}, {0.28F * w, 0.02F}}),
        at, p.looks().ear_inside, 0.8F);
  }
}

void draw_hanging_ear(painter& p, const affine& head) {
  const float h = p.body().ear_length;
  p.fur(blob({{-0.42F, -0.72F},
              {0.0F, -0.74F},
              {0.1F, -0.3F},
              {0.02F, 0.75F * h - 0.3F},
              {-0.25F, 0.95F * h - 0.3F},
              {-0.55F, 0.7F * h - 0.3F},
              {-0.58F, -0.25F}}),
        head, {.extremity = 1, .darken = 0.84F});
}

/// A dog's profile: a stop below the forehead, then a long muzzle.
void draw_long_profile(painter& p, const affine& head) {
  const anatomy& a = p.body();
  const look& l = p.looks();
  const float tip = 0.62F + a.muzzle;
  if (a.tongue)
    p.flat(blob({{tip - 0.35F, 0.42F}, {tip - 0.15F, 0.4F}, {tip - 0.1F, 0.75F}, {tip - 0.22F, 0.9F}, {tip - 0.34F, 0.75F}}),
           head, tongue_pink);
  p.fur(blob({{-0.72F, 0.25F},
              {-0.74F, -0.3F},
              {-0.3F, -0.78F},
              {0.2F, -0.78F},
              {0.52F, -0.42F},
              {0.66F, -0.14F},
              {tip - 0.1F, -0.08F},
              {tip, 0.12F},
              {tip - 0.08F, 0.4F},
              {0.6F, 0.55F},
              {0.2F, 0.78F},
              {-0.35F, 0.75F}}),
        head, {.extremity = 0.2F});
  p.fur(blob({{0.6F, -0.06F}, {tip - 0.12F, -0.02F}, {tip - 0.04F, 0.14F}, {tip - 0.12F, 0.36F}, {0.6F, 0.48F}}), head,
        {.extremity = 0.9F, .light = l.light_muzzle ? 0.85F : 0.0F, .lined = false});
  p.flat(ellipse({tip - 0.04F, 0.0F}, 0.16F, 0.14F, 0.3F), head, l.nose);
  p.line({{tip - 0.06F, 0.14F}, {tip - 0.16F, 0.28F}, {0.62F, 0.32F}}, head, 0.04F, ink);
  draw_eye(p, head * moved(0.34F, -0.14F) * stretched(0.75F, 1), 1);
  draw_whiskers(p, head, {0.5F + 0.7F * a.muzzle, 0.3F}, -1, 0.8F);
}

/// A cat's profile: forehead, nose and chin on one steep line.
void draw_short_profile(painter& p, const affine& head) {
  const anatomy& a = p.body();
  const look& l = p.looks();
  const float tip = 0.66F + a.muzzle;
  if (a.tongue) p.flat(ellipse({tip - 0.12F, 0.46F}, 0.07F, 0.12F), head, tongue_pink);
  p.fur(blob({{-0.80F, 0.2F},
              {-0.75F, -0.35F},
              {-0.3F, -0.80F},
              {0.2F, -0.80F},
              {0.62F, -0.5F},
              {0.76F, -0.1F},
              {tip, 0.1F},
              {tip - 0.01F, 0.3F},
              {tip - 0.17F, 0.55F},
              {0.3F, 0.78F},
              {-0.4F, 0.78F}}),
        head, {.extremity = 0.2F});
  p.fur(ellipse({tip - 0.17F, 0.3F}, 0.19F, 0.16F), head,
        {.extremity = 0.8F, .light = l.light_muzzle ? 0.85F : 0.3F, .lined = false});
  p.flat(ellipse({tip - 0.03F, 0.1F}, 0.09F, 0.07F, 0.6F), head, l.nose);
  p.line({{tip - 0.03F, 0.17F}, {tip - 0.1F, 0.33F}, {tip - 0.3F, 0.36F}}, head, 0.035F, ink);
  draw_eye(p, head * moved(0.42F, -0.14F) * stretched(0.8F, 1), 1);
  const point root{tip - 0.18F, 0.28F};
  draw_whiskers(p, head, root, -1, 0.8F);
  draw_whiskers(p, head, root, 1, 0.55F);
}

}  // namespace

void draw_side_head(painter& p, const affine& upright) {
  const affine head = upright * rotated(p.looks().tilt);
  const bool hanging = p.body().ears == ear::hanging;
  if (!hanging) draw_upright_ear(p, head, {0.14F, -0.66F}, false);
  if (p.body().round_nose)
    draw_long_profile(p, head);
  else
    draw_short_profile(p, head);
  if (hanging)
    draw_hanging_ear(p, head);
  else
    draw_upright_ear(p, head, {-0.26F, -0.62F}, true);
}

}  // namespace drawing
