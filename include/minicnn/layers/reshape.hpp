#pragma once
/// Values in another shape, with their axes in another order, or a part of them.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/strided.hpp"

namespace minicnn::inline MINICNN_ABI {

struct reshape_options {
  /// Node name; empty: reshape1, transpose1, slice1, ...
  std::string name = {};
};

/// (n, ...) -> (n, dims...): the same elements in the same order.
template <class T>
class reshape_op final : public op<T> {
 public:
  /// `dims` is without the batch axis; one of them may be -1, what is left.
  explicit reshape_op(std::vector<index_t> dims) : dims_(std::move(dims)) {}

  std::string_view kind() const override { return "reshape"; }
  MINICNN_COLD attribute_list describe() const override { return {{"shape", dims_}}; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    if (x.rank() < 1) fail<shape_error>("reshape wants an input of (n, ...), got ", x);
    std::vector<index_t> dims{x[0]};
    index_t known = 1;
    for (const index_t d : dims_)
      if (d != -1) known *= d;
    for (const index_t d : dims_) dims.push_back(d == -1 && known > 0 ? x.size_from(1) / known : d);
    op_plan p;
    if (std::count(dims_.begin(), dims_.end(), -1) > 1 || *std::min_element(dims.begin(), dims.end()) < 0 ||
        (p.output = shape(dims.begin(), dims.end())).size_from(1) != x.size_from(1))
      fail<shape_error>("reshape: ", x, " has not the elements of ", wanted());
    p.in_place = p.gradient_in_place = true;
    return p;
  }

  void forward(const frame<T>& f) const override {
    kernels::copy_elements(f.ctx, f.input().data(), f.output.data(), f.output.size());
  }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>& dx = f.input_gradient();
    if (dx.wanted()) kernels::copy_or_add(f.ctx, f.output_gradient.data(), dx.data.data(), dx.data.size(), dx.add);
  }

 private:
  MINICNN_COLD std::string wanted() const {
    std::string text = "n";
    for (const index_t d : dims_) text += "x" + to_text(d);
    return text;
  }

  std::vector<index_t> dims_;
};

/// Axis i of the result is axis order[i] of the input; the batch stays first.
template <class T>
class transpose_op final : public op<T> {
 public:
  explicit transpose_op(std::vector<index_t> order) : order_(std::move(order)) {}

  std::string_view kind() const override { return "transpose"; }
  MINICNN_COLD attribute_list describe() const override { return {{"perm", order_}}; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    std::vector<index_t> sorted = order_, dims;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < sorted.size(); ++i)
      if (sorted[i] != static_cast<index_t>(i) || order_[0] != 0)
        fail<option_error>("transpose wants each axis once, and the batch first");
    if (x.rank() != static_cast<int>(order_.size()))
      fail<shape_error>("transpose of ", order_.size(), " axes, got an input of ", x);
    for (const index_t axis : order_) dims.push_back(x[static_cast<int>(axis)]);
    op_plan p;
    p.output = shape(dims.begin(), dims.end());
    return p;
  }

  void forward(const frame<T>& f) const override {
    kernels::strided_copy(f.ctx, axes(f.input().dims()), f.input().data(), f.output.data(), false);
  }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>& dx = f.input_gradient();
    if (dx.wanted())
      kernels::strided_copy(f.ctx, axes(dx.data.dims()).reversed(), f.output_gradient.data(), dx.data.data(), dx.add);
  }

 private:
  kernels::strided_axes axes(const shape& x) const {
    kernels::strided_axes a;
    index_t size = x.size();
    for (const index_t axis : order_) {
      const index_t n = x[static_cast<int>(axis)];
      a.add(n, x.size_from(static_cast<int>(axis) + 1), size /= (std::max)(n, index_t{1}));
    }
    return a;
  }

  std::vector<index_t> order_;
};

struct slice_options {
  int axis = 1;       ///< not 0, the batch
  index_t begin = 0;  ///< first index that is taken; negative: from the end
  index_t count = 1;  ///< how many are taken
  index_t step = 1;   ///< between them

