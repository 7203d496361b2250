#pragma once
/// Operators of an ONNX graph whose inputs are constants, computed while the model is read, as exporters write them where a shape
/// is not known to them: what they work with, and arithmetic.

#include <functional>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_constant.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// A node whose inputs are all known.
struct onnx_folding {
  const onnx_node& node;
  std::int64_t opset;
  onnx_memory& memory;
  std::vector<const onnx_constant*> inputs;  ///< null: left out

  const onnx_constant& input(std::size_t i) const {
    if (i >= inputs.size() || inputs[i] == nullptr) fail("input ", i, " is missing");
    return *inputs[i];
  }
  bool has(std::size_t i) const { return i < inputs.size() && inputs[i] != nullptr; }
  const std::vector<double>& numbers(std::size_t i) const { return memory.numbers(input(i)); }

  /// Axes are an attribute in older operator sets and input `place` in newer ones.
  onnx_extents axes(std::size_t place = 1) const {
    return has(place) ? memory.integers(input(place)) : integers_of(node, "axes");
  }

  /// The value that input i has at the places `from` of its elements.
  onnx_constant picked(std::size_t i, onnx_extents dims, const std::vector<std::size_t>& from) const {
    const onnx_constant& x = input(i);
    const std::vector<double>& all = numbers(i);
    std::vector<double> values;
    std::vector<char> batch;
    for (const std::size_t place : from) {
      values.push_back(all.at(place));
      if (!x.batch.empty()) batch.push_back(x.batch.at(place));
    }
    return onnx_memory::made(std::move(dims), std::move(values), x.floating, std::move(batch));
  }

  /// The same values in another shape.
  onnx_constant reshaped(onnx_extents dims) const {
    onnx_constant x = input(0);
    if (onnx_count(dims) != x.size()) fail("a shape of ", extents_text(dims), " for ", x.size(), " values");
    x.dims = std::move(dims);
    return x;
  }
};

using onnx_fold_rule = onnx_constant (*)(const onnx_folding&);

/// Calls `f(place)` for each element of `dims`, the last axis first.
template <class F>
void each_place(const onnx_extents& dims, const F& f) {
  if (onnx_count(dims) == 0) return;
  onnx_extents at(dims.size(), 0);
  for (;;) {
    f(at);
    std::size_t axis = dims.size();
    while (axis > 0 && ++at[axis - 1] == dims[axis - 1]) at[--axis] = 0;
    if (axis == 0) return;
  }
}

/// The index of a place in a tensor of `dims`, which may have fewer axes and extents of 1 where the place has others.
inline std::size_t place_in(const onnx_extents& dims, const onnx_extents& at) {
  index_t index = 0;
  for (std::size_t i = 0; i < dims.size(); ++i) index = index * dims[i] + (dims[i] == 1 ? 0 : at[at.size() - dims.size() + i]);
  return static_cast<std::size_t>(index);
}

/// The shape of a combination of two. Throws error if they do not fit.
inline onnx_extents broadcast(const onnx_extents& a, const onnx_extents& b) {
  onnx_extents out((std::max)(a.size(), b.size()), 1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const index_t x = i < out.size() - a.size() ? 1 : a[i - (out.size() - a.size())];
    const index_t y = i < out.size() - b.size() ? 1 : b[i - (out.size() - b.size())];
    if (x != y && x != 1 && y != 1) fail("shapes ", extents_text(a), " and ", extents_text(b), " do not fit each other");
    out[i] = x == 1 ? y : x;
  }
  return out;
}

/// How numbers are combined, and what becomes of factors that are the batch size: 1 where it stays, 0 where it goes, -1 where the
/// result would be no multiple of it.
struct onnx_arithmetic {
  double (*value)(double, double);
  int (*batch)(bool, bool);
};

inline onnx_constant fold_pairs(const onnx_folding& f, const onnx_arithmetic& how) {
  const onnx_constant &a = f.input(0), &b = f.input(1);
  const std::vector<double>&x = f.numbers(0), &y = f.numbers(1);
  const onnx_extents dims = broadcast(a.dims, b.dims);
  std::vector<double> values;
  std::vector<char> batch;
  values.reserve(f.memory.room_for(dims));
  each_place(dims, [&](const onnx_extents& at) {
    const std::size_t i = place_in(a.dims, at), j = place_in(b.dims, at);
    const double value = how.value(x[i], y[j]);
    values.push_back(a.floating ? value : std::trunc(value));
    if (a.batch.empty() && b.batch.empty()) return;
    const int kept = how.batch(a.depends_on_batch(i), b.depends_on_batch(j));
    if (kept < 0) fail("the batch size takes part in arithmetic that leaves no multiple of it");
    batch.push_back(static_cast<char>(kept));
  });
  return onnx_memory::made(dims, std::move(values), a.floating, std::move(batch));
}

inline int batch_of_sum(bool a, bool b) { return a != b ? -1 : a; }
inline int batch_of_product(bool a, bool b) { return a && b ? -1 : a || b; }
inline int batch_of_quotient(bool a, bool b) { return b && !a ? -1 : a != b; }

