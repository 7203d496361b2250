#include "places.hpp"

namespace drawing {

namespace {

outline rectangle(float left, float top, float right, float bottom) {
  return {{left, top}, {right, top}, {right, bottom}, {left, bottom}};
}

color any_color(dice& d, float most_saturation) { return random_hsv(d, {0, 1}, {0.05F, most_saturation}, {0.3F, 0.95F}); }

void draw_clouds(canvas& c, dice& d, float bottom) {
  const float w = static_cast<float>(c.width());
  for (int i = 0, n = 1 + d.below(4); i < n; ++i) {
    const point centre{d.in(0, w), d.in(0, bottom)};
    const float size = w * d.in(0.04F, 0.1F);
    for (int k = 0; k < 5; ++k) {
      const point puff = centre + point{d.in(-1.8F, 1.8F) * size, d.in(-0.4F, 0.3F) * size};
      const float rx = size * d.in(0.6F, 1.1F), ry = size * d.in(0.4F, 0.7F);
      c.fill(ellipse(puff, rx, ry), {}, {0.97F, 0.97F, 0.98F}, 0.7F);
    }
  }
}

/// A place in the making.
class builder {
 public:
  builder(canvas& target, const place_look& look, dice& d) : c_(target), look_(look), d_(d), seed_(d.bits()) {}

  void gradient() {
    const point axis = rotated(d_.in(0, 2 * std::numbers::pi_v<float>))({0.7F / size_, 0});
    c_.each([&](point p, color& out) {
      const float share = 0.5F + axis.x * (p.x - w_ / 2) + axis.y * (p.y - h_ / 2);
      out = mix(look_.wall, look_.ground, std::clamp(share, 0.0F, 1.0F));
    });
  }

  void meadow() {
    c_.each([&](point p, color& out) { out = mix(look_.wall, {0.95F, 0.96F, 0.97F}, p.y / h_); });
    if (d_.chance(0.5)) draw_clouds(c_, d_, floor_);
    for (int i = 0; i < 9; ++i) {
      const float x = d_.in(0, w_), rx = w_ * d_.in(0.08F, 0.2F), ry = h_ * d_.in(0.05F, 0.2F), brightness = d_.in(0.45F, 0.8F);
      c_.fill(ellipse({x, floor_}, rx, ry), {}, scaled(look_.ground, brightness));
    }
    ground();
    draw_blades(c_, d_, look_.ground, 130, floor_ + 4, h_ + 8);
  }

  void sofa() {
    c_.each([&](point, color& out) { out = look_.wall; });
    const float top = h_ * d_.in(0.08F, 0.3F), seat = h_ * d_.in(0.6F, 0.85F);
    const int cushions = 1 + d_.below(3);
    for (int i = 0; i < cushions; ++i) {
      const float width = w_ / static_cast<float>(cushions), l = width * static_cast<float>(i), r = l + width;
      c_.fill(blob({{l + 2, top + 6}, {(l + r) / 2, top}, {r - 2, top + 6}, {r, seat}, {(l + r) / 2, seat + 8}, {l, seat}}), {},
              1, [&](point p) {
                const float corner = std::abs(2 * (p.x - l) / width - 1) * std::abs(2 * (p.y - top) / (seat - top) - 1);
                return scaled(look_.ground, 1.1F - 0.35F * corner + 0.1F * smooth_noise(p.x, p.y, seed_));
              });
    }
    c_.fill(rectangle(0, seat, w_, h_), {}, 1, [&](point p) {
      return scaled(look_.ground, 1.12F - 0.3F * (p.y - seat) / (h_ - seat) + 0.1F * smooth_noise(p.x, p.y, seed_));
    });
    if (!d_.chance(0.6)) return;
    const float x = d_.in(0, w_), turn = d_.in(-0.4F, 0.4F);
    const affine at = moved(x, seat) * rotated(turn) * stretched(h_ * 0.2F, h_ * 0.2F);
    c_.fill(blob({{-0.9F, -0.9F}, {0, -0.75F}, {0.9F, -0.9F}, {0.8F, 0}, {0.9F, 0.9F}, {0, 0.75F}, {-0.9F, 0.9F}, {-0.8F, 0}}),
            at, 1, [&](point p) { return scaled(look_.accent, (std::sin(p.x * 9) > 0 ? 1.0F : 0.75F) * (1 - 0.15F * p.y)); });
  }

