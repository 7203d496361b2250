#pragma once
/// ONNX's operators with sliding windows as layers: convolution and pooling.

#include <string>
#include <utility>

#include "minicnn/formats/onnx_importer.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/pad_channels.hpp"
#include "minicnn/layers/pooling.hpp"
#include "minicnn/layers/resample.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Rows and columns of an attribute; one spatial axis is an image of one row.
template <class T>
extent2d window_extent(onnx_importer<T>& in, std::string_view key, onnx_extents otherwise) {
  const std::size_t axes = in.one_axis() ? 1 : 2;
  const onnx_extents v = in.integers(key, std::move(otherwise));
  if (v.empty()) return 1;
  if (v.size() != axes) fail("attribute ", key, ": wanted ", axes, " numbers, got ", v.size());
  return axes == 1 ? extent2d(1, v[0]) : extent2d(v[0], v[1]);
}

/// Attributes pads and auto_pad.
template <class T>
padding2d window_padding(onnx_importer<T>& in, const shape& image, extent2d kernel, extent2d stride, extent2d dilation) {
  const std::string_view automatic = in.text("auto_pad", "NOTSET");
  if (automatic == "SAME_UPPER") return padding2d::same();
  if (automatic == "SAME_LOWER") {
    padding2d p = padding2d::same().resolve(image[2], image[3], kernel, stride, dilation);
    std::swap(p.top, p.bottom), std::swap(p.left, p.right);
    return p;
  }
  if (automatic == "VALID") return 0;
  if (automatic != "NOTSET") fail("attribute auto_pad is \"", excerpt(automatic), "\"");
  const std::size_t axes = in.one_axis() ? 1 : 2;
  const onnx_extents p = in.integers("pads", onnx_extents(2 * axes, 0));
  if (p.size() != 2 * axes) fail("attribute pads: wanted ", 2 * axes, " numbers, got ", p.size());
  return axes == 1 ? padding2d(0, 0, p[0], p[1]) : padding2d(p[0], p[2], p[1], p[3]);
}

/// The images that windows go over. Automatic padding depends on their size, so zeros around them become part of them.
template <class T>
node<T> window_image(onnx_importer<T>& in) {
  if (in.text("auto_pad", "NOTSET").starts_with("SAME")) (void)in.plain(0);
  return in.image(0);
}

/// Padding of a layer and zeros that lie around its input already.
inline padding2d joined_padding(const padding2d& own, const padding2d& zeros) {
  if (zeros == padding2d(0)) return own;
  return {own.top + zeros.top, own.bottom + zeros.bottom, own.left + zeros.left, own.right + zeros.right};
}

/// Sizes of which no network comes near, but whose products can still be counted.
inline void want_window_sizes(const char* what, extent2d e) {
  constexpr index_t most = 1 << 20;
  if (e.height < 1 || e.width < 1 || e.height > most || e.width > most) fail(what, " is ", e);
}
inline void want_padding_sizes(const padding2d& p) {
  constexpr index_t most = 1 << 20;
  for (const index_t side : {p.top, p.bottom, p.left, p.right})
    if (side < 0 || side > most) fail("attribute pads has ", side);
}

/// Options that convolution and pooling share.
template <class Options, class T>
Options window_options(onnx_importer<T>& in, const shape& image, extent2d kernel) {
  Options o;
  o.kernel = kernel;
  o.stride = window_extent(in, "strides", {});
  const extent2d dilation = window_extent(in, "dilations", {});
  if constexpr (requires { o.dilation; })
    o.dilation = dilation;
  else if (!(dilation == extent2d(1)))
    fail("attribute dilations is ", dilation, "; pooling here has none");
  want_window_sizes("kernel_shape", kernel);
  want_window_sizes("strides", o.stride);
  want_window_sizes("dilations", dilation);
  o.padding = window_padding(in, image, kernel, o.stride, dilation);
  want_padding_sizes(o.padding);
  return o;
}

