#pragma once
/// ONNX's operators that move no numbers, or only join them.

#include <string>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_fold_table.hpp"
#include "minicnn/formats/onnx_importer.hpp"
#include "minicnn/layers/concat.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

template <class T>
void import_identity(onnx_importer<T>& in) {
  in.pass_on();
}

/// Layers compute in one type: what is made another floating type stays what it is.
template <class T>
void import_cast(onnx_importer<T>& in) {
  if (const index_t to = in.integer("to", 1); !is_floating(to))
    fail("attribute to: type ", to, "; layers compute in floating point");
  in.pass_on();
}

/// Dropout does nothing in evaluation mode, which is what a model is exported in.
template <class T>
void import_dropout(onnx_importer<T>& in) {
  in.want_one_output();
  const bool training = in.has(2) && in.memory().integers(in.constant(2, "training_mode")) != onnx_extents{0};
  const bool none = in.has(1) && in.is_constant(1) && in.memory().numbers(in.constant(1, "ratio")) == std::vector<double>{0.0};
  if (training && !none) fail("training_mode: random numbers in prediction");
  in.pass_on();
}

/// The shape as a constant, in which the batch size is known by name only.
template <class T>
void import_shape(onnx_importer<T>& in) {
  const onnx_extents& dims = in.computed(0).dims;
  const auto [first, last] = shape_axes(in.at(), dims.size());
  std::vector<double> values;
  std::vector<char> batch;
  for (std::size_t i = first; i < last; ++i) {
    values.push_back(i == 0 ? 1.0 : static_cast<double>(dims[i]));
    batch.push_back(i == 0 ? 1 : 0);
  }
  onnx_value<T> v;
  const auto count = static_cast<index_t>(values.size());
  v.constant = std::make_shared<const onnx_constant>(onnx_memory::made({count}, std::move(values), false, std::move(batch)));
  in.put(std::move(v));
}

template <class T>
void import_flatten(onnx_importer<T>& in) {
  const onnx_value<T>& v = in.plain_zeros(0);
  const index_t axis = in.integer("axis", 1);
  const auto rank = static_cast<index_t>(v.dims.size());
  if (axis != 1 && axis != 1 - rank) fail("attribute axis is ", axis, "; wanted 1: samples stay apart");
  index_t features = 1;
  for (std::size_t i = 1; i < v.dims.size(); ++i) features *= v.dims[i];
  in.view_as(v, {1, features});
}

/// The shape may name the batch as 0, as -1, as what Shape gave, or, in models of a fixed batch, as that number.
template <class T>
void import_reshape(onnx_importer<T>& in) {
  const onnx_value<T>& v = in.plain_zeros(0);
  onnx_constant target;
  if (in.has(1))
    target = in.constant(1, "shape");
  else
    target.dims = {static_cast<index_t>(in.integers("shape").size())};
  if (target.size() > shape::max_rank + 2) fail("a shape of ", target.size(), " axes");
  onnx_extents dims = in.integers("shape");
  if (in.has(1)) {
    dims.clear();
    for (const double number : in.memory().numbers(target)) dims.push_back(whole_number(number));
  }
  if (dims.empty()) fail("a shape without a batch");
  const bool zeros = in.integer("allowzero", 0) != 0;
  index_t all = 1, known = 1;
  for (std::size_t i = 1; i < v.dims.size(); ++i) all *= v.dims[i];
  std::size_t open = 0;
  for (std::size_t i = 1; i < dims.size(); ++i) {
    if (target.depends_on_batch(i)) fail("the batch size in axis ", i, " of its shape");
    if (dims[i] == 0 && !zeros && i < v.dims.size()) dims[i] = v.dims[i];
    if (dims[i] == -1)
      open = i;
    else
      known = onnx_count({known, dims[i]});
  }
  if (open > 0) dims[open] = known > 0 ? all / known : 0;
  const bool same = target.depends_on_batch(0) && dims[0] == 1;
  const bool rest = dims[0] == -1 && open == 0 && known == all;
  if (!same && !rest && !(dims[0] == 0 && !zeros) && !(dims[0] == in.fixed_batch() && dims[0] > 0))
    fail("a shape of ", extents_text(dims), ", whose first axis is not the batch");
  dims[0] = 1;
  in.view_as(v, std::move(dims));
}

