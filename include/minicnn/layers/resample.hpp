#pragma once
/// Images in another size: resized, or with a border. Each row and column of the result is a mix of at most two of the input's.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"
#include "minicnn/layers/window.hpp"

namespace minicnn::inline MINICNN_ABI {

enum class resize_mode { nearest, bilinear };

/// Where the result's pixels lie in the input.
enum class resize_corners {
  half_pixel,  ///< centres of pixels at halves, so that borders agree: PyTorch's align_corners = false, and its nearest rounds
               ///< down
  aligned,     ///< centres of the corners' pixels agree: align_corners = true
};

struct resize_options {
  /// Rows and columns of the result; 0: the input's times `factor`, rounded down.
  extent2d size = 0;
  double factor = 2.0;

  resize_mode mode = resize_mode::nearest;
  resize_corners corners = resize_corners::half_pixel;  ///< of bilinear

  /// Node name; empty: resize1, resize2, ...
  std::string name = {};
};

enum class pad_mode { constant, reflect, edge };

struct pad_options {
  padding2d padding = 0;
  pad_mode mode = pad_mode::constant;
  double value = 0.0;  ///< of constant

  /// Node name; empty: pad1, pad2, ...
  std::string name = {};
};

namespace detail {

/// A row (or column) of the result: `(1 - share) * first + share * second`; -1 is the constant around the image.
struct resample_tap {
  index_t first, second;
  double share;
};

inline resample_tap resized_tap(const resize_options& o, index_t i, index_t in, index_t out) {
  if (o.mode == resize_mode::nearest) {
    const index_t at = (std::min)(i * in / out, in - 1);
    return {at, at, 0.0};
  }
  const double ratio = static_cast<double>(in) / static_cast<double>(out);
  double at = (static_cast<double>(i) + 0.5) * ratio - 0.5;
  if (o.corners == resize_corners::aligned)
    at = out > 1 ? static_cast<double>(i) * static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0.0;
  at = (std::max)(at, 0.0);
  const index_t first = (std::min)(static_cast<index_t>(at), in - 1);
  return {first, (std::min)(first + 1, in - 1), at - static_cast<double>(first)};
}

inline resample_tap padded_tap(pad_mode mode, index_t i, index_t in, index_t before) {
  index_t at = i - before;
  if (mode == pad_mode::edge) at = (std::min)((std::max)(at, index_t{0}), in - 1);
  if (mode == pad_mode::reflect) at = at < 0 ? -at : at >= in ? 2 * (in - 1) - at : at;
  if (at < 0 || at >= in) at = -1;
  return {at, at, 0.0};
}

/// The tap of each row, and of each column, by `Map`: x (n, c, h, w) -> y (n, c, oh, ow).
template <class T, class Map>
class resample_op : public op<T> {
 public:
  explicit resample_op(Map map) : map_(std::move(map)) {}

  std::string_view kind() const override { return Map::kind; }
  MINICNN_COLD attribute_list describe() const override { return map_.describe(); }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    if (x.rank() != 4 || x[2] < 1 || x[3] < 1) fail<shape_error>(kind(), " wants an input of (n, c, h, w), got ", x);
    const extent2d out = map_.size(x);
    op_plan p;
    p.output = {x[0], x[1], out.height, out.width};
    p.forward_scratch_bytes = scratch::bytes_for<resample_tap>(out.width);
    p.backward_scratch_bytes = p.forward_scratch_bytes;
    return p;
  }

  void forward(const frame<T>& f) const override {
    const T value = static_cast<T>(map_.value());
    each_row(f, f.input().dims(), f.output.dims(),
             [&](index_t plane, index_t row, const resample_tap& r, const resample_tap* columns) {
               const index_t in_w = f.input().dim(3), out_w = f.output.dim(3), size = f.input().dim(2) * in_w;
               const T* const a = r.first < 0 ? nullptr : f.input().data() + plane * size + r.first * in_w;
               const T* const b = r.first < 0 ? nullptr : f.input().data() + plane * size + r.second * in_w;
               T* const y = f.output.data() + (plane * f.output.dim(2) + row) * out_w;
               const T down = static_cast<T>(r.share);
               for (index_t i = 0; i < out_w; ++i) {
                 const resample_tap& c = columns[i];
                 if (a == nullptr || c.first < 0) {
                   y[i] = value;
                 } else if (Map::mixes) {
                   const T right = static_cast<T>(c.share);
                   const T above = a[c.first] + right * (a[c.second] - a[c.first]),
                           below = b[c.first] + right * (b[c.second] - b[c.first]);
                   y[i] = above + down * (below - above);
                 } else {
                   y[i] = a[c.first];
                 }
               }
             });
  }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>& dx = f.input_gradient();
    if (!dx.wanted()) return;
    const index_t in_w = dx.data.dim(3), size = dx.data.dim(2) * in_w, out_w = f.output_gradient.dim(3);
    if (!dx.add)
      parallel_for(f.ctx.threads, dx.data.size(), kernels::elementwise_grain,
                   [&](index_t begin, index_t end) { std::fill(dx.data.data() + begin, dx.data.data() + end, T{0}); });
    each_row(f, dx.data.dims(), f.output_gradient.dims(),
             [&](index_t plane, index_t row, const resample_tap& r, const resample_tap* columns) {
               if (r.first < 0) return;
               T* const a = dx.data.data() + plane * size + r.first * in_w;
               T* const b = dx.data.data() + plane * size + r.second * in_w;
               const T* const g = f.output_gradient.data() + (plane * f.output_gradient.dim(2) + row) * out_w;
               const T down = static_cast<T>(r.share);
               for (index_t i = 0; i < out_w; ++i) {
                 const resample_tap& c = columns[i];
                 if (c.first < 0) continue;
                 if (!Map::mixes) {
                   a[c.first] += g[i];
                   continue;
                 }
                 const T right = static_cast<T>(c.share), above = g[i] * (T{1} - down), below = g[i] * down;
                 a[c.first] += above * (T{1} - right), a[c.second] += above * right;
                 b[c.first] += below * (T{1} - right), b[c.second] += below * right;
               }
             });
  }

