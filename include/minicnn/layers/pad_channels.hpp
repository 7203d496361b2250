#pragma once
/// Channels of zeros: He et al., "Deep residual learning for image recognition", CVPR 2016, shortcut "option A".

#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"

namespace minicnn::inline MINICNN_ABI {

struct pad_channels_options {
  index_t before = 0;
  index_t after = 0;

  /// Node name; empty: pad1, pad2, ...
  std::string name = {};
};

/// x (n, c, ...) -> y (n, before + c + after, ...), zeros around x. No parameters.
template <class T>
class pad_channels_op final : public op<T> {
 public:
  explicit pad_channels_op(pad_channels_options o) : o_(std::move(o)) {}

  const pad_channels_options& options() const { return o_; }

  std::string_view kind() const override { return "pad_channels"; }
  MINICNN_COLD attribute_list describe() const override { return {{"before", o_.before}, {"after", o_.after}}; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    if (o_.before < 0 || o_.after < 0)
      fail<option_error>("pad_channels wants counts that are not negative, got ", o_.before, " and ", o_.after);
    if (x.rank() < 2) fail<shape_error>("pad_channels wants an input of (n, c, ...), got ", x);
    op_plan p;
    p.output = x;
    p.output.set(1, o_.before + x[1] + o_.after);
    return p;
  }

  void forward(const frame<T>& f) const override {
    const places at(f.input().dims(), o_);
    parallel_for(f.ctx.threads, at.images, at.grain(), [&](index_t begin, index_t end) {
      for (index_t n = begin; n < end; ++n) {
        const T* from = f.input().data() + n * at.length;
        T* to = std::fill_n(f.output.data() + n * (at.before + at.length + at.after), at.before, T{});
        std::fill_n(std::copy(from, from + at.length, to), at.after, T{});
      }
    });
  }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>& dx = f.input_gradient();
    if (!dx.wanted()) return;
    const places at(dx.data.dims(), o_);
    const context here{1, f.ctx.instruction_set};
    parallel_for(f.ctx.threads, at.images, at.grain(), [&](index_t begin, index_t end) {
      for (index_t n = begin; n < end; ++n)
        kernels::copy_or_add(here, f.output_gradient.data() + n * (at.before + at.length + at.after) + at.before,
                             dx.data.data() + n * at.length, at.length, dx.add);
    });
  }

 private:
  /// Elements of an image: of the input, and of the zeros before and after it.
  struct places {
    index_t images, length, before, after;
    places(const shape& x, const pad_channels_options& o)
        : images(x[0]), length(x.size_from(1)), before(o.before * x.size_from(2)), after(o.after * x.size_from(2)) {}
    index_t grain() const {
      return (std::max)(kernels::elementwise_grain / (std::max)(before + length + after, index_t{1}), index_t{1});
    }
  };

  pad_channels_options o_;
};

/// Adds channels of zeros. Throws option_error for negative counts.
template <class T>
MINICNN_COLD node<T> pad_channels(node<T> x, pad_channels_options o) {
  return x.owner->add(make_op<pad_channels_op<T>>(o), {x}, o.name, "pad");
}

MINICNN_COMPILED_CLASS(pad_channels_op);

}  // namespace minicnn::inline MINICNN_ABI
