#pragma once
/// Where the animal is and how the picture was taken. Nothing here knows the species.

#include "places.hpp"

namespace drawing {

/// A place and the light in it; the key decides everything.
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
  place_look place_;
};

}  // namespace drawing