/// Conv: input, weight (out, in / group, rows, columns), bias.
template <class T>
void import_conv(onnx_importer<T>& in) {
  const node<T> x = window_image(in);
  const onnx_constant& weight = in.constant(1, "weight");
  const bool line = in.one_axis();
  if (weight.dims.size() != (line ? 3U : 4U)) fail("its weight is ", extents_text(weight.dims));
  const extent2d kernel = line ? extent2d(1, weight.dims[2]) : extent2d(weight.dims[2], weight.dims[3]);
  auto o = window_options<conv2d_options>(in, x.dims(), kernel);
  o.padding = joined_padding(o.padding, in.computed(0).zeros);
  o.filters = weight.dims[0], o.groups = in.integer("group", 1);
  if (o.groups < 1 || o.groups > x.dims()[1] || weight.dims[1] > x.dims()[1] || weight.dims[1] * o.groups != x.dims()[1])
    fail("its weight is for ", weight.dims[1], " channels in each of ", o.groups, " groups, the input has ", x.dims()[1]);
  const onnx_constant* bias = in.has(2) ? &in.constant(2, "bias") : in.bias_behind(o.filters, true);
  if (bias != nullptr && bias->size() != o.filters) fail("its bias is ", extents_text(bias->dims));
  o.bias = bias != nullptr;
  o.name = in.name(1);
  const std::string name = o.name;
  in.own_shape(conv2d(x, std::move(o)));
  in.fill(name + ".weight", weight);
  if (bias != nullptr) in.fill(name + ".bias", *bias);
}

template <class T>
void import_max_pool(onnx_importer<T>& in) {
  in.want_one_output();
  (void)in.plain(0);
  const node<T> x = in.image(0);
  auto o = window_options<max_pool_options>(in, x.dims(), window_extent(in, "kernel_shape", {}));
  o.ceil_mode = in.integer("ceil_mode", 0) != 0;
  o.name = in.name();
  in.own_shape(max_pool(x, std::move(o)));
}

/// Means of windows. Zeros that lie around the images count as what they are; padding of the operator's own counts if
/// count_include_pad says so. Ours has one kind of padding, so the two must agree, or the operator's own be what completes the
/// last windows, which export writes in place of ceil_mode.
template <class T>
void import_average_pool(onnx_importer<T>& in) {
  const node<T> x = window_image(in);
  const padding2d zeros = in.computed(0).zeros;
  auto o = window_options<avg_pool_options>(in, x.dims(), window_extent(in, "kernel_shape", {}));
  o.ceil_mode = in.integer("ceil_mode", 0) != 0;
  o.count_include_pad = in.integer("count_include_pad", 0) != 0;
  o.name = in.name();
  if (zeros == padding2d(0)) return in.own_shape(avg_pool(x, std::move(o)));
  const padding2d whole = joined_padding(o.padding, zeros);
  const bool completes = !o.count_include_pad && !(o.padding == padding2d(0));
  if (completes && (o.padding.top > 0 || o.padding.left > 0 || o.ceil_mode))
    fail("attribute pads: padding that does not count, around zeros that do");
  const auto windows = [&](const char* axis, index_t size, index_t kernel, index_t stride, index_t before, index_t after,
                           bool ceil) { return window_count(axis, size, kernel, stride, before, after, 1, ceil); };
  const index_t rows = windows("height", x.dims()[2], o.kernel.height, o.stride.height, whole.top, whole.bottom, o.ceil_mode);
  const index_t columns = windows("width", x.dims()[3], o.kernel.width, o.stride.width, whole.left, whole.right, o.ceil_mode);
  o.padding = completes ? zeros : whole;
  o.ceil_mode = o.ceil_mode || completes;
  o.count_include_pad = true;
  const node<T> made = avg_pool(x, std::move(o));
  if (made.dims()[2] != rows || made.dims()[3] != columns)
    fail("attribute pads: padding that does not count, around zeros that do");
  in.own_shape(made);
}

/// The shape of one value a channel: extents of 1 for the spatial axes, or none.
template <class T>
void put_channels(onnx_importer<T>& in, node<T> made, std::size_t axes) {
  onnx_value<T> v;
  v.id = made.id, v.viewer = made.name() + ".flat";
  v.dims = {1, made.dims()[1]};
  v.dims.insert(v.dims.end(), axes, 1);
  in.put(std::move(v));
}

template <class T>
void import_global_average(onnx_importer<T>& in) {
  const std::size_t axes = in.plain(0).dims.size() - 2;
  put_channels(in, global_avg_pool(in.image(0), in.name()), axes);
}
template <class T>
void import_global_max(onnx_importer<T>& in) {
  const std::size_t axes = in.plain(0).dims.size() - 2;
  put_channels(in, adaptive_max_pool(in.image(0), {.output = 1, .name = in.name()}), axes);
}

