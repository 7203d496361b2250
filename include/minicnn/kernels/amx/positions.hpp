#pragma once
/// Positions of maps in one long row, a flattened padded map, as tiles of AMX take them: sixteen at a time, no matter where rows
/// and images end.
///
/// Rows follow each other with zeros between them, as many as taps reach to either side, and so do images. A tap of a filter is
/// then the same distance away everywhere, and a convolution of stride 1 is a sum over taps of products of whole rows. Positions
/// between maps are multiplied too and thrown away, 6 % of those of maps of 32 x 32 with 3 x 3 taps, a third of those of 4 x 4.
/// One with strides is a sum over the phases of its input, each of which its taps read with stride 1.

#include <algorithm>
#include <cstdint>

#include "minicnn/kernels/conv/padded_input.hpp"
#include "minicnn/kernels/product/tile_amx.hpp"

namespace minicnn::inline MINICNN_ABI::kernels::amx {

/// The positions of a batch's maps.
struct position_space {
  index_t rows = 0, columns = 0;  ///< of an image, with the zeros behind its maps' rows and below
  index_t lead = 0;               ///< zeros before the first position, for taps that reach back
  index_t reach = 0;              ///< how far taps reach ahead

  index_t image() const { return rows * columns; }

  /// Makes images of sixteen positions at least, so that sixteen belong to two of them.
  void widen() { rows = (std::max)(rows, divide_up(16, columns)); }
};

/// The maps that a convolution reads: its input where it is, or, with strides, a padded copy whose phases are planes of their
/// own.
struct input_maps {
  padded_layout copy;
  bool copied;
  index_t height, width;  ///< of a plane
  position_space space;

  explicit input_maps(const conv_geometry& g)
      : copy(padded_input(g)), copied(g.stride_h > 1 || g.stride_w > 1), height(g.height), width(g.width) {
    if (!copied) {
      space.rows = g.height + (std::max)(g.pad_top, g.pad_bottom);
      space.columns = g.width + (std::max)(g.pad_left, g.pad_right);
      space.lead = g.pad_top * space.columns + g.pad_left;
    } else {
      space.rows = copy.rows, space.columns = copy.columns;
      space.widen();
      height = copy.rows = space.rows, width = copy.columns;
    }
    for (index_t kh = 0; kh < g.kernel_h; ++kh)
      for (index_t kw = 0; kw < g.kernel_w; ++kw) space.reach = (std::max)(space.reach, position(g, kh, kw) - space.lead);
  }

  index_t phases() const { return copied ? copy.phases_h * copy.phases_w : 1; }
  index_t plane() const { return height * width; }
  index_t channel_step() const { return phases() * plane(); }
  index_t image_step(const conv_geometry& g) const { return g.channels * channel_step(); }
  /// Elements of the copies of `images` images.
  index_t copies(index_t images) const { return copied ? images * copy.image_size() : 0; }

  /// The phase that a tap reads.
  index_t phase(const conv_geometry& g, index_t kh, index_t kw) const {
    return copied ? copy.offset(kh * g.dilation_h, kw * g.dilation_w) / plane() : 0;
  }
  /// Where a tap reads, counted from the first of the `lead`.
  index_t position(const conv_geometry& g, index_t kh, index_t kw) const {
    return copied ? copy.offset(kh * g.dilation_h, kw * g.dilation_w) % plane()
                  : kh * g.dilation_h * space.columns + kw * g.dilation_w;
  }
};

/// Whether a convolution is one of positions in a row: no groups, padding that its filters cover, and enough channels and filters
/// to fill tiles.
inline bool is_supported(const conv_geometry& g) {
  const index_t reach_h = (g.kernel_h - 1) * g.dilation_h, reach_w = (g.kernel_w - 1) * g.dilation_w;
  return g.groups == 1 && g.channels >= 16 && g.filters >= 16 && g.pad_top <= reach_h && g.pad_bottom <= reach_h &&
         g.pad_left <= reach_w && g.pad_right <= reach_w && input_maps(g).space.image() >= 16;
}

/// Whether a convolution goes by these kernels, in all passes: one rule by shape, and by what the caller allows. Packing costs
/// less where zeros between maps are most of the positions, as with wide dilation, and where filters of 1 x 1 leave out pixels.
inline bool is_chosen(const context& ctx, const conv_geometry& g) {
  if (!ctx.bf16 || !has_amx(ctx.instruction_set) || !is_supported(g)) return false;
  const input_maps maps(g);
  const index_t pixels = (std::max)(g.height * g.width / (g.stride_h * g.stride_w), g.out_height() * g.out_width());
  return maps.space.image() <= 4 * pixels && (!maps.copied || g.taps() > 1);
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