 private:
  /// Calls `body(plane, row, tap of the row, taps of the columns)` for all rows of the result; planes are shared among the
  /// threads.
  template <class F>
  void each_row(const frame<T>& f, const shape& x, const shape& y, const F& body) const {
    scratch work = f.work();
    resample_tap* const columns = work.take<resample_tap>(y[3]);
    for (index_t i = 0; i < y[3]; ++i) columns[i] = map_.tap(i, x[3], y[3], true);
    parallel_for(f.ctx.threads, y[0] * y[1], 1 + 8192 / (y[2] * y[3] + 1), [&](index_t begin, index_t end) {
      for (index_t plane = begin; plane < end; ++plane)
        for (index_t row = 0; row < y[2]; ++row) body(plane, row, map_.tap(row, x[2], y[2], false), columns);
    });
  }

  Map map_;
};

struct resize_map {
  static constexpr std::string_view kind = "resize";
  static constexpr bool mixes = true;
  resize_options o;

  MINICNN_COLD attribute_list describe() const {
    return {{"size", o.size.list()},
            {"factor", o.factor},
            {"mode", std::string(o.mode == resize_mode::nearest ? "nearest" : "bilinear")},
            {"align_corners", o.corners == resize_corners::aligned}};
  }
  extent2d size(const shape& x) const {
    extent2d s = o.size;
    if (s == extent2d(0)) {
      if (!(o.factor > 0.0 && o.factor <= 1024))
        fail<option_error>("resize wants a factor above 0 and up to 1024, got ", o.factor);
      const auto times = [&](index_t n) { return static_cast<index_t>(std::floor(static_cast<double>(n) * o.factor)); };
      s = {times(x[2]), times(x[3])};
    }
    if (s.height < 1 || s.width < 1) fail<shape_error>("resize of ", x, " to ", s);
    return s;
  }
  double value() const { return 0.0; }
  resample_tap tap(index_t i, index_t in, index_t out, bool) const { return resized_tap(o, i, in, out); }
};

struct pad_map {
  static constexpr std::string_view kind = "pad";
  static constexpr bool mixes = false;
  pad_options o;

  MINICNN_COLD attribute_list describe() const {
    constexpr const char* names[] = {"constant", "reflect", "edge"};
    attribute_list a{{"mode", std::string(names[static_cast<int>(o.mode)])}, {"value", o.value}};
    describe_padding(a, o.padding);
    return a;
  }
  extent2d size(const shape& x) const {
    const padding2d& p = o.padding;
    if (p.is_same || p.top < 0 || p.bottom < 0 || p.left < 0 || p.right < 0)
      fail<option_error>("pad wants four numbers that are not negative");
    if (o.mode == pad_mode::reflect && ((std::max)(p.top, p.bottom) >= x[2] || (std::max)(p.left, p.right) >= x[3]))
      fail<shape_error>("pad by reflection wants less than the image's extent on each side, got ", p.top, ", ", p.bottom, ", ",
                        p.left, ", ", p.right, " (top, bottom, left, right) around ", x);
    return {x[2] + p.top + p.bottom, x[3] + p.left + p.right};
  }
  double value() const { return o.value; }
  resample_tap tap(index_t i, index_t in, index_t, bool column) const {
    return padded_tap(o.mode, i, in, column ? o.padding.left : o.padding.top);
  }
};

}  // namespace detail

/// Another size of (n, c, h, w), by nearest pixels or between pixels. As PyTorch's F.interpolate without antialiasing.
template <class T>
class resize_op final : public detail::resample_op<T, detail::resize_map> {
 public:
  explicit resize_op(resize_options o) : detail::resample_op<T, detail::resize_map>({std::move(o)}) {}
};

/// A border around (n, c, h, w): a constant, the image mirrored at its edge, or the edge's pixels.
template <class T>
class pad_op final : public detail::resample_op<T, detail::pad_map> {
 public:
  explicit pad_op(pad_options o) : detail::resample_op<T, detail::pad_map>({std::move(o)}) {}
};

/// (n, c, h, w) in another size. Throws shape_error if nothing would be left.
template <class T>
MINICNN_COLD node<T> resize(node<T> x, resize_options o = {}) {
  return x.owner->add(make_op<resize_op<T>>(o), {x}, o.name, "resize");
}

/// A border around (n, c, h, w). Zeros before a convolution or pooling are an option of theirs. Throws shape_error for a
/// reflection as large as the image.
template <class T>
MINICNN_COLD node<T> pad(node<T> x, pad_options o) {
  return x.owner->add(make_op<pad_op<T>>(o), {x}, o.name, "pad");
}

MINICNN_COMPILED_CLASS(resize_op);
MINICNN_COMPILED_CLASS(pad_op);

}  // namespace minicnn::inline MINICNN_ABI
