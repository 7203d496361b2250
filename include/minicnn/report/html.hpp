#pragma once
/// report.html: one self-contained page about a training run, rewritten after every epoch.

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/analysis/calibration.hpp"
#include "minicnn/report/curves.hpp"
#include "minicnn/report/page.hpp"
#include "minicnn/report/plots.hpp"
#include "minicnn/report/target_cards.hpp"
#include "minicnn/train/history.hpp"
#include "minicnn/train/metrics.hpp"

namespace minicnn::inline MINICNN_ABI {

/// A picture of the page. Sources are data: URIs (`data_uri`), so that the page stays one file.
struct report_picture {
  std::string source;
  std::string overlay;  ///< what the network looked at, beside it; empty: none
  std::string title;    ///< the caption's first words, bold
  std::string caption;
};

/// What the page shows. Empty parts are left out.
struct training_report {
  std::string title;
  std::vector<epoch_record> history;
  std::vector<std::string> classes;
  std::vector<std::vector<index_t>> confusion;  ///< rows: true class; of the validation images, best epoch
  index_t best_epoch = 0;                       ///< 0: none
  bool finished = false;
  std::vector<std::pair<std::string, std::string>> settings;  ///< name and value, shown as a table
  std::string command;                                        ///< repeats the run
  std::vector<std::pair<std::string, std::string>> data;      ///< counts, split
  std::vector<std::pair<std::string, std::string>> machine;   ///< what it ran on
  /// Of the validation images in the best epoch: logits (images x classes) and labels, for calibration and ROC.
  std::vector<float> logits;
  std::vector<std::int32_t> labels;
  // Of tasks without classes, of the validation images in the best epoch.
  std::vector<metric> figures;           ///< shown at the top
  std::vector<label_figures> per_label;  ///< in the order of `classes`
  std::vector<target_plot> targets;
  std::string mistakes_title = "Worst mistakes";
  std::vector<report_picture> mistakes;   ///< validation images that were wrong, the surest first
  std::vector<report_picture> augmented;  ///< training images as the network sees them
  std::string filters;                    ///< source of the picture of the first layer's filters
  std::string filters_note;
};

namespace detail {

/// What logits say, once as they are and once divided by the temperature that suits them best.
struct judged_probabilities {
  tensor<double> plain, scaled;  ///< (images, classes)
  calibration before, after;
  double temperature = 1, loss_before = 0, loss_after = 0;
};

inline tensor<double> probabilities_of(const view<const float>& logits, double temperature) {
  tensor<double> out(logits.dims());
  const index_t classes = logits.dim(1);
  for (index_t i = 0; i < logits.dim(0); ++i) {
    const view<const float> row = logits.at(i);
    const double top = static_cast<double>(*std::max_element(row.begin(), row.end()));
    double sum = 0;
    for (index_t k = 0; k < classes; ++k)
      sum += out[i * classes + k] = std::exp((static_cast<double>(row[k]) - top) / temperature);
    for (index_t k = 0; k < classes; ++k) out[i * classes + k] /= sum;
  }
  return out;
}

inline judged_probabilities judge(const view<const float>& logits, std::span<const std::int32_t> labels) {
  judged_probabilities out;
  out.temperature = fit_temperature(logits, labels);
  out.plain = probabilities_of(logits, 1.0);
  out.scaled = probabilities_of(logits, out.temperature);
  out.before = calibrate<double>(out.plain, labels);
  out.after = calibrate<double>(out.scaled, labels);
  out.loss_before = scaled_log_loss(logits, labels, 1.0).first;
  out.loss_after = scaled_log_loss(logits, labels, 1 / out.temperature).first;
  return out;
}

/// One curve for two classes (the second is positive), one a class against the rest otherwise. Scores are log odds, which do
/// not saturate as probabilities do.
inline std::vector<roc_series> roc_curves(const view<const float>& logits, std::span<const std::int32_t> labels,
                                          const std::vector<std::string>& classes) {
  const index_t n = logits.dim(0), columns = logits.dim(1);
  std::vector<roc_series> out;
  for (index_t k = columns == 2 ? 1 : 0; k < columns; ++k) {
    std::vector<double> scores;
    std::vector<std::int32_t> own;
    for (index_t i = 0; i < n; ++i) {
      const view<const float> row = logits.at(i);
      double rest = -INFINITY;
      for (index_t j = 0; j < columns; ++j)
        if (j != k) rest = (std::max)(rest, static_cast<double>(row[j]));
      double sum = 0;
      for (index_t j = 0; j < columns; ++j)
        if (j != k) sum += std::exp(static_cast<double>(row[j]) - rest);
      scores.push_back(static_cast<double>(row[k]) - rest - std::log(sum));
      own.push_back(labels[static_cast<std::size_t>(i)] == k ? 1 : 0);
    }
    std::vector<roc_point> curve = roc_curve(scores, own);
    if (!curve.empty()) out.push_back({classes[static_cast<std::size_t>(k)], std::move(curve), area_under_curve(scores, own)});
  }
  return out;
}

inline std::string name_of_class(const training_report& r, std::size_t k) {
  return k < r.classes.size() ? r.classes[k] : to_text(k);
}

/// The whole matrix for up to 20 classes, otherwise the pairs that are confused most.
inline std::string confusion_card(const training_report& r) {
  const std::size_t n = r.confusion.size();
  if (n > 20) {
    std::vector<std::pair<index_t, std::pair<std::size_t, std::size_t>>> pairs;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < r.confusion[i].size(); ++k)
        if (i != k && r.confusion[i][k] > 0) pairs.push_back({-r.confusion[i][k], {i, k}});
    std::sort(pairs.begin(), pairs.end());
    if (pairs.size() > 20) pairs.resize(20);
    std::string out = "<table><thead><tr><th>true class</th><th>taken for</th><th>images</th></tr></thead><tbody>";
    for (const auto& [count, who] : pairs)
      out += text_of("<tr><td>", html_escape(name_of_class(r, who.first)), "</td><td>", html_escape(name_of_class(r, who.second)),
                     "</td><td>", -count, "</td></tr>");
    return card("What is confused most (validation)", out + "</tbody></table>");
  }
  std::string out = "<table id=\"confusion\"><thead><tr><th>true class</th>";
  for (const std::string& name : r.classes) out += "<th>" + html_escape(name) + "</th>";
  out += "<th>correct</th></tr></thead><tbody>";
  for (std::size_t row = 0; row < n; ++row) {
    index_t total = 0;
    for (const index_t count : r.confusion[row]) total += count;
    out += "<tr><td>" + html_escape(name_of_class(r, row)) + "</td>";
    for (std::size_t column = 0; column < r.confusion[row].size(); ++column) {
      const double share = total > 0 ? static_cast<double>(r.confusion[row][column]) / static_cast<double>(total) : 0;
      out += text_of("<td class=\"cell\" style=\"background:rgba(var(--", row == column ? "good" : "bad", "),",
                     fixed(share * 0.55, 3), ")\">", r.confusion[row][column], "</td>");
    }
    const double correct = total > 0 ? static_cast<double>(r.confusion[row][row]) / static_cast<double>(total) : NAN;
    out += "<td>" + percent(correct) + "</td></tr>";
  }
  return card("Confusion matrix (validation)", out + "</tbody></table>", "Rows are true classes, columns what the network says.");
}

inline std::string classes_card(const training_report& r) {
  const auto n = static_cast<index_t>(r.confusion.size());
  std::string out =
      "<table><thead><tr><th>class</th><th>images</th><th>precision</th><th>recall</th><th>F1</th></tr></thead><tbody>";
  const auto at = [&](index_t i, index_t k) { return r.confusion[static_cast<std::size_t>(i)][static_cast<std::size_t>(k)]; };
  for (index_t k = 0; k < n; ++k) {
    index_t truths = 0, named = 0;
    for (index_t j = 0; j < n; ++j) truths += at(k, j), named += at(j, k);
    const auto ratio = [](index_t part, index_t all) {
      return all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all);
    };
    out += text_of("<tr><td>", html_escape(name_of_class(r, static_cast<std::size_t>(k))), "</td><td>", truths, "</td><td>",
                   percent(ratio(at(k, k), named)), "</td><td>", percent(ratio(at(k, k), truths)), "</td><td>",
                   fixed(ratio(2 * at(k, k), truths + named), 4), "</td></tr>");
  }
  return card("Classes (validation)", out + "</tbody></table>");
}

