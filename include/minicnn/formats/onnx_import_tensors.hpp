#pragma once
/// ONNX's operators on shapes and on several computed values as layers: what networks of today need beside windows and products.

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_fold_table.hpp"
#include "minicnn/formats/onnx_import_dense.hpp"
#include "minicnn/formats/onnx_import_windows.hpp"
#include "minicnn/layers/arithmetic.hpp"
#include "minicnn/layers/conv_transpose.hpp"
#include "minicnn/layers/layer_norm.hpp"
#include "minicnn/layers/matmul.hpp"
#include "minicnn/layers/prelu.hpp"
#include "minicnn/layers/reduce.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Two computed values of as many axes; extents of 1 meet all of the other's.
template <class T>
void import_two(onnx_importer<T>& in) {
  const node<T> a = in.exact(0), b = in.exact(1);
  const std::string_view type = in.at().type;
  const arithmetic what = type == "Add"   ? arithmetic::add
                          : type == "Sub" ? arithmetic::sub
                          : type == "Mul" ? arithmetic::mul
                                          : arithmetic::div;
  in.put_node(arithmetic_node(what, a, b, {.name = in.name()}));
}

/// A sum or product with a constant that has numbers for single places, but the same for all samples.
template <class T>
void import_with_places(onnx_importer<T>& in, std::size_t x, const onnx_constant& c) {
  const bool sum = in.at().type == "Add";
  if (!sum && in.at().type != "Mul") fail("a constant of ", extents_text(c.dims), "; wanted one number, or one a channel");
  onnx_extents dims = c.dims;
  while (!dims.empty() && dims[0] == 1) dims.erase(dims.begin());
  if (dims.size() >= in.computed(x).dims.size() || dims.size() > 5)
    fail("a constant of ", extents_text(c.dims), ", other numbers for each sample");
  const node<T> from = in.exact(x);
  const std::string name = in.name();
  const shape operand(dims.begin(), dims.end());
  in.put_node(arithmetic_node(sum ? arithmetic::add : arithmetic::mul, from, operand, {.name = name}));
  in.fill(name + ".weight", c);
}

/// The product of two computed values, matrix by matrix.
template <class T>
void import_computed_product(onnx_importer<T>& in) {
  const node<T> a = in.exact(0), b = in.exact(1);
  in.put_node(matmul(a, b, {.name = in.name()}));
}

/// (n, ..., in) times a constant matrix.
template <class T>
void import_last_axis_product(onnx_importer<T>& in) {
  const onnx_constant& weight = in.constant(1, "weight");
  if (weight.dims.size() != 2) fail("its weight is ", extents_text(weight.dims), "; wanted a matrix");
  const index_t units = weight.dims[1];
  const node<T> x = in.exact(0);
  if (weight.dims[0] != x.dims()[x.dims().rank() - 1])
    fail("its weight is for ", weight.dims[0], " features, the input is ", extents_text(in.computed(0).dims));
  const onnx_constant* bias = in.bias_behind(units, false);
  const std::string name = in.name(1);
  in.put_node(dense(x, units, {.bias = bias != nullptr, .last_axis = true, .name = name}));
  fill_matrix(in, name + ".weight", weight, true, 1.0);
  if (bias != nullptr) fill_bias(in, name + ".bias", *bias, 1.0);
}

/// LayerNormalization over the last axis.
template <class T>
void import_layer_norm(onnx_importer<T>& in) {
  in.want_one_output();
  const auto rank = static_cast<index_t>(in.computed(0).dims.size());
  if (const index_t axis = in.integer("axis", -1); axis != -1 && axis != rank - 1)
    fail("attribute axis is ", axis, "; wanted the last");
  const onnx_constant& scale = in.constant(1, "scale");
  const node<T> x = in.exact(0);
  const index_t length = x.dims()[x.dims().rank() - 1];
  if (scale.size() != length || (in.has(2) && in.constant(2, "bias").size() != length))
    fail("its scale or bias is not of ", length, " numbers");
  const std::string name = in.name(1);
  in.put_node(layer_norm(x, {.eps = in.real("epsilon", 1e-5), .name = name}));
  in.fill(name + ".weight", scale);
  if (in.has(2)) in.fill(name + ".bias", in.constant(2, "bias"));
}

/// Softmax along one axis, within a network. Before operator set 13 it went over all axes from the given one on.
template <class T>
void import_softmax(onnx_importer<T>& in) {
  const std::size_t rank = in.computed(0).dims.size();
  const std::size_t axis = onnx_axis(in.integer("axis", in.opset() < 13 ? 1 : -1), rank);
  if (in.opset() < 13 && axis + 1 != rank) fail("attribute axis is ", axis, "; wanted the last in operator sets before 13");
  const node<T> x = in.exact(0);
  in.put_node(softmax_along(x, {.axis = static_cast<int>(axis), .name = in.name()}));
}

