#pragma once
/// Sizes, paddings and output counts of sliding windows, shared by convolution and pooling.

#include <algorithm>
#include <string_view>
#include <vector>

#include "minicnn/graph/op.hpp"

namespace minicnn::inline MINICNN_ABI {

/// A size in rows and columns: `3` means 3x3, `{3, 5}` means 3 rows and 5 columns.
struct extent2d {
  index_t height = 0;
  index_t width = 0;

  extent2d() = default;
  extent2d(index_t both) : height(both), width(both) {}
  extent2d(index_t h, index_t w) : height(h), width(w) {}

  bool operator==(const extent2d&) const = default;
  index_t size() const { return height * width; }
  /// As attributes hold it: {height, width}.
  std::vector<index_t> list() const { return {height, width}; }
  /// "3x5".
  std::string text() const { return text_of(height, "x", width); }
};

/// Rows and columns added around an image: `2` means two on every side, `{1, 2}` one above and below and two left and
/// right, `{top, bottom, left, right}` each side for itself, `padding2d::same()` as many as make the output
/// ceil(input / stride) large.
struct padding2d {
  index_t top = 0;
  index_t bottom = 0;
  index_t left = 0;
  index_t right = 0;
  bool is_same = false;  ///< the four numbers are found by `resolve`

  padding2d() = default;
  padding2d(index_t all) : top(all), bottom(all), left(all), right(all) {}
  padding2d(index_t vertical, index_t horizontal) : top(vertical), bottom(vertical), left(horizontal), right(horizontal) {}
  padding2d(index_t t, index_t b, index_t l, index_t r) : top(t), bottom(b), left(l), right(r) {}
  static padding2d same() {
    padding2d p;
    p.is_same = true;
    return p;
  }

  bool operator==(const padding2d&) const = default;

  /// The four numbers for an image of this size. With `same`, an odd row or column goes to the bottom or right, as in
  /// TensorFlow (ONNX: SAME_UPPER).
  padding2d resolve(index_t in_h, index_t in_w, extent2d kernel, extent2d stride, extent2d dilation = 1) const {
    if (!is_same) return *this;
    const index_t rows = same_total(in_h, kernel.height, stride.height, dilation.height);
    const index_t columns = same_total(in_w, kernel.width, stride.width, dilation.width);
    return {rows / 2, rows - rows / 2, columns / 2, columns - columns / 2};
  }

 private:
  static index_t same_total(index_t in, index_t kernel, index_t stride, index_t dilation) {
    const index_t windows = (in + stride - 1) / stride;
    return (std::max)((windows - 1) * stride + (kernel - 1) * dilation + 1 - in, index_t{0});
  }
};

/// Throws option_error unless kernel, stride and dilation are at least 1 and no padding is negative.
MINICNN_COLD inline void check_window(extent2d kernel, extent2d stride, const padding2d& padding, extent2d dilation = 1) {
  const auto positive = [](std::string_view what, extent2d e) {
    if (e.height < 1 || e.width < 1) fail<option_error>(what, " must be at least 1, got ", e);
  };
  positive("kernel", kernel);
  positive("stride", stride);
  positive("dilation", dilation);
  if (padding.top < 0 || padding.bottom < 0 || padding.left < 0 || padding.right < 0)
    fail<option_error>("padding must not be negative, got ", padding.top, ", ", padding.bottom, ", ", padding.left, ", ",
                       padding.right, " (top, bottom, left, right)");
}

/// Number of window positions along one axis: floor((in + before + after - reach) / stride) + 1, where
/// reach = (kernel - 1) * dilation + 1. With `ceil_mode` a last, incomplete window counts too if it starts inside the image
/// or the padding before it (PyTorch's rule), even if it is the only one and larger than the image. Throws shape_error, naming
/// `axis`, if not even one window fits.
inline index_t window_count(std::string_view axis, index_t in, index_t kernel, index_t stride, index_t before, index_t after,
                            index_t dilation = 1, bool ceil_mode = false) {
  const index_t reach = (kernel - 1) * dilation + 1;
  const index_t room = in + before + after - reach + (ceil_mode ? stride - 1 : 0);
  if (room < 0)
    fail<shape_error>("a window of ", reach, " does not fit into the ", axis, " of ", in, " + ", before, " + ", after,
                      " (image + padding)");
  index_t count = room / stride + 1;
  if (ceil_mode && (count - 1) * stride >= in + before) --count;
  return count;
}

/// Appends `pads` (top, left, bottom, right, as ONNX orders them), or `auto_pad` = "SAME_UPPER".
inline void describe_padding(attribute_list& attributes, const padding2d& padding) {
  if (padding.is_same)
    attributes.push_back({"auto_pad", std::string("SAME_UPPER")});
  else
    attributes.push_back({"pads", std::vector<index_t>{padding.top, padding.left, padding.bottom, padding.right}});
}

}  // namespace minicnn::inline MINICNN_ABI
