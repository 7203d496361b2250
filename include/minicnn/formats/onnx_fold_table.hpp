#pragma once
/// Shapes and parts of constants of an ONNX graph, and the table of all operators that are computed while a model is read.

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_folding.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

// ---- shapes of constants

inline onnx_constant fold_reshape(const onnx_folding& f) {
  const onnx_extents& from = f.input(0).dims;
  onnx_extents dims = f.has(1) ? f.memory.integers(f.input(1)) : integers_of(f.node, "shape");
  const bool zeros = integer_of(f.node, "allowzero", 0) != 0;
  index_t known = 1, *open = nullptr;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && !zeros && i < from.size()) dims[i] = from[i];
    if (dims[i] == -1)
      open = &dims[i];
    else
      known = onnx_count({known, dims[i]});
  }
  if (open != nullptr && known > 0) *open = f.input(0).size() / known;
  return f.reshaped(dims);
}

inline onnx_constant fold_flatten(const onnx_folding& f) {
  const onnx_extents& from = f.input(0).dims;
  const index_t axis = integer_of(f.node, "axis", 1);
  const std::size_t cut = axis == static_cast<index_t>(from.size()) ? from.size() : onnx_axis(axis, from.size());
  const auto at = from.begin() + static_cast<std::ptrdiff_t>(cut);
  return f.reshaped({onnx_count({from.begin(), at}), onnx_count({at, from.end()})});
}

/// The shape with the given axes, counted in the result, of extent 1 added.
inline onnx_extents unsqueezed(const onnx_extents& dims, const onnx_extents& axes) {
  const std::size_t rank = dims.size() + axes.size();
  std::vector<char> added(rank, 0);
  for (const index_t axis : axes) added[onnx_axis(axis, rank)] = 1;
  if (std::count(added.begin(), added.end(), 1) != static_cast<std::ptrdiff_t>(axes.size())) fail("an axis is added twice");
  onnx_extents out;
  for (std::size_t i = 0, from = 0; i < rank; ++i) out.push_back(added[i] != 0 ? 1 : dims[from++]);
  return out;
}
/// The shape without the given axes, all of extent 1; no axes: without all such.
inline onnx_extents squeezed(const onnx_extents& dims, const onnx_extents& axes) {
  std::vector<char> gone(dims.size(), 0);
  for (const index_t axis : axes) gone[onnx_axis(axis, dims.size())] = 1;
  onnx_extents out;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (gone[i] != 0 && dims[i] != 1) fail("axis ", i, " has the extent ", dims[i], ", not 1");
    if (gone[i] == 0 && !(axes.empty() && dims[i] == 1)) out.push_back(dims[i]);
  }
  return out;
}
inline onnx_constant fold_unsqueeze(const onnx_folding& f) { return f.reshaped(unsqueezed(f.input(0).dims, f.axes())); }
inline onnx_constant fold_squeeze(const onnx_folding& f) { return f.reshaped(squeezed(f.input(0).dims, f.axes())); }

/// The shape may begin with the batch size: each sample then has the same values.
inline onnx_constant fold_expand(const onnx_folding& f) {
  const onnx_extents& from = f.input(0).dims;
  onnx_constant shape = f.input(1);
  const std::vector<double>& numbers = f.numbers(1);
  const bool samples = shape.depends_on_batch(0) && numbers[0] == 1.0 && (from.size() < numbers.size() || from[0] == 1);
  if (samples) shape = onnx_memory::made(shape.dims, numbers, false, {shape.batch.begin() + 1, shape.batch.end()});
  const onnx_extents dims = broadcast(from, f.memory.integers(shape));
  std::vector<std::size_t> places;
  places.reserve(f.memory.room_for(dims));
  each_place(dims, [&](const onnx_extents& at) { places.push_back(place_in(from, at)); });
  onnx_constant made = f.picked(0, dims, places);
  made.for_each_sample = samples;
  return made;
}

/// Whether numbers are equal. A multiple of the batch size is not 0 or less; else it is compared with none but its like.
inline onnx_constant fold_equal(const onnx_folding& f) {
  const onnx_constant &a = f.input(0), &b = f.input(1);
  const std::vector<double>&x = f.numbers(0), &y = f.numbers(1);
  const onnx_extents dims = broadcast(a.dims, b.dims);
  std::vector<double> values;
  values.reserve(f.memory.room_for(dims));
  each_place(dims, [&](const onnx_extents& at) {
    const std::size_t i = place_in(a.dims, at), j = place_in(b.dims, at);
    const bool first = a.depends_on_batch(i), second = b.depends_on_batch(j);
    if (first != second && (first ? y[j] : x[i]) > 0) fail("the batch size is compared with a number");
    values.push_back(first == second && x[i] == y[j] ? 1.0 : 0.0);
  });
  return onnx_memory::made(dims, std::move(values), false);
}

