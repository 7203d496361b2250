#pragma once
/// What the parts of an animal share while they are drawn: coat, shading and lines.

#include <vector>

#include "animal.hpp"

namespace drawing {

/// How the fur of one part departs from the coat.
struct fur_options {
  float extremity = 0;     ///< 0 to 1: how much of an ear, paw or tail it is (coats with points are dark there)
  float light = 0;         ///< 0 to 1: share of the light colour
  float darken = 1;        ///< factor, for parts on the far side
  float stripe_angle = 0;  ///< radians; 0: bars across the x axis
  bool lined = true;       ///< a dark line along the edge
};

class painter {
 public:
  painter(canvas& target, const look& l, const anatomy& a) : target_(target), look_(l), anatomy_(a) {}

  const look& looks() const { return look_; }
  const anatomy& body() const { return anatomy_; }

  /// A part covered with fur.
  void fur(const outline& shape, const affine& place, const fur_options& o = {});
  /// A part without fur: nose, tongue, eye.
  void flat(const outline& shape, const affine& place, color c, float opacity = 1) {
    target_.fill(shape, place, opacity, [&](point) { return c; });
  }
  /// A line at least a good half pixel wide.
  void line(const std::vector<point>& knots, const affine& place, float width, color c, float opacity = 1);
  /// The colour of lines around fur.
  color line_color() const { return scaled(look_.base, 0.3F); }

 private:
  color coat(point p, const fur_options& o) const;

  canvas& target_;
  const look& look_;
  const anatomy& anatomy_;
};

inline constexpr color ink{0.10F, 0.08F, 0.08F};
inline constexpr color tongue_pink{0.88F, 0.48F, 0.52F};

/// One eye around the origin of `place`; `side` is 1 for the eye on the right of the picture, -1 for the other.
void draw_eye(painter& p, const affine& place, float side);
/// Whiskers of one side, from `root` outwards; `squeeze` shortens those on the far side.
void draw_whiskers(painter& p, const affine& place, point root, float side, float squeeze);
/// The nose from the front, around the origin of `place`.
void draw_nose(painter& p, const affine& place);
/// The head from the front, turned by the look's yaw and pitch.
void draw_front_head(painter& p, const affine& place);
/// The head in profile, looking right.
void draw_side_head(painter& p, const affine& place);

}  // namespace drawing
