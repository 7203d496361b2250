#pragma once
/// ONNX's operators on shapes and on several computed values as layers: what networks of today need beside windows and products.

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_fold_table.hpp"
#include "minicnn/formats/onnx_import_dense.hpp"
#include "minicnn/formats/onnx_import_shapes.hpp"
#include "minicnn/formats/onnx_import_windows.hpp"
#include "minicnn/layers/arithmetic.hpp"
#include "minicnn/layers/conv_transpose.hpp"
#include "minicnn/layers/layer_norm.hpp"
#include "minicnn/layers/matmul.hpp"
#include "minicnn/layers/prelu.hpp"
#include "minicnn/layers/reduce.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Two computed values of as many axes; extents of 1 meet all of the other's. What is no difference, product or quotient is a
/// sum.
template <class T>
void import_two(onnx_importer<T>& in) {
  const auto [a, b] = in.exact_pair();
  const std::string_view type = in.at().type;
  const arithmetic what = type == "Sub"   ? arithmetic::sub
                          : type == "Mul" ? arithmetic::mul
                          : type == "Div" ? arithmetic::div
                                          : arithmetic::add;
  in.put_node(arithmetic_node(what, a, b, {.name = in.name()}), 0, in.pair_form());
}

/// A constant with numbers for single places, but the same for all samples: a sum or product with a trained operand.
template <class T>
void import_with_places(onnx_importer<T>& in, std::size_t x, const onnx_constant& c) {
  const std::string_view type = in.at().type;
  const bool sum = type != "Mul" && type != "Div";
  if (x != 0 && type == "Div") fail("a constant divided by what the network computes");
  onnx_extents dims = c.dims;
  while (!dims.empty() && dims[0] == 1) dims.erase(dims.begin());
  const node<T> from = in.exact(x);
  const auto rank = static_cast<std::size_t>(from.dims().rank());
  const bool apart = in.any(x).lifted && in.any(x).batch_axis >= 0;
  const auto behind = apart ? rank - 1 - static_cast<std::size_t>(in.any(x).batch_axis) : rank;
  if (dims.size() >= rank || (apart && dims.size() >= behind && dims[dims.size() - behind] != 1))
    fail("a constant of ", extents_text(c.dims), ", other numbers for each sample");
  const std::string name = in.name();
  node<T> made = from;
  if (x != 0 && type == "Sub") made = times(in, made, -1.0, name + ".negative");
  if (dims.empty()) dims = {1};
  const shape operand(dims.begin(), dims.end());
  made = arithmetic_node(sum ? arithmetic::add : arithmetic::mul, made, operand, {.name = name});
  in.put_node(made, 0, x);
  if (type != "Div" && (type != "Sub" || x != 0)) return in.fill(name + ".weight", c);
  const auto values = std::make_shared<const onnx_constant>(c);
  in.fill(name + ".weight", [&memory = in.memory(), values, sum](view<T> to) {
    copy_values<T>(*values, memory, to.data(), to.size());
    for (T& v : to) v = sum ? -v : T{1} / v;
  });
}

/// The product of two computed values, matrix by matrix.
template <class T>
void import_computed_product(onnx_importer<T>& in) {
  const auto [a, b] = in.exact_pair();
  const auto rank = static_cast<index_t>(in.any(0).dims.size());
  (void)in.node_axis(0, rank - 1), (void)in.node_axis(0, rank - 2), (void)in.node_axis(1, rank - 1);
  in.put_node(matmul(a, b, {.name = in.name()}), 0, in.pair_form());
}

/// (n, ..., in) times a constant matrix. Where the channels of images are the last axis, it is a convolution of 1 x 1.
template <class T>
void import_last_axis_product(onnx_importer<T>& in) {
  const onnx_constant& weight = in.constant(1, "weight");
  if (weight.dims.size() != 2) fail("its weight is ", extents_text(weight.dims), "; wanted a matrix");
  const index_t units = weight.dims[1], features = in.any(0).dims.back();
  if (weight.dims[0] != features)
    fail("its weight is for ", weight.dims[0], " features, the input is ", extents_text(in.any(0).dims));
  onnx_value<T> v = in.plain_zeros(0);
  const onnx_constant* bias = in.bias_behind(units, false);
  const std::string name = in.name(1);
  if (v.channels_last) {
    v.id = conv2d(node<T>{&in.nodes(), v.id}, {.filters = units, .bias = bias != nullptr, .name = name}).id;
    v.dims.back() = units;
    in.put(std::move(v));
  } else {
    (void)in.node_axis(0, -1);
    in.put_node(dense(in.exact(0), units, {.bias = bias != nullptr, .last_axis = true, .name = name}));
  }
  fill_matrix(in, name + ".weight", weight, true, 1.0);
  if (bias != nullptr) fill_bias(in, name + ".bias", *bias, 1.0);
}

