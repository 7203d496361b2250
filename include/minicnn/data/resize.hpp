#pragma once
/// Resizing of pictures, from interleaved bytes to planes of floating-point values.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "minicnn/core/tensor.hpp"
#include "minicnn/data/image_u8.hpp"
#include "minicnn/kernels/simd/dispatch.hpp"

namespace minicnn::inline MINICNN_ABI {

/// How values between pixels are found.
enum class interpolation {
  /// Triangle filter between pixel centres, widened by the scale when shrinking, so that every pixel counts: what Pillow's
  /// BILINEAR and torchvision's antialiased resize compute (without their rounding to bytes).
  antialiased,
  /// Two pixels a direction, source position = output position * scale, from the corner: what TensorFlow 1's
  /// resize_images computes (align_corners = False). Skips pixels when shrinking by more than two.
  tensorflow1,
};

/// Part of a picture in pixels.
struct pixel_box {
  index_t top = 0, left = 0, height = 0, width = 0;
};

/// What to compute: `source` resized to height x width, of that the part `window`, mirrored left to right or not.
/// Pixels outside `source` take no part, as if it had been cut out first. With `reflect` the window may reach beyond the resized
/// picture by less than its side; there it sees the picture reflected about its outermost pixels, as PyTorch's reflection
/// padding.
struct resize_plan {
  pixel_box source;
  index_t height = 0, width = 0;
  pixel_box window;
  bool mirrored = false;
  interpolation filter = interpolation::antialiased;
  bool reflect = false;
};

/// Per channel: stored value = scale * pixel + offset, with pixels from 0 to 255.
struct channel_affine {
  std::array<float, 3> scale{1, 1, 1};
  std::array<float, 3> offset{0, 0, 0};
};

namespace detail {

/// For every output position along one axis: the first source position and the weights from there on.
class tap_table {
 public:
  /// Outputs `begin` to `begin + count` of a resize from `in` to `out` positions.
  void build(interpolation filter, index_t in, index_t out, index_t begin, index_t count) {
    const std::array<index_t, 5> wanted{static_cast<index_t>(filter), in, out, begin, count};
    if (wanted == built_) return;
    built_ = wanted;
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    const double support = filter == interpolation::antialiased ? (std::max)(1.0, scale) : 1.0;
    stride_ = (std::min)(in, 2 * static_cast<index_t>(std::ceil(support)) + 1);
    first_.resize(static_cast<std::size_t>(count));
    taps_.resize(static_cast<std::size_t>(count));
    weights_.resize(static_cast<std::size_t>(count * stride_));
    for (index_t i = 0; i < count; ++i) {
      const index_t at = reflected(begin + i, out);
      if (filter == interpolation::antialiased)
        triangle(i, in, (static_cast<double>(at) + 0.5) * scale, support);
      else
        two_pixels(i, in, static_cast<float>(at) * (static_cast<float>(in) / static_cast<float>(out)));
    }
    low_ = count > 0 ? first(0) : 0, high_ = low_;
    for (index_t i = 0; i < count; ++i) low_ = (std::min)(low_, first(i)), high_ = (std::max)(high_, first(i) + taps(i));
  }

  /// The source positions that all outputs together read.
  index_t low() const { return low_; }
  index_t high() const { return high_; }

  index_t first(index_t i) const { return first_[static_cast<std::size_t>(i)]; }
  index_t taps(index_t i) const { return taps_[static_cast<std::size_t>(i)]; }
  const float* weights(index_t i) const { return weights_.data() + i * stride_; }

 private:
  static index_t reflected(index_t i, index_t size) { return i < 0 ? -i : i < size ? i : 2 * (size - 1) - i; }

