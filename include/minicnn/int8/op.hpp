#pragma once
/// What operations on 8-bit numbers share. Their values lie channel last (int8/conv.hpp), and are known to the graph as bytes.

#include <cstdint>

#include "minicnn/graph/node.hpp"
#include "minicnn/int8/elements.hpp"

namespace minicnn::inline MINICNN_ABI {

/// An operation that has no gradient: quantised networks predict.
template <class T>
class int8_op : public op<T> {
 public:
  /// Throws error.
  void backward(const frame<T>&) const override { fail(this->kind(), ": a quantised network predicts; it has no gradients"); }

 protected:
  static const std::uint8_t* bytes(const view<const T>& x) { return reinterpret_cast<const std::uint8_t*>(x.data()); }
  static std::uint8_t* bytes(const view<T>& x) { return reinterpret_cast<std::uint8_t*>(x.data()); }

  MINICNN_COLD static void check_input(const shape& x) {
    if ((x.rank() != 4 && x.rank() != 2) || x[1] < 1) fail<shape_error>("8-bit numbers want (n, c, h, w) or (n, c), got ", x);
  }
  /// Throws option_error unless the scale is above 0 and finite and the zero point a byte.
  MINICNN_COLD static void check(const char* what, int8::quantization q) {
    if (!(q.scale >= 1e-30F && q.scale <= 1e30F)) fail<option_error>(what, " scale: wanted a number above 0, got ", q.scale);
    if (q.zero < 0 || q.zero > 255) fail<option_error>(what, " zero point: wanted 0 to 255, got ", q.zero);
  }

  /// "x_scale" and "x_zero" for `what` = "x".
  static void describe(attribute_list& a, const char* what, int8::quantization q) {
    a.emplace_back(text_of(what, "_scale"), static_cast<double>(q.scale));
    a.emplace_back(text_of(what, "_zero"), static_cast<index_t>(q.zero));
  }
};

/// Options of `quantize` and `dequantize`.
struct quantize_options {
  int8::quantization quantization = {};  ///< value = (byte - zero) * scale

  /// Node name; empty: quantize1, dequantize1, ...
  std::string name = {};
};

/// Real numbers (n, c, h, w) or (n, c) -> bytes of that shape: nearest(x / scale) + zero within 0 to 255, halves to even.
template <class T>
class quantize_op final : public int8_op<T> {
 public:
  explicit quantize_op(int8::quantization q) : q_(q) {}
  std::string_view kind() const override { return "quantize"; }
  MINICNN_COLD attribute_list describe() const override {
    attribute_list a;
    int8_op<T>::describe(a, "output", q_);
    return a;
  }
  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    this->check_input(request.inputs[0]);
    this->check("output", q_);
    op_plan p;
    p.output = request.inputs[0];
    p.output_bytes = int8::extents(p.output).bytes();
    return p;
  }
  void forward(const frame<T>& f) const override {
    int8::quantize(f.ctx, int8::extents(f.input().dims()), f.input().data(), q_, this->bytes(f.output));
  }

 private:
  int8::quantization q_;
};

/// Bytes -> real numbers of the same shape: (byte - zero) * scale.
template <class T>
class dequantize_op final : public int8_op<T> {
 public:
  explicit dequantize_op(int8::quantization q) : q_(q) {}
  std::string_view kind() const override { return "dequantize"; }
  MINICNN_COLD attribute_list describe() const override {
    attribute_list a;
    int8_op<T>::describe(a, "input", q_);
    return a;
  }
  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    this->check_input(request.inputs[0]);
    this->check("input", q_);
    op_plan p;
    p.output = request.inputs[0];
    p.reads_bytes = true;
    return p;
  }
  void forward(const frame<T>& f) const override {
    int8::dequantize(f.ctx, int8::extents(f.input().dims()), this->bytes(f.input()), q_, f.output.data());
  }

 private:
  int8::quantization q_;
};

/// Real numbers as bytes. Throws option_error for a scale not above 0.
template <class T>
MINICNN_COLD node<T> quantize(node<T> x, quantize_options o) {
  return x.owner->add(make_op<quantize_op<T>>(o.quantization), {x}, std::move(o.name), "quantize");
}

/// Bytes as real numbers.
template <class T>
MINICNN_COLD node<T> dequantize(node<T> x, quantize_options o) {
  return x.owner->add(make_op<dequantize_op<T>>(o.quantization), {x}, std::move(o.name), "dequantize");
}

MINICNN_COMPILED_CLASS(quantize_op);
MINICNN_COMPILED_CLASS(dequantize_op);

}  // namespace minicnn::inline MINICNN_ABI