/// PRelu with one slope a channel.
template <class T>
void import_prelu(onnx_importer<T>& in) {
  const node<T> x = in.natural(0);
  const onnx_constant& slope = in.constant(1, "slope");
  std::vector<double> numbers = channel_numbers(in, in.computed(0), slope);
  if (static_cast<index_t>(numbers.size()) != x.dims()[1]) fail("its slope is ", extents_text(slope.dims));
  const std::string name = in.name(1);
  in.same_shape(prelu(x, {.name = name}));
  in.fill(name + ".weight", [numbers](view<T> to) {
    for (index_t i = 0; i < to.size(); ++i) to[i] = static_cast<T>(numbers[static_cast<std::size_t>(i)]);
  });
}

/// Means over any axes but the batch.
template <class T>
void import_mean_of_axes(onnx_importer<T>& in) {
  const std::size_t rank = in.computed(0).dims.size();
  onnx_extents axes = in.axes();
  for (index_t& axis : axes) axis = static_cast<index_t>(onnx_axis(axis, rank));
  if (axes.empty() || std::count(axes.begin(), axes.end(), 0) > 0)
    fail("attribute axes is ", extents_text(axes), ", with the batch");
  const node<T> x = in.exact(0);
  in.put_node(reduce_mean(x, {.axes = axes, .keep = in.integer("keepdims", 1) != 0, .name = in.name()}));
}

// ---- parts

/// Elements begin, begin + step, ... of one axis, `count` of them, or the input itself where these are all.
template <class T>
node<T> part_of(onnx_importer<T>& in, node<T> x, std::size_t axis, index_t begin, index_t count, index_t step, std::string name) {
  if (axis == 0) fail("a part of the batch");
  if (begin == 0 && step == 1 && count == x.dims()[static_cast<int>(axis)]) return x;
  return slice(x, {.axis = static_cast<int>(axis), .begin = begin, .count = count, .step = step, .name = in.unique(name)});
}

template <class T>
void import_slice(onnx_importer<T>& in) {
  onnx_folding f{in.at(), in.opset(), in.memory(), {nullptr}};
  for (std::size_t i = 1; i < in.count(); ++i) f.inputs.push_back(in.has(i) ? &in.constant(i, "bounds") : nullptr);
  const onnx_slice_bounds s = slice_of(f);
  node<T> x = in.exact(0);
  for (std::size_t k = 0; k < s.starts.size(); ++k) {
    const std::size_t axis = onnx_axis(s.axes[k], static_cast<std::size_t>(x.dims().rank()));
    const index_t length = x.dims()[static_cast<int>(axis)], step = s.steps[k];
    if (step < 1) fail("steps of ", step);
    if (axis == 0 && s.starts[k] == 0 && step == 1 && s.ends[k] > 1 << 30) continue;  // the whole batch
    const auto bound = [&](index_t at) { return std::clamp(at < 0 ? at + length : at, index_t{0}, length); };
    const index_t begin = bound(s.starts[k]), end = bound(s.ends[k]);
    if (begin >= end) fail("a part of no elements");
    x = part_of(in, x, axis, begin, (end - begin + step - 1) / step, step, std::string(in.own_name()));
  }
  in.put_node(x);
}

/// Split: each output a part.
template <class T>
void import_split(onnx_importer<T>& in) {
  const node<T> x = in.exact(0);
  const std::size_t axis = onnx_axis(in.integer("axis", 0), static_cast<std::size_t>(x.dims().rank()));
  const index_t length = x.dims()[static_cast<int>(axis)];
  const auto parts = static_cast<index_t>(in.at().outputs.size());
  onnx_extents sizes = in.has(1) ? in.memory().integers(in.constant(1, "split")) : in.integers("split");
  if (sizes.empty()) {
    const index_t each = (length + parts - 1) / parts;
    for (index_t i = 0; i < parts; ++i) sizes.push_back((std::min)(each, length - i * each));
  }
  if (static_cast<index_t>(sizes.size()) != parts) fail("split has ", sizes.size(), " sizes for ", parts, " outputs");
  index_t begin = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 1 || sizes[i] > length - begin) fail("split into ", extents_text(sizes), " of ", length);
    in.put_node(part_of(in, x, axis, begin, sizes[i], 1, text_of(in.own_name(), ".", i)), i);
    begin += sizes[i];
  }
}

