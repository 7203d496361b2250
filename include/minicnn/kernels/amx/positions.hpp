#pragma once
/// Positions of maps in one long row, a flattened padded map, as tiles of AMX take them: sixteen at a time, no matter where rows
/// and images end.
///
/// Rows follow each other with zeros between them, as many as taps reach to either side, and so do images. A tap of a filter is
/// then the same distance away everywhere, and a convolution of stride 1 is a sum over taps of products of whole rows. Positions
/// between maps are multiplied too and thrown away, 6 % of those of maps of 32 x 32 with 3 x 3 taps, a third of those of 4 x 4.

#include <algorithm>
#include <cstdint>

#include "minicnn/kernels/conv/geometry.hpp"
#include "minicnn/kernels/product/tile_amx.hpp"

namespace minicnn::inline MINICNN_ABI::kernels::amx {

/// Positions of a convolution of stride 1 whose padding is less than its filters reach.
struct position_space {
  index_t rows, columns;  ///< of an image, with the zeros behind its maps' rows and below
  index_t lead;           ///< zeros before the first position, for taps that reach back
  index_t reach;          ///< how far taps reach ahead

  explicit position_space(const conv_geometry& g)
      : rows(g.height + (std::max)(g.pad_top, g.pad_bottom)),
        columns(g.width + (std::max)(g.pad_left, g.pad_right)),
        lead(g.pad_top * columns + g.pad_left),
        reach(((g.kernel_h - 1) * g.dilation_h - g.pad_top) * columns + (g.kernel_w - 1) * g.dilation_w - g.pad_left) {}

  index_t image() const { return rows * columns; }
  /// Where a tap reads, counted from the first of the `lead`.
  index_t tap(const conv_geometry& g, index_t kh, index_t kw) const { return kh * g.dilation_h * columns + kw * g.dilation_w; }
};

/// Whether a convolution is one of positions in a row: stride 1, no groups, padding that its filters cover, and enough channels
/// and filters to fill tiles.
inline bool is_supported(const conv_geometry& g) {
  const index_t reach_h = (g.kernel_h - 1) * g.dilation_h, reach_w = (g.kernel_w - 1) * g.dilation_w;
  return g.groups == 1 && g.stride_h == 1 && g.stride_w == 1 && g.channels >= 16 && g.filters >= 16 && g.pad_top <= reach_h &&
         g.pad_bottom <= reach_h && g.pad_left <= reach_w && g.pad_right <= reach_w && position_space(g).image() >= 16;
}

/// Whether a convolution goes by these kernels, in all passes: one rule by shape, and by what the caller allows. Where zeros
/// between maps are most of the positions, as with wide dilation, packing costs less.
inline bool is_chosen(const context& ctx, const conv_geometry& g) {
  return ctx.bf16 && has_amx(ctx.instruction_set) && is_supported(g) &&
         position_space(g).image() <= 4 * (std::max)(g.height * g.width, g.out_height() * g.out_width());
}

/// Sixteen positions: those of them that maps have, as bits, and where the first of these is, for each of two images at most.
struct window {
  std::uint32_t lanes[2] = {0, 0};
  index_t from[2] = {0, 0};
};

/// The window from position `p` on, which may be outside, of maps (height, width) of `images` images, `step` elements apart.
/// Images must have sixteen positions or more.
inline window window_at(const position_space& s, index_t images, index_t height, index_t width, index_t step, index_t p) {
  window w;
  index_t lane = p < 0 ? (std::min)(-p, index_t{16}) : 0;
  if (lane == 16 || p >= images * s.image()) return w;
  index_t image = (p + lane) / s.image(), row = (p + lane) % s.image() / s.columns, column = (p + lane) % s.columns;
  for (int piece = 0; lane < 16 && image < images;) {
    const index_t length = (std::min)(s.columns - column, 16 - lane);
    if (const index_t real = (std::min)(width - column, length); row < height && real > 0) {
      if (w.lanes[piece] == 0) w.from[piece] = image * step + row * width + column;
      w.lanes[piece] |= ((1U << real) - 1U) << lane;
    }
    lane += length, column = 0;
    if (++row < s.rows) continue;
    row = 0, ++image;
    piece = w.lanes[0] == 0 ? 0 : 1;
  }
  return w;
}

}  // namespace minicnn::inline MINICNN_ABI::kernels::amx
