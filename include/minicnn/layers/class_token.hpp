#pragma once
/// A trained token in front of a picture's: Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021, section 3.1.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/strided.hpp"

namespace minicnn::inline MINICNN_ABI {

struct class_token_options {
  /// Node name; empty: token1, token2, ...
  std::string name = {};
};

/// x (n, tokens, width) -> y (n, 1 + tokens, width): the trained token, then x. Parameter: class_token (1, 1, width), first 0.
template <class T>
class class_token_op final : public op<T> {
 public:
  std::string_view kind() const override { return "class_token"; }
  attribute_list describe() const override { return {}; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    if (x.rank() != 3) fail<shape_error>("class_token wants an input of (n, tokens, width), got ", x);
    op_plan p;
    p.output = {x[0], x[1] + 1, x[2]};
    p.parameters.push_back({"class_token", {1, 1, x[2]}, 1, 1, initializer::constant(0.0), false});
    return p;
  }

  void forward(const frame<T>& f) const override {
    const T* token = f.parameter(0).data();
    const index_t width = f.output.dim(2), length = f.output.dim(1) * width;
    for (index_t n = 0; n < f.output.dim(0); ++n) std::copy(token, token + width, f.output.data() + n * length);
    kernels::strided_copy(f.ctx, axes(f.input().dims()), f.input().data(), f.output.data() + width, false);
  }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>&dx = f.input_gradient(), &dtoken = f.parameter_gradient(0);
    const T* dy = f.output_gradient.data();
    const index_t batch = f.output_gradient.dim(0), width = f.output_gradient.dim(2), length = f.output_gradient.dim(1) * width;
    if (dtoken.wanted())
      for (index_t i = 0; i < width; ++i) {
        T sum = dtoken.add ? dtoken.data[i] : T{0};
        for (index_t n = 0; n < batch; ++n) sum += dy[n * length + i];
        dtoken.data[i] = sum;
      }
    if (dx.wanted()) kernels::strided_copy(f.ctx, axes(dx.data.dims()).reversed(), dy + width, dx.data.data(), dx.add);
  }

 private:
  static kernels::strided_axes axes(const shape& x) {
    kernels::strided_axes a;
    a.add(x[0], x.size_from(1), (x[1] + 1) * x[2]);
    a.add(x.size_from(1), 1, 1);
    return a;
  }
};

/// A trained token before the others. Throws shape_error unless x is (n, tokens, width).
template <class T>
MINICNN_COLD node<T> class_token(node<T> x, class_token_options o = {}) {
  return x.owner->add(make_op<class_token_op<T>>(), {x}, std::move(o.name), "token");
}

MINICNN_COMPILED_CLASS(class_token_op);

}  // namespace minicnn::inline MINICNN_ABI
