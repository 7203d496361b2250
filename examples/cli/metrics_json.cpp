#include "metrics_json.hpp"

#include <cmath>
#include <minicnn/core/printable.hpp>
#include <minicnn/report/progress.hpp>

namespace cli {

using minicnn::fixed;
using minicnn::index_t;
using minicnn::json;
using minicnn::text_of;

class_metrics measure(const std::vector<double>& log_probabilities, std::span<const std::int32_t> labels,
                      const std::vector<std::string>& classes) {
  const auto n = static_cast<index_t>(labels.size()), columns = static_cast<index_t>(classes.size());
  if (n == 0) minicnn::fail("there are no pictures to measure");
  for (const double x : log_probabilities)
    if (!std::isfinite(x)) minicnn::fail("the network's outputs are not finite: these weights are of no use");
  class_metrics f;
  f.images = n;
  f.classes = classes;
  f.confusion = minicnn::confusion_matrix(columns);
  f.confusion.add(minicnn::view<const double>(log_probabilities.data(), {n, columns}), labels);
  f.accuracy = f.confusion.accuracy();

  std::vector<double> probabilities(log_probabilities.size()), scores;
  for (std::size_t i = 0; i < probabilities.size(); ++i) probabilities[i] = std::exp(log_probabilities[i]);
  const minicnn::view<const double> rows(probabilities.data(), {n, columns});
  double sum = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const double* row = log_probabilities.data() + static_cast<index_t>(i) * columns;
    sum -= row[labels[i]];
    // The difference of logarithms orders the pictures as P(second class) does, and does not saturate at 1.
    if (columns == 2) scores.push_back(row[1] - row[0]);
  }
  f.log_loss = sum / static_cast<double>(n);
  f.clipped_log_loss = minicnn::log_loss(rows, labels, log_loss_clip);
  f.area_under_curve = columns == 2 ? minicnn::area_under_curve(scores, labels) : NAN;
  f.calibration = minicnn::calibrate(rows, labels);
  return f;
}

namespace {

const char* const one_class = "not defined: one class only";

}  // namespace

json to_json(const class_metrics& f) {
  const auto n = static_cast<index_t>(f.classes.size());
  json out{{"images", f.images},        {"accuracy", f.accuracy},
           {"log_loss", f.log_loss},    {"log_loss_clipped", f.clipped_log_loss},
           {"clip", log_loss_clip},     {"balanced_accuracy", f.confusion.balanced_accuracy()},
           {"classes", f.classes},      {"confusion", json::array{}},
           {"per_class", json::array{}}};
  for (index_t truth = 0; truth < n; ++truth) {
    json row = json::array{};
    for (index_t k = 0; k < n; ++k) row.push(f.confusion(truth, k));
    out["confusion"].push(row);
    out["per_class"].push({{"class", f.classes[static_cast<std::size_t>(truth)]},
                           {"images", f.confusion.truths(truth)},
                           {"precision", f.confusion.precision(truth)},
                           {"recall", f.confusion.recall(truth)},
                           {"f1", f.confusion.f1(truth)}});
  }
  if (n == 2) out["auc"] = f.area_under_curve;  // null where it is not defined
  if (n == 2 && std::isnan(f.area_under_curve)) out["auc_reason"] = one_class;
  out["ece"] = f.calibration.expected_error;
  out["brier"] = f.calibration.brier;
  out["calibration"] = json::array{};
  for (const minicnn::calibration_bin& b : f.calibration.bins)
    out["calibration"].push({{"images", b.count}, {"confidence", b.confidence}, {"accuracy", b.accuracy}});
  return out;
}

namespace {

/// Columns aligned: the first to the left, the others to the right.
std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<int> widths(rows.front().size(), 0);
  for (const auto& row : rows)
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = (std::max)(widths[c], minicnn::text_columns(row[c]));
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c)
      out += c == 0 ? minicnn::left_aligned(row[c], widths[c]) : "  " + minicnn::right_aligned(row[c], widths[c]);
    out += "\n";
  }
  return out;
}

}  // namespace

std::string to_table(const class_metrics& f) {
  const auto n = static_cast<index_t>(f.classes.size());
  std::vector<std::string> names;
  for (const std::string& name : f.classes) names.push_back(minicnn::printable(name));
  std::vector<std::vector<std::string>> rows{
      {"images", minicnn::to_text(f.images)},
      {"accuracy", fixed(100 * f.accuracy, 2) + " %"},
      {"log loss", fixed(f.log_loss, 6)},
      {"log loss, clipped at 1e-15", fixed(f.clipped_log_loss, 6)},
      {"balanced accuracy", fixed(100 * f.confusion.balanced_accuracy(), 2) + " %"},
  };
  if (n == 2)
    rows.push_back({"area under the ROC curve", std::isnan(f.area_under_curve) ? one_class : fixed(f.area_under_curve, 6)});
  rows.push_back({"calibration error (ECE)", fixed(f.calibration.expected_error, 6)});
  rows.push_back({"Brier score", fixed(f.calibration.brier, 6)});
  std::string out = aligned(rows) + "\n";

  rows = {{"class", "images", "precision", "recall", "F1"}};
  for (index_t k = 0; k < n; ++k)
    rows.push_back({names[static_cast<std::size_t>(k)], minicnn::to_text(f.confusion.truths(k)),
                    fixed(f.confusion.precision(k), 4), fixed(f.confusion.recall(k), 4), fixed(f.confusion.f1(k), 4)});
  out += aligned(rows) + "\n";

  rows = {{"true class \\ predicted"}};
  rows[0].insert(rows[0].end(), names.begin(), names.end());
  for (index_t truth = 0; truth < n; ++truth) {
    rows.push_back({names[static_cast<std::size_t>(truth)]});
    for (index_t k = 0; k < n; ++k) rows.back().push_back(minicnn::to_text(f.confusion(truth, k)));
  }
  return out + aligned(rows);
}

}  // namespace cli
