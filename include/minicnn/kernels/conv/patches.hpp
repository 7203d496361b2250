#pragma once
/// Patches of a feature map as rows of a matrix: row = position of the window, column = tap. Each row is a list of contiguous
/// runs of the padded map, so that it is packed by copying.
///
/// With many channels (and windows larger than 1 x 1, conv_backward_weight.hpp) the map is copied channel-last, (row, column,
/// channel): a window's row is one run over its columns and channels, and taps are counted in that order. With few channels the
/// map keeps its planes and a run is a window's row in one channel; if there is no padding either, the map is read where it is.

#include <algorithm>

#include "minicnn/kernels/conv/implicit_gemm.hpp"
#include "minicnn/kernels/conv/padded_input.hpp"
#include "minicnn/kernels/product/pack.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// How the maps of one group of channels are laid out for patches.
struct patch_layout {
  index_t channels, taps;  ///< of one group
  bool channel_last, in_place;
  index_t rows, columns;  ///< of the padded map
  index_t image_size;     ///< elements from image to image
  index_t run_length;     ///< contiguous taps
  padded_layout planes;   ///< of the copy, unless channel_last or in_place

  explicit patch_layout(const conv_geometry& g)
      : channels(g.group_channels()), taps(channels * g.taps()), channel_last(channels >= 8) {
    rows = (g.out_height() - 1) * g.stride_h + (g.kernel_h - 1) * g.dilation_h + 1;
    columns = (g.out_width() - 1) * g.stride_w + (g.kernel_w - 1) * g.dilation_w + 1;
    in_place = !channel_last && g.pad_top == 0 && g.pad_left == 0 && rows <= g.height && columns <= g.width;
    if (in_place) {
      rows = g.height;
      columns = g.width;
    }
    planes = {g.channels, g.height, g.width, g.pad_top, g.pad_left};
    planes.rows = rows;
    planes.columns = columns;
    // A channel-last copy transposes blocks of vectors and may write past a row; the next row overwrites that.
    image_size =
        channel_last ? (rows * columns + most_tile_columns<float>)*channels + most_tile_columns<float> : planes.image_size();
    run_length = g.dilation_w == 1 ? g.kernel_w * (channel_last ? channels : 1) : channel_last ? channels : 1;
  }

  /// Steps between neighbouring padded pixels of a row, and between rows.
  index_t pixel() const { return channel_last ? channels : 1; }
  index_t row() const { return columns * pixel(); }

  /// Where run `r` begins in the patch of the window at the origin.
  index_t run_offset(const conv_geometry& g, index_t r) const {
    const index_t per_row = channel_last ? g.kernel_w * channels / run_length : g.kernel_w / run_length;
    const index_t kw = r % per_row, kh = r / per_row % g.kernel_h, c = r / per_row / g.kernel_h;
    return c * rows * columns + kh * g.dilation_h * row() + kw * g.dilation_w * pixel();
  }
};

/// Copies `images` maps of channels [first, first + layout.channels) into padded channel-last maps. `line` has room for the
/// channels and one tile width more.
template <class T>
void copy_channel_last(const context& ctx, const patch_layout& layout, index_t images, index_t first, const T* from,
                       index_t* line, T* to) {
  const index_t height = layout.planes.height, width = layout.planes.width, plane = height * width, channels = layout.channels;
  const index_t above = layout.planes.before_h, left = layout.planes.before_w, lanes = tile_columns<T>(ctx.instruction_set) / 2;
  const index_t inside = (std::max)(index_t{0}, (std::min)(width, layout.columns - left));
  const index_t size = images * layout.planes.channels * plane;
  for (index_t c = 0; c < channels + most_tile_columns<T>; ++c) line[c] = (first + (std::min)(c, channels - 1)) * plane;
  parallel_tasks(ctx.threads, images, [&](index_t n, int) {
    T* out = to + n * layout.image_size;
    for (index_t r = 0; r < layout.rows; ++r, out += layout.row()) {
      const index_t row = r - above;
      if (row < 0 || row >= height || inside == 0) {
        std::fill(out, out + layout.row(), T{0});
        continue;
      }
      const index_t begin = n * layout.planes.channels * plane + row * width;
      const bool loose = begin + line[channels - 1] + round_up(inside, lanes) <= size;
      std::fill(out, out + left * channels, T{0});
      dispatch<pack_across_kernel>(ctx.instruction_set, out + left * channels, channels, from + begin,
                                   static_cast<const index_t*>(line), inside, loose);
      std::fill(out + (left + inside) * channels, out + layout.row(), T{0});
    }
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
