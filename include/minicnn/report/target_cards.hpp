#pragma once
/// Cards of a report for tasks without classes: figures of each label, and predicted over true numbers.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "minicnn/report/chart.hpp"
#include "minicnn/report/page.hpp"
#include "minicnn/train/evaluation.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One number that is predicted, over the validation images.
struct target_plot {
  std::string name;
  std::vector<double> truth, predicted;  ///< one an image
  target_figures figures;
};

/// Predicted over true values as points, on the dashed line where they agree; at most 1000 points.
inline std::string scatter_svg(const target_plot& p) {
  double low = INFINITY, high = -INFINITY;
  for (const std::vector<double>* all : {&p.truth, &p.predicted})
    for (const double v : *all)
      if (std::isfinite(v)) low = (std::min)(low, v), high = (std::max)(high, v);
  if (!(low <= high)) low = 0, high = 1;
  if (high - low < 1e-12 * (1 + std::abs(high))) low -= 0.5, high += 0.5;
  const auto x = [&](double v) { return fixed(52 + (v - low) / (high - low) * 456, 1); };
  const auto y = [&](double v) { return fixed(258 - (v - low) / (high - low) * 246, 1); };
  std::string out =
      text_of("<svg class=\"chart\" viewBox=\"0 0 520 300\" role=\"img\" tabindex=\"0\" aria-label=\"predicted over true ",
              html_escape(p.name), "\">");
  for (const double t : detail::axis_ticks(low, high)) {
    const std::string label = detail::axis_label(t);
    out += text_of("<line class=\"grid\" x1=\"52\" x2=\"508\" y1=\"", y(t), "\" y2=\"", y(t),
                   "\"/><text class=\"tick\" x=\"46\" y=\"", y(t), "\" text-anchor=\"end\">", label,
                   "</text><text class=\"tick\" x=\"", x(t), "\" y=\"276\" text-anchor=\"middle\">", label, "</text>");
  }
  out +=
      "<line class=\"ideal\" x1=\"52\" y1=\"258\" x2=\"508\" y2=\"12\"/><text class=\"tick\" x=\"280\" y=\"294\" "
      "text-anchor=\"middle\">true</text><text class=\"tick\" transform=\"rotate(-90 12 135)\" x=\"12\" y=\"135\" "
      "text-anchor=\"middle\">predicted</text>";
  const std::size_t count = (std::min)(p.truth.size(), p.predicted.size()), every = count / 1000 + 1;
  for (std::size_t i = 0; i < count; i += every)
    if (std::isfinite(p.truth[i]) && std::isfinite(p.predicted[i]))
      out += text_of("<circle class=\"s0\" cx=\"", x(p.truth[i]), "\" cy=\"", y(p.predicted[i]), "\" r=\"2.5\"><title>true ",
                     short_number(p.truth[i]), ", predicted ", short_number(p.predicted[i]), "</title></circle>");
  return out + "</svg>";
}

namespace detail {

inline std::string scatter_card(const target_plot& p) {
  return card(
      text_of("Predicted over true: ", p.name, " (validation)"), scatter_svg(p),
      text_of("R2 ", std::isfinite(p.figures.r2) ? fixed(p.figures.r2, 4) : std::string("not defined"), ", mean absolute error ",
              short_number(p.figures.mae), ", root mean squared error ", short_number(p.figures.rmse), "."));
}

/// `names` may be fewer than labels.
inline std::string labels_card(const std::vector<label_figures>& labels, const std::vector<std::string>& names) {
  std::string out =
      "<table id=\"labels\"><thead><tr><th>label</th><th>images</th><th>average precision</th><th>precision</th><th>recall</th>"
      "<th>F1</th><th>from probability</th></tr></thead><tbody>";
  for (std::size_t k = 0; k < labels.size(); ++k) {
    const label_figures& one = labels[k];
    out += text_of("<tr><td>", html_escape(k < names.size() ? names[k] : to_text(k)), "</td><td>", one.positives, "</td><td>",
                   std::isfinite(one.average_precision) ? fixed(one.average_precision, 4) : std::string("-"), "</td><td>",
                   fixed(one.precision, 4), "</td><td>", fixed(one.recall, 4), "</td><td>", fixed(one.f1, 4), "</td><td>",
                   fixed(one.threshold, 3), "</td></tr>");
  }
  return card("Labels (validation)", out + "</tbody></table>",
              "Average precision: area under the precision-recall curve, whatever the threshold.");
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
