#pragma once
/// Cats and dogs: what tells them apart (anatomy), what does not (look), and how they are drawn.

#include <cstdint>

#include "canvas.hpp"

namespace drawing {

enum class species { cat, dog };

enum class pose { portrait, sitting, lying, standing, sitting_aside };
inline constexpr int pose_count = 5;

enum class coat_pattern { plain, stripes, patches, spots, points };
inline constexpr int coat_pattern_count = 5;

/// Everything about an animal that has nothing to do with its species: one distribution for cats and dogs.
struct look {
  drawing::pose pose = drawing::pose::portrait;
  float yaw = 0, pitch = 0, tilt = 0;  ///< of the head, radians; a head seen from the side ignores yaw and pitch
  bool head_aside = false;             ///< standing and sitting_aside: the head in profile, too

  coat_pattern pattern = coat_pattern::plain;
  color base, mark, light;  ///< fur; stripes, patches, spots or points; muzzle, chest and paws
  bool light_muzzle = false, light_chest = false, light_paws = false;
  float pattern_size = 1, fur = 0;  ///< fur: length of tufts, in head radii
  color iris, nose, ear_inside, collar;
  bool has_collar = false, eyes_closed = false;
  float line_darkness = 0;         ///< 0 to 1: how dark the lines around the parts are
  float light_x = 0, light_y = 0;  ///< where light comes from; length is the strength of the shading
  std::uint32_t seed = 0;          ///< of coat patterns and fur
};

/// Draws a look; the dice must not know the species.
look random_look(dice& d);

enum class ear { pointed, hanging, folded };

/// The shape details in which cats and dogs differ. Lengths are in head radii.
struct anatomy {
  ear ears = ear::pointed;
  float ear_length = 1, ear_width = 1, ear_spread = 0;
  float skull = 0.62F, cheek = 0.9F, jaw = 0.6F, chin = 0.9F;  ///< half widths from top to bottom; chin: how far down
  float muzzle = 0;                                            ///< how far the muzzle stands out: about 0.25 in cats, 0.9 in dogs
  float muzzle_width = 0;                                      ///< half width seen from the front
  float nose_width = 0;                                        ///< half width
  bool round_nose = false;                                     ///< a dog's wide nose pad instead of a cat's small triangle
  bool tongue = false;
  int whiskers = 0;  ///< each side
  float whisker_length = 0;
  float eye_width = 0, eye_height = 0, eye_slant = 0, eye_distance = 0;
  float pupil = 0;  ///< width of the pupil as a share of its height: a slit below 0.5, round at 1
  float girth = 1;  ///< thickness of the trunk
  float leg_length = 1, leg_width = 0;
  float tail_length = 1, tail_start = 0, tail_end = 0;  ///< the two thicknesses
  float tail_curl = 0;                                  ///< 0: straight, 1: an S or a hook
};

anatomy random_anatomy(species kind, dice& d);

/// Room that a pose needs, in head radii around the centre of the head.
struct extent {
  float left, top, right, bottom;
};
extent pose_extent(pose p);

/// Draws the animal; `place` maps head radii around the centre of the head to pixels.
void draw_animal(canvas& c, const look& l, const anatomy& a, const affine& place);

}  // namespace drawing