  void tiles() {
    c_.each([&](point p, color& out) { out = scaled(look_.wall, 1.05F - 0.2F * p.y / h_); });
    const float size = d_.in(0.25F, 0.6F), turn = d_.in(-0.5F, 0.5F);
    const color other = d_.chance(0.5) ? look_.accent : scaled(look_.ground, 0.85F);
    c_.fill(rectangle(0, floor_, w_, h_), {}, 1, [&](point p) {
      const float depth = 1 / (0.08F + (p.y - floor_) / h_);  // perspective: rows get closer towards the horizon
      const point q = rotated(turn)({(p.x / w_ - 0.5F) * depth / size, depth / size});
      const bool odd = ((static_cast<int>(std::floor(q.x)) + static_cast<int>(std::floor(q.y))) & 1) != 0;
      // Tiles smaller than a pixel melt together.
      const float haze = 0.5F * std::clamp((depth - 7) / 4, 0.0F, 1.0F);
      return mix(odd ? other : look_.ground, odd ? look_.ground : other, haze);
    });
  }

  void sky() {
    c_.each([&](point p, color& out) { out = mix(look_.wall, {0.97F, 0.94F, 0.90F}, 0.8F * p.y / h_); });
    draw_clouds(c_, d_, h_);
    if (d_.chance(0.4)) ground();
  }

  void room() {
    const float stripe = d_.chance(0.5) ? d_.in(5, 20) : 0;
    c_.each(
        [&](point p, color& out) { out = scaled(look_.wall, stripe > 0 && std::fmod(p.x, 2 * stripe) < stripe ? 0.9F : 1.0F); });
    if (d_.chance(0.7)) {
      const float l = w_ * d_.in(-0.1F, 0.7F), t = h_ * d_.in(-0.05F, 0.2F), dx = w_ * d_.in(0.2F, 0.4F),
                  dy = h_ * d_.in(0.2F, 0.4F);
      const color frame = scaled(look_.accent, 0.7F);
      c_.fill(rectangle(l - 3, t - 3, l + dx + 3, t + dy + 3), {}, frame);
      c_.fill(rectangle(l, t, l + dx, t + dy), {}, 1, [&](point p) {
        return mix({0.75F, 0.86F, 0.95F}, {0.95F, 0.95F, 0.9F}, (p.y - t) / dy);
      });
      c_.fill(rectangle(l + dx / 2 - 1.5F, t, l + dx / 2 + 1.5F, t + dy), {}, frame);
    }
    ground();
    c_.fill(rectangle(0, floor_ - 4, w_, floor_), {}, mix(look_.wall, {1, 1, 1}, 0.5F));
  }

  /// Rows of bricks or boards, every other row half a length further.
  void rows(float row, float length, float joint, color face, color between, float grain) {
    const affine turn = rotated(d_.in(-0.12F, 0.12F));
    c_.each([&](point pixel, color& out) {
      const point p = turn(pixel);
      const float v = std::floor(p.y / row), u = std::floor(p.x / length + 0.5F * v);
      const float from_top = p.y - v * row, from_left = p.x - (u - 0.5F * v) * length;
      const float tone =
          0.75F + 0.3F * smooth_noise(u * 7.3F, v * 5.1F, seed_) + 0.12F * smooth_noise(p.x * grain, p.y * 0.5F, seed_ + 1);
      out = from_top < joint || from_left < joint ? between : scaled(face, tone);
    });
  }

  void planks() {
    const float row = h_ * d_.in(0.07F, 0.16F), length = w_ * d_.in(0.5F, 1.5F);
    rows(row, length, 1, look_.ground, scaled(look_.ground, 0.55F), 0.06F);
  }

  void bricks() {
    const float row = h_ * d_.in(0.07F, 0.16F);
    rows(row, 2.2F * row, 2, look_.wall, mix(look_.wall, {0.8F, 0.78F, 0.75F}, 0.7F), 0.4F);
    if (d_.chance(0.6)) ground();
  }

 private:
  void ground() {
    c_.fill(rectangle(0, floor_, w_, h_), {}, 1, [&](point p) {
      const float nearness = (p.y - floor_) / (h_ - floor_);
      return scaled(look_.ground,
                    (0.85F + 0.15F * nearness) * (0.9F + 0.2F * smooth_noise(p.x * 40 / size_, p.y * 60 / size_, seed_)));
    });
  }

