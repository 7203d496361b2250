#pragma once
/// Pooling of 8-bit numbers.

#include <memory>
#include <string>
#include <utility>

#include "minicnn/int8/op.hpp"
#include "minicnn/int8/pool.hpp"
#include "minicnn/layers/pooling.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Bytes (n, c, h, w) -> the largest of each window; quantisation stays.
template <class T>
class int8_max_pool_op final : public int8_op<T> {
 public:
  explicit int8_max_pool_op(max_pool_options o) : o_(std::move(o)) {}
  std::string_view kind() const override { return "int8_max_pool"; }
  op_role role() const override { return op_role::pooling; }
  MINICNN_COLD attribute_list describe() const override { return detail::describe_windows(o_); }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    const kernels::pool_geometry g = detail::window_geometry(o_, x);
    op_plan p;
    p.reads_bytes = true;
    p.output = {x[0], x[1], g.rows.out, g.columns.out};
    p.output_bytes = int8::extents(p.output).bytes();
    return p;
  }
  void forward(const frame<T>& f) const override {
    const shape& x = f.input().dims();
    int8::max_pool(f.ctx, int8::extents(x), detail::window_geometry(o_, x), this->bytes(f.input()), this->bytes(f.output));
  }

 private:
  max_pool_options o_;
};

/// Bytes (n, c, h, w) -> the mean of each window, of another quantisation. `Options`: avg_pool_options or adaptive_pool_options.
template <class T, class Options>
class int8_avg_pool_op final : public int8_op<T> {
 public:
  int8_avg_pool_op(Options o, int8::quantization input, int8::quantization output)
      : o_(std::move(o)), input_(input), output_(output) {}
  std::string_view kind() const override { return adaptive ? "int8_adaptive_avg_pool" : "int8_avg_pool"; }
  op_role role() const override { return op_role::pooling; }

  MINICNN_COLD attribute_list describe() const override {
    attribute_list a = detail::describe_windows(o_);
    if constexpr (!adaptive) a.emplace_back("count_include_pad", o_.count_include_pad);
    int8_op<T>::describe(a, "input", input_);
    int8_op<T>::describe(a, "output", output_);
    return a;
  }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    const kernels::pool_geometry g = detail::window_geometry(o_, x);
    this->check("input", input_);
    this->check("output", output_);
    op_plan p;
    p.reads_bytes = true;
    p.output = {x[0], x[1], g.rows.out, g.columns.out};
    p.output_bytes = int8::extents(p.output).bytes();
    return p;
  }
  void forward(const frame<T>& f) const override {
    const shape& x = f.input().dims();
    bool padding = false;
    if constexpr (!adaptive) padding = o_.count_include_pad;
    int8::avg_pool(f.ctx, int8::extents(x), detail::window_geometry(o_, x), padding, this->bytes(f.input()), input_, output_,
                   this->bytes(f.output));
  }

 private:
  static constexpr bool adaptive = std::is_same_v<Options, adaptive_pool_options>;
  Options o_;
  int8::quantization input_, output_;
};

/// Maxima of windows of bytes.
template <class T>
MINICNN_COLD node<T> int8_max_pool(node<T> x, max_pool_options o) {
  return x.owner->add(make_op<int8_max_pool_op<T>>(o), {x}, o.name, "pool");
}

/// Means of windows of bytes, with the options of `avg_pool` or `adaptive_avg_pool`.
template <class T, class Options>
MINICNN_COLD node<T> int8_avg_pool(node<T> x, Options o, int8::quantization input, int8::quantization output) {
  std::string name = o.name;
  return x.owner->add(make_op<int8_avg_pool_op<T, Options>>(std::move(o), input, output), {x}, std::move(name), "pool");
}

MINICNN_COMPILED_CLASS(int8_max_pool_op);
MINICNN_COMPILED_FLOAT(class int8_avg_pool_op<float, avg_pool_options>);
MINICNN_COMPILED_DOUBLE(class int8_avg_pool_op<double, avg_pool_options>);
MINICNN_COMPILED_FLOAT(class int8_avg_pool_op<float, adaptive_pool_options>);
MINICNN_COMPILED_DOUBLE(class int8_avg_pool_op<double, adaptive_pool_options>);

}  // namespace minicnn::inline MINICNN_ABI
