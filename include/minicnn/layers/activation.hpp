#pragma once
/// Nonlinearities, element by element, for inputs of any shape. relu.hpp has the plainest.

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "minicnn/graph/node.hpp"
#include "minicnn/kernels/elementwise/activation.hpp"
#include "minicnn/kernels/elementwise/elementwise.hpp"
#include "minicnn/layers/relu.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

template <class T, class Formula>
struct activation_forward {
  static constexpr int operands = 1;
  Formula formula;
  template <class V>
  MINICNN_INLINE void operator()(kernels::vec<T, V>& y, const kernels::vec<T, V>& x) const {
    formula.template forward<V>(y, x);
  }
};

template <class T, class Formula>
struct activation_backward {
  static constexpr int operands = 2;
  Formula formula;
  template <class V>
  MINICNN_INLINE void operator()(kernels::vec<T, V>& dx, const kernels::vec<T, V>& kept, const kernels::vec<T, V>& dy) const {
    formula.template backward<V>(dx, kept, dy);
  }
};

}  // namespace detail

namespace detail {

/// What all activations but ReLU have in common. `attributes`: the formula's numbers as `describe` calls them.
template <class T>
class activation_base : public op<T> {
 public:
  activation_base(std::string_view kind, bool reads_input, attribute_list attributes)
      : kind_(kind), reads_input_(reads_input), attributes_(std::move(attributes)) {}

  std::string_view kind() const override { return kind_; }
  MINICNN_COLD attribute_list describe() const override { return attributes_; }

  MINICNN_COLD op_plan plan(const plan_request& request) const override {
    op_plan p;
    p.output = request.inputs[0];
    p.backward_reads_input = reads_input_;
    p.backward_reads_output = !reads_input_;
    p.in_place = p.gradient_in_place = true;
    return p;
  }

 private:
  std::string_view kind_;
  bool reads_input_;  ///< in backward, else the output
  attribute_list attributes_;
};

}  // namespace detail

/// Any activation but ReLU; `Formula` is one of kernels/activation.hpp.
template <class T, template <class> class Formula>
class activation_op final : public detail::activation_base<T> {
 public:
  explicit activation_op(std::string_view kind, Formula<T> formula = {}, attribute_list attributes = {})
      : detail::activation_base<T>(kind, Formula<T>::reads_input, std::move(attributes)), formula_{formula} {}

  std::optional<kernels::fused_activation<T>> activation(isa instructions) const override {
    if constexpr (std::is_same_v<Formula<T>, kernels::clip_formula<T>>)
      return kernels::fused_activation<T>::clip(formula_.formula.low, formula_.formula.high);
    else
      return kernels::activation_of<T>(instructions, formula_);
  }

  void forward(const frame<T>& f) const override {
    kernels::transform_elements(f.ctx, formula_, f.input().data(), static_cast<const T*>(nullptr), f.output.data(),
                                f.output.size(), false, kernels::transcendental_grain);
  }

  void backward(const frame<T>& f) const override {
    const gradient_target<T>& dx = f.input_gradient();
    if (!dx.wanted()) return;
    const T* kept = Formula<T>::reads_input ? f.input().data() : f.output.data();
    kernels::transform_elements(f.ctx, detail::activation_backward<T, Formula<T>>{formula_.formula}, kept,
                                f.output_gradient.data(), dx.data.data(), dx.data.size(), dx.add, kernels::transcendental_grain);
  }

 private:
  detail::activation_forward<T, Formula<T>> formula_;
};

namespace detail {
template <template <class> class Formula, class T>
MINICNN_COLD node<T> activate(node<T> x, std::string_view kind, activation_options&& o, Formula<T> formula = {},
                              attribute_list a = {}) {
  return x.owner->add(make_op<activation_op<T, Formula>>(kind, formula, std::move(a)), {x}, std::move(o.name), kind);
}
}  // namespace detail

/// x for x > 0, `slope` * x below; `slope` must not be negative.
template <class T>
MINICNN_COLD node<T> leaky_relu(node<T> x, double slope = 0.01, activation_options o = {}) {
  if (!(slope >= 0.0)) fail<option_error>("leaky_relu: slope must be at least 0, got ", slope);
  return detail::activate<kernels::leaky_relu_formula>(x, "leaky_relu", std::move(o), {static_cast<T>(slope)},
                                                       {{"alpha", slope}});
}

/// x for x > 0, `alpha` * (exp(x) - 1) below; `alpha` must not be negative.
template <class T>
MINICNN_COLD node<T> elu(node<T> x, double alpha = 1.0, activation_options o = {}) {
  if (!(alpha >= 0.0)) fail<option_error>("elu: alpha must be at least 0, got ", alpha);
  return detail::activate<kernels::elu_formula>(x, "elu", std::move(o), {static_cast<T>(alpha)}, {{"alpha", alpha}});
}

