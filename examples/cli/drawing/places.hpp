#pragma once
/// The places behind the animals.

#include "canvas.hpp"

namespace drawing {

enum class place_kind { gradient, meadow, sofa, tiles, sky, room, planks, bricks };
inline constexpr int place_kind_count = 8;

struct place_look {
  place_kind kind = place_kind::gradient;
  float horizon = 0.5F;  ///< where the floor begins, as a share of the height
  color wall, ground, accent;
};

place_look random_place(dice& d);

/// Fills the whole canvas.
void draw_place(canvas& c, const place_look& look, dice& d);

/// `count` blades of grass whose feet stand between two heights.
void draw_blades(canvas& c, dice& d, color grass, int count, float top, float bottom);

/// A ball, box, cone, plant, bowl or bottle of about `size` pixels, standing at `foot`.
void draw_thing(canvas& c, dice& d, point foot, float size);

}  // namespace drawing