  canvas& c_;
  const place_look& look_;
  dice& d_;
  std::uint32_t seed_;
  float w_ = static_cast<float>(c_.width()), h_ = static_cast<float>(c_.height());
  float size_ = (std::min)(w_, h_), floor_ = look_.horizon * h_;
};

}  // namespace

place_look random_place(dice& d) {
  place_look look;
  look.kind = static_cast<place_kind>(d.below(place_kind_count));
  look.horizon = d.in(0.3F, 0.75F);
  look.wall = any_color(d, 0.5F);
  look.ground = any_color(d, 0.55F);
  look.accent = any_color(d, 0.7F);
  if (look.kind == place_kind::meadow || look.kind == place_kind::sky)
    look.wall = random_hsv(d, {0.52F, 0.62F}, {0.1F, 0.55F}, {0.7F, 0.97F});
  if (look.kind == place_kind::meadow) look.ground = random_hsv(d, {0.2F, 0.36F}, {0.35F, 0.75F}, {0.35F, 0.75F});
  if (look.kind == place_kind::planks) look.ground = random_hsv(d, {0.05F, 0.11F}, {0.3F, 0.65F}, {0.35F, 0.8F});
  if (look.kind == place_kind::bricks) look.wall = random_hsv(d, {0.0F, 0.09F}, {0.2F, 0.6F}, {0.4F, 0.75F});
  return look;
}

void draw_place(canvas& c, const place_look& look, dice& d) {
  builder place(c, look, d);
  switch (look.kind) {
    case place_kind::gradient:
      return place.gradient();
    case place_kind::meadow:
      return place.meadow();
    case place_kind::sofa:
      return place.sofa();
    case place_kind::tiles:
      return place.tiles();
    case place_kind::sky:
      return place.sky();
    case place_kind::room:
      return place.room();
    case place_kind::planks:
      return place.planks();
    case place_kind::bricks:
      return place.bricks();
  }
}

void draw_blades(canvas& c, dice& d, color grass, int count, float top, float bottom) {
  const float w = static_cast<float>(c.width()), size = static_cast<float>((std::min)(c.width(), c.height()));
  for (int i = 0; i < count; ++i) {
    const point foot{d.in(-4, w + 4), d.in(top, bottom)};
    const float length = size * d.in(0.04F, 0.12F), lean = d.in(-0.5F, 0.5F) * length;
    const float brightness = d.in(0.7F, 1.35F), dryness = d.in(0, 0.2F);
    const color blade = mix(scaled(grass, brightness), {0.85F, 0.80F, 0.35F}, dryness);
    c.fill({foot + point{-0.8F, 0}, foot + point{lean, -length}, foot + point{0.8F, 0}}, {}, blade, 0.9F);
  }
}

void draw_thing(canvas& c, dice& d, point foot, float size) {
  const color paint = any_color(d, 0.8F);
  const affine at = moved(foot.x, foot.y) * stretched(size, size);
  const auto shaded = [&](const outline& shape) {
    c.fill(shape, at, 1, [&](point p) { return scaled(paint, 1.0F - 0.25F * p.x + 0.15F * (-p.y - 0.5F)); });
    c.fill(contour(shape, 0.05F), at, scaled(paint, 0.4F), 0.5F);
  };
  switch (d.below(6)) {
    case 0:
      shaded(ellipse({0, -0.5F}, 0.5F, 0.5F));
      c.fill(stroke({{-0.5F, -0.5F}, {0, -0.35F}, {0.5F, -0.5F}}, 0.1F, 0.1F), at, any_color(d, 0.8F));
      return;
    case 1:
      shaded(rectangle(-0.5F, -0.1F - d.in(0.3F, 1.0F), 0.5F, 0));
      return;
    case 2:
      shaded({{-0.5F, 0}, {d.in(-0.3F, 0.3F), -1.1F}, {0.5F, 0}});
      return;
    case 3:
      for (int i = 0; i < 7; ++i) {
        const float a = d.in(-0.9F, 0.9F), n = d.in(0.7F, 1.3F);
        c.fill(stroke({{0, 0}, {0.5F * n * a, -0.7F * n}, {n * a, -0.9F * n}}, 0.16F, 0.04F), at,
               random_hsv(d, {0.22F, 0.42F}, {0.6F, 0.6F}, {0.3F, 0.7F}));
      }
      return;
    case 4:
      shaded(blob({{-0.6F, -0.4F}, {0.6F, -0.4F}, {0.4F, 0}, {-0.4F, 0}}));
      return;
    default:
      shaded(blob({{-0.3F, -0.9F}, {0.3F, -0.9F}, {0.25F, -0.4F}, {0.5F, 0}, {-0.5F, 0}, {-0.25F, -0.4F}}));
      return;
  }
}

}  // namespace drawing
