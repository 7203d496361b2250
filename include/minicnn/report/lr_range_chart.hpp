#pragma once
/// The curve of a learning-rate range test as one SVG file, and as a page around it.

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/analysis/lr_finder.hpp"
#include "minicnn/report/chart.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Colours of its own, so that the file looks right wherever it is opened, light or dark.
inline constexpr const char* rate_chart_style =
    ".rate text{font:12px system-ui,sans-serif;fill:#6b6f76}.rate .head{font-size:15px;fill:#1d1f21}.rate .grid{stroke:#dcdcd6}"
    ".rate .raw{fill:none;stroke:#a9b4c6;stroke-width:1}.rate .smooth{fill:none;stroke:#2563c9;stroke-width:2.5}"
    ".rate .mark{stroke:#d9622b;stroke-width:1.5;stroke-dasharray:5 4}.rate .dot{fill:#2563c9}.rate .label{fill:#b64d1c}"
    ".rate .back{fill:#fff}"
    "@media(prefers-color-scheme:dark){.rate text{fill:#9a9fa7}.rate .head{fill:#e6e7e9}.rate .grid{stroke:#33373d}"
    ".rate .raw{stroke:#4d5868}.rate .smooth{stroke:#6ea8ff}.rate .mark{stroke:#ff9d66}.rate .dot{fill:#6ea8ff}"
    ".rate .label{fill:#ff9d66}.rate .back{fill:#1e2125}}";

/// A power of ten as "1e-4".
inline std::string decade_text(int exponent) {
  return exponent >= -2 && exponent <= 2 ? axis_label(std::pow(10.0, exponent)) : text_of("1e", exponent);
}

}  // namespace detail

/// Loss over learning rate on a logarithmic axis: single batches thin, smoothed thick, the suggestion marked. Points have their
/// values as titles. A complete SVG file.
inline std::string lr_range_svg(const lr_range_test& test, std::string_view title) {
  constexpr double width = 760, height = 420, left = 64, right = 20, top = 44, bottom = 52;
  // The vertical axis follows the smoothed curve up to where it has broken away; what lies beyond is cut off by the frame.
  double low = INFINITY, high = -INFINITY;
  for (const double v : test.smoothed) low = (std::min)(low, v), high = (std::max)(high, v);
  if (!test.smoothed.empty()) high = (std::min)(high, low + 2.5 * (test.smoothed.front() - low) + 0.25 * std::abs(low));
  if (!(low < high)) low = (low <= high ? low : 0) - 0.5, high = low + 1;
  const double margin = 0.06 * (high - low);
  low -= margin, high += margin;
  double first = -6, last = 1;
  if (!test.rates.empty()) first = std::log10(test.rates.front()), last = std::log10(test.rates.back());
  if (last - first < 1e-9) last = first + 1;
  const auto place_x = [&](double rate) { return left + (std::log10(rate) - first) / (last - first) * (width - left - right); };
  const auto place_y = [&](double v) {  // at most a frame's height above or below it
    const double part = (std::min)((std::max)((v - low) / (high - low), -1.0), 2.0);
    return height - bottom - part * (height - top - bottom);
  };
  const auto line = [&](const std::vector<double>& values, std::string_view style) {
    std::string points;
    for (std::size_t i = 0; i < values.size(); ++i)
      points += text_of(i == 0 ? "" : " ", fixed(place_x(test.rates[i]), 1), ",", fixed(place_y(values[i]), 1));
    return text_of("<polyline clip-path=\"url(#frame)\" class=\"", style, "\" points=\"", points, "\"/>");
  };

  std::string out =
      text_of("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"rate\" viewBox=\"0 0 760 420\" role=\"img\" aria-label=\"",
              html_escape(title), "\"><style>", detail::rate_chart_style,
              "</style><clipPath id=\"frame\"><rect x=\"64\" y=\"44\" width=\"676\" height=\"324\"/></clipPath><rect "
              "class=\"back\" width=\"760\" height=\"420\" rx=\"10\"/><text class=\"head\" x=\"64\" y=\"26\">",
              html_escape(title), "</text>");
  for (const double t : detail::axis_ticks(low, high))
    out +=
        text_of("<line class=\"grid\" x1=\"64\" x2=\"740\" y1=\"", fixed(place_y(t), 1), "\" y2=\"", fixed(place_y(t), 1),
                "\"/><text x=\"56\" y=\"", fixed(place_y(t) + 4, 1), "\" text-anchor=\"end\">", detail::axis_label(t), "</text>");
  for (int decade = static_cast<int>(std::ceil(first - 1e-9)); decade <= static_cast<int>(std::floor(last + 1e-9)); ++decade) {
    const std::string x = fixed(place_x(std::pow(10.0, decade)), 1);
    out += text_of("<line class=\"grid\" x1=\"", x, "\" x2=\"", x, "\" y1=\"44\" y2=\"368\"/><text x=\"", x,
                   "\" y=\"386\" text-anchor=\"middle\">", detail::decade_text(decade), "</text>");
  }
  out +=
      "<text x=\"402\" y=\"408\" text-anchor=\"middle\">learning rate</text><text x=\"740\" y=\"26\" text-anchor=\"end\">loss: "
      "batches thin, smoothed thick</text>";
  out += line(test.losses, "raw") + line(test.smoothed, "smooth");
  if (const double at = test.suggestion(); at > 0) {
    const double x = (std::max)(place_x(at), left);
    const bool flip = x > width - 260;
    out += text_of("<line class=\"mark\" x1=\"", fixed(x, 1), "\" x2=\"", fixed(x, 1),
                   "\" y1=\"44\" y2=\"368\"/><text class=\"label\" x=\"", fixed(flip ? x - 8 : x + 8, 1),
                   "\" y=\"60\" text-anchor=\"", flip ? "end" : "start", "\">", short_number(at), " (", test.rule(), ")</text>");
  }
  for (std::size_t i = 0; i < test.smoothed.size(); ++i)
    if (test.smoothed[i] <= high)
      out +=
          text_of("<circle class=\"dot\" cx=\"", fixed(place_x(test.rates[i]), 1), "\" cy=\"",
                  fixed(place_y(test.smoothed[i]), 1), "\" r=\"3\"><title>rate ", short_number(test.rates[i]), ": smoothed loss ",
                  short_number(test.smoothed[i]), ", batch ", short_number(test.losses[i]), "</title></circle>");
  return out + "</svg>\n";
}

/// A page with the curve and what it suggests; works offline. `notes` are lines of text under the curve.
inline std::string lr_range_html(const lr_range_test& test, std::string_view title, const std::vector<std::string>& notes) {
  std::string out = text_of(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>",
      html_escape(title),
      "</title><style>:root{color-scheme:light dark}body{margin:0;background:#fafaf8;color:#1d1f21;font:16px/1.5 "
      "system-ui,sans-serif}main{max-width:860px;margin:0 auto;padding:24px 16px}svg{width:100%;height:auto;border:1px solid "
      "#dcdcd6;border-radius:10px}p{overflow-wrap:anywhere}@media(prefers-color-scheme:dark){body{background:#16181b;color:#"
      "e6e7e9}"
      "svg{border-color:#33373d}}</style></head><body><main>",
      lr_range_svg(test, title));
  for (const std::string& note : notes) out += "<p>" + html_escape(note) + "</p>";
  return out + "</main></body></html>\n";
}

}  // namespace minicnn::inline MINICNN_ABI