  void triangle(index_t i, index_t in, double centre, double support) {
    index_t begin = (std::max)(index_t{0}, static_cast<index_t>(centre - support + 0.5));
    index_t end = (std::min)(in, static_cast<index_t>(centre + support + 0.5));
    const auto weight = [&](index_t x) {
      return (std::max)(0.0, 1.0 - std::abs(static_cast<double>(x) + 0.5 - centre) / support);
    };
    while (end - begin > 1 && weight(begin) == 0.0) ++begin;
    while (end - begin > 1 && weight(end - 1) == 0.0) --end;
    double sum = 0;
    for (index_t x = begin; x < end; ++x) sum += weight(x);
    float* out = weights_.data() + i * stride_;
    for (index_t x = begin; x < end; ++x) *out++ = static_cast<float>(weight(x) / sum);
    set(i, begin, end - begin);
  }

  /// In single precision, as TensorFlow does it.
  void two_pixels(index_t i, index_t in, float position) {
    const index_t lower = (std::min)(static_cast<index_t>(position), in - 1);
    const float fraction = position - static_cast<float>(lower);
    float* out = weights_.data() + i * stride_;
    out[0] = 1.0F - fraction;
    if (lower + 1 < in) out[1] = fraction;
    set(i, lower, lower + 1 < in ? 2 : 1);
  }

  void set(index_t i, index_t first, index_t taps) {
    first_[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(first);
    taps_[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(taps);
  }

  std::array<index_t, 5> built_{-1, 0, 0, 0, 0};
  index_t stride_ = 0, low_ = 0, high_ = 0;
  std::vector<std::int32_t> first_, taps_;
  std::vector<float> weights_;
};

/// out = scale * (sum of weights[t] * rows[t]) + offset for weights that sum to one. Written as the first row plus weighted
/// differences from it: equal rows then give exactly that row, whatever the rounding of the weights.
struct blend_rows_kernel {
  template <class V>
  MINICNN_INLINE static void run(const float* rows, index_t row_stride, const float* weights, index_t taps, index_t count,
                                 float scale, float offset, float* out) {
    constexpr index_t lanes = V::template lanes<float>;
    index_t x = 0;
    for (; x + lanes <= count; x += lanes) {
      kernels::vec<float, V> first, row;
      kernels::load<V>(first, rows + x);
      kernels::vec<float, V> sum = first;
      for (index_t t = 1; t < taps; ++t) {
        kernels::load<V>(row, rows + t * row_stride + x);
        sum += weights[t] * (row - first);
      }
      const kernels::vec<float, V> result = sum * scale + offset;
      kernels::store<V>(out + x, result);
    }
    for (; x < count; ++x) {
      float sum = rows[x];
      for (index_t t = 1; t < taps; ++t) sum += weights[t] * (rows[t * row_stride + x] - rows[x]);
      out[x] = sum * scale + offset;
    }
  }
};

}  // namespace detail

/// Resizes pictures one after another with memory and tables of its own: nothing is allocated once it has met its largest
/// picture. Not for use by two threads at a time.
class resizer {
 public:
  resizer() = default;
  /// Runs on `instruction_set`, which the processor must have.
  explicit resizer(isa instruction_set) : isa_(instruction_set) {}

  /// Writes planes (channels, window height, window width) to `out`. Throws shape_error if the plan does not fit the picture.
  template <class T>
  void run(const image_u8& image, const resize_plan& plan, const channel_affine& affine, T* out) {
    check(image, plan);
    const pixel_box& window = plan.window;
    columns_.build(plan.filter, plan.source.width, plan.width, window.left, window.width);
    rows_.build(plan.filter, plan.source.height, plan.height, window.top, window.height);
    const index_t first_row = rows_.low(), last_row = rows_.high();
    const index_t plane = (last_row - first_row) * window.width;
    narrowed_.resize(static_cast<std::size_t>(plane * image.channels));
    line_.resize(static_cast<std::size_t>(window.width));

    for (index_t y = first_row; y < last_row; ++y) {
      const unsigned char* row = image.pixels.data() + ((plan.source.top + y) * image.width + plan.source.left) * image.channels;
      float* to = narrowed_.data() + (y - first_row) * window.width;
      if (image.channels == 3)
        narrow<3>(row, window.width, plan.mirrored, to, plane);
      else
        narrow<1>(row, window.width, plan.mirrored, to, plane);
    }
    for (int c = 0; c < image.channels; ++c) {
      const auto channel = static_cast<std::size_t>(c);
      for (index_t y = 0; y < window.height; ++y, out += window.width) {
        const float* rows = narrowed_.data() + c * plane + (rows_.first(y) - first_row) * window.width;
        float* line = line_.data();
        if constexpr (std::is_same_v<T, float>) line = out;
        kernels::dispatch<detail::blend_rows_kernel>(isa_, rows, window.width, rows_.weights(y), rows_.taps(y), window.width,
                                                     affine.scale[channel], affine.offset[channel], line);
        if constexpr (!std::is_same_v<T, float>) std::copy(line_.begin(), line_.end(), out);
      }
    }
  }

