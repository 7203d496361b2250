#pragma once
/// What a network says about a data set, and how well.

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/core/error.hpp"
#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One figure over a data set.
struct metric {
  std::string name;  ///< "accuracy", "mAP", "R2"
  double value = 0;  ///< NaN where the data do not say it (no positive sample, one sample)
  bool higher_is_better = true;
};

/// Figures of one label of several, where each sample has any number of them.
struct label_figures {
  index_t positives = 0;         ///< samples that have it
  double average_precision = 0;  ///< area under the precision-recall curve, as scikit-learn sums it; NaN without positives
  double precision = 0, recall = 0, f1 = 0;  ///< at `threshold`; 0 where nothing was counted
  double threshold = 0.5;                    ///< probability from which the label is given
};

/// Figures of one number that is predicted, in the units of the targets.
struct target_figures {
  double rmse = 0;  ///< root of the mean squared error
  double mae = 0;   ///< mean absolute error
  double r2 = 0;    ///< 1 - squared error / squared deviation from the mean; NaN where all targets are equal
};

/// Filled by `evaluate` with the figures of its task, in evaluation mode. What a task does not have is empty or NaN.
struct evaluation {
  static constexpr double nan = std::numeric_limits<double>::quiet_NaN();

  index_t images = 0;
  double loss = nan;      ///< mean loss; for a classification the cross-entropy, not smoothed and not clipped
  double accuracy = nan;  ///< share of right answers in [0, 1]; of several labels, share of right yes and no
  double score = nan;     ///< what decides which epoch is best: lower is better
  std::vector<metric> metrics;
  std::vector<std::vector<index_t>> confusion;  ///< rows: true class
  std::vector<label_figures> per_label;
  std::vector<target_figures> per_target;

  index_t columns = 0;          ///< of `outputs`
  std::vector<double> outputs;  ///< images x columns: what the network gives (logits, before any softmax), in the data's order
  std::vector<std::int32_t> labels;
  index_t target_columns = 0;
  std::vector<double> targets;          ///< images x target_columns
  std::vector<evaluation> parts;        ///< of a joint task, one for each of its parts
  double loss_sum = 0, weight_sum = 0;  ///< what `loss` is the quotient of

  /// The figure called `name` ("loss" too). Throws option_error naming those that there are.
  const metric& figure(std::string_view name) const {
    std::string known;
    for (const metric& m : metrics) {
      if (m.name == name) return m;
      known += (known.empty() ? "" : ", ") + m.name;
    }
    fail<option_error>("evaluation: no figure \"", name, "\"; there are: ", known);
  }
  double value(std::string_view name) const { return name == "loss" ? loss : figure(name).value; }
};

}  // namespace minicnn::inline MINICNN_ABI
