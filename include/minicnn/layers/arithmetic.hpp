#pragma once
/// Sums, differences, products and quotients of two values, or of a value and a trained tensor, with broadcasting.

#include <memory>
#include <string>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/broadcast.hpp"

namespace minicnn::inline MINICNN_ABI {

enum class arithmetic { add, sub, mul, div };

struct arithmetic_options {
  /// Node name; empty: sum1, sub1, mul1, div1, ...
  std::string name = {};
};

struct trained_operand_options {
  /// What the tensor is called: NODE.weight.
  std::string parameter = "weight";

  /// Initial values.
  initializer init = initializer::constant(1.0);

  /// Whether weight decay applies by default.
  bool decay = false;

  /// Node name; empty: sum1, sub1, mul1, div1, ...
  std::string name = {};
};

/// y = a + b, a - b, a * b or a / b. Where an axis of one of them has a single element, that one meets all of the other's; b may
/// be a trained tensor without batch axis, or with 1 there, whose axes count from the last, as NumPy has it.
template <class T>
class arithmetic_op final : public op<T> {
 public:
  explicit arithmetic_op(arithmetic what) : what_(what) {}
  arithmetic_op(arithmetic what, const shape& operand, trained_operand_options o)
      : what_(what), operand_(operand), o_(std::move(o)), trained_(true) {}

  std::string_view kind() const override {
    constexpr std::string_view names[] = {"broadcast_add", "sub", "mul", "div"};
    return names[static_cast<std::size_t>(what_)];
  }
  /// `parameter`: the name of the trained operand, whose `shape` follows; empty where both are inputs.
  MINICNN_COLD attribute_list describe() const override {
    if (!trained_) return {{"parameter", std::string()}};
    return {{"parameter", o_.parameter}, {"shape", std::vector<index_t>(operand_.begin(), operand_.end())}};
  }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    const shape &a = request.inputs[0], &b = trained_ ? operand_ : request.inputs[1];
    const bool wanted = trained_ ? fits_behind_batch(a, b) : a.rank() == b.rank() && a.rank() >= 1 && a[0] == b[0];
    if (!wanted)
      fail<shape_error>(kind(),
                        trained_ ? " wants a trained operand without the batch axis of its input, got "
                                 : " wants two inputs of as many axes and one batch, got ",
                        a, " and ", b);
    op_plan p;
    p.output = a;
    for (int axis = a.rank() - 1, own = b.rank() - 1; own >= 0; --axis, --own) {
      if (a[axis] != b[own] && a[axis] != 1 && b[own] != 1)
        fail<shape_error>(kind(), " wants equal extents or 1 on each axis, got ", a, " and ", b);
      if (b[own] != 1) p.output.set(axis, b[own]);
    }
    if (trained_) {
      if (p.output.size() != a.size()) fail<shape_error>(kind(), ": the trained operand ", b, " is larger than its input ", a);
      p.parameters.push_back({o_.parameter, operand_, 1, 1, o_.init, o_.decay});
    }
    p.backward_reads_input = what_ == arithmetic::mul || what_ == arithmetic::div;
    p.in_place = p.output == a;
    return p;
  }