inline std::string calibration_card(const judged_probabilities& p) {
  const std::string plot = reliability_svg(
      {{"as trained", p.before.bins}, {text_of("temperature ", fixed(p.temperature, 2)), p.after.bins}}, p.plain.dim(1));
  return card("Calibration (validation)", plot + key({"as trained", text_of("with temperature ", fixed(p.temperature, 2))}),
              text_of("Expected calibration error ", fixed(100 * p.before.expected_error, 2), " %, with temperature ",
                      fixed(100 * p.after.expected_error, 2), " %; log loss ", short_number(p.loss_before), " and ",
                      short_number(p.loss_after),
                      ". On the dashed line probabilities mean what they say. The temperature was fitted to these images."));
}

inline std::string roc_card(const std::vector<roc_series>& curves, bool two_classes) {
  std::vector<roc_series> shown(curves.begin(),
                                curves.begin() + static_cast<std::ptrdiff_t>((std::min)(curves.size(), std::size_t{8})));
  std::vector<std::string> names;
  double mean = 0;
  for (const roc_series& s : curves) mean += s.area / static_cast<double>(curves.size());
  for (const roc_series& s : shown) names.push_back(text_of(s.name, ", area ", fixed(s.area, 4)));
  const std::string note =
      two_classes ? text_of("Area under the curve ", fixed(mean, 4), "; \"", html_escape(curves[0].name), "\" is positive.")
                  : text_of("Each class against the rest; mean area ", fixed(mean, 4), " over ", curves.size(), " classes.");
  return card("ROC (validation)", roc_svg(shown) + (two_classes ? "" : key(names)), note);
}