/// One index, or a run of them, of an axis.
template <class T>
void import_gather(onnx_importer<T>& in) {
  const node<T> x = in.exact(0);
  const std::size_t axis = onnx_axis(in.integer("axis", 0), static_cast<std::size_t>(x.dims().rank()));
  const index_t length = x.dims()[static_cast<int>(axis)];
  const onnx_constant& chosen = in.constant(1, "indices");
  onnx_extents indices = in.memory().integers(chosen);
  if (indices.empty() || chosen.dims.size() > 1) fail("indices of ", extents_text(chosen.dims));
  for (index_t& i : indices) i = static_cast<index_t>(onnx_axis(i, static_cast<std::size_t>(length)));
  for (std::size_t i = 1; i < indices.size(); ++i)
    if (indices[i] != indices[0] + static_cast<index_t>(i)) fail("indices that are no run");
  in.put_node(part_of(in, x, axis, indices[0], static_cast<index_t>(indices.size()), 1, std::string(in.own_name())));
  if (!chosen.dims.empty()) return;
  onnx_value<T> v = *in.find(in.at().outputs.at(0));
  onnx_extents dims = v.dims;
  dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  in.view_as(std::move(v), std::move(dims));
}

// ---- larger images

/// ConvTranspose: input, weight (in, out / group, rows, columns), bias.
template <class T>
void import_conv_transpose(onnx_importer<T>& in) {
  (void)in.plain(0);
  const node<T> x = in.image(0);
  const onnx_constant& weight = in.constant(1, "weight");
  if (weight.dims.size() != 4 || in.one_axis()) fail("its weight is ", extents_text(weight.dims));
  if (in.at().find("output_shape") != nullptr) fail("attribute output_shape");
  auto o = window_options<conv_transpose_options>(in, x.dims(), {weight.dims[2], weight.dims[3]});
  if (o.padding.is_same || in.text("auto_pad", "NOTSET") == "SAME_LOWER") fail("attribute auto_pad");
  o.output_padding = window_extent(in, "output_padding", {0, 0});
  if (o.output_padding.height > 1 << 20 || o.output_padding.width > 1 << 20)
    fail("attribute output_padding is ", o.output_padding);
  o.groups = in.integer("group", 1);
  if (o.groups < 1 || weight.dims[0] != x.dims()[1] || weight.dims[1] > 1 << 20 || o.groups > x.dims()[1])
    fail("its weight is ", extents_text(weight.dims), " for ", x.dims()[1], " channels in ", o.groups, " groups");
  o.filters = weight.dims[1] * o.groups;
  o.bias = in.has(2);
  o.name = in.name(1);
  const std::string name = o.name;
  in.own_shape(conv_transpose(x, std::move(o)));
  in.fill(name + ".weight", weight);
  if (in.has(2)) in.fill(name + ".bias", in.constant(2, "bias"));
}

/// Resize: input, roi, scales, sizes. Nearest neighbours as PyTorch takes them, or bilinear by either rule of corners.
template <class T>
void import_resize(onnx_importer<T>& in) {
  (void)in.plain(0);
  const node<T> x = in.image(0);
  const std::string_view mode = in.text("mode", "nearest"), where = in.text("coordinate_transformation_mode", "half_pixel");
  const bool nearest = mode == "nearest";
  if (!nearest && mode != "linear") fail("attribute mode is \"", excerpt(mode), "\"");
  const bool aligned = where == "align_corners";
  const bool wanted = nearest ? where == "asymmetric" && in.text("nearest_mode", "round_prefer_floor") == "floor"
                              : aligned || where == "half_pixel" || where == "pytorch_half_pixel";
  if (!wanted) fail("attribute coordinate_transformation_mode is \"", excerpt(where), "\" with mode ", mode);
  extent2d size;
  if (in.has(3)) {
    const std::vector<double>& sizes = in.memory().numbers(in.constant(3, "sizes"));
    if (sizes.size() != 4 || sizes[1] != static_cast<double>(x.dims()[1])) fail("sizes of another number of axes or channels");
    size = {whole_number(sizes[2]), whole_number(sizes[3])};
  } else {
    const std::vector<double>& scales = in.memory().numbers(in.constant(2, "scales"));
    if (scales.size() != 4 || scales[0] != 1.0 || scales[1] != 1.0) fail("scales of the batch or the channels");
    size = {whole_number(std::floor(static_cast<double>(x.dims()[2]) * scales[2])),
            whole_number(std::floor(static_cast<double>(x.dims()[3]) * scales[3]))};
  }
  // Elsewhere ONNX takes the scales as they are, and ours the ratio of the sizes.
  const auto differs = [&](index_t from, index_t to, std::size_t axis) {
    return !in.has(3) && std::abs(static_cast<double>(from) * in.memory().numbers(in.constant(2, "scales"))[axis] -
                                  static_cast<double>(to)) > 1e-3;
  };
  if (differs(x.dims()[2], size.height, 2) || differs(x.dims()[3], size.width, 3)) fail("scales that make no whole sizes");
  if (where == "pytorch_half_pixel" && (size.height == 1 || size.width == 1))
    fail("pytorch_half_pixel to a single row or column");
  want_window_sizes("the size", size);
  in.own_shape(resize(x, {.size = size,
                          .mode = nearest ? resize_mode::nearest : resize_mode::bilinear,
                          .corners = aligned ? resize_corners::aligned : resize_corners::half_pixel,
                          .name = in.name()}));
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