  void forward(const frame<T>& f) const override {
    const view<const T>&a = f.input(), &b = second(f);
    const kernels::broadcast_axes axes(f.output.dims(), a.dims(), b.dims());
    constexpr form forms[] = {form::sum, form::difference, form::product, form::quotient};
    kernels::broadcast_map<T>(f.ctx, forms[static_cast<std::size_t>(what_)], axes, {f.output.data(), a.data(), b.data()},
                              f.output.data(), f.output.size());
  }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>&da = f.input_gradient(0), &db = trained_ ? f.parameter_gradient(0) : f.input_gradient(1);
    const view<const T>&a = f.input(), &b = second(f);
    const T* g = f.output_gradient.data();  // stands in for what is not kept
    const kernels::broadcast_axes axes(f.output_gradient.dims(), a.dims(), b.dims());
    kernels::broadcast_axes g_and_b = axes, a_and_g = axes;
    g_and_b.a = a_and_g.b = axes.g;
    switch (what_) {
      case arithmetic::add:
      case arithmetic::sub:
        gradient(f, form::same, axes, axes.a, {g, g, g}, da);
        return gradient(f, what_ == arithmetic::add ? form::same : form::negative, axes, axes.b, {g, g, g}, db);
      case arithmetic::mul:
        gradient(f, form::product, g_and_b, axes.a, {g, g, b.data()}, da);
        return gradient(f, form::product, a_and_g, axes.b, {g, a.data(), g}, db);
      case arithmetic::div:
        gradient(f, form::quotient, g_and_b, axes.a, {g, g, b.data()}, da);
        return gradient(f, form::divisor_gradient, axes, axes.b, {g, a.data(), b.data()}, db);
    }
  }

 private:
  using form = kernels::broadcast_form;

  /// Whether b has no batch axis, or 1 there.
  static bool fits_behind_batch(const shape& a, const shape& b) {
    return a.rank() >= 1 && (b.rank() < a.rank() || (b.rank() == a.rank() && b[0] == 1));
  }

  const view<const T>& second(const frame<T>& f) const { return trained_ ? f.parameter(0) : f.input(1); }

  static void gradient(const frame<T>& f, form what, const kernels::broadcast_axes& axes,
                       const kernels::broadcast_axes::numbers& target, const kernels::broadcast_operands<T>& p,
                       const gradient_target<T>& to) {
    if (!to.wanted()) return;
    const index_t count = to.data.size(), all = f.output_gradient.size();
    if (count == all)
      kernels::broadcast_map<T>(f.ctx, what, axes, p, to.data.data(), all, to.add);
    else
      kernels::broadcast_sum<T>(f.ctx, what, axes, target, p, to.data.data(), count, all, to.add);
  }

  arithmetic what_;
  shape operand_;
  trained_operand_options o_;
  bool trained_ = false;
};

namespace detail {
template <class T>
MINICNN_COLD node<T> arithmetic_node(arithmetic what, node<T> a, node<T> b, arithmetic_options&& o) {
  constexpr std::string_view prefixes[] = {"sum", "sub", "mul", "div"};
  return a.owner->add(make_op<arithmetic_op<T>>(what), {a, b}, std::move(o.name), prefixes[static_cast<std::size_t>(what)]);
}
template <class T>
MINICNN_COLD node<T> arithmetic_node(arithmetic what, node<T> a, const shape& dims, trained_operand_options&& o) {
  constexpr std::string_view prefixes[] = {"sum", "sub", "mul", "div"};
  return a.owner->add(make_op<arithmetic_op<T>>(what, dims, o), {a}, o.name, prefixes[static_cast<std::size_t>(what)]);
}
}  // namespace detail

/// a + b with broadcasting; values of one shape are better off with `add`, which takes a ReLU along. This and the next three
/// throw shape_error unless both have as many axes, one batch, and on each axis equal extents or 1.
template <class T>
MINICNN_COLD node<T> broadcast_add(node<T> a, node<T> b, arithmetic_options o = {}) {
  return detail::arithmetic_node(arithmetic::add, a, b, std::move(o));
}

/// a - b.
template <class T>
MINICNN_COLD node<T> sub(node<T> a, node<T> b, arithmetic_options o = {}) {
  return detail::arithmetic_node(arithmetic::sub, a, b, std::move(o));
}

/// a * b, element by element: `mul(x, gate)` with a gate of (n, c, 1, 1) is squeeze-and-excitation.
template <class T>
MINICNN_COLD node<T> mul(node<T> a, node<T> b, arithmetic_options o = {}) {
  return detail::arithmetic_node(arithmetic::mul, a, b, std::move(o));
}

/// a / b.
template <class T>
MINICNN_COLD node<T> div(node<T> a, node<T> b, arithmetic_options o = {}) {
  return detail::arithmetic_node(arithmetic::div, a, b, std::move(o));
}

/// x + w with a trained tensor w of shape `dims`, without batch axis, broadcast: {197, 768} for positions, {c, 1, 1} for
/// channels. Throws shape_error if that does not fit.
template <class T>
MINICNN_COLD node<T> add_weight(node<T> x, const shape& dims, trained_operand_options o = {}) {
  return detail::arithmetic_node(arithmetic::add, x, dims, std::move(o));
}

/// x * w, likewise. Touvron et al., "Going deeper with image transformers", 2021, eq. 4 (LayerScale) has {c, 1, 1}.
template <class T>
MINICNN_COLD node<T> mul_weight(node<T> x, const shape& dims, trained_operand_options o = {}) {
  return detail::arithmetic_node(arithmetic::mul, x, dims, std::move(o));
}

MINICNN_COMPILED_CLASS(arithmetic_op);

}  // namespace minicnn::inline MINICNN_ABI