inline onnx_constant fold_where(const onnx_folding& f) {
  const onnx_constant &which = f.input(0), &a = f.input(1), &b = f.input(2);
  const onnx_extents dims = broadcast(which.dims, broadcast(a.dims, b.dims));
  std::vector<double> values;
  std::vector<char> batch;
  values.reserve(f.memory.room_for(dims));
  each_place(dims, [&](const onnx_extents& at) {
    const bool first = f.numbers(0)[place_in(which.dims, at)] != 0.0;
    const std::size_t i = place_in(first ? a.dims : b.dims, at);
    values.push_back(f.numbers(first ? 1 : 2)[i]);
    batch.push_back((first ? a : b).depends_on_batch(i) ? 1 : 0);
  });
  return onnx_memory::made(dims, std::move(values), a.floating, std::move(batch));
}

// ---- parts of constants

inline onnx_constant fold_transpose(const onnx_folding& f) {
  const onnx_extents& from = f.input(0).dims;
  onnx_extents order = integers_of(f.node, "perm");
  if (order.empty())
    for (std::size_t i = from.size(); i-- > 0;) order.push_back(static_cast<index_t>(i));
  if (order.size() != from.size()) fail("perm has ", order.size(), " axes, the input ", from.size());
  onnx_extents dims;
  for (const index_t axis : order) dims.push_back(from[onnx_axis(axis, from.size())]);
  if (onnx_count(dims) != onnx_count(from)) fail("perm names an axis twice");
  std::vector<std::size_t> places;
  places.reserve(f.memory.room_for(dims));
  onnx_extents inner(from.size());
  each_place(dims, [&](const onnx_extents& at) {
    for (std::size_t i = 0; i < order.size(); ++i) inner[onnx_axis(order[i], from.size())] = at[i];
    places.push_back(place_in(from, inner));
  });
  return f.picked(0, dims, places);
}

inline onnx_constant fold_gather(const onnx_folding& f) {
  const onnx_constant &data = f.input(0), &chosen = f.input(1);
  const std::size_t axis = onnx_axis(integer_of(f.node, "axis", 0), data.dims.size());
  const auto cut = data.dims.begin() + static_cast<std::ptrdiff_t>(axis);
  const onnx_extents before(data.dims.begin(), cut), behind(cut + 1, data.dims.end()), indices = f.memory.integers(chosen);
  const auto inner = static_cast<std::size_t>(onnx_count(behind)), length = static_cast<std::size_t>(*cut);
  onnx_extents dims = before;
  dims.insert(dims.end(), chosen.dims.begin(), chosen.dims.end());
  dims.insert(dims.end(), behind.begin(), behind.end());
  std::vector<std::size_t> places;
  places.reserve(f.memory.room_for(dims));
  if (onnx_count(dims) == 0) return onnx_memory::made(dims, {}, data.floating);
  for (std::size_t o = 0; o < static_cast<std::size_t>(onnx_count(before)); ++o)
    for (const index_t index : indices)
      for (std::size_t i = 0; i < inner; ++i) places.push_back((o * length + onnx_axis(index, length)) * inner + i);
  return f.picked(0, dims, places);
}

inline onnx_constant fold_concat(const onnx_folding& f) {
  const onnx_constant& first = f.input(0);
  const std::size_t axis = onnx_axis(integer_of(f.node, "axis", 0), first.dims.size());
  onnx_extents dims = first.dims;
  dims[axis] = 0;
  for (std::size_t i = 0; i < f.inputs.size(); ++i) {
    onnx_extents one = f.input(i).dims;
    if (one.size() != dims.size()) fail("wanted inputs of ", dims.size(), " axes, got ", one.size());
    dims[axis] += std::exchange(one[axis], dims[axis]);
    if (one[axis] = dims[axis]; one != dims) fail("inputs differ in more than axis ", axis);
  }
  std::vector<double> values;
  std::vector<char> batch;
  values.reserve(f.memory.room_for(dims));
  if (onnx_count(dims) == 0) return onnx_memory::made(dims, {}, first.floating);
  const onnx_extents outer(dims.begin(), dims.begin() + static_cast<std::ptrdiff_t>(axis));
  for (std::size_t o = 0; o < static_cast<std::size_t>(onnx_count(outer)); ++o)
    for (std::size_t i = 0; i < f.inputs.size(); ++i) {
      const onnx_constant& x = f.input(i);
      const std::vector<double>& all = f.numbers(i);
      const std::size_t length = all.size() / static_cast<std::size_t>((std::max)(onnx_count(outer), index_t{1}));
      for (std::size_t k = o * length; k < (o + 1) * length; ++k)
        values.push_back(all[k]), batch.push_back(x.depends_on_batch(k) ? 1 : 0);
    }
  return onnx_memory::made(dims, std::move(values), first.floating, std::move(batch));
}

