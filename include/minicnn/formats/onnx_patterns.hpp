#pragma once
/// Activations that older operator sets spell out by several operators, put together again.

#include <cmath>
#include <functional>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "minicnn/formats/onnx_values.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Replaces products that are SiLU, hard-swish or GELU by one operator, and what is layer normalisation by LayerNorm, which goes
/// over one axis or the last ones; what only they used is then used by nothing.
class onnx_patterns {
 public:
  /// The value of a constant of one number, by name.
  using number_of = std::function<std::optional<double>(std::string_view)>;
  /// The shape of a constant, by name.
  using shape_of = std::function<std::optional<std::vector<index_t>>(std::string_view)>;

  onnx_patterns(std::vector<onnx_node>& nodes, number_of number, shape_of shape)
      : nodes_(nodes), number_(std::move(number)), shape_(std::move(shape)) {
    for (const onnx_node& n : nodes_)
      for (const std::string_view output : n.outputs) makers_.emplace(output, &n);
  }

  void apply() {
    for (onnx_node& n : nodes_) {
      if (n.inputs.size() != 2 || !n.domain.empty()) continue;
      if (n.type == "Div") normalised(n);
      if (n.type == "Add") scaled(n);
      if (n.type != "Mul") continue;
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
  /// Axes that a mean keeps: one, or some that are the last.
  struct onnx_axes {
    index_t first, count;
    bool operator==(const onnx_axes& o) const { return first == o.first && count == o.count; }
  };

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

  /// (x - mean) / sqrt(mean of squares + epsilon).
  void normalised(onnx_node& n) {
    const onnx_node *root = maker(n.inputs[1], "Sqrt"), *difference = maker(n.inputs[0], "Sub");
    const onnx_node* above = root != nullptr ? maker(root->inputs[0], "Add") : nullptr;
    if (above == nullptr || above->inputs.size() != 2 || difference == nullptr || difference->inputs.size() != 2) return;
    const std::string_view x = difference->inputs[0];
    for (std::size_t i = 0; i < 2; ++i) {
      const auto epsilon = number_(above->inputs[i]);
      const onnx_node *variance = maker(above->inputs[1 - i], "ReduceMean"), *mean = maker(difference->inputs[1], "ReduceMean");
      if (!epsilon || variance == nullptr || mean == nullptr || mean->inputs[0] != x) continue;
      const onnx_axes axes = axes_of(*mean);
      if (axes.count < 1 || !(axes_of(*variance) == axes) || !is_square(variance->inputs[0], x, difference->inputs[1])) continue;
      found(n, "LayerNorm", x);
      made_.insert(&n);
      onnx_attribute eps;
      eps.name = "epsilon", eps.reals.push_back(static_cast<float>(*epsilon));
      n.attributes.push_back(std::move(eps));
      for (const auto& [name, value] : {std::pair("axis", axes.first), std::pair("count", axes.count)}) {
        onnx_attribute& a = n.attributes.emplace_back();
        a.name = name, a.integers.push_back(value);
      }
      return;
    }
  }

  /// The same times a weight and plus a bias, each a number for each element of the axis.
  void scaled(onnx_node& n) const {
    for (std::size_t i = 0; i < 2; ++i) {
      const onnx_node* product = maker(n.inputs[i], "Mul");
      if (product == nullptr || product->inputs.size() != 2) continue;
      for (std::size_t k = 0; k < 2; ++k) {
        const onnx_node* norm = maker(product->inputs[k], "LayerNorm");
        if (norm == nullptr || norm->inputs.size() != 1 || made_.count(norm) == 0) continue;
        const std::vector<std::string_view> affine{product->inputs[1 - k], n.inputs[1 - i]};
        const onnx_axes axes{norm->find("axis")->integers[0], norm->find("count")->integers[0]};
        if (!is_along(affine[0], axes) || !is_along(affine[1], axes)) continue;
        n.type = "LayerNorm", n.attributes = norm->attributes, n.inputs = norm->inputs;
        n.inputs.insert(n.inputs.end(), affine.begin(), affine.end());
        return;
      }
    }
  }

  /// Whether a value is a constant of one number for each element of the axes, as far as can be told without the rank.
  bool is_along(std::string_view value, const onnx_axes& axes) const {
    const auto dims = shape_(value);
    if (!dims || dims->empty()) return false;
    const auto rank = static_cast<index_t>(dims->size());
    if (axes.count > 1) return rank == axes.count;
    const index_t at = axes.first < 0 ? rank + axes.first : 0;
    return at >= 0 && (*dims)[static_cast<std::size_t>(at)] == onnx_count(*dims);
  }

  /// Whether `value` is the square of x - mean, however often that difference is computed.
  bool is_square(std::string_view value, std::string_view x, std::string_view mean) const {
    const auto centred = [&](std::string_view v) {
      const onnx_node* n = maker(v, "Sub");
      return n != nullptr && n->inputs.size() == 2 && n->inputs[0] == x && n->inputs[1] == mean;
    };
    const onnx_node *power = maker(value, "Pow"), *product = maker(value, "Mul");
    const onnx_node* n = power != nullptr ? power : product;
    if (n == nullptr || n->inputs.size() != 2 || !centred(n->inputs[0])) return false;
    return power != nullptr ? number_(n->inputs[1]) == 2.0 : centred(n->inputs[1]);
  }

  onnx_axes axes_of(const onnx_node& mean) const {
    const onnx_attribute *axes = mean.find("axes"), *keep = mean.find("keepdims");
    if (keep != nullptr && keep->integers != std::vector<std::int64_t>{1}) return {0, 0};
    if (axes == nullptr) {
      const auto given = mean.inputs.size() > 1 ? number_(mean.inputs[1]) : std::nullopt;
      return {given ? static_cast<index_t>(*given) : 0, given ? 1 : 0};
    }
    const auto count = static_cast<index_t>(axes->integers.size());
    for (index_t i = 0; count > 1 && i < count; ++i)
      if (axes->integers[static_cast<std::size_t>(i)] != i - count) return {0, 0};
    return {count > 0 ? axes->integers[0] : 0, count};
  }

  std::vector<onnx_node>& nodes_;
  number_of number_;
  shape_of shape_;
  std::unordered_map<std::string_view, const onnx_node*> makers_;
  std::unordered_set<const onnx_node*> made_;  // by this, not by a file that calls an operator so
};

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