template <class T>
void import_mean_of_axes(onnx_importer<T>& in);

/// ReduceMean over the spatial axes is a global average.
template <class T>
void import_reduce_mean(onnx_importer<T>& in) {
  const onnx_value<T> v = in.any(0);
  onnx_extents axes = in.axes();
  for (index_t& axis : axes) axis = static_cast<index_t>(onnx_axis(axis, v.dims.size()));
  std::sort(axes.begin(), axes.end());
  const onnx_extents spatial = v.channels_last ? onnx_extents{1, 2} : v.dims.size() == 3 ? onnx_extents{2} : onnx_extents{2, 3};
  if (v.dims.size() < 3 || v.dims.size() > 4 || axes != spatial || !(v.zeros == padding2d(0)) || v.lifted)
    return import_mean_of_axes(in);
  const node<T> image = v.channels_last ? node<T>{&in.nodes(), v.id} : in.image(0);
  const node<T> made = global_avg_pool(image, in.name());
  const bool keep = in.integer("keepdims", 1) != 0;
  if (v.channels_last && keep) {
    onnx_value<T> kept = v;
    kept.id = made.id, kept.dims = {1, 1, 1, made.dims()[1]};
    return in.put(std::move(kept));
  }
  put_channels(in, made, keep ? v.dims.size() - 2 : 0);
}

template <class T>
void import_border(onnx_importer<T>& in, const onnx_extents& pads, pad_mode mode, double value);

/// Zeros around images become part of the layer behind; zeros as channels, and other borders, are a layer.
template <class T>
void import_pad(onnx_importer<T>& in) {
  onnx_value<T> v = in.any(0);
  const std::string_view word = in.text("mode", "constant");
  if (word != "constant" && word != "reflect" && word != "edge") fail("attribute mode is \"", excerpt(word), "\"");
  const pad_mode mode = word == "constant" ? pad_mode::constant : word == "reflect" ? pad_mode::reflect : pad_mode::edge;
  double value = in.real("value", 0.0);
  if (in.has(2)) {
    const std::vector<double>& given = in.memory().numbers(in.constant(2, "value"));
    value = given.size() == 1 ? given[0] : value;
  }
  if (!std::isfinite(value)) fail("padding with ", value);
  const std::size_t rank = v.dims.size();
  onnx_extents pads = in.has(1) ? in.memory().integers(in.constant(1, "pads")) : in.integers("pads", in.integers("paddings"));
  if (in.has(3)) {
    const onnx_extents given = std::exchange(pads, onnx_extents(2 * rank, 0)),
                       axes = in.memory().integers(in.constant(3, "axes"));
    if (given.size() != 2 * axes.size()) fail("pads has ", given.size(), " numbers for ", axes.size(), " axes");
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const std::size_t axis = onnx_axis(axes[i], rank);
      pads[axis] = given[i], pads[rank + axis] = given[axes.size() + i];
    }
  }
  if (pads.size() != 2 * rank) fail("pads has ", pads.size(), " numbers for ", rank, " axes");
  for (const index_t p : pads)
    if (p < 0 || p > 1 << 20) fail("pads has ", p);
  if (!v.lifted && (pads[0] != 0 || pads[rank] != 0)) fail("pads adds samples to the batch");
  if (pads == onnx_extents(2 * rank, 0)) return in.pass_on();
  const bool zeros = mode == pad_mode::constant && value == 0.0, images = !v.lifted && (rank == 3 || rank == 4);
  if (!zeros || !images || v.channels_last || (rank == 3 && pads[1] + pads[rank + 1] > 0))
    return import_border(in, pads, mode, value);
  if (const index_t before = std::exchange(pads[1], 0), after = std::exchange(pads[rank + 1], 0); before + after > 0) {
    if (pads != onnx_extents(2 * rank, 0)) {
      pads[1] = before, pads[rank + 1] = after;
      return import_border(in, pads, mode, value);
    }
    return in.own_shape(pad_channels(in.natural(0), {.before = before, .after = after, .name = in.name()}));
  }
  (void)in.plain(0);
  (void)in.image(0);
  v = in.computed(0);
  v.zeros = rank == 3 ? padding2d(0, 0, pads[2], pads[5]) : padding2d(pads[2], pads[6], pads[3], pads[7]);
  for (std::size_t axis = 2; axis < rank; ++axis) v.dims[axis] += pads[axis] + pads[rank + axis];
  in.put(std::move(v));
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
