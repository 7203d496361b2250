#pragma once
/// Puts values one behind the other along an axis: along the channels at the end of an inception block.

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"

namespace minicnn::inline MINICNN_ABI {

struct concat_options {
  /// Which axis becomes longer: from 1, the channels, to the last.
  int axis = 1;

  /// Node name; empty: concat1, concat2, ...
  std::string name = {};
};

/// Inputs (n, c_i, ...) that differ in c_i only -> (n, sum of c_i, ...); or the same along another axis.
template <class T>
class concat_op final : public op<T> {
 public:
  explicit concat_op(int axis = 1) : axis_(axis) {}

  std::string_view kind() const override { return "concat"; }
  op_role role() const override { return axis_ == 1 ? op_role::concat : op_role::other; }
  MINICNN_COLD attribute_list describe() const override { return {{"axis", index_t{axis_}}}; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    if (request.inputs.empty()) fail<shape_error>("concat wants at least one input");
    const shape& first = request.inputs[0];
    if (first.rank() < 2) fail<shape_error>("concat wants inputs of (n, c, ...), got ", first);
    if (axis_ < 1 || axis_ >= first.rank())
      fail<option_error>("concat wants an axis from 1 to ", first.rank() - 1, " of ", first, ", got ", axis_);
    shape expected = first;
    index_t length = 0;
    for (const shape& x : request.inputs) {
      if (x.rank() == first.rank()) expected.set(axis_, x[axis_]);
      if (!(x == expected))
        fail<shape_error>("concat wants inputs that differ in ", axis_ == 1 ? "channels" : text_of("axis ", axis_), " only, got ",
                          first, " and ", x);
      length += x[axis_];
    }
    op_plan p;
    p.output = first;
    p.output.set(axis_, length);
    return p;
  }

  void forward(const frame<T>& f) const override {
    index_t offset = 0;
    for (const view<const T>& x : f.inputs) {
      const index_t length = x.dims().size_from(axis_);
      if (x.data() != f.output.data() + offset)  // else it was written there
        each_image(f, length, [&, from = x.data()](index_t n, index_t begin, index_t end) {
          std::copy(from + n * length + begin, from + n * length + end, image(f.output, n) + offset + begin);
        });
      offset += length;
    }
  }

  void backward(const frame<T>& f) const override {
    index_t offset = 0;
    for (std::size_t i = 0; i < f.inputs.size(); ++i) {
      const gradient_target<T>& dx = f.input_gradients[i];
      const index_t length = f.inputs[i].dims().size_from(axis_);
      if (dx.wanted())
        each_image(f, length, [&, to = dx.data.data()](index_t n, index_t begin, index_t end) {
          const context here{1, f.ctx.instruction_set};
          kernels::copy_or_add(here, image(f.output_gradient, n) + offset + begin, to + n * length + begin, end - begin, dx.add);
        });
      offset += length;
    }
  }

 private:
  template <class U>
  U* image(const view<U>& batch, index_t n) const {
    return batch.data() + n * batch.dims().size_from(axis_);
  }

  /// Calls `body(n, begin, end)` so that every image's elements [0, length) are covered, shared among the threads; along another
  /// axis than the channels an image is all from there on.
  template <class F>
  void each_image(const frame<T>& f, index_t length, const F& body) const {
    const shape& y = f.output.dims();
    const index_t images = y.size() / (std::max)(y.size_from(axis_), index_t{1});
    parallel_for(f.ctx.threads, images * length, kernels::elementwise_grain, [&](index_t begin, index_t end) {
      while (begin < end) {
        const index_t n = begin / length, stop = (std::min)(end, (n + 1) * length);
        body(n, begin - n * length, stop - n * length);
        begin = stop;
      }
    });
  }

  int axis_;
};

/// Joins along the channels, or `o.axis`. Throws shape_error if anything but these extents differs, option_error for the batch
/// axis.
template <class T>
MINICNN_COLD node<T> concat(const std::vector<node<T>>& inputs, concat_options o = {}) {
  if (inputs.empty()) fail<shape_error>("concat wants at least one input");
  return inputs[0].owner->add(make_op<concat_op<T>>(o.axis), inputs, std::move(o.name), "concat");
}

/// `concat({a, b, c, d})`
template <class T>
MINICNN_COLD node<T> concat(std::initializer_list<node<T>> inputs, concat_options o = {}) {
  return concat(std::vector<node<T>>(inputs), std::move(o));
}

MINICNN_COMPILED_CLASS(concat_op);

}  // namespace minicnn::inline MINICNN_ABI
