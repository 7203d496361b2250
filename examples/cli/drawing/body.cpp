#include "painter.hpp"

namespace drawing {

namespace {

constexpr float quarter_turn = std::numbers::pi_v<float> / 2;

/// A tail from `root`; `away` is -1 or 1, the side to which it points.
void draw_tail(painter& p, const affine& place, point root, float away, float lift) {
  const anatomy& a = p.body();
  const float n = a.tail_length, curl = a.tail_curl;
  const std::vector<point> knots{root, root + point{0.5F * n * away, (-0.15F * lift + 0.10F) * n},
                                 root + point{(0.95F + 0.1F * curl) * n * away, (-0.55F * lift + 0.2F * curl) * n},
                                 root + point{(1.2F - 0.15F * curl) * n * away, (-1.1F * lift + 0.1F * curl) * n},
                                 root + point{(1.3F + 0.15F * curl) * n * away, (-1.5F * lift - 0.1F * curl) * n}};
  p.fur(stroke(knots, a.tail_start, a.tail_end), place, {.extremity = 1, .darken = 0.95F});
}

void draw_leg(painter& p, const affine& place, point top, point foot, float darken) {
  const anatomy& a = p.body();
  const float w = a.leg_width, light = p.looks().light_paws ? 0.9F : 0.0F;
  const point knee = (top + foot) * 0.5F + point{0.04F, 0};
  // No line where the leg leaves the trunk: fur without one covers it.
  const fur_options leg{.extremity = 0.4F, .darken = darken, .stripe_angle = quarter_turn};
  p.fur(stroke({top, knee, foot}, w * 1.25F, w * 0.95F), place, leg);
  fur_options shoulder = leg;
  shoulder.lined = false;
  p.fur(ellipse(top, w * 0.72F, w * 0.8F), place, shoulder);
  p.fur(ellipse(foot + point{0.06F, 0.04F}, w * 0.68F, w * 0.44F), place, {.extremity = 1, .light = light, .darken = darken});
}

void draw_chest(painter& p, const affine& place, point centre, float rx, float ry) {
  if (p.looks().light_chest) p.fur(ellipse(centre, rx, ry), place, {.light = 0.9F, .lined = false});
}

void draw_collar(painter& p, const affine& place, const std::vector<point>& knots) {
  if (!p.looks().has_collar) return;
  p.line(knots, place, 0.17F, p.looks().collar);
  const point tag = knots[knots.size() / 2];
  p.flat(ellipse(tag + point{0, 0.14F}, 0.11F, 0.11F), place, {0.9F, 0.78F, 0.3F});
}

void draw_portrait(painter& p, const affine& place) {
  const float g = p.body().girth;
  p.fur(blob({{-0.45F, 0.4F},
              {0.45F, 0.4F},
              {0.85F * g, 1.0F},
              {1.3F * g, 1.8F},
              {1.5F * g, 3.2F},
              {-1.5F * g, 3.2F},
              {-1.3F * g, 1.8F},
              {-0.85F * g, 1.0F}}),
        place, {.stripe_angle = quarter_turn});
  draw_chest(p, place, {0, 1.7F}, 0.5F, 0.8F);
  draw_collar(p, place, {{-0.72F * g, 0.85F}, {0, 1.12F}, {0.72F * g, 0.85F}});
  draw_front_head(p, place);
}

void draw_sitting(painter& p, const affine& place) {
  const anatomy& a = p.body();
  const float g = a.girth, floor = 2.1F + 0.9F * a.leg_length;
  draw_tail(p, place, {0.85F * g, floor - 0.3F}, 0.75F, 0.8F);
  p.fur(blob({{-0.4F, 0.5F},
              {0.4F, 0.5F},
              {0.72F * g, 1.1F},
              {0.95F * g, 1.9F},
              {1.08F * g, floor - 0.35F},
              {0.6F * g, floor},
              {-0.6F * g, floor},
              {-1.08F * g, floor - 0.35F},
              {-0.95F * g, 1.9F},
              {-0.72F * g, 1.1F}}),
        place, {.stripe_angle = quarter_turn});
  draw_chest(p, place, {0, 1.45F}, 0.42F * g, 0.7F);
  for (const float side : {-1.0F, 1.0F}) {
    p.fur(ellipse({0.86F * g * side, floor - 0.45F}, 0.42F * g, 0.52F), place, {.stripe_angle = quarter_turn});
    p.fur(ellipse({1.0F * g * side, floor + 0.02F}, 0.34F, 0.17F), place,
          {.extremity = 1, .light = p.looks().light_paws ? 0.9F : 0.0F});
  }
  for (const float side : {-1.0F, 1.0F}) draw_leg(p, place, {0.36F * g * side, 1.6F}, {0.34F * g * side - 0.06F, floor}, 1);
  draw_collar(p, place, {{-0.62F * g, 0.85F}, {0, 1.1F}, {0.62F * g, 0.85F}});
  draw_front_head(p, place);
}

void draw_lying(painter& p, const affine& place) {
  const anatomy& a = p.body();
  const float g = a.girth;
  draw_tail(p, place, {2.75F, 1.4F}, 0.62F, 0.5F);
  p.fur(blob({{-0.55F, 0.6F},
              {0.5F, 0.35F},
              {1.4F, 0.75F - 0.35F * g},
              {2.5F, 0.85F - 0.3F * g},
              {3.0F, 1.3F},
              {2.9F, 1.8F},
              {1.2F, 1.95F},
              {-0.3F, 1.9F},
              {-0.75F, 1.4F}}),
        place);
  p.fur(ellipse({2.35F, 1.4F}, 0.62F * g, 0.55F), place);
  p.fur(ellipse({1.95F, 1.92F}, 0.5F, 0.18F), place, {.extremity = 1, .light = p.looks().light_paws ? 0.9F : 0.0F});
  draw_chest(p, place, {-0.1F, 1.35F}, 0.45F, 0.5F);
  draw_leg(p, place, {0.35F, 1.55F}, {-0.25F, 1.98F}, 0.95F);
  draw_leg(p, place, {-0.35F, 1.55F}, {-0.95F, 1.98F}, 1);
  draw_collar(p, place, {{-0.66F, 0.8F}, {-0.05F, 1.08F}, {0.62F, 0.8F}});
  draw_front_head(p, place);
}

void draw_standing(painter& p, const affine& place) {
  const anatomy& a = p.body();
  const float g = a.girth, floor = 1.75F + 1.15F * a.leg_length;
  draw_tail(p, place, {-3.0F, 0.95F}, -0.75F, 1.0F);
  draw_leg(p, place, {-0.75F, 1.5F}, {-0.55F, floor - 0.1F}, 0.75F);
  draw_leg(p, place, {-2.55F, 1.5F}, {-2.4F, floor - 0.1F}, 0.75F);
  const float belly = 1.3F + 0.5F * g, back = 1.05F - 0.35F * g;
  p.fur(blob({{0.15F, 0.2F},
              {0.3F, 0.9F},
              {0.0F, 1.45F},
              {-0.6F, belly},
              {-1.8F, belly - 0.12F},
              {-2.7F, belly - 0.1F},
              {-3.15F, 1.3F},
              {-3.0F, 0.85F},
              {-2.3F, back},
              {-1.3F, back + 0.02F},
              {-0.75F, 0.3F}}),
        place);
  p.fur(ellipse({-2.6F, 1.35F}, 0.5F * g, 0.55F), place, {.lined = false});
  draw_chest(p, place, {0.05F, 1.1F}, 0.28F, 0.4F);
  draw_leg(p, place, {-0.3F, 1.5F}, {-0.25F, floor}, 1);
  draw_leg(p, place, {-2.85F, 1.5F}, {-2.95F, floor}, 1);
  draw_collar(p, place, {{-0.75F, 0.5F}, {-0.3F, 0.9F}, {0.3F, 0.98F}});
  if (p.looks().head_aside)
    draw_side_head(p, place);
  else
    draw_front_head(p, place);
}

void draw_sitting_aside(painter& p, const affine& place) {
  const anatomy& a = p.body();
  const float g = a.girth, floor = 2.1F + 0.9F * a.leg_length;
  draw_tail(p, place, {-1.75F, floor - 0.25F}, -0.75F, 0.6F);
  draw_leg(p, place, {0.1F, 1.5F}, {0.4F, floor - 0.08F}, 0.75F);
  p.fur(blob({{0.3F, 0.4F},
              {0.42F * g, 1.0F},
              {0.38F * g, 1.7F},
              {0.0F, 2.4F},
              {-0.6F, floor},
              {-1.6F, floor},
              {-1.75F - 0.2F * g, floor - 0.7F},
              {-1.35F * g, 1.5F},
              {-0.75F, 0.5F}}),
        place, {.stripe_angle = 0.6F});
  p.fur(ellipse({-1.15F, floor - 0.55F}, 0.72F * g, 0.58F), place);
  p.fur(ellipse({-0.75F, floor + 0.0F}, 0.52F, 0.18F), place, {.extremity = 1, .light = p.looks().light_paws ? 0.9F : 0.0F});
  draw_chest(p, place, {0.22F, 1.3F}, 0.22F, 0.5F);
  draw_leg(p, place, {-0.05F, 1.6F}, {0.0F, floor}, 1);
  draw_collar(p, place, {{-0.7F, 0.55F}, {-0.25F, 0.92F}, {0.36F, 0.95F}});
  if (p.looks().head_aside)
    draw_side_head(p, place);
  else
    draw_front_head(p, place);
}

}  // namespace

void draw_animal(canvas& c, const look& l, const anatomy& a, const affine& place) {
  painter p(c, l, a);
  switch (l.pose) {
    case pose::portrait:
      return draw_portrait(p, place);
    case pose::sitting:
      return draw_sitting(p, place);
    case pose::lying:
      return draw_lying(p, place);
    case pose::standing:
      return draw_standing(p, place);
    case pose::sitting_aside:
      return draw_sitting_aside(p, place);
  }
}

}  // namespace drawing
