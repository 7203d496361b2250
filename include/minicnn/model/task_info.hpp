#pragma once
/// What the outputs of a network mean, as its weights file says.

#include <string>
#include <utility>
#include <vector>

#include "minicnn/io/json_value.hpp"

namespace minicnn::inline MINICNN_ABI {

struct task_info {
  /// classify: logits of classes; multilabel: logits of labels that each may be there; regress: numbers.
  std::string kind = "classify";
  /// multilabel: probabilities from which labels are given; empty: 0.5.
  std::vector<double> thresholds = {};
  std::vector<double> mean = {}, std = {};  ///< regress: a target is mean + std * output

  bool classifies() const { return kind == "classify"; }
};

inline json to_json(const task_info& t) {
  const auto list = [](const std::vector<double>& numbers) { return json::array(numbers.begin(), numbers.end()); };
  return json::object{{"kind", t.kind}, {"thresholds", list(t.thresholds)}, {"mean", list(t.mean)}, {"std", list(t.std)}};
}

/// Throws error for a kind that is not known, and numbers that do not fit so many outputs.
inline task_info task_info_from(const json& text, std::size_t outputs) {
  const auto list = [&](const char* key) {
    std::vector<double> numbers;
    for (const json& n : text.at(key).as_array()) numbers.push_back(n.as_double());
    return numbers;
  };
  task_info t;
  t.kind = text.at("kind").as_string();
  t.thresholds = list("thresholds"), t.mean = list("mean"), t.std = list("std");
  if (t.kind != "multilabel" && t.kind != "regress") fail("wanted multilabel or regress, got ", t.kind);
  const std::size_t scaled = t.kind == "regress" ? outputs : 0;
  if (t.mean.size() != scaled || t.std.size() != scaled || (!t.thresholds.empty() && t.thresholds.size() != outputs))
    fail("wanted numbers for ", outputs, " outputs");
  for (const double s : t.std)
    if (!(s > 0)) fail("std: wanted numbers above 0, got ", s);
  for (const double p : t.thresholds)
    if (!(p > 0 && p < 1)) fail("thresholds: wanted numbers above 0 and below 1, got ", p);
  return t;
}

}  // namespace minicnn::inline MINICNN_ABI