inline std::string image_tag(const std::string& source, const std::string& alt) {
  return text_of("<img src=\"", html_escape(source), "\" alt=\"", html_escape(alt), "\">");
}

inline std::string gallery_card(const training_report& r) {
  std::string out = "<div class=\"gallery\">";
  for (const report_picture& p : r.mistakes) {
    out += "<figure><div class=\"pair\">" + image_tag(p.source, p.title);
    if (!p.overlay.empty()) out += image_tag(p.overlay, "Grad-CAM: " + p.title);
    out += "</div><figcaption><b>" + html_escape(p.title) + "</b> " + html_escape(p.caption) + "</figcaption></figure>";
  }
  return card(r.mistakes_title, out + "</div>",
              "To the right of each picture: Grad-CAM, what in it speaks for the class that the network names (red: most).",
              true);
}

inline std::string augmented_card(const training_report& r) {
  std::string out = "<div class=\"thumbs\">";
  for (const report_picture& p : r.augmented) out += image_tag(p.source, p.title);
  return card("Training images as the network sees them", out + "</div>",
              "After resizing, crop and random changes, with the normalisation undone.");
}

inline std::string epochs_card(const training_report& r) {
  std::string out =
      "<table id=\"epochs\"><thead><tr><th>epoch</th><th>train loss</th><th>train accuracy</th><th>val loss</th><th>val "
      "accuracy</th>"
      "<th>learning rate</th><th>images/s</th><th>time</th></tr></thead><tbody>";
  for (const epoch_record& e : r.history)
    out += text_of("<tr", e.epoch == r.best_epoch ? " class=\"best\"" : "", "><td>", e.epoch,
                   e.epoch == r.best_epoch ? " (best)" : "", "</td><td>", short_number(e.train_loss), "</td><td>",
                   percent(e.train_accuracy), "</td><td>", short_number(e.val_loss), "</td><td>", percent(e.val_accuracy),
                   "</td><td>", short_number(e.learning_rate), "</td><td>", fixed(e.images_per_second, 1), "</td><td>",
                   clock_text(e.seconds), "</td></tr>");
  return card("Epochs", out + "</tbody></table>", "", true);
}

}  // namespace detail

