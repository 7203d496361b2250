#pragma once
/// Where the animal is and how the picture was taken. Nothing here knows the species.

#include "canvas.hpp"

namespace drawing {

enum class place_kind { gradient, meadow, sofa, tiles, sky, room, planks, bricks };
inline constexpr int place_kind_count = 8;

/// Draws a place into the whole canvas; `key` decides everything.
/// The floor begins at the returned height (in pixels from the top).
class scene {
 public:
  explicit scene(minicnn::random_key key);

  /// The place itself, and things that stand around in it.
  void draw_behind(canvas& c) const;
  /// A soft shadow on the ground, `radius` pixels wide to each side of `centre`.
  void draw_shadow(canvas& c, point centre, float radius) const;
  /// What stands before the animal: blades of grass, a ball, a cushion.
  void draw_before(canvas& c) const;
  /// Light, colour cast, blur and noise.
  void develop(canvas& c) const;

 private:
  minicnn::random_key key_;
  place_kind kind_;
  float horizon_;  ///< share of the height
  color wall_, ground_, accent_;
};

}  // namespace drawing
