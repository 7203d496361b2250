#include "painter.hpp"

namespace drawing {

void draw_eye(painter& p, const affine& place, float side) {
  const anatomy& a = p.body();
  const look& l = p.looks();
  const affine eye = place * stretched(side, 1) * rotated(-a.eye_slant);
  const float w = a.eye_width, h = a.eye_height;
  if (l.eyes_closed) {
    p.line({{-w, -0.02F}, {0, 0.5F * h}, {w, -0.02F}}, eye, 0.06F, ink);
    return;
  }
  const outline lid = blob({{-w, 0.15F * h},
                            {-0.45F * w, -0.8F * h},
                            {0.35F * w, -0.95F * h},
                            {w, -0.15F * h},
                            {0.45F * w, 0.85F * h},
                            {-0.45F * w, 0.85F * h}});
  p.flat(lid, eye * stretched(1.22F, 1.25F), ink);
  p.flat(lid, eye, l.iris);
  // A slit stands upright whatever the slant of the lids.
  p.flat(ellipse({0, 0}, 0.78F * h * a.pupil, 0.78F * h), place, ink);
  p.flat(ellipse({-0.35F * h, -0.38F * h}, 0.2F * h, 0.2F * h), place, {1, 1, 1}, 0.9F);
}

void draw_whiskers(painter& p, const affine& place, point root, float side, float squeeze) {
  const anatomy& a = p.body();
  const bool bright = luminance(p.looks().base) < 0.6F;
  for (int i = 0; i < a.whiskers; ++i) {
    const float rise = (static_cast<float>(i) - 0.5F * static_cast<float>(a.whiskers - 1)) * 0.24F;
    const float reach = a.whisker_length * side * squeeze;
    const point start = root + point{0, rise * 0.3F};
    p.line({start, start + point{0.55F * reach, rise * 0.8F - 0.05F}, start + point{reach, rise * 1.7F + 0.03F}}, place, 0.025F,
           bright ? color{0.97F, 0.97F, 0.95F} : color{0.2F, 0.18F, 0.18F}, 0.85F);
  }
}

void draw_nose(painter& p, const affine& place) {
  const float w = p.body().nose_width;
  const color c = p.looks().nose;
  if (p.body().round_nose) {
    p.flat(blob({{-w, -0.25F * w},
                 {-0.5F * w, -0.72F * w},
                 {0.5F * w, -0.72F * w},
                 {w, -0.25F * w},
                 {0.6F * w, 0.55F * w},
                 {0, 0.8F * w},
                 {-0.6F * w, 0.55F * w}}),
           place, c);
    for (const float side : {-1.0F, 1.0F})
      p.flat(ellipse({0.48F * w * side, 0.12F * w}, 0.2F * w, 0.15F * w), place, scaled(c, 0.35F));
    p.flat(ellipse({-0.2F * w, -0.42F * w}, 0.28F * w, 0.12F * w), place, {1, 1, 1}, 0.35F);
  } else {
    p.flat(blob({{-w, -0.45F * w}, {0, -0.6F * w}, {w, -0.45F * w}, {0.3F * w, 0.5F * w}, {-0.3F * w, 0.5F * w}}), place, c);
  }
}

}  // namespace drawing
