#pragma once
/// Activations that older operator sets spell out by several operators, put together again.

#include <cmath>
#include <functional>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "minicnn/formats/onnx_model.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Replaces products that are SiLU, hard-swish or GELU by one operator; what only they used is then used by nothing.
class onnx_patterns {
 public:
  /// The value of a constant of one number, by name.
  using number_of = std::function<std::optional<double>(std::string_view)>;

  onnx_patterns(std::vector<onnx_node>& nodes, number_of number) : nodes_(nodes), number_(std::move(number)) {
    for (const onnx_node& n : nodes_)
      for (const std::string_view output : n.outputs) makers_.emplace(output, &n);
  }

  void apply() {
    for (onnx_node& n : nodes_) {
      if (n.type != "Mul" || n.inputs.size() != 2 || !n.domain.empty()) continue;
      for (std::size_t i = 0; i < 2; ++i) {
        const std::string_view x = n.inputs[i], gate = n.inputs[1 - i];
        if (const onnx_node* g = maker(gate, "Sigmoid"); g != nullptr && g->inputs[0] == x) found(n, "SiLU", x);
        if (const onnx_node* g = maker(gate, "HardSigmoid"); g != nullptr && g->inputs[0] == x && has_sixth(*g))
          found(n, "HardSwish", x);
      }
      if (n.type == "Mul") gelu(n);
    }
  }

 private:
  static void found(onnx_node& n, std::string_view type, std::string_view input) {
    n.type = type, n.inputs.assign(1, input), n.attributes.clear();
  }
  static bool is_close(double a, double b) { return std::abs(a - b) < 1e-4; }

  const onnx_node* maker(std::string_view value, std::string_view type) const {
    const auto found = makers_.find(value);
    if (found == makers_.end() || found->second->type != type || found->second->inputs.empty()) return nullptr;
    return found->second;
  }

  static bool has_sixth(const onnx_node& n) {
    const onnx_attribute *alpha = n.find("alpha"), *beta = n.find("beta");
    return alpha != nullptr && alpha->reals.size() == 1 && is_close(static_cast<double>(alpha->reals[0]), 1.0 / 6) &&
           (beta == nullptr || (beta->reals.size() == 1 && is_close(static_cast<double>(beta->reals[0]), 0.5)));
  }

  /// 0.5 * x * (1 + erf(x / sqrt(2))), multiplied in any order.
  void gelu(onnx_node& n) const {
    std::vector<std::string_view> factors;
    double number = 1.0;
    gather(n, 2, factors, number);
    if (factors.size() != 2 || !is_close(number, 0.5)) return;
    for (std::size_t i = 0; i < 2; ++i)
      if (is_gate(factors[1 - i], factors[i])) return found(n, "Gelu", factors[i]);
  }

  /// The factors of a product, those of the products among them taken apart.
  void gather(const onnx_node& n, int depth, std::vector<std::string_view>& factors, double& number) const {
    for (const std::string_view input : n.inputs) {
      const onnx_node* inner = maker(input, "Mul");
      if (const auto value = number_(input))
        number *= *value;
      else if (inner != nullptr && inner->inputs.size() == 2 && depth > 0)
        gather(*inner, depth - 1, factors, number);
      else
        factors.push_back(input);
    }
  }

  /// Whether `gate` is 1 + erf(x / sqrt(2)).
  bool is_gate(std::string_view gate, std::string_view x) const {
    const onnx_node* sum = maker(gate, "Add");
    if (sum == nullptr || sum->inputs.size() != 2) return false;
    for (std::size_t i = 0; i < 2; ++i) {
      const onnx_node* erf = maker(sum->inputs[i], "Erf");
      const auto one = number_(sum->inputs[1 - i]);
      if (erf == nullptr || !one || !is_close(*one, 1.0)) continue;
      const onnx_node *product = maker(erf->inputs[0], "Mul"), *quotient = maker(erf->inputs[0], "Div");
      const onnx_node* scaled = product != nullptr ? product : quotient;
      if (scaled == nullptr || scaled->inputs.size() != 2 || scaled->inputs[0] != x) continue;
      const auto root = number_(scaled->inputs[1]);
      if (root && is_close(*root, product != nullptr ? std::sqrt(0.5) : std::sqrt(2.0))) return true;
    }
    return false;
  }

  std::vector<onnx_node>& nodes_;
  number_of number_;
  std::unordered_map<std::string_view, const onnx_node*> makers_;
};

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
