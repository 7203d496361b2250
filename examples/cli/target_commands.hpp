#pragma once
// evaluate and predict for weights whose outputs are labels or numbers instead of classes.

#include <string>
#include <vector>

#include "inference.hpp"

namespace cli {

struct target_evaluation {
  std::string data, labels, split, tta;
  const inference_options& inference;
  int workers = 1;
  bool skip_bad = false, json = false;
};

/// Returns the exit code.
int evaluate_targets(const loaded_model& model, const target_evaluation& o);

struct target_prediction {
  const std::vector<std::string>& paths;
  std::string tta;
  const inference_options& inference;
  bool json = false, csv = false;
};

/// Returns the exit code.
int predict_targets(const loaded_model& model, const target_prediction& o);

}  // namespace cli