template <class T>
void import_squeeze(onnx_importer<T>& in) {
  const onnx_value<T>& v = in.plain_zeros(0);
  const onnx_extents axes = in.axes();
  for (const index_t axis : axes)
    if (onnx_axis(axis, v.dims.size()) == 0) fail("axes name the batch");
  if (axes.empty() && in.fixed_batch() == 1) fail("axes are left out, and the batch is 1");
  onnx_extents dims(v.dims);
  dims[0] = 2;  // not taken for an axis without use
  dims = squeezed(dims, axes);
  dims[0] = 1;
  in.view_as(v, std::move(dims));
}
template <class T>
void import_unsqueeze(onnx_importer<T>& in) {
  const onnx_value<T>& v = in.plain_zeros(0);
  const onnx_extents axes = in.axes();
  onnx_extents dims = unsqueezed(v.dims, axes);
  for (const index_t axis : axes)
    if (onnx_axis(axis, dims.size()) == 0) fail("axes put something before the batch");
  in.view_as(v, std::move(dims));
}

/// Nothing where all elements stay where they are, or where channels go from the last axis to behind the batch or back: that is
/// another way to look at images until a layer needs one.
template <class T>
void import_transpose(onnx_importer<T>& in) {
  onnx_value<T> v = in.computed(0);
  onnx_extents order = in.integers("perm");
  for (index_t& axis : order) axis = static_cast<index_t>(onnx_axis(axis, v.dims.size()));
  if (order.size() != v.dims.size() || order[0] != 0)
    fail("attribute perm is ", extents_text(order), "; the batch stays the first axis");
  onnx_extents dims, kept;
  for (const index_t axis : order) {
    dims.push_back(v.dims[static_cast<std::size_t>(axis)]);
    if (dims.back() != 1) kept.push_back(axis);
  }
  if (std::is_sorted(kept.begin(), kept.end()) && !v.channels_last && v.zeros == padding2d(0))
    return in.view_as(v, std::move(dims));
  const bool back = v.channels_last && order == onnx_extents{0, 3, 1, 2};
  const bool layout = back || (order == onnx_extents{0, 2, 3, 1} && !v.channels_last && v.viewer.empty());
  if (!layout) return in.put_node(transpose(in.exact(0), order, {.name = in.name()}));
  v.channels_last = !back, v.dims = std::move(dims);
  in.put(std::move(v));
}

template <class T>
void import_concat(onnx_importer<T>& in) {
  const onnx_value<T>& first = in.computed(0);
  const std::size_t axis = onnx_axis(in.integer("axis", 1), first.dims.size());
  if (axis != (first.channels_last ? first.dims.size() - 1 : 1))
    fail("attribute axis is ", axis, "; wanted that of the channels");
  if (first.channels_last) {
    std::vector<node<T>> parts;
    onnx_value<T> v = first;
    v.dims[axis] = 0;
    for (std::size_t i = 0; i < in.count(); ++i) {
      const onnx_value<T>& x = in.computed(i);
      if (!x.channels_last || !(x.zeros == padding2d(0))) fail("inputs of different layouts");
      parts.push_back({&in.nodes(), x.id});
      v.dims[axis] += x.dims[axis];
    }
    v.id = concat(parts, {.name = in.name()}).id;
    return in.put(std::move(v));
  }
  std::vector<node<T>> parts;
  for (std::size_t i = 0; i < in.count(); ++i) parts.push_back(in.natural(i));
  in.own_shape(concat(parts, {.name = in.name()}));
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