  /// Node name; empty: slice1, slice2, ...
  std::string name = {};
};

/// Elements begin, begin + step, ... of one axis, `count` of them.
template <class T>
class slice_op final : public op<T> {
 public:
  explicit slice_op(slice_options o) : o_(std::move(o)) {}

  std::string_view kind() const override { return "slice"; }
  MINICNN_COLD attribute_list describe() const override {
    return {{"axis", index_t{o_.axis}}, {"begin", o_.begin}, {"count", o_.count}, {"step", o_.step}};
  }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    if (o_.axis < 1 || o_.axis >= x.rank()) fail<option_error>("slice wants an axis from 1 to ", x.rank() - 1, ", got ", o_.axis);
    if (o_.count < 1 || o_.step < 1)
      fail<option_error>("slice wants a count and a step of at least 1, got ", o_.count, " and ", o_.step);
    const index_t n = x[o_.axis], first = begin(x);
    if (first < 0 || first >= n || (o_.count - 1) > (n - 1 - first) / o_.step)
      fail<shape_error>("slice: elements ", o_.begin, " and on, ", o_.count, " in steps of ", o_.step, ", of axis ", o_.axis,
                        " of ", x);
    op_plan p;
    p.output = x;
    p.output.set(o_.axis, o_.count);
    return p;
  }

  void forward(const frame<T>& f) const override {
    const shape& x = f.input().dims();
    kernels::strided_copy(f.ctx, axes(x), f.input().data() + begin(x) * x.size_from(o_.axis + 1), f.output.data(), false);
  }

  /// What was not taken gets the gradient 0.
  void backward(const frame<T>& f) const override {
    const gradient_target<T>& dx = f.input_gradient();
    if (!dx.wanted()) return;
    const shape& x = dx.data.dims();
    if (!dx.add)
      parallel_for(f.ctx.threads, x.size(), kernels::elementwise_grain,
                   [&](index_t b, index_t e) { std::fill(dx.data.data() + b, dx.data.data() + e, T{0}); });
    kernels::strided_copy(f.ctx, axes(x).reversed(), f.output_gradient.data(),
                          dx.data.data() + begin(x) * x.size_from(o_.axis + 1), true);
  }

 private:
  index_t begin(const shape& x) const { return o_.begin < 0 ? o_.begin + x[o_.axis] : o_.begin; }

  kernels::strided_axes axes(const shape& x) const {
    const index_t behind = x.size_from(o_.axis + 1), outer = x.size() / (std::max)(x.size_from(o_.axis), index_t{1});
    kernels::strided_axes a;
    a.add(outer, x[o_.axis] * behind, o_.count * behind);
    a.add(o_.count, o_.step * behind, behind);
    a.add(behind, 1, 1);
    return a;
  }

  slice_options o_;
};

/// The same elements as (n, dims...); one of `dims` may be -1, what is left. Throws shape_error if the counts differ.
template <class T>
MINICNN_COLD node<T> reshape(node<T> x, std::vector<index_t> dims, reshape_options o = {}) {
  return x.owner->add(make_op<reshape_op<T>>(std::move(dims)), {x}, std::move(o.name), "reshape");
}

/// Axes in another order: `transpose(x, {0, 2, 3, 1})` puts the channels last. Throws option_error unless `order` has each axis
/// once, the batch (0) first.
template <class T>
MINICNN_COLD node<T> transpose(node<T> x, std::vector<index_t> order, reshape_options o = {}) {
  return x.owner->add(make_op<transpose_op<T>>(std::move(order)), {x}, std::move(o.name), "transpose");
}

/// A part of one axis. Throws option_error for the batch axis, shape_error for elements that do not exist.
template <class T>
MINICNN_COLD node<T> slice(node<T> x, slice_options o) {
  return x.owner->add(make_op<slice_op<T>>(o), {x}, o.name, "slice");
}

MINICNN_COMPILED_CLASS(reshape_op);
MINICNN_COMPILED_CLASS(transpose_op);
MINICNN_COMPILED_CLASS(slice_op);

}  // namespace minicnn::inline MINICNN_ABI
