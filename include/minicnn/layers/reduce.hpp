#pragma once
/// Sums and means over axes.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/broadcast.hpp"

namespace minicnn::inline MINICNN_ABI {

enum class reduction { sum, mean };

struct reduce_options {
  /// Axes that are summed over; negative: counted from the last. The batch is not one of them.
  std::vector<index_t> axes = {};

  /// Whether they stay, with extent 1.
  bool keep = true;

  /// Node name; empty: mean1, sum1, ...
  std::string name = {};
};

/// y = the sum or the mean of x over some axes. The mean over rows and columns of images is `global_avg_pool`.
template <class T>
class reduce_op final : public op<T> {
 public:
  reduce_op(reduction what, reduce_options o) : what_(what), o_(std::move(o)) {}

  std::string_view kind() const override { return what_ == reduction::mean ? "reduce_mean" : "reduce_sum"; }
  MINICNN_COLD attribute_list describe() const override { return {{"axes", o_.axes}, {"keepdims", o_.keep}}; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    const shape kept = summed(x);
    op_plan p;
    p.output = kept;
    if (!o_.keep) {
      std::vector<index_t> dims;
      for (int axis = 0; axis < x.rank(); ++axis)
        if (!is_summed(axis, x)) dims.push_back(x[axis]);
      p.output = shape(dims.begin(), dims.end());
    }
    return p;
  }

  void forward(const frame<T>& f) const override {
    const shape& x = f.input().dims();
    const shape kept = summed(x);
    const kernels::broadcast_axes axes(x, kept, kept);
    const kernels::broadcast_operands<T> p{f.input().data(), f.input().data(), f.input().data()};
    kernels::broadcast_sum<T>(f.ctx, kernels::broadcast_form::same, axes, axes.a, p, f.output.data(), kept.size(), x.size());
    if (what_ == reduction::mean) kernels::scale_elements<T>(f.ctx, factor(x), f.output.data(), f.output.data(), kept.size());
  }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>& dx = f.input_gradient();
    if (!dx.wanted()) return;
    const shape& x = dx.data.dims();
    const shape kept = summed(x);
    const kernels::broadcast_axes axes(x, kept, {1});
    const T factor = what_ == reduction::mean ? this->factor(x) : T{1};
    kernels::broadcast_map<T>(f.ctx, kernels::broadcast_form::product, axes, {dx.data.data(), f.output_gradient.data(), &factor},
                              dx.data.data(), x.size(), dx.add);
  }

 private:
  bool is_summed(int axis, const shape& x) const {
    return std::any_of(o_.axes.begin(), o_.axes.end(), [&](index_t a) { return a == axis || a + x.rank() == axis; });
  }
  T factor(const shape& x) const { return static_cast<T>(static_cast<double>(summed(x).size()) / static_cast<double>(x.size())); }

  /// The shape with extent 1 where the sums go.
  shape summed(const shape& x) const {
    for (const index_t a : o_.axes)
      if (a == 0 || a == -x.rank() || a >= x.rank() || a < -x.rank())
        fail<option_error>(kind(), " wants axes from 1 to ", x.rank() - 1, " of ", x, ", got ", a);
    if (o_.axes.empty()) fail<option_error>(kind(), " wants at least one axis");
    shape s = x;
    for (int axis = 1; axis < x.rank(); ++axis)
      if (is_summed(axis, x)) s.set(axis, 1);
    return s;
  }

  reduction what_;
  reduce_options o_;
};

/// The mean over `o.axes`. Throws option_error for the batch axis and for axes that x does not have.
template <class T>
MINICNN_COLD node<T> reduce_mean(node<T> x, reduce_options o) {
  return x.owner->add(make_op<reduce_op<T>>(reduction::mean, o), {x}, o.name, "mean");
}

/// The sum over `o.axes`, likewise.
template <class T>
MINICNN_COLD node<T> reduce_sum(node<T> x, reduce_options o) {
  return x.owner->add(make_op<reduce_op<T>>(reduction::sum, o), {x}, o.name, "sum");
}

MINICNN_COMPILED_CLASS(reduce_op);

}  // namespace minicnn::inline MINICNN_ABI