/// Bounds of Slice, which are attributes before operator set 10 and inputs from then on.
struct onnx_slice_bounds {
  onnx_extents starts, ends, axes, steps;
};
inline onnx_slice_bounds slice_of(const onnx_folding& f) {
  const auto part = [&](std::size_t place, const char* key) {
    if (f.opset < 10) return integers_of(f.node, key);
    return f.has(place) ? f.memory.integers(f.input(place)) : onnx_extents{};
  };
  onnx_slice_bounds s{part(1, "starts"), part(2, "ends"), part(3, "axes"), f.opset < 10 ? onnx_extents{} : part(4, "steps")};
  if (s.axes.empty())
    for (std::size_t i = 0; i < s.starts.size(); ++i) s.axes.push_back(static_cast<index_t>(i));
  if (s.steps.empty()) s.steps.assign(s.starts.size(), 1);
  if (s.ends.size() != s.starts.size() || s.axes.size() != s.starts.size() || s.steps.size() != s.starts.size())
    fail("starts, ends, axes and steps of different lengths");
  return s;
}
inline onnx_constant fold_slice(const onnx_folding& f) {
  const onnx_slice_bounds s = slice_of(f);
  onnx_constant x = f.input(0);
  if (f.numbers(0).empty()) fail("a part of no values");
  for (std::size_t k = 0; k < s.starts.size(); ++k) {
    const std::size_t axis = onnx_axis(s.axes[k], x.dims.size());
    const index_t length = x.dims[axis], step = s.steps[k];
    if (step == 0) fail("steps of 0");
    const auto bound = [&](index_t at) {
      at = at < 0 ? at + length : at;
      return step > 0 ? std::clamp(at, index_t{0}, length) : std::clamp(at, index_t{-1}, length - 1);
    };
    std::vector<index_t> chosen;
    const index_t end = step < 0 && s.ends[k] < -length ? -1 : bound(s.ends[k]);
    for (index_t at = bound(s.starts[k]); step > 0 ? at < end : at > end; at += step) chosen.push_back(at);
    const onnx_extents from = x.dims;
    x.dims[axis] = static_cast<index_t>(chosen.size());
    std::vector<std::size_t> places;
    places.reserve(f.memory.room_for(x.dims));
    each_place(x.dims, [&](onnx_extents at) {
      at[axis] = chosen[static_cast<std::size_t>(at[axis])];
      places.push_back(place_in(from, at));
    });
    onnx_constant before = x;
    before.dims = from;
    x = onnx_folding{f.node, f.opset, f.memory, {&before}}.picked(0, x.dims, places);
  }
  return x;
}

struct onnx_fold_row {
  std::string_view type;
  onnx_fold_rule rule;
};

/// Operators that are computed where all of their inputs are constants.
inline constexpr onnx_fold_row onnx_fold_table[] = {
    {"Add", fold_add},
    {"Cast", fold_cast},
    {"Ceil", fold_ceil},
    {"Concat", fold_concat},
    {"Constant", fold_constant},
    {"ConstantOfShape", fold_constant_of_shape},
    {"Div", fold_div},
    {"Equal", fold_equal},
    {"Expand", fold_expand},
    {"Flatten", fold_flatten},
    {"Floor", fold_floor},
    {"Gather", fold_gather},
    {"Identity", fold_identity},
    {"Mul", fold_mul},
    {"Neg", fold_neg},
    {"Range", fold_range},
    {"Reciprocal", fold_reciprocal},
    {"Reshape", fold_reshape},
    {"Shape", fold_shape},
    {"Slice", fold_slice},
    {"Sqrt", fold_sqrt},
    {"Squeeze", fold_squeeze},
    {"Sub", fold_sub},
    {"Transpose", fold_transpose},
    {"Unsqueeze", fold_unsqueeze},
    {"Where", fold_where},
};

/// How an operator is computed from constants; null: it is not.
inline onnx_fold_rule find_fold_rule(std::string_view type) {
  for (const onnx_fold_row& row : onnx_fold_table)
    if (row.type == type) return row.rule;
  return nullptr;
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