/// Softmax along one axis, within a network; before operator set 13 over all axes from the given one on.
template <class T>
void import_softmax(onnx_importer<T>& in) {
  const std::size_t rank = in.any(0).dims.size();
  const std::size_t axis = onnx_axis(in.integer("axis", in.opset() < 13 ? 1 : -1), rank);
  const int own = in.node_axis(0, static_cast<index_t>(axis));
  node<T> x = in.exact(0);
  const std::string name = in.name();
  if (in.opset() >= 13 || axis + 1 == rank) return in.put_node(softmax_along(x, {.axis = own, .name = name}));
  const onnx_extents dims(x.dims().begin() + 1, x.dims().end());
  x = softmax_along(last_axes_as_one(in, x, own), {.axis = own, .name = name});
  in.put_node(reshape(x, dims, {.name = in.unique(name + ".axes")}));
}

/// PRelu with slopes for single places: max(x, 0) - slope * max(-x, 0).
template <class T>
void import_prelu_with_places(onnx_importer<T>& in, const onnx_constant& slope) {
  onnx_extents dims = slope.dims;
  while (!dims.empty() && dims[0] == 1) dims.erase(dims.begin());
  const node<T> x = in.exact(0);
  const auto rank = static_cast<std::size_t>(x.dims().rank());
  if (dims.empty() || dims.size() >= rank) fail("its slope is ", extents_text(slope.dims), ", other numbers for each sample");
  const std::string name = in.name(1);
  const node<T> below = relu(times(in, x, -1.0, name + ".negative"), {.name = in.unique(name + ".below")});
  const node<T> sloped = mul_weight(below, shape(dims.begin(), dims.end()), {.name = name});
  in.put_node(sub(relu(x, {.name = in.unique(name + ".above")}), sloped, {.name = in.unique(name + ".both")}));
  in.fill(name + ".weight", slope);
}

/// PRelu with one slope a channel, which before operator set 7 is how a list of slopes is meant.
template <class T>
void import_prelu(onnx_importer<T>& in) {
  onnx_constant slope = in.constant(1, "slope");
  const onnx_value<T>& v = in.any(0);
  if (in.opset() < 7 && slope.dims.size() == 1 && v.dims.size() > 2) slope.dims.resize(v.dims.size() - 1, 1);
  if (v.lifted || !is_by_channel(v, slope)) return import_prelu_with_places(in, slope);
  const std::vector<double> numbers = channel_numbers(in, v, slope);
  const node<T> x = v.channels_last ? any_elements(in) : in.natural(0);
  if (static_cast<index_t>(numbers.size()) != x.dims()[1]) fail("its slope is ", extents_text(slope.dims));
  const std::string name = in.name(1);
  in.same_shape(prelu(x, {.name = name}));
  in.fill(name + ".weight", [numbers](view<T> to) {
    for (index_t i = 0; i < to.size(); ++i) to[i] = static_cast<T>(numbers[static_cast<std::size_t>(i)]);
  });
}

