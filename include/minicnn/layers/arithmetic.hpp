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

namespace detail {

enum class arithmetic_form { a_plus_b, a_minus_b, a_times_b, a_over_b, g, minus_g, g_times_b, g_times_a, g_over_b, quotient_b };

/// Forward (of a and b) and backward (of the result's gradient g) of all four operations.
template <class T, arithmetic_form Form>
struct arithmetic_formula {
  using form = arithmetic_form;
  static constexpr int reads = Form < form::g                                      ? 6
                               : Form == form::g || Form == form::minus_g          ? 1
                               : Form == form::g_times_a                           ? 3
                               : Form == form::g_times_b || Form == form::g_over_b ? 5
                                                                                   : 7;
  template <class V>
  MINICNN_INLINE void operator()(kernels::vec<T, V>& y, const kernels::vec<T, V>& g, const kernels::vec<T, V>& a,
                                 const kernels::vec<T, V>& b) const {
    if constexpr (Form == form::a_plus_b) y = a + b;
    if constexpr (Form == form::a_minus_b) y = a - b;
    if constexpr (Form == form::a_times_b) y = a * b;
    if constexpr (Form == form::a_over_b) y = a / b;
    if constexpr (Form == form::g) y = g;
    if constexpr (Form == form::minus_g) y = -g;
    if constexpr (Form == form::g_times_b) y = g * b;
    if constexpr (Form == form::g_times_a) y = g * a;
    if constexpr (Form == form::g_over_b) y = g / b;
    if constexpr (Form == form::quotient_b) y = -g * a / (b * b);
  }
};

}  // namespace detail

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
    const auto compute = [&](const auto& formula) {
      kernels::broadcast_map<T>(f.ctx, formula, axes, {f.output.data(), a.data(), b.data()}, f.output.data(), f.output.size());
    };
    using form = detail::arithmetic_form;
    switch (what_) {
      case arithmetic::add:
        return compute(detail::arithmetic_formula<T, form::a_plus_b>{});
      case arithmetic::sub:
        return compute(detail::arithmetic_formula<T, form::a_minus_b>{});
      case arithmetic::mul:
        return compute(detail::arithmetic_formula<T, form::a_times_b>{});
      case arithmetic::div:
        return compute(detail::arithmetic_formula<T, form::a_over_b>{});
    }
  }

  void backward(const frame<T>& f) const override {
    using form = detail::arithmetic_form;
    const gradient_target<T>&da = f.input_gradient(0), &db = trained_ ? f.parameter_gradient(0) : f.input_gradient(1);
    switch (what_) {
      case arithmetic::add:
        return gradients<form::g, form::g>(f, da, db);
      case arithmetic::sub:
        return gradients<form::g, form::minus_g>(f, da, db);
      case arithmetic::mul:
        return gradients<form::g_times_b, form::g_times_a>(f, da, db);
      case arithmetic::div:
        return gradients<form::g_over_b, form::quotient_b>(f, da, db);
    }
  }

 private:
  /// Whether b has no batch axis, or 1 there.
  static bool fits_behind_batch(const shape& a, const shape& b) {
    return a.rank() >= 1 && (b.rank() < a.rank() || (b.rank() == a.rank() && b[0] == 1));
  }

  const view<const T>& second(const frame<T>& f) const { return trained_ ? f.parameter(0) : f.input(1); }

  template <detail::arithmetic_form A, detail::arithmetic_form B>
  void gradients(const frame<T>& f, const gradient_target<T>& da, const gradient_target<T>& db) const {
    const kernels::broadcast_axes axes(f.output_gradient.dims(), f.input().dims(), second(f).dims());
    gradient<A>(f, axes, axes.a, da);
    gradient<B>(f, axes, axes.b, db);
  }

  template <detail::arithmetic_form Form>
  void gradient(const frame<T>& f, const kernels::broadcast_axes& axes, const kernels::broadcast_axes::numbers& target,
                const gradient_target<T>& to) const {
    if (!to.wanted()) return;
    using formula = detail::arithmetic_formula<T, Form>;
    const T* g = f.output_gradient.data();  // stands in for what is neither read nor kept
    const kernels::broadcast_operands<T> p{g, (formula::reads & 2) != 0 ? f.input().data() : g,
                                           (formula::reads & 4) != 0 ? second(f).data() : g};
    const index_t count = to.data.size(), all = f.output_gradient.size();
    if (count == all)
      kernels::broadcast_map<T>(f.ctx, formula{}, axes, p, to.data.data(), all, to.add);
    else
      kernels::broadcast_sum<T>(f.ctx, formula{}, axes, target, p, to.data.data(), count, all, to.add);
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
  std::string name = o.name;
  return a.owner->add(make_op<arithmetic_op<T>>(what, dims, std::move(o)), {a}, std::move(name),
                      prefixes[static_cast<std::size_t>(what)]);
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
