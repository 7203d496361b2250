#pragma once
/// ONNX's operators that take values apart, put them together, or move their borders and blocks.

#include <string>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_fold_table.hpp"
#include "minicnn/formats/onnx_import_shapes.hpp"
#include "minicnn/layers/class_token.hpp"
#include "minicnn/layers/concat.hpp"
#include "minicnn/layers/group_norm.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Elements begin, begin + step, ... of one axis of a node, `count` of them, or the node itself where these are all.
template <class T>
node<T> part_of(onnx_importer<T>& in, node<T> x, int axis, index_t begin, index_t count, index_t step, std::string name) {
  if (begin == 0 && step == 1 && count == x.dims()[axis]) return x;
  return slice(x, {.axis = axis, .begin = begin, .count = count, .step = step, .name = in.unique(name)});
}

/// The given elements of one axis, one after the other: runs of them are parts, which are joined.
template <class T>
node<T> picked_from(onnx_importer<T>& in, node<T> x, int axis, const onnx_extents& indices, const std::string& name) {
  std::vector<node<T>> runs;
  for (std::size_t i = 0; i < indices.size();) {
    std::size_t end = i + 1;
    while (end < indices.size() && indices[end] == indices[end - 1] + 1) ++end;
    in.count_parts(1);
    runs.push_back(part_of(in, x, axis, indices[i], static_cast<index_t>(end - i), 1, name));
    i = end;
  }
  return runs.size() == 1 ? runs[0] : concat(runs, {.axis = axis, .name = in.unique(name)});
}