inline onnx_constant fold_add(const onnx_folding& f) {
  return fold_pairs(f, {[](double a, double b) { return a + b; }, batch_of_sum});
}
inline onnx_constant fold_sub(const onnx_folding& f) {
  return fold_pairs(f, {[](double a, double b) { return a - b; }, batch_of_sum});
}
inline onnx_constant fold_mul(const onnx_folding& f) {
  return fold_pairs(f, {[](double a, double b) { return a * b; }, batch_of_product});
}
inline onnx_constant fold_div(const onnx_folding& f) {
  return fold_pairs(f, {[](double a, double b) { return a / b; }, batch_of_quotient});
}

inline onnx_constant fold_each(const onnx_folding& f, double (*value)(double)) {
  if (f.input(0).depends_on_batch()) fail("the batch size takes part in its numbers");
  std::vector<double> values = f.numbers(0);
  (void)f.memory.room_for(f.input(0).dims);
  for (double& v : values) v = value(v);
  return onnx_memory::made(f.input(0).dims, std::move(values), f.input(0).floating);
}
inline onnx_constant fold_floor(const onnx_folding& f) {
  return fold_each(f, [](double v) { return std::floor(v); });
}
inline onnx_constant fold_ceil(const onnx_folding& f) {
  return fold_each(f, [](double v) { return std::ceil(v); });
}
inline onnx_constant fold_neg(const onnx_folding& f) {
  return fold_each(f, [](double v) { return -v; });
}
inline onnx_constant fold_sqrt(const onnx_folding& f) {
  return fold_each(f, [](double v) { return std::sqrt(v); });
}
inline onnx_constant fold_reciprocal(const onnx_folding& f) {
  return fold_each(f, [](double v) { return 1.0 / v; });
}

inline onnx_constant fold_identity(const onnx_folding& f) { return f.input(0); }

inline onnx_constant fold_cast(const onnx_folding& f) {
  const std::int64_t to = integer_of(f.node, "to", 1);
  onnx_constant c = f.input(0);
  if (is_floating(to) || !c.floating) return c.floating = is_floating(to), c;
  std::vector<double> values = f.numbers(0);
  (void)f.memory.room_for(c.dims);
  for (double& v : values) v = static_cast<double>(whole_number(v));
  return onnx_memory::made(c.dims, std::move(values), false, c.batch);
}

inline onnx_constant fold_constant(const onnx_folding& f) {
  if (const onnx_attribute* a = f.node.find("value"); a != nullptr && a->tensors.size() == 1) {
    onnx_constant c;
    c.stored = a->tensors.data(), c.dims = c.stored->dims, c.floating = is_floating(c.stored->type);
    return c;
  }
  for (const char* key : {"value_float", "value_floats", "value_int", "value_ints"})
    if (const onnx_attribute* a = f.node.find(key); a != nullptr) {
      const bool floating = !a->reals.empty();
      const std::vector<double> values = floating ? std::vector<double>(a->reals.begin(), a->reals.end())
                                                  : std::vector<double>(a->integers.begin(), a->integers.end());
      const bool list = std::string_view(key).ends_with('s');
      if (!list && values.size() != 1) fail("attribute ", key, ": wanted one number, got ", values.size());
      return onnx_memory::made(list ? onnx_extents{static_cast<index_t>(values.size())} : onnx_extents{}, values, floating);
    }
  fail("wanted a constant of numbers (value, value_float, value_ints, ...)");
}

inline onnx_constant fold_constant_of_shape(const onnx_folding& f) {
  const onnx_extents dims = f.memory.integers(f.input(0));
  double value = 0;
  bool floating = true;
  if (const onnx_attribute* a = f.node.find("value"); a != nullptr && a->tensors.size() == 1) {
    each_onnx_value<double>(a->tensors[0], f.memory.folder(), [&](index_t, double v) { value = v; });
    floating = is_floating(a->tensors[0].type);
  }
  return onnx_memory::made(dims, std::vector<double>(f.memory.room_for(dims), value), floating);
}

/// The axes that operator Shape gives out, from the first to behind the last: `start` and `end` since operator set 15.
inline std::pair<std::size_t, std::size_t> shape_axes(const onnx_node& n, std::size_t rank) {
  const auto count = static_cast<index_t>(rank);
  const auto bound = [&](index_t at) {
    return static_cast<std::size_t>(std::clamp(at < 0 ? at + count : at, index_t{0}, count));
  };
  const std::size_t first = bound(integer_of(n, "start", 0)), last = bound(integer_of(n, "end", count));
  return {first, (std::max)(first, last)};
}

inline onnx_constant fold_shape(const onnx_folding& f) {
  const onnx_extents& dims = f.input(0).dims;
  const auto [first, last] = shape_axes(f.node, dims.size());
  std::vector<double> values;
  for (std::size_t i = first; i < last; ++i) values.push_back(static_cast<double>(dims[i]));
  return onnx_memory::made({static_cast<index_t>(values.size())}, values, false);
}

inline onnx_constant fold_range(const onnx_folding& f) {
  for (std::size_t i = 0; i < 3; ++i)
    if (f.input(i).size() != 1) fail("input ", i, ": wanted one number, got ", f.input(i).size());
  const double first = f.numbers(0)[0], limit = f.numbers(1)[0], step = f.numbers(2)[0];
  const double count = std::ceil((limit - first) / step);
  if (!(count <= 1 << 16)) fail("a range of ", count, " numbers");
  std::vector<double> values;
  for (double i = 0; i < count; ++i) values.push_back(first + i * step);
  return onnx_memory::made({static_cast<index_t>(values.size())}, values, f.input(0).floating);
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
