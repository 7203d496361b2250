#pragma once
/// ONNX's normalisations of a sample as layers.

#include <string>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_import_elements.hpp"
#include "minicnn/formats/onnx_import_shapes.hpp"
#include "minicnn/layers/arithmetic.hpp"
#include "minicnn/layers/layer_norm.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Whether all numbers of a constant are `number`.
template <class T>
bool is_all(onnx_importer<T>& in, const onnx_constant& c, double number) {
  const std::vector<double>& v = in.memory().numbers(c);
  return std::all_of(v.begin(), v.end(), [&](double x) { return x == number; });
}

/// LayerNormalization over the given axis and those behind it.
template <class T>
void import_layer_norm(onnx_importer<T>& in) {
  in.want_one_output();
  const onnx_value<T> v = in.any(0);
  const std::size_t axis = onnx_axis(in.integer("axis", -1), v.dims.size());
  if (batch_axis_of(v) >= static_cast<int>(axis)) fail("attribute axis is ", in.integer("axis", -1), ", and the batch behind it");
  const int own = in.node_axis(0, static_cast<index_t>(axis));
  const node<T> x = last_axes_as_one(in, in.exact(0), own);
  const index_t length = x.dims()[own];
  for (std::size_t i = 1; i <= 2; ++i)
    if (in.has(i) && in.constant(i, "scale or bias").size() != length) fail("its scale or bias is not of ", length, " numbers");
  const bool affine = in.has(2) || (in.has(1) && !is_all(in, in.constant(1, "scale"), 1.0));
  const std::string name = in.name(1);
  node<T> y = layer_norm(x, {.eps = in.real("epsilon", 1e-5), .affine = affine, .name = name});
  if (axis + 1 < v.dims.size()) {
    const auto first = v.dims.begin() + (v.lifted ? 0 : 1);
    y = reshape(y, {first, v.dims.end()}, {.name = in.unique(name + ".axes")});
  }
  in.put_node(y);
  if (affine) in.fill(name + ".weight", in.constant(1, "scale"));
  if (in.has(2)) in.fill(name + ".bias", in.constant(2, "bias"));
}

/// LayerNorm of onnx_patterns.hpp: over one axis, which may be that of an image's channels, or over the last ones.
template <class T>
void import_norm_of_axis(onnx_importer<T>& in) {
  if (in.integer("count", 1) > 1) return import_layer_norm(in);
  const onnx_value<T> v = in.plain_zeros(0);
  const std::size_t rank = v.dims.size(), axis = onnx_axis(in.integer("axis", -1), rank);
  const bool image = v.channels_last && axis + 1 == rank, affine = in.count() > 1;
  for (std::size_t i = 1; i < in.count(); ++i)
    if (const onnx_constant& c = in.constant(i, "weight");
        c.size() != v.dims[axis] || c.dims.size() > rank ||
        (c.size() > 1 && (c.dims.size() + axis < rank || c.dims[c.dims.size() + axis - rank] != c.size())))
      fail("its weight or bias is ", extents_text(c.dims), " for axis ", axis, " of ", extents_text(v.dims));
  const std::string name = in.name(1);
  const int own = image ? 1 : in.node_axis(0, static_cast<index_t>(axis));
  const layer_norm_options o{.axis = own, .eps = in.real("epsilon", 1e-5), .affine = affine, .name = name};
  image ? in.same_shape(layer_norm(node<T>{&in.nodes(), v.id}, o)) : in.put_node(layer_norm(in.exact(0), o));
  if (affine) in.fill(name + ".weight", in.constant(1, "weight")), in.fill(name + ".bias", in.constant(2, "bias"));
}

/// Mean 0 and variance 1 in each group of channels, then a factor and an offset a channel, `each` of them for every number given.
template <class T>
void import_norm_of_groups(onnx_importer<T>& in, index_t groups, index_t each) {
  in.want_one_output();
  node<T> x = in.exact(0);
  if (in.any(0).lifted || x.dims().rank() < 3) fail("wanted (n, c, ...), got ", extents_text(in.any(0).dims));
  const onnx_extents dims(x.dims().begin() + 1, x.dims().end());
  const index_t channels = dims[0];
  if (groups < 1 || channels % groups != 0) fail(groups, " groups of ", channels, " channels");
  for (std::size_t i = 1; i <= 2; ++i)
    if (in.constant(i, "scale or bias").size() * each != channels)
      fail("its scale or bias is ", extents_text(in.constant(i, "scale or bias").dims), " for ", channels, " channels");
  const std::string name = in.name(1);
  x = reshape(x, {groups, -1}, {.name = in.unique(name + ".groups")});
  x = layer_norm(x, {.eps = in.real("epsilon", 1e-5), .affine = false, .name = in.unique(name + ".norm")});
  const bool affine = !is_all(in, in.constant(1, "scale"), 1.0) || !is_all(in, in.constant(2, "bias"), 0.0);
  x = reshape(x, dims, {.name = affine ? in.unique(name + ".channels") : name});
  if (!affine) return in.put_node(x);
  std::vector<index_t> by_channel(dims.size(), 1);
  by_channel[0] = channels;
  const shape operand(by_channel.begin(), by_channel.end());
  const std::string scaled = in.unique(name + ".scale");
  x = mul_weight(x, operand, {.name = scaled});
  in.put_node(add_weight(x, operand, {.parameter = "bias", .name = name}));
  const auto fill = [&](std::string parameter, std::size_t input) {
    const std::vector<double> numbers = in.memory().numbers(in.constant(input, "scale or bias"));
    in.fill(std::move(parameter), [numbers, each](view<T> to) {
      for (index_t i = 0; i < to.size(); ++i) to[i] = static_cast<T>(numbers[static_cast<std::size_t>(i / each)]);
    });
  };
  fill(scaled + ".weight", 1), fill(name + ".bias", 2);
}

template <class T>
void import_instance_norm(onnx_importer<T>& in) {
  const auto& dims = in.any(0).dims;
  import_norm_of_groups(in, dims.size() > 1 ? dims[1] : 0, 1);
}
/// Before operator set 21 a factor and an offset are those of a group.
template <class T>
void import_group_norm(onnx_importer<T>& in) {
  const index_t groups = in.integer("num_groups", 0);
  const auto& dims = in.any(0).dims;
  import_norm_of_groups(in, groups, in.opset() < 21 && groups > 0 && dims.size() > 1 ? dims[1] / groups : 1);
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