/// The page as text: works offline and without script, light and dark, from phone width up. Texts may hold any characters.
inline std::string report_html(const training_report& r) {
  const auto classes = static_cast<index_t>(r.classes.size()), images = static_cast<index_t>(r.labels.size());
  // What cannot be judged is left out: no validation, logits that are not finite, a network with one output.
  const bool judged = images > 0 && classes > 1 && static_cast<index_t>(r.logits.size()) == images * classes &&
                      std::all_of(r.logits.begin(), r.logits.end(), [](float z) { return std::isfinite(z); });
  const view<const float> logits(r.logits.data(), shape{images, judged ? classes : 0});
  std::vector<roc_series> roc;
  detail::judged_probabilities probabilities;
  if (judged) {
    if (classes <= 20) roc = detail::roc_curves(logits, r.labels, r.classes);
    probabilities = detail::judge(logits, r.labels);
  }

  std::string note = "No epoch has ended yet.";
  if (!r.history.empty())
    note = text_of(r.finished ? "Finished" : "Running", ": ", r.history.size(),
                   r.history.size() == 1 ? " epoch in " : " epochs in ", clock_text(r.history.back().seconds), ".");
  std::string out = detail::page_begin(r.title, note);
  for (const epoch_record& e : r.history) {
    if (e.epoch != r.best_epoch) continue;
    out += "<div class=\"figures\">";
    if (!r.figures.empty()) {
      for (const metric& m : r.figures)
        out += detail::figure(std::isfinite(m.value) ? fixed(m.value, 4) : "-", "validation " + m.name);
      out += detail::figure(short_number(e.val_loss), "validation loss");
    } else if (std::isfinite(e.val_accuracy))
      out += detail::figure(detail::percent(e.val_accuracy), "validation accuracy") +
             detail::figure(short_number(e.val_loss), "validation log loss");
    else
      out += detail::figure(detail::percent(e.train_accuracy), "training accuracy") +
             detail::figure(short_number(e.train_loss), "training loss");
    if (roc.size() == 1) out += detail::figure(fixed(roc[0].area, 4), "area under ROC curve");
    if (judged) out += detail::figure(detail::percent(probabilities.before.expected_error), "calibration error (ECE)");
    out += detail::figure(text_of(e.epoch, " of ", r.history.size()), "best epoch") +
           detail::figure(fixed(r.history.back().images_per_second, 1), "images/s") + "</div>";
  }
  out += "<div class=\"cards\">";
  for (const chart& c : training_charts(r.history, r.best_epoch)) out += detail::card(c);
  if (!r.confusion.empty()) out += "<div class=\"stack\">" + detail::confusion_card(r) + detail::classes_card(r) + "</div>";
  if (!r.per_label.empty()) out += detail::labels_card(r.per_label, r.classes);
  for (std::size_t i = 0; i < r.targets.size() && i < 8; ++i) out += detail::scatter_card(r.targets[i]);
  if (!roc.empty()) out += detail::roc_card(roc, classes == 2);
  if (judged) out += detail::calibration_card(probabilities);
  if (!r.mistakes.empty()) out += detail::gallery_card(r);
  if (!r.augmented.empty()) out += detail::augmented_card(r);
  if (!r.filters.empty())
    out += detail::card(
        "First-layer filters",
        text_of("<img class=\"filters\" src=\"", html_escape(r.filters), "\" alt=\"filters of the first convolution\">"),
        html_escape(r.filters_note));
  if (!r.history.empty()) out += detail::epochs_card(r);
  if (!r.settings.empty())
    out += detail::card("Settings", detail::pairs_table(r.settings, r.settings.size() > 12 ? 3 : 1), "", true);
  if (!r.data.empty()) out += detail::card("Data", detail::pairs_table(r.data));
  if (!r.machine.empty()) out += detail::card("Machine", detail::pairs_table(r.machine));
  if (!r.command.empty())
    out += detail::card("Repeat this run", "<code id=\"command\">" + html_escape(r.command) + "</code>", "", true);
  return out + "</div>" + detail::page_end();
}

}  // namespace minicnn::inline MINICNN_ABI
