#pragma once
/// Stochastic depth: Huang et al., "Deep networks with stochastic depth", ECCV 2016.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"

namespace minicnn::inline MINICNN_ABI {

struct stochastic_depth_options {
  /// Node name; empty: depth1, depth2, ...
  std::string name = {};
};

/// In training each sample is 0 as a whole with probability `rate`, else x / (1 - rate), so that the mean stays; in evaluation
/// y = x. Put on a residual branch, it leaves out the block for some of the batch. The choice is a function of seed, step, node
/// and place in the batch, and drawn again in backward.
template <class T>
class stochastic_depth_op final : public op<T> {
 public:
  explicit stochastic_depth_op(double rate) : rate_(rate) {}

  std::string_view kind() const override { return "stochastic_depth"; }
  op_role role() const override { return op_role::dropout; }
  MINICNN_COLD attribute_list describe() const override { return {{"ratio", rate_}}; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    if (!(rate_ >= 0.0 && rate_ < 1.0)) fail<option_error>("stochastic depth must be at least 0 and below 1, got ", rate_);
    if (request.inputs[0].rank() < 1) fail<shape_error>("stochastic depth wants an input of (n, ...), got ", request.inputs[0]);
    op_plan p;
    p.output = request.inputs[0];
    p.in_place = p.gradient_in_place = true;
    return p;
  }

  void forward(const frame<T>& f) const override { apply(f, f.input().data(), f.output.data(), f.output.dims(), false); }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>& dx = f.input_gradient();
    if (dx.wanted()) apply(f, f.output_gradient.data(), dx.data.data(), dx.data.dims(), dx.add);
  }

 private:
  /// to = (or += if `add`) from / (1 - rate), or 0, sample by sample.
  void apply(const frame<T>& f, const T* from, T* to, const shape& dims, bool add) const {
    if (!f.training || rate_ == 0.0) return kernels::copy_or_add(f.ctx, from, to, dims.size(), add);
    const auto limit = static_cast<std::uint32_t>(rate_ * 0x1.0p32);
    const index_t length = dims.size_from(1);
    for (index_t n = 0; n < dims[0]; ++n, from += length, to += length) {
      const bool kept = f.random.of(static_cast<std::uint64_t>(n)).words(0)[0] >= limit;
      if (kept)
        kernels::scale_elements(f.ctx, static_cast<T>(1.0 / (1.0 - rate_)), from, to, length, add);
      else if (!add)
        std::fill_n(to, length, T{0});
    }
  }

  double rate_;
};

/// Leaves samples of the batch out with probability `rate` in training. Throws option_error unless 0 <= rate < 1.
template <class T>
MINICNN_COLD node<T> stochastic_depth(node<T> x, double rate, stochastic_depth_options o = {}) {
  return x.owner->add(make_op<stochastic_depth_op<T>>(rate), {x}, std::move(o.name), "depth");
}

MINICNN_COMPILED_CLASS(stochastic_depth_op);

}  // namespace minicnn::inline MINICNN_ABI
