#include "curves_png.hpp"

#include <stb/stb_easy_font.h>

#include <algorithm>
#include <cmath>

#include "drawing/canvas.hpp"

namespace cli {

namespace {

using drawing::canvas;
using drawing::color;
using drawing::outline;
using drawing::point;
using minicnn::index_t;

constexpr color paper{1, 1, 1}, ink{0.11F, 0.12F, 0.13F}, muted{0.40F, 0.42F, 0.46F}, lines{0.88F, 0.88F, 0.85F};
constexpr color series_colours[] = {{0.145F, 0.388F, 0.788F}, {0.824F, 0.341F, 0.122F}};

void rectangle(canvas& c, float x, float y, float width, float height, color paint) {
  c.fill(outline{{x, y}, {x + width, y}, {x + width, y + height}, {x, y + height}}, drawing::affine{}, paint);
}

void segment(canvas& c, point a, point b, float width, color paint) {
  const point along = b - a;
  const float length = std::sqrt(along.x * along.x + along.y * along.y);
  if (length > 0) {
    const point side{-along.y * width / (2 * length), along.x * width / (2 * length)};
    c.fill(outline{a + side, b + side, b - side, a - side}, drawing::affine{}, paint);
  }
  c.fill(drawing::ellipse(b, width / 2, width / 2), drawing::affine{}, paint);
}

/// Where text stands around its x.
enum class align { left, middle, right };

/// Letters of stb_easy_font, seven units high, `scale` pixels a unit, with their top at y. What is not ASCII becomes '?'.
void write(canvas& c, float x, float y, float scale, std::string text, color paint, align where = align::left) {
  for (char& letter : text)
    if (letter < 32 || letter > 126) letter = '?';
  struct vertex {
    float x, y, z;
    unsigned char colour[4];
  };
  std::vector<vertex> corners(text.size() * 300 / sizeof(vertex) * 2 + 64);
  const int quads =
      stb_easy_font_print(0, 0, text.data(), nullptr, corners.data(), static_cast<int>(corners.size() * sizeof(vertex)));
  const float width = static_cast<float>(stb_easy_font_width(text.data())) * scale;
  if (where == align::middle) x -= width / 2;
  if (where == align::right) x -= width;
  for (int q = 0; q < quads; ++q) {
    const vertex* corner = corners.data() + 4 * q;
    rectangle(c, x + corner[0].x * scale, y + corner[0].y * scale, (corner[2].x - corner[0].x) * scale,
              (corner[2].y - corner[0].y) * scale, paint);
  }
}

/// One chart in the box with this upper left corner; what `minicnn::chart_svg` draws.
void draw(canvas& c, const minicnn::chart& chart, float left, float top) {
  const minicnn::chart_scale scale(chart);
  constexpr float width = 536, height = 304, small = 1.4F;
  for (const float edge : {0.0F, height - 1}) rectangle(c, left, top + edge, width, 1, lines);
  for (const float edge : {0.0F, width - 1}) rectangle(c, left + edge, top, 1, height, lines);
  write(c, left + 16, top + 13, 1.7F, chart.title, ink);
  const float x0 = left + 8, y0 = top + 36;
  const auto x = [&](double v) { return x0 + static_cast<float>(scale.x(v)); };
  const auto y = [&](double v) { return y0 + static_cast<float>(scale.y(v)); };
  for (const double t : scale.y_ticks()) {
    rectangle(c, x0 + 52, y(t), 456, 1, lines);
    write(c, x0 + 46, y(t) - 5, small, scale.tick_label(t), muted, align::right);
  }
  for (const double t : scale.x_ticks())
    write(c, x(t), y0 + 234, small, minicnn::to_text(static_cast<index_t>(t)), muted, align::middle);
  write(c, x0 + 280, y0 + 248, small, "epoch", muted, align::middle);
  if (std::isfinite(chart.mark))
    for (float at = 12; at < 226; at += 7) rectangle(c, x(chart.mark), y0 + at, 1, 3, muted);
  float key = left + 520;
  for (std::size_t s = chart.series.size(); s-- > 0;) {
    const color paint = series_colours[s % 2];
    if (chart.series.size() > 1) {
      write(c, key, top + 14, small, chart.series[s].name, paint, align::right);
      key -= 100;
    }
    bool begun = false;
    point last;
    for (std::size_t i = 0; i < chart.x.size(); ++i) {
      const double v = chart.series[s].values[i];
      if (!std::isfinite(v)) continue;
      const point here{x(chart.x[i]), y(v)};
      if (begun) segment(c, last, here, 2.2F, paint);
      if (chart.x.size() <= 60) c.fill(drawing::ellipse(here, 3, 3), drawing::affine{}, paint);
      last = here, begun = true;
    }
  }
}

}  // namespace

minicnn::rgb_picture curves_picture(const std::vector<minicnn::epoch_record>& history, index_t best_epoch,
                                    const std::string& title) {
  const std::vector<minicnn::chart> charts = minicnn::training_charts(history, best_epoch);
  const int height = 60 + static_cast<int>(charts.size() + 1) / 2 * 320;
  canvas c(1120, height);
  rectangle(c, 0, 0, 1120, static_cast<float>(height), paper);
  write(c, 24, 22, 2.2F, title, ink);
  for (std::size_t i = 0; i < charts.size(); ++i)
    draw(c, charts[i], i % 2 == 0 ? 16.0F : 568.0F, 60 + static_cast<float>(i / 2) * 320);
  minicnn::rgb_picture out({height, 1120, 3});
  unsigned char* to = out.data();
  for (const color& pixel : c.pixels())
    for (const float v : {pixel.r, pixel.g, pixel.b}) *to++ = static_cast<unsigned char>(std::clamp(v, 0.0F, 1.0F) * 255 + 0.5F);
  return out;
}

}  // namespace cli