/// x * Phi(x) with the exact normal distribution function.
template <class T>
MINICNN_COLD node<T> gelu(node<T> x, activation_options o = {}) {
  return detail::activate<kernels::gelu_formula>(x, "gelu", std::move(o));
}

/// 1 / (1 + exp(-x)). Losses take logits, so a classifier needs none at its end.
template <class T>
MINICNN_COLD node<T> sigmoid(node<T> x, activation_options o = {}) {
  return detail::activate<kernels::sigmoid_formula>(x, "sigmoid", std::move(o));
}

/// The hyperbolic tangent.
template <class T>
MINICNN_COLD node<T> tanh(node<T> x, activation_options o = {}) {
  return detail::activate<kernels::tanh_formula>(x, "tanh", std::move(o));
}

/// x * sigmoid(x).
template <class T>
MINICNN_COLD node<T> silu(node<T> x, activation_options o = {}) {
  return detail::activate<kernels::silu_formula>(x, "silu", std::move(o));
}

/// log(1 + exp(x)).
template <class T>
MINICNN_COLD node<T> softplus(node<T> x, activation_options o = {}) {
  return detail::activate<kernels::softplus_formula>(x, "softplus", std::move(o));
}

/// x * min(max(x + 3, 0), 6) / 6.
template <class T>
MINICNN_COLD node<T> hard_swish(node<T> x, activation_options o = {}) {
  return detail::activate<kernels::hard_swish_formula>(x, "hard_swish", std::move(o));
}

/// min(max(x, `low`), `high`). Throws option_error unless low < high.
template <class T>
MINICNN_COLD node<T> clip(node<T> x, double low, double high, activation_options o = {}) {
  if (!(low < high)) fail<option_error>("clip: low must be below high, got ", low, " and ", high);
  return detail::activate<kernels::clip_formula>(x, "clip", std::move(o), {static_cast<T>(low), static_cast<T>(high)},
                                                 {{"min", low}, {"max", high}});
}

/// min(max(x, 0), 6), a `clip`.
template <class T>
MINICNN_COLD node<T> relu6(node<T> x, activation_options o = {}) {
  return clip(x, 0.0, 6.0, std::move(o));
}

/// min(max(x / 6 + 1 / 2, 0), 1), PyTorch's. Others have other lines (ONNX by default x / 5 + 1 / 2): `slope` * x + `offset`.
/// Throws option_error unless slope is above 0.
template <class T>
MINICNN_COLD node<T> hard_sigmoid(node<T> x, double slope = 1.0 / 6, double offset = 0.5, activation_options o = {}) {
  if (!(slope > 0.0)) fail<option_error>("hard_sigmoid: slope must be above 0, got ", slope);
  return detail::activate<kernels::hard_sigmoid_formula>(
      x, "hard_sigmoid", std::move(o), {static_cast<T>(slope), static_cast<T>(offset)}, {{"alpha", slope}, {"beta", offset}});
}

MINICNN_COMPILED_FLOAT(class activation_op<float, kernels::leaky_relu_formula>);
MINICNN_COMPILED_DOUBLE(class activation_op<double, kernels::leaky_relu_formula>);
MINICNN_COMPILED_FLOAT(class activation_op<float, kernels::elu_formula>);
MINICNN_COMPILED_DOUBLE(class activation_op<double, kernels::elu_formula>);
MINICNN_COMPILED_FLOAT(class activation_op<float, kernels::gelu_formula>);
MINICNN_COMPILED_DOUBLE(class activation_op<double, kernels::gelu_formula>);
MINICNN_COMPILED_FLOAT(class activation_op<float, kernels::sigmoid_formula>);
MINICNN_COMPILED_DOUBLE(class activation_op<double, kernels::sigmoid_formula>);
MINICNN_COMPILED_FLOAT(class activation_op<float, kernels::tanh_formula>);
MINICNN_COMPILED_DOUBLE(class activation_op<double, kernels::tanh_formula>);
MINICNN_COMPILED_FLOAT(class activation_op<float, kernels::silu_formula>);
MINICNN_COMPILED_DOUBLE(class activation_op<double, kernels::silu_formula>);
MINICNN_COMPILED_FLOAT(class activation_op<float, kernels::softplus_formula>);
MINICNN_COMPILED_DOUBLE(class activation_op<double, kernels::softplus_formula>);
MINICNN_COMPILED_FLOAT(class activation_op<float, kernels::hard_swish_formula>);
MINICNN_COMPILED_DOUBLE(class activation_op<double, kernels::hard_swish_formula>);
MINICNN_COMPILED_FLOAT(class activation_op<float, kernels::clip_formula>);
MINICNN_COMPILED_DOUBLE(class activation_op<double, kernels::clip_formula>);
MINICNN_COMPILED_FLOAT(class activation_op<float, kernels::hard_sigmoid_formula>);
MINICNN_COMPILED_DOUBLE(class activation_op<double, kernels::hard_sigmoid_formula>);

}  // namespace minicnn::inline MINICNN_ABI
