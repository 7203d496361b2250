#pragma once
/// Dropout. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"

namespace minicnn::inline MINICNN_ABI {

struct dropout_options {
  /// Node name; empty: dropout1, dropout2, ...
  std::string name = {};
};

/// In training every element is 0 with probability `rate`, else x / (1 - rate), so that the mean stays ("inverted"
/// dropout); in evaluation y = x. The choice is a function of seed, step, node, place in the batch and element: backward draws it
/// again instead of keeping it, and neither threads nor the batch size change anything.
template <class T>
class dropout_op final : public op<T> {
 public:
  explicit dropout_op(double rate) : rate_(rate) {}

  std::string_view kind() const override { return "dropout"; }
  op_role role() const override { return op_role::dropout; }
  MINICNN_COLD attribute_list describe() const override { return {{"ratio", rate_}}; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    if (!(rate_ >= 0.0 && rate_ < 1.0)) fail<option_error>("dropout rate must be at least 0 and below 1, got ", rate_);
    if (request.inputs[0].rank() < 1) fail<shape_error>("dropout wants an input of (n, ...), got ", request.inputs[0]);
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
  /// to = (or += if `add`) mask * from / (1 - rate).
  void apply(const frame<T>& f, const T* from, T* to, const shape& dims, bool add) const {
    if (!f.training || rate_ == 0.0) return kernels::copy_or_add(f.ctx, from, to, dims.size(), add);
    // Four elements come from one draw of four 32-bit numbers; a number below the limit drops its element.
    const auto limit = static_cast<std::uint32_t>((std::min)(rate_ * 0x1.0p32, 0x1.0p32 - 1.0));
    const T factor = static_cast<T>(1.0 / (1.0 - rate_));
    const index_t length = dims.size_from(1), draws = (length + 3) / 4;
    parallel_for(f.ctx.threads, dims[0] * draws, kernels::elementwise_grain / 16, [&](index_t begin, index_t end) {
      for (index_t d = begin; d < end;) {
        const index_t sample = d / draws, stop = (std::min)(end, (sample + 1) * draws);
        const random_key key = f.random.of(static_cast<std::uint64_t>(sample));
        for (; d < stop; ++d) {
          const index_t position = d - sample * draws;
          const auto words = key.words(static_cast<std::uint64_t>(position));
          const index_t first = sample * length + 4 * position, count = (std::min)(length - 4 * position, index_t{4});
          for (index_t i = 0; i < count; ++i) {
            const T value = words[static_cast<std::size_t>(i)] < limit ? T{0} : factor * from[first + i];
            to[first + i] = add ? to[first + i] + value : value;
          }
        }
      }
    });
  }

  double rate_;
};

/// Sets each element to 0 with probability `rate` in training. Throws option_error unless 0 <= rate < 1.
template <class T>
MINICNN_COLD node<T> dropout(node<T> x, double rate = 0.5, dropout_options o = {}) {
  return x.owner->add(make_op<dropout_op<T>>(rate), {x}, std::move(o.name), "dropout");
}

MINICNN_COMPILED_CLASS(dropout_op);

}  // namespace minicnn::inline MINICNN_ABI
