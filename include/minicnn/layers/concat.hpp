#pragma once
/// Puts values one behind the other along the channel axis: the end of an inception block.

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
  /// Node name; empty: concat1, concat2, ...
  std::string name = {};
};

/// Inputs (n, c_i, ...) that differ in c_i only -> (n, sum of c_i, ...).
template <class T>
class concat_op final : public op<T> {
 public:
  std::string_view kind() const override { return "concat"; }
  op_role role() const override { return op_role::concat; }
  MINICNN_COLD attribute_list describe() const override { return {{"axis", index_t{1}}}; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    if (request.inputs.empty()) fail<shape_error>("concat wants at least one input");
    const shape& first = request.inputs[0];
    if (first.rank() < 2) fail<shape_error>("concat wants inputs of (n, c, ...), got ", first);
    shape expected = first;
    index_t channels = 0;
    for (const shape& x : request.inputs) {
      if (x.rank() == first.rank()) expected.set(1, x[1]);
      if (!(x == expected)) fail<shape_error>("concat wants inputs that differ in channels only, got ", first, " and ", x);
      channels += x[1];
    }
    op_plan p;
    p.output = first;
    p.output.set(1, channels);
    return p;
  }

  void forward(const frame<T>& f) const override {
    index_t offset = 0;
    for (const view<const T>& x : f.inputs) {
      const index_t length = x.dims().size_from(1);
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
      const index_t length = f.inputs[i].dims().size_from(1);
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
  static U* image(const view<U>& batch, index_t n) {
    return batch.data() + n * batch.dims().size_from(1);
  }

  /// Calls `body(n, begin, end)` so that every image's elements [0, length) are covered, shared among the threads.
  template <class F>
  static void each_image(const frame<T>& f, index_t length, const F& body) {
    parallel_for(f.ctx.threads, f.output.dim(0) * length, kernels::elementwise_grain, [&](index_t begin, index_t end) {
      while (begin < end) {
        const index_t n = begin / length, stop = (std::min)(end, (n + 1) * length);
        body(n, begin - n * length, stop - n * length);
        begin = stop;
      }
    });
  }
};

/// Joins along the channels. Throws shape_error if anything but the channel counts differs.
template <class T>
MINICNN_COLD node<T> concat(const std::vector<node<T>>& inputs, concat_options o = {}) {
  if (inputs.empty()) fail<shape_error>("concat wants at least one input");
  return inputs[0].owner->add(std::make_shared<concat_op<T>>(), inputs, std::move(o.name), "concat");
}

/// `concat({a, b, c, d})`
template <class T>
MINICNN_COLD node<T> concat(std::initializer_list<node<T>> inputs, concat_options o = {}) {
  return concat(std::vector<node<T>>(inputs), std::move(o));
}

MINICNN_COMPILED_CLASS(concat_op);

}  // namespace minicnn::inline MINICNN_ABI
