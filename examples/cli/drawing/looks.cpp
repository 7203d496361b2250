// What an animal looks like before it is drawn: the look, which no species owns, and the anatomy, which tells them apart.

#include <array>

#include "animal.hpp"

namespace drawing {

namespace {

/// Coat colours that both cats and dogs have.
constexpr std::array<color, 12> furs{{{0.86F, 0.55F, 0.26F},
                                      {0.55F, 0.55F, 0.56F},
                                      {0.17F, 0.16F, 0.17F},
                                      {0.94F, 0.92F, 0.88F},
                                      {0.46F, 0.31F, 0.20F},
                                      {0.89F, 0.78F, 0.60F},
                                      {0.33F, 0.22F, 0.16F},
                                      {0.79F, 0.60F, 0.33F},
                                      {0.44F, 0.47F, 0.53F},
                                      {0.70F, 0.52F, 0.38F},
                                      {0.29F, 0.29F, 0.31F},
                                      {0.72F, 0.69F, 0.64F}}};
constexpr std::array<color, 6> irises{{{0.76F, 0.66F, 0.20F},
                                       {0.45F, 0.65F, 0.30F},
                                       {0.42F, 0.62F, 0.80F},
                                       {0.80F, 0.50F, 0.16F},
                                       {0.50F, 0.32F, 0.16F},
                                       {0.62F, 0.72F, 0.45F}}};
constexpr std::array<color, 5> noses{
    {{0.15F, 0.12F, 0.12F}, {0.12F, 0.10F, 0.11F}, {0.76F, 0.48F, 0.46F}, {0.45F, 0.27F, 0.24F}, {0.28F, 0.19F, 0.18F}}};

template <std::size_t N>
color pick(const std::array<color, N>& colors, dice& d) {
  color c = colors[static_cast<std::size_t>(d.below(static_cast<int>(N)))];
  const float brightness = d.in(0.85F, 1.12F);
  return {c.r * brightness * d.in(0.94F, 1.06F), c.g * brightness * d.in(0.94F, 1.06F), c.b * brightness * d.in(0.94F, 1.06F)};
}

}  // namespace

look random_look(dice& d) {
  look l;
  const float which = d.in(0, 1);
  l.pose = which < 0.36F   ? pose::portrait
           : which < 0.58F ? pose::sitting
           : which < 0.74F ? pose::lying
           : which < 0.88F ? pose::standing
                           : pose::sitting_aside;
  l.yaw = d.around(0, 0.25F);
  l.pitch = d.around(0, 0.12F);
  l.tilt = d.around(0, 0.13F);
  l.head_aside = d.chance(0.55);

  l.pattern = static_cast<coat_pattern>(d.below(coat_pattern_count));
  l.base = pick(furs, d);
  l.mark = pick(furs, d);
  // A pattern has to show: marks too close to the ground colour become darker, or lighter on dark fur.
  if (std::abs(luminance(l.mark) - luminance(l.base)) < 0.15F)
    l.mark = luminance(l.base) > 0.4F ? scaled(l.base, 0.5F) : mix(l.base, {1, 0.95F, 0.88F}, 0.45F);
  l.light = mix(l.base, {0.97F, 0.95F, 0.91F}, d.in(0.45F, 0.95F));
  l.light_muzzle = d.chance(0.5);
  l.light_chest = d.chance(0.45);
  l.light_paws = d.chance(0.35);
  l.pattern_size = d.in(0.7F, 1.4F);
  l.fur = d.chance(0.55) ? d.in(0.02F, 0.07F) : 0.0F;
  l.iris = pick(irises, d);
  l.nose = pick(noses, d);
  l.ear_inside = mix({0.85F, 0.60F, 0.58F}, scaled(l.base, 0.6F), d.in(0.1F, 0.8F));
  l.has_collar = d.chance(0.3);
  l.collar = random_hsv(d, {0, 1}, {0.5F, 0.95F}, {0.4F, 0.9F});
  l.eyes_closed = d.chance(0.06);
  l.line_darkness = d.in(0.3F, 0.8F);
  const float from = d.in(0, 2 * std::numbers::pi_v<float>), strength = d.in(0.05F, 0.3F);
  l.light_x = std::cos(from) * strength;
  l.light_y = -std::abs(std::sin(from)) * strength;
  l.seed = d.bits();
  return l;
}

anatomy random_anatomy(species kind, dice& d) {
  anatomy a;
  if (kind == species::cat) {
    a.ears = d.chance(0.95) ? ear::pointed : ear::folded;
    a.ear_length = d.around(0.95F, 0.12F);
    a.ear_width = d.around(0.72F, 0.08F);
    a.ear_spread = d.around(0.0F, 0.08F);
    a.skull = d.around(0.66F, 0.03F), a.cheek = d.around(0.99F, 0.04F), a.jaw = d.around(0.66F, 0.04F),
    a.chin = d.around(0.80F, 0.03F);
    a.muzzle = d.around(0.24F, 0.05F);
    a.muzzle_width = d.around(0.23F, 0.02F);
    a.nose_width = d.around(0.12F, 0.015F);
    a.tongue = d.chance(0.03);
    a.whiskers = d.chance(0.95) ? 3 + d.below(2) : 0;
    a.whisker_length = d.around(1.0F, 0.15F);
    a.eye_width = d.around(0.25F, 0.02F), a.eye_height = d.around(0.19F, 0.025F), a.eye_slant = d.around(0.28F, 0.08F);
    a.eye_distance = d.around(0.42F, 0.03F);
    a.pupil = d.in(0.2F, 0.6F);
    a.girth = d.around(0.9F, 0.07F);
    a.leg_length = d.around(0.95F, 0.07F), a.leg_width = d.around(0.34F, 0.03F);
    a.tail_length = d.around(1.35F, 0.12F), a.tail_start = d.around(0.25F, 0.03F), a.tail_end = d.around(0.19F, 0.02F);
    a.tail_curl = d.around(0.8F, 0.15F);
    return a;
  }
  const float ears = d.in(0, 1);
  a.ears = ears < 0.68F ? ear::hanging : ears < 0.9F ? ear::folded : ear::pointed;
  a.ear_length = d.around(a.ears == ear::pointed ? 1.05F : 1.1F, 0.2F);
  a.ear_width = d.around(a.ears == ear::pointed ? 0.5F : 0.75F, 0.08F);
  a.ear_spread = d.around(0.05F, 0.12F);
  a.skull = d.around(0.64F, 0.04F), a.cheek = d.around(0.84F, 0.05F), a.jaw = d.around(0.58F, 0.06F),
  a.chin = d.around(0.92F, 0.06F);
  a.muzzle = d.around(0.85F, 0.14F);
  a.muzzle_width = d.around(0.46F, 0.05F);
  a.nose_width = d.around(0.215F, 0.025F);
  a.round_nose = true;
  a.tongue = d.chance(0.4);
  a.whiskers = d.chance(0.08) ? 2 : 0;
  a.whisker_length = d.around(0.5F, 0.08F);
  a.eye_width = d.around(0.165F, 0.02F), a.eye_height = d.around(0.16F, 0.015F), a.eye_slant = d.around(-0.05F, 0.1F);
  a.eye_distance = d.around(0.36F, 0.03F);
  a.pupil = 1;
  a.girth = d.around(1.08F, 0.1F);
  a.leg_length = d.around(1.05F, 0.12F), a.leg_width = d.around(0.42F, 0.05F);
  a.tail_length = d.around(0.9F, 0.2F), a.tail_start = d.around(0.32F, 0.05F), a.tail_end = d.around(0.10F, 0.03F);
  a.tail_curl = d.in(0, 0.45F);
  return a;
}

extent pose_extent(pose p) {
  switch (p) {
    case pose::portrait:
      return {-1.45F, -1.75F, 1.45F, 1.9F};
    case pose::sitting:
      return {-1.7F, -1.7F, 1.9F, 3.3F};
    case pose::lying:
      return {-1.5F, -1.7F, 3.5F, 2.3F};
    case pose::standing:
      return {-4.2F, -1.7F, 1.5F, 3.2F};
    case pose::sitting_aside:
      return {-2.9F, -1.7F, 1.6F, 3.3F};
  }
  return {};
}

}  // namespace drawing
