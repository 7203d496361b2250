#pragma once
// What evaluation finds out, as text and as JSON.

#include <cstdint>
#include <minicnn/analysis/calibration.hpp>
#include <minicnn/io/json.hpp>
#include <minicnn/train/metrics.hpp>
#include <span>
#include <string>
#include <vector>

namespace cli {

/// Kaggle's: probabilities are kept this far from 0 and 1 before the logarithm.
inline constexpr double log_loss_clip = 1e-15;

struct class_metrics {
  minicnn::index_t images = 0;
  double accuracy = 0;
  double log_loss = 0;          ///< mean cross-entropy
  double clipped_log_loss = 0;  ///< with probabilities in [log_loss_clip, 1 - log_loss_clip]
  std::vector<std::string> classes;
  minicnn::confusion_matrix confusion{0};
  double area_under_curve = 0;  ///< two classes, the second one positive; NaN where it is not defined
  minicnn::calibration calibration;
};

/// From log probabilities (images x classes) and the true labels. `log_loss` is their mean; a caller that knows it as training
/// computed it puts that instead.
class_metrics measure(const std::vector<double>& log_probabilities, std::span<const std::int32_t> labels,
                      const std::vector<std::string>& classes);

minicnn::json to_json(const class_metrics& f);
std::string to_table(const class_metrics& f);

}  // namespace cli
