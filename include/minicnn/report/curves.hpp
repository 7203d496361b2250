#pragma once
/// The curves of a training run, one definition for the report's page, for curves.svg and for curves.png.

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/report/page.hpp"
#include "minicnn/train/history.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Loss, accuracy, validation log loss, learning rate, images per second. `best_epoch` (0: none) is marked. What was never
/// measured (validation figures of a run without validation) is left out.
inline std::vector<chart> training_charts(const std::vector<epoch_record>& history, index_t best_epoch) {
  const auto column = [&](double epoch_record::*field) {
    std::vector<double> out;
    for (const epoch_record& e : history) out.push_back(e.*field);
    return out;
  };
  std::vector<double> epochs;
  for (const epoch_record& e : history) epochs.push_back(static_cast<double>(e.epoch));
  const double mark = best_epoch > 0 ? static_cast<double>(best_epoch) : NAN;
  std::vector<chart> charts{
      {"Loss",
       epochs,
       {{"train", column(&epoch_record::train_loss)}, {"validation", column(&epoch_record::val_loss)}},
       true,
       false,
       mark,
       true},
      {"Accuracy",
       epochs,
       {{"train", column(&epoch_record::train_accuracy)}, {"validation", column(&epoch_record::val_accuracy)}},
       false,
       true,
       mark},
      {"Validation log loss", epochs, {{"log loss", column(&epoch_record::val_loss)}}, false, false, mark, true},
      {"Learning rate", epochs, {{"learning rate", column(&epoch_record::learning_rate)}}, true, false, NAN},
      {"Images per second", epochs, {{"images/s", column(&epoch_record::images_per_second)}}, true, false, NAN}};
  const auto measured = [](const chart_series& s) {
    return std::any_of(s.values.begin(), s.values.end(), [](double v) { return std::isfinite(v); });
  };
  for (chart& c : charts) std::erase_if(c.series, [&](const chart_series& s) { return !measured(s); });
  std::erase_if(charts, [](const chart& c) { return c.series.empty(); });
  return charts;
}

/// All of them in one SVG file, two in a row, with colours of its own for light and dark.
inline std::string curves_svg(const std::vector<epoch_record>& history, index_t best_epoch, std::string_view title) {
  const std::vector<chart> charts = training_charts(history, best_epoch);
  const auto rows = static_cast<index_t>(charts.size() + 1) / 2;
  std::string out = text_of(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"all\" viewBox=\"0 0 1120 ", 60 + rows * 320,
      "\" role=\"img\" aria-label=\"", html_escape(title), "\"><style>.all{", detail::page_light,
      "}@media(prefers-color-scheme:dark){.all{", detail::page_dark,
      "}}.all text{font-family:system-ui,\"Liberation Sans\",sans-serif;fill:var(--fg)}.all "
      ".tick{fill:var(--mute);font-size:11.5px}"
      ".all .grid{stroke:var(--line)}.all .mark{stroke:var(--mute);stroke-dasharray:3 4}.all .s0{--c:var(--s0)}.all "
      ".s1{--c:var(--s1)}"
      ".all polyline{fill:none;stroke:var(--c);stroke-width:2.2}.all circle{fill:var(--c)}.all .page{fill:var(--bg)}"
      ".all .box{fill:var(--card);stroke:var(--line)}.all .key{fill:var(--c)}</style><rect class=\"page\" width=\"1120\" "
      "height=\"",
      60 + rows * 320, "\"/><text x=\"24\" y=\"38\" font-size=\"20\" font-weight=\"600\">", html_escape(title), "</text>");
  for (std::size_t i = 0; i < charts.size(); ++i) {
    const index_t x = i % 2 == 0 ? 16 : 568, y = 60 + static_cast<index_t>(i / 2) * 320;
    out += text_of("<rect class=\"box\" x=\"", x, "\" y=\"", y, "\" width=\"536\" height=\"304\" rx=\"10\"/><text x=\"", x + 16,
                   "\" y=\"", y + 26, "\" font-size=\"14\" font-weight=\"600\">", html_escape(charts[i].title), "</text>");
    if (charts[i].series.size() > 1)
      for (std::size_t s = 0; s < charts[i].series.size(); ++s)
        out += text_of("<text class=\"tick s", s, "\" style=\"fill:var(--c)\" x=\"",
                       x + 520 - 90 * static_cast<index_t>(charts[i].series.size() - 1 - s), "\" y=\"", y + 26,
                       "\" text-anchor=\"end\">", html_escape(charts[i].series[s].name), "</text>");
    std::string inner = chart_svg(charts[i]);
    inner.replace(0, std::string_view("<svg").size(),
                  text_of("<svg x=\"", x + 8, "\" y=\"", y + 36, "\" width=\"520\" height=\"260\""));
    out += inner;
  }
  return out + "</svg>\n";
}

}  // namespace minicnn::inline MINICNN_ABI