 private:
  static void check(const image_u8& image, const resize_plan& plan) {
    const auto inside = [](const pixel_box& box, index_t height, index_t width) {
      return box.height > 0 && box.width > 0 && box.top >= 0 && box.left >= 0 && box.top <= height - box.height &&
             box.left <= width - box.width;
    };
    if (image.channels != 1 && image.channels != 3)
      fail<shape_error>("resize: a picture of ", image.channels, " channels, not 1 or 3");
    if (static_cast<index_t>(image.pixels.size()) != image.height * image.width * image.channels)
      fail<shape_error>("resize: ", image.width, "x", image.height, " pixels in ", image.pixels.size(), " bytes");
    if (!inside(plan.source, image.height, image.width))
      fail<shape_error>("resize: box ", plan.source.width, "x", plan.source.height, " at (", plan.source.left, ", ",
                        plan.source.top, ") is not inside a picture of ", image.width, "x", image.height);
    pixel_box window = plan.window;
    if (plan.reflect) window.top += plan.height - 1, window.left += plan.width - 1;
    if (!inside(window, plan.reflect ? 3 * plan.height - 2 : plan.height, plan.reflect ? 3 * plan.width - 2 : plan.width))
      fail<shape_error>("resize: window ", plan.window.width, "x", plan.window.height, " at (", plan.window.left, ", ",
                        plan.window.top, ") is not inside ", plan.width, "x", plan.height);
  }

  /// One row, resized along its length: interleaved bytes to one line a channel, `plane` elements apart.
  template <int Channels>
  void narrow(const unsigned char* row, index_t count, bool mirrored, float* to, index_t plane) const {
    for (index_t x = 0; x < count; ++x) {
      const unsigned char* from = row + columns_.first(x) * Channels;
      const float* weights = columns_.weights(x);
      const index_t taps = columns_.taps(x);
      const index_t place = mirrored ? count - 1 - x : x;
      int base[Channels];
      float sum[Channels];
      for (int c = 0; c < Channels; ++c) sum[c] = static_cast<float>(base[c] = from[c]);
      for (index_t t = 1; t < taps; ++t)
        for (int c = 0; c < Channels; ++c) sum[c] += weights[t] * static_cast<float>(from[t * Channels + c] - base[c]);
      for (int c = 0; c < Channels; ++c) to[c * plane + place] = sum[c];
    }
  }

  isa isa_ = default_isa();
  detail::tap_table columns_, rows_;
  std::vector<float> narrowed_, line_;
};

/// The whole picture resized to height x width: planes (channels, height, width) of values from 0 to 255.
inline tensor<float> resize(const image_u8& image, index_t height, index_t width,
                            interpolation filter = interpolation::antialiased) {
  if (height < 1 || width < 1) fail<shape_error>("resize: to ", width, "x", height);
  tensor<float> out(shape{image.channels, height, width});
  resizer().run(image, {{0, 0, image.height, image.width}, height, width, {0, 0, height, width}, false, filter}, {}, out.data());
  return out;
}

}  // namespace minicnn::inline MINICNN_ABI
