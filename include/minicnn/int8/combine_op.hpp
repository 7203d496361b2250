#pragma once
/// Maps of channels, sums and concatenations of 8-bit numbers.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/int8/op.hpp"

namespace minicnn::inline MINICNN_ABI {

struct int8_combine_options {
  std::vector<int8::quantization> inputs = {};
  int8::quantization output = {};

  /// Bounds of the result as bytes: a ReLU has `low` = output.zero.
  index_t low = 0, high = 255;

  /// Node name; empty: scale1, add1, concat1, ...
  std::string name = {};
};

/// What the three share: inputs of one quantisation each, a result of another, bounds.
template <class T>
class int8_combine_op : public int8_op<T> {
 public:
  explicit int8_combine_op(int8_combine_options o) : o_(std::move(o)) {}

  MINICNN_COLD attribute_list describe() const override {
    attribute_list a;
    for (std::size_t i = 0; i < o_.inputs.size(); ++i) int8_op<T>::describe(a, text_of("input", i).c_str(), o_.inputs[i]);
    int8_op<T>::describe(a, "output", o_.output);
    a.insert(a.end(), {{"low", o_.low}, {"high", o_.high}});
    return a;
  }

 protected:
  /// Of a result of `output`.
  MINICNN_COLD op_plan planned(const plan_request& request, const shape& output) const {
    if (request.inputs.size() != o_.inputs.size())
      fail<option_error>(this->kind(), ": ", o_.inputs.size(), " quantisations for ", request.inputs.size(), " inputs");
    for (const int8::quantization q : o_.inputs) this->check("input", q);
    this->check("output", o_.output);
    if (o_.low < 0 || o_.low > o_.high || o_.high > 255)
      fail<option_error>("wants bounds from 0 to 255, got ", o_.low, " and ", o_.high);
    op_plan p;
    p.reads_bytes = true;
    p.output = output;
    p.output_bytes = int8::extents(output).bytes();
    return p;
  }

  /// Combines the pixels of inputs of `e` side by side into places `y_stride` bytes apart.
  void combine(const frame<T>& f, const int8::extents& e, int8::byte_source a, int8::byte_source b, index_t y_stride,
               std::uint8_t* y) const {
    int8::each_pixels(f.ctx, e, [&](index_t begin, index_t end) {
      int8::byte_source first = a, second = b;
      first.x += begin * e.stored();
      if (second.x != nullptr) second.x += begin * e.stored();
      kernels::dispatch<int8::combine_kernel>(f.ctx.instruction_set, first, second, e.stored(), end - begin, y_stride,
                                              static_cast<float>(o_.low), static_cast<float>(o_.high), y + begin * y_stride);
    });
  }

  int8_combine_options o_;
};

/// y = x * factor + shift, one of each a channel (parameters), within the bounds.
template <class T>
class int8_scale_op final : public int8_combine_op<T> {
 public:
  using int8_combine_op<T>::int8_combine_op;
  std::string_view kind() const override { return "int8_scale"; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    this->check_input(x);
    op_plan p = this->planned(request, x);
    p.parameters = {{"factor", {x[1]}, 1, 1, initializer::constant(1), false},
                    {"shift", {x[1]}, 1, 1, initializer::constant(0), false}};
    p.forward_scratch_bytes = 2 * scratch::bytes_for<float>(int8::channel_list(x[1]));
    return p;
  }

  void forward(const frame<T>& f) const override {
    const int8::extents e(f.input().dims());
    const index_t places = int8::channel_list(e.channels);
    scratch work = f.work();
    auto *const factors = work.take<float>(places), *const constants = work.take<float>(places);
    const double in = static_cast<double>(this->o_.inputs[0].scale), out = static_cast<double>(this->o_.output.scale);
    for (index_t c = 0; c < places; ++c) {
      const double factor = c < e.channels ? static_cast<double>(f.parameter(0)[c]) * in / out : 0.0;
      const double shift = c < e.channels ? static_cast<double>(f.parameter(1)[c]) / out : 0.0;
      factors[c] = static_cast<float>(factor);
      constants[c] = static_cast<float>(shift + this->o_.output.zero - this->o_.inputs[0].zero * factor);
    }
    this->combine(f, e, {this->bytes(f.input()), factors, constants}, {}, e.stored(), this->bytes(f.output));
  }
};

/// y = a + b within the bounds.
template <class T>
class int8_add_op final : public int8_combine_op<T> {
 public:
  using int8_combine_op<T>::int8_combine_op;
  std::string_view kind() const override { return "int8_add"; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& a = request.inputs[0];
    this->check_input(a);
    if (request.inputs.size() != 2 || !(request.inputs[1] == a)) fail<shape_error>("int8_add wants two inputs of one shape");
    return this->planned(request, a);
  }

  void forward(const frame<T>& f) const override {
    const int8::extents e(f.input().dims());
    const auto& in = this->o_.inputs;
    this->combine(f, e, int8::rescaled(this->bytes(f.input(0)), in[0], this->o_.output, static_cast<float>(this->o_.output.zero)),
                  int8::rescaled(this->bytes(f.input(1)), in[1], this->o_.output, 0), e.stored(), this->bytes(f.output));
  }
};

/// Inputs (n, c_i, h, w), all c_i but the last multiples of 4 -> (n, sum of c_i, h, w).
template <class T>
class int8_concat_op final : public int8_combine_op<T> {
 public:
  using int8_combine_op<T>::int8_combine_op;
  std::string_view kind() const override { return "int8_concat"; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    shape expected = request.inputs[0];
    index_t channels = 0;
    for (const shape& x : request.inputs) {
      this->check_input(x);
      if (x.rank() == expected.rank()) expected.set(1, x[1]);
      if (!(x == expected)) fail<shape_error>("wants inputs that differ in channels only, got ", request.inputs[0], " and ", x);
      if (channels % 4 != 0) fail<shape_error>("wants 4, 8, 12, ... channels before another input, got ", channels);
      channels += x[1];
    }
    expected.set(1, channels);
    return this->planned(request, expected);
  }

  void forward(const frame<T>& f) const override {
    const index_t stride = int8::extents(f.output.dims()).stored();
    std::uint8_t* to = this->bytes(f.output);
    for (std::size_t i = 0; i < f.inputs.size(); ++i) {
      const int8::extents e(f.inputs[i].dims());
      const int8::quantization from = this->o_.inputs[i], into = this->o_.output;
      const float zero = static_cast<float>(into.zero);
      this->combine(f, e, int8::rescaled(this->bytes(f.inputs[i]), from, into, zero), {}, stride, to);
      to += e.stored();
    }
  }
};

template <class T>
MINICNN_COLD node<T> int8_scale(node<T> x, int8_combine_options o) {
  return x.owner->add(make_op<int8_scale_op<T>>(o), {x}, o.name, "scale");
}
template <class T>
MINICNN_COLD node<T> int8_add(node<T> a, node<T> b, int8_combine_options o) {
  return a.owner->add(make_op<int8_add_op<T>>(o), {a, b}, o.name, "add");
}
template <class T>
MINICNN_COLD node<T> int8_concat(const std::vector<node<T>>& inputs, int8_combine_options o) {
  return inputs.at(0).owner->add(make_op<int8_concat_op<T>>(o), inputs, o.name, "concat");
}

MINICNN_COMPILED_CLASS(int8_scale_op);
MINICNN_COMPILED_CLASS(int8_add_op);
MINICNN_COMPILED_CLASS(int8_concat_op);

}  // namespace minicnn::inline MINICNN_ABI