template <class T>
void import_slice(onnx_importer<T>& in) {
  onnx_folding f{in.at(), in.opset(), in.memory(), {nullptr}};
  for (std::size_t i = 1; i < in.count(); ++i) f.inputs.push_back(in.has(i) ? &in.constant(i, "bounds") : nullptr);
  const onnx_slice_bounds s = slice_of(f);
  node<T> x = in.exact(0);
  const auto rank = in.any(0).dims.size();
  for (std::size_t k = 0; k < s.starts.size(); ++k) {
    const index_t step = s.steps[k];
    const bool batch = static_cast<int>(onnx_axis(s.axes[k], rank)) == batch_axis_of(in.any(0));
    if (batch && s.starts[k] == 0 && step == 1 && s.ends[k] > 1 << 30) continue;  // all of it
    const int axis = in.node_axis(0, s.axes[k]);
    const index_t length = x.dims()[axis];
    if (step == 0) fail("steps of 0");
    if (step < 0) {
      const index_t last = s.ends[k] < -length ? -1 : s.ends[k] < 0 ? s.ends[k] + length : s.ends[k];
      const index_t first = (std::min)(s.starts[k] < 0 ? s.starts[k] + length : s.starts[k], length - 1);
      if (first <= last) fail("a part of no elements");
      if ((first - last) / -step > static_cast<index_t>(most_onnx_nodes)) fail("more than ", most_onnx_nodes, " parts");
      onnx_extents indices;
      for (index_t at = first; at > last; at += step) indices.push_back(at);
      x = picked_from(in, x, axis, indices, std::string(in.own_name()));
      continue;
    }
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
  const int axis = in.node_axis(0, in.integer("axis", 0));
  const index_t length = x.dims()[axis];
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

/// Elements of an axis by their indices, whose shape takes the axis's place.
template <class T>
void import_gather(onnx_importer<T>& in) {
  const node<T> x = in.exact(0);
  const index_t given = in.integer("axis", 0);
  const int axis = in.node_axis(0, given);
  const index_t length = x.dims()[axis];
  const onnx_constant& chosen = in.constant(1, "indices");
  onnx_extents indices = in.memory().integers(chosen);
  if (indices.empty()) fail("indices of ", extents_text(chosen.dims));
  for (index_t& i : indices) i = static_cast<index_t>(onnx_axis(i, static_cast<std::size_t>(length)));
  in.put_node(picked_from(in, x, axis, indices, std::string(in.own_name())));
  if (chosen.dims.size() == 1) return;
  const onnx_value<T> v = *in.find(in.at().outputs.at(0));
  onnx_extents dims = v.dims;
  const auto at = static_cast<int>(onnx_axis(given, dims.size()));
  dims.insert(dims.erase(dims.begin() + at), chosen.dims.begin(), chosen.dims.end());
  const int moved = at < batch_axis_of(v) ? static_cast<int>(chosen.dims.size()) - 1 : 0;
  put_view(in, v, std::move(dims), batch_axis_of(v) + moved);
}

// ---- joined

/// A constant before the tokens of each sample is a class token.
template <class T>
void import_class_token(onnx_importer<T>& in) {
  const onnx_constant c = *in.find(in.at().inputs[0])->constant;
  const node<T> x = in.exact(1);
  const shape& dims = x.dims();
  if (in.count() != 2 || in.any(1).lifted || dims.rank() != 3 || onnx_axis(in.integer("axis", 1), 3) != 1 ||
      !(c.for_each_sample || in.fixed_batch() == 1) || c.dims != onnx_extents{1, 1, dims[2]})
    fail("a constant of ", extents_text(c.dims), " joined to ", extents_text(in.any(1).dims), "; wanted one token before others");
  const std::string name = in.name();
  in.put_node(class_token(x, {.name = name}), 0, 1);
  in.fill(name + ".class_token", c);
}

/// Along any axis but the batch; along the channels of images in either layout.
template <class T>
void import_concat(onnx_importer<T>& in) {
  if (in.count() > 1 && in.is_constant(0) && !in.is_constant(1)) return import_class_token(in);
  const onnx_value<T> first = in.any(0);
  const std::size_t axis = onnx_axis(in.integer("axis", 1), first.dims.size());
  std::vector<node<T>> parts;
  bool images = first.channels_last && axis + 1 == first.dims.size(), natural = axis == 1;
  for (std::size_t i = 0; i < in.count(); ++i) {
    const onnx_value<T>& x = in.any(i);
    images = images && x.channels_last && x.zeros == padding2d(0);
    natural = natural && !x.lifted;
    if (x.lifted != first.lifted || x.batch_axis != first.batch_axis || x.before != first.before)
      fail("inputs with the batch on different axes");
  }
  if (images) {
    onnx_value<T> v = first;
    v.dims[axis] = 0;
    for (std::size_t i = 0; i < in.count(); ++i) {
      parts.push_back({&in.nodes(), in.any(i).id});
      v.dims[axis] += in.any(i).dims[axis];
    }
    v.id = concat(parts, {.name = in.name()}).id;
    return in.put(std::move(v));
  }
  const int own = in.node_axis(0, static_cast<index_t>(axis));
  for (std::size_t i = 0; i < in.count(); ++i) parts.push_back(natural ? in.natural(i) : in.exact(i));
  const node<T> made = concat(parts, {.axis = own, .name = in.name()});
  natural ? in.own_shape(made) : in.put_node(made);
}

// ---- borders and blocks

/// A border on any axis but the batch, for which an axis is taken for the rows of images; rows and columns at once.
template <class T>
void import_border(onnx_importer<T>& in, const onnx_extents& pads, pad_mode mode, double value) {
  node<T> x = in.exact(0);
  const std::size_t rank = pads.size() / 2;
  const std::string name = in.name();
  const bool image = !in.any(0).lifted && rank == 4 && pads[1] == 0 && pads[5] == 0;
  if (image) {
    const padding2d around(pads[2], pads[6], pads[3], pads[7]);
    return in.put_node(pad(x, {.padding = around, .mode = mode, .value = value, .name = name}));
  }
  for (std::size_t i = 0; i < rank; ++i) {
    if (pads[i] == 0 && pads[rank + i] == 0) continue;
    const int axis = in.node_axis(0, static_cast<index_t>(i));
    onnx_extents dims(x.dims().begin() + 1, x.dims().end());
    const auto at = dims.begin() + (axis - 1);
    x = reshape(x, {onnx_count({dims.begin(), at}), *at, onnx_count({at + 1, dims.end()})}, {.name = in.unique(name + ".rows")});
    x = pad(x, {.padding = {pads[i], pads[rank + i], 0, 0}, .mode = mode, .value = value, .name = in.unique(name + ".border")});
    dims[static_cast<std::size_t>(axis - 1)] += pads[i] + pads[rank + i];
    x = reshape(x, dims, {.name = in.unique(name)});
  }
  in.put_node(x);
}

template <class T>
void import_depth_to_space(onnx_importer<T>& in) {
  const std::string_view mode = in.text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") fail("attribute mode is \"", excerpt(mode), "\"");
  const index_t block = in.integer("blocksize", 0);
  if (block < 1 || block > 1 << 10) fail("attribute blocksize is ", block);
  (void)in.plain(0);
  const auto scope = in.nodes().scope(in.name());
  in.own_shape(depth_to_space(in.image(0), block, mode == "CRD" ? depth_order::pixel_shuffle : depth_order::depth_first));
}
template <class T>
void import_space_to_depth(onnx_importer<T>& in) {
  const index_t block = in.integer("blocksize", 0);
  if (block < 1 || block > 1 << 10) fail("attribute blocksize is ", block);
  (void)in.plain(0);
  const auto scope = in.nodes().scope(in.name());
  in.own_shape(space_to_depth(in.image(0), block, depth_order::depth_first));
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