/// Means and sums over any axes but the batch; no axes are all.
template <class T>
void import_mean_of_axes(onnx_importer<T>& in) {
  const onnx_value<T> v = in.any(0);
  const bool keep = in.integer("keepdims", 1) != 0;
  onnx_extents own;
  int gone = 0;
  onnx_extents axes = in.axes();
  if (axes.empty() && in.integer("noop_with_empty_axes", 0) != 0) return in.pass_on();
  if (axes.empty())
    for (std::size_t i = 0; i < v.dims.size(); ++i) axes.push_back(static_cast<index_t>(i));
  for (const index_t axis : axes) {
    own.push_back(in.node_axis(0, axis));
    gone += !keep && static_cast<int>(onnx_axis(axis, v.dims.size())) < v.batch_axis ? 1 : 0;
  }
  if (!keep && own.size() == v.dims.size()) fail("attribute keepdims is 0, and no axis is left");
  const reduce_options o{.axes = own, .keep = keep, .name = in.name()};
  const node<T> x = in.exact(0);
  in.put_node(in.at().type == "ReduceSum" ? reduce_sum(x, o) : reduce_mean(x, o), 0, 0, gone);
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

/// Upsample, which was Resize before operator set 10: nearest neighbours.
template <class T>
void import_upsample(onnx_importer<T>& in) {
  (void)in.plain(0);
  const node<T> x = in.image(0);
  if (const auto mode = in.text("mode", "nearest"); mode != "nearest") fail("attribute mode is \"", excerpt(mode), "\"");
  const onnx_attribute* given = in.at().find("scales");
  std::vector<double> scales;
  if (in.has(1))
    scales = in.memory().numbers(in.constant(1, "scales"));
  else if (given != nullptr)
    scales.assign(given->reals.begin(), given->reals.end());
  if (scales.size() != 4 || scales[0] != 1.0 || scales[1] != 1.0) fail("scales of the batch or the channels");
  const extent2d size = {whole_number(static_cast<double>(x.dims()[2]) * scales[2]),
                         whole_number(static_cast<double>(x.dims()[3]) * scales[3])};
  want_window_sizes("the size", size);
  if (size.height % x.dims()[2] != 0 || size.width % x.dims()[3] != 0) fail("scales that are no whole numbers");
  in.own_shape(resize(x, {.size = size, .name = in.name()}));
}

/// Rows and columns that Resize makes of an image: from the numbers of all axes, or of those that `axes` names. Sizes are taken
/// as they are; a scale counts as the ratio of whole sizes that it stands for, rounded to a float.
template <class T>
extent2d resized(onnx_importer<T>& in, const shape& image) {
  const bool by_size = in.has(3);
  const std::size_t place = by_size ? 3 : in.opset() < 11 ? 1 : 2;
  const char* const what = by_size ? "sizes" : "scales";
  std::vector<double> numbers = in.memory().numbers(in.constant(place, what));
  if (const onnx_extents axes = in.integers("axes"); !axes.empty()) {
    if (axes.size() != numbers.size()) fail("attribute axes has ", axes.size(), " axes for ", numbers.size(), " ", what);
    std::vector<double> all(4, 1.0);
    for (int axis = 0; by_size && axis < 4; ++axis) all[static_cast<std::size_t>(axis)] = static_cast<double>(image[axis]);
    for (std::size_t i = 0; i < axes.size(); ++i) all[onnx_axis(axes[i], 4)] = numbers[i];
    numbers = std::move(all);
  }
  if (numbers.size() != 4) fail(what, " has ", numbers.size(), " numbers for 4 axes");
  if (numbers[1] != (by_size ? static_cast<double>(image[1]) : 1.0) || (!by_size && numbers[0] != 1.0))
    fail(what, " of the batch or the channels");
  if (by_size) return {whole_number(numbers[2]), whole_number(numbers[3])};
  index_t size[2];
  for (int i = 0; i < 2; ++i) {
    const double exact = static_cast<double>(image[2 + i]) * numbers[static_cast<std::size_t>(2 + i)];
    size[i] = whole_number(std::round(exact));
    if (!(std::abs(exact - static_cast<double>(size[i])) <= 1e-3)) fail("scales that make no whole sizes");
  }
  return {size[0], size[1]};
}

/// Resize: input, roi, scales, sizes; before operator set 11 input and scales. Nearest neighbours as PyTorch takes them, which
/// whole factors make of others too, or bilinear by either rule of corners.
template <class T>
void import_resize(onnx_importer<T>& in) {
  (void)in.plain(0);
  if (in.one_axis()) fail("one spatial axis");
  const node<T> x = in.image(0);
  const bool early = in.opset() < 11;  // asymmetric and floor, without attributes that say so
  const std::string_view mode = in.text("mode", "nearest"),
                         where = in.text("coordinate_transformation_mode", early ? "asymmetric" : "half_pixel"),
                         rounded = in.text("nearest_mode", early ? "floor" : "round_prefer_floor"),
                         ratio = in.text("keep_aspect_ratio_policy", "stretch");
  const bool nearest = mode == "nearest", aligned = where == "align_corners";
  if (!nearest && mode != "linear") fail("attribute mode is \"", excerpt(mode), "\"");
  if (in.integer("antialias", 0) != 0) fail("attribute antialias is ", in.integer("antialias", 0));
  if (ratio != "stretch") fail("attribute keep_aspect_ratio_policy is \"", excerpt(ratio), "\"");
  const bool centres = nearest && where == "half_pixel";
  if (nearest ? !centres && where != "asymmetric" : !aligned && where != "half_pixel" && where != "pytorch_half_pixel")
    fail("attribute coordinate_transformation_mode is \"", excerpt(where), "\" with mode ", mode);
  if (nearest && !(centres ? rounded.starts_with("round_prefer_") : rounded == "floor"))
    fail("attribute nearest_mode is \"", excerpt(rounded), "\" with coordinate_transformation_mode ", where);
  const extent2d size = resized(in, x.dims());
  if (where == "pytorch_half_pixel" && (size.height == 1 || size.width == 1))
    fail("pytorch_half_pixel to a single row or column");
  want_window_sizes("the size", size);
  if (centres && (size.height % x.dims()[2] != 0 || size.width % x.dims()[3] != 0))
    fail("attribute coordinate_transformation_mode is \"half_pixel\" with mode nearest and factors that are no whole numbers");
  in.own_shape(resize(x, {.size = size,
                          .mode = nearest ? resize_mode::nearest : resize_mode::bilinear,
                          .corners = aligned ? resize_corners::aligned : resize_corners::half_pixel,
                          .name = in.name()}));
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
