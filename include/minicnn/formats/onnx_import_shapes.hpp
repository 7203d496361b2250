#pragma once
/// ONNX's operators that move no numbers, or only join them.

#include <string>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_fold_table.hpp"
#include "minicnn/formats/onnx_importer.hpp"

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
  const onnx_value<T>& x = in.any(0);
  const int at = x.lifted ? x.batch_axis : 0;
  const auto [first, last] = shape_axes(in.at(), x.dims.size());
  std::vector<double> values;
  std::vector<char> batch;
  for (std::size_t i = first; i < last; ++i) {
    values.push_back(static_cast<double>(x.dims[i]));
    batch.push_back(static_cast<int>(i) == at ? 1 : 0);
  }
  onnx_value<T> v;
  const auto count = static_cast<index_t>(values.size());
  v.constant = std::make_shared<const onnx_constant>(onnx_memory::made({count}, std::move(values), false, std::move(batch)));
  in.put(std::move(v));
}

/// Which of the model's axes is the batch, or has it as a factor; -1: none is known.
template <class T>
int batch_axis_of(const onnx_value<T>& v) {
  return v.lifted ? v.batch_axis : 0;
}

/// A new shape of a sample, of which `axis` has the batch.
template <class T>
void put_view(onnx_importer<T>& in, const onnx_value<T>& v, onnx_extents dims, int axis) {
  if (!v.lifted && axis == 0 && !dims.empty() && dims[0] == 1) return in.view_as(v, std::move(dims));
  in.view_with_batch(v, std::move(dims), in.fixed_batch() == 1 ? -1 : axis);
}

template <class T>
void import_flatten(onnx_importer<T>& in) {
  const onnx_value<T> v = in.ordered(0);
  const auto rank = static_cast<index_t>(v.dims.size());
  const index_t given = in.integer("axis", 1),
                axis = given == rank ? rank : static_cast<index_t>(onnx_axis(given, v.dims.size()));
  const auto cut = v.dims.begin() + axis;
  put_view(in, v, {onnx_count({v.dims.begin(), cut}), onnx_count({cut, v.dims.end()})}, batch_axis_of(v) < axis ? 0 : 1);
}

/// The shape may name the batch as 0, as -1, as what Shape gave, times other numbers too, or, in models of a fixed batch, as that
/// number.
template <class T>
void import_reshape(onnx_importer<T>& in) {
  const onnx_value<T> v = in.ordered(0);
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
  index_t known = 1;
  int open = -1, batch = -1, batches = 0;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const bool copied = dims[i] == 0 && !zeros && i < v.dims.size();
    if (target.depends_on_batch(i) || (copied && static_cast<int>(i) == batch_axis_of(v))) batch = static_cast<int>(i), ++batches;
    if (copied) dims[i] = v.dims[i];
    if (dims[i] == -1)
      open = static_cast<int>(i);
    else
      known = onnx_count({known, dims[i]});
  }
  // A number that is the batch of a model for so many samples.
  if (batches == 0 && open != 0 && in.fixed_batch() > 0 && dims[0] == in.fixed_batch())
    known /= std::exchange(dims[0], 1), batch = 0, batches = 1;
  if (batches == 0) batch = open;
  if (in.fixed_batch() != 1 && (batches > 1 || batch < 0)) fail("a shape of ", extents_text(dims), " with ", batches, " batches");
  if (open >= 0) dims[static_cast<std::size_t>(open)] = known > 0 ? onnx_count(v.dims) / known : 0;
  put_view(in, v, std::move(dims), batch);
}

template <class T>
void import_squeeze(onnx_importer<T>& in) {
  const onnx_value<T> v = in.ordered(0);
  const onnx_extents axes = in.axes();
  const int batch = batch_axis_of(v);
  if (axes.empty() && in.fixed_batch() == 1 && batch >= 0) fail("axes are left out, and the batch is 1");
  onnx_extents dims = v.dims;
  if (batch >= 0) dims[static_cast<std::size_t>(batch)] = 2;  // not taken for an axis without use
  std::vector<char> gone(dims.size(), 0);
  for (std::size_t i = 0; i < dims.size(); ++i) gone[i] = axes.empty() && dims[i] == 1 ? 1 : 0;
  for (const index_t axis : axes) gone[onnx_axis(axis, dims.size())] = 1;
  if (batch >= 0 && gone[static_cast<std::size_t>(batch)] != 0) fail("axes name the batch");
  dims = squeezed(dims, axes);
  const int at = batch < 0 ? -1 : batch - static_cast<int>(std::count(gone.begin(), gone.begin() + batch, 1));
  if (at >= 0) dims[static_cast<std::size_t>(at)] = v.dims[static_cast<std::size_t>(batch)];
  put_view(in, v, std::move(dims), at);
}
template <class T>
void import_unsqueeze(onnx_importer<T>& in) {
  const onnx_value<T> v = in.ordered(0);
  const onnx_extents axes = in.axes();
  onnx_extents places(v.dims.size());
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = static_cast<index_t>(i) + 2;  // each axis by a number of its own
  places = unsqueezed(places, axes);
  const auto batch = std::find(places.begin(), places.end(), batch_axis_of(v) + 2);
  put_view(in, v, unsqueezed(v.dims, axes), batch_axis_of(v) < 0 ? -1 : static_cast<int>(batch - places.begin()));
}

/// Axes in another order, among them perhaps the batch, whose place is then remembered.
template <class T>
void import_lifted_transpose(onnx_importer<T>& in, const onnx_extents& order) {
  onnx_value<T> v = in.plain(0);
  const int batch = batch_axis_of(v);
  onnx_extents kept, whole{0}, dims;
  for (const index_t axis : order) {
    whole.push_back(axis + 1);
    if (v.dims[static_cast<std::size_t>(axis)] != 1) kept.push_back(axis);
  }
  if (!std::is_sorted(kept.begin(), kept.end())) v.id = transpose(in.with_all_axes(0), whole, {.name = in.name()}).id;
  for (const index_t axis : order) dims.push_back(v.dims[static_cast<std::size_t>(axis)]);
  v.dims = std::move(dims), v.viewer = in.own_name(), v.lifted = true;
  v.batch_axis = batch < 0 ? -1 : static_cast<int>(std::find(order.begin(), order.end(), batch) - order.begin());
  in.put(std::move(v));
}

/// Nothing where all elements stay where they are, or where channels go from the last axis to behind the batch or back: that is
/// another way to look at images until a layer needs one.
template <class T>
void import_transpose(onnx_importer<T>& in) {
  onnx_value<T> v = in.any(0);
  onnx_extents order = in.integers("perm");
  if (order.empty())
    for (std::size_t i = v.dims.size(); i-- > 0;) order.push_back(static_cast<index_t>(i));
  for (index_t& axis : order) axis = static_cast<index_t>(onnx_axis(axis, v.dims.size()));
  onnx_extents sorted = order;
  std::sort(sorted.begin(), sorted.end());
  if (order.size() != v.dims.size() || std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    fail("attribute perm is ", extents_text(order), " for ", v.dims.size(), " axes");
  if (v.lifted || order[0] != 0) return import_lifted_transpose(in, order);
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

/// The axes of a node from the given one on as one.
template <class T>
node<T> last_axes_as_one(onnx_importer<T>& in, node<T> x, int axis) {
  if (axis + 1 == x.dims().rank()) return x;
  onnx_extents dims(x.dims().begin() + 1, x.dims().begin() + axis);
  dims.push_back(-1);
  return reshape(x, dims, {.name = in.unique(text_of(in.own_name(), ".one"))});
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
