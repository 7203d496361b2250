#pragma once
/// Values of an ONNX graph that are known before a network runs: weights, and the numbers from which exporters compute shapes.

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_values.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

using onnx_extents = std::vector<index_t>;

/// A constant. Weights stay where they are stored until they are asked for; what is computed is computed in double.
struct onnx_constant {
  onnx_extents dims;
  bool floating = true;
  const onnx_tensor* stored = nullptr;                ///< null: `values` are all there is
  std::shared_ptr<const std::vector<double>> values;  ///< null: not read
  std::vector<char> batch;                            ///< which values are multiples of the batch size; empty: none
  bool for_each_sample = false;                       ///< the first axis, of extent 1, stands for the batch

  index_t size() const { return onnx_count(dims); }
  bool depends_on_batch(std::size_t i) const { return i < batch.size() && batch[i] != 0; }
  bool depends_on_batch() const { return std::find(batch.begin(), batch.end(), 1) != batch.end(); }
};

/// A number of a shape as an integer: what lies beyond, as the largest integer that stands for an open end does, is cut.
inline index_t whole_number(double value) {
  constexpr double most = 9007199254740992.0;
  if (std::isnan(value)) fail("a number of a shape is not a number");
  return static_cast<index_t>((std::min)((std::max)(value, -most), most));
}

// ---- attributes of a node; each throws error naming the attribute if it is of another kind

inline const onnx_attribute* find_attribute(const onnx_node& n, std::string_view key, bool (*holds)(const onnx_attribute&)) {
  const onnx_attribute* a = n.find(key);
  if (a != nullptr && !holds(*a)) fail("attribute ", key, " is of another type");
  return a;
}
inline index_t integer_of(const onnx_node& n, std::string_view key, index_t otherwise) {
  const auto* a = find_attribute(n, key, [](const onnx_attribute& x) { return x.integers.size() == 1; });
  return a == nullptr ? otherwise : a->integers[0];
}
inline double real_of(const onnx_node& n, std::string_view key, double otherwise) {
  const auto* a = find_attribute(n, key, [](const onnx_attribute& x) { return x.reals.size() == 1; });
  // 0.1 is meant where the nearest float is written.
  return a == nullptr ? otherwise : parse_number(to_text(a->reals[0])).value_or(static_cast<double>(a->reals[0]));
}
inline onnx_extents integers_of(const onnx_node& n, std::string_view key, onnx_extents otherwise = {}) {
  const auto* a = find_attribute(
      n, key, [](const onnx_attribute& x) { return x.reals.empty() && !x.has_text && x.tensors.empty() && !x.has_graph; });
  return a == nullptr ? otherwise : a->integers;
}
inline std::string_view text_attribute(const onnx_node& n, std::string_view key, std::string_view otherwise) {
  const auto* a = find_attribute(n, key, [](const onnx_attribute& x) { return x.has_text; });
  return a == nullptr ? otherwise : a->text;
}

/// An axis of `rank`, counted from the end if negative. Throws error if there is none such.
inline std::size_t onnx_axis(index_t axis, std::size_t rank) {
  const auto count = static_cast<index_t>(rank);
  if (axis < -count || axis >= count) fail("axis ", axis, " of ", count);
  return static_cast<std::size_t>(axis < 0 ? axis + count : axis);
}

inline std::string extents_text(const onnx_extents& dims) {
  std::string out = "(";
  for (std::size_t i = 0; i < dims.size(); ++i) out += (i == 0 ? "" : ", ") + (dims[i] < 0 ? std::string("?") : to_text(dims[i]));
  return out + ")";
}

/// What computing constants may cost, and where weights beside the model lie.
class onnx_memory {
 public:
  /// `bytes`: of the model and of the files beside it. All constants that are computed together have at most as many values, and
  /// 2^20, so that a small file does not ask for much.
  onnx_memory(std::string folder, index_t bytes)
      : folder_(std::move(folder)), most_((std::min)(bytes + (index_t{1} << 20), index_t{1} << 27)), left_(most_) {}

  const std::string& folder() const { return folder_; }

  /// The numbers of a constant, read if need be.
  const std::vector<double>& numbers(const onnx_constant& c) {
    if (c.values) return *c.values;
    std::shared_ptr<const std::vector<double>>& known = read_[c.stored];
    if (!known) {
      auto values = std::make_shared<std::vector<double>>(room_for(c.dims));
      each_onnx_value<double>(*c.stored, folder_, [&](index_t i, double v) { (*values)[static_cast<std::size_t>(i)] = v; });
      known = std::move(values);
    }
    return *known;
  }

  /// The same as integers; `batch` refuses those that depend on the batch size.
  onnx_extents integers(const onnx_constant& c) {
    if (c.depends_on_batch()) fail("the batch size takes part in its numbers");
    if (c.size() > 1 << 16) fail("a list of ", c.size(), " numbers");
    onnx_extents out;
    for (const double v : numbers(c)) out.push_back(whole_number(v));
    return out;
  }

  /// A constant with values of its own.
  static onnx_constant made(onnx_extents dims, std::vector<double> values, bool floating, std::vector<char> batch = {}) {
    onnx_constant c;
    c.dims = std::move(dims), c.floating = floating, c.batch = std::move(batch);
    c.values = std::make_shared<const std::vector<double>>(std::move(values));
    return c;
  }

  /// The number of values of `dims`, for which there is memory: all that is computed together is bounded. Throws error.
  std::size_t room_for(const onnx_extents& dims) {
    const index_t count = onnx_count(dims);
    if (count > left_) fail("constants of more than ", most_, " values in all are not computed");
    left_ -= count;
    return static_cast<std::size_t>(count);
  }

 private:
  std::string folder_;
  index_t most_, left_;
  std::map<const onnx_tensor*, std::shared_ptr<const std::vector<double>>> read_;
};

/// Writes the numbers of a constant as a `T` each. Throws error unless there are `count`.
template <class T>
void copy_values(const onnx_constant& c, onnx_memory& memory, T* to, index_t count) {
  if (c.size() != count) fail("wanted ", count, " values, got ", extents_text(c.dims));
  if (c.values != nullptr) {
    for (index_t i = 0; i < count; ++i) to[i] = static_cast<T>((*c.values)[static_cast<std::size_t>(i)]);
    return;
  }
  each_onnx_value<T>(*c.stored, memory.folder(), [&](index_t i, T value) { to[i] = value; });
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
