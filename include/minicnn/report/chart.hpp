#pragma once
/// Line charts as SVG text: readable without script; the page's script adds values on hover.

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/report/progress.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Text with the characters that mean something in HTML replaced, and those that may not be in a page (`printable`).
inline std::string html_escape(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

/// A number for people: about three significant digits, no exponent in the usual range.
inline std::string short_number(double value) {
  if (!std::isfinite(value)) return "-";
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (size < 1e-3 || size >= 1e6) {
    char buffer[64];
    const auto end = detail::float_to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific, 2);
    return std::string(buffer, end.ptr);
  }
  return fixed(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.1 ? 3 : 4);
}

/// One curve; values that are not finite are left out.
struct chart_series {
  std::string name;
  std::vector<double> values;
};

/// A chart over epochs. `zero_based` starts the vertical axis at 0; `percent` labels fractions as percentages.
struct chart {
  std::string title;
  std::vector<double> x;  ///< epochs
  std::vector<chart_series> series;
  bool zero_based = false;
  bool percent = false;
  double mark = NAN;                ///< an epoch with a dotted line (the best one); NaN: none
  bool may_be_logarithmic = false;  ///< the vertical axis is where values, all above 0, span more than a factor of 1000
};

namespace detail {

/// Round steps of 1, 2 or 5 times a power of ten; about five between low and high.
inline std::vector<double> axis_ticks(double low, double high) {
  const double rough = (high - low) / 5;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = power * 10;
  for (const double factor : {1.0, 2.0, 5.0})
    if (rough <= factor * power) {
      step = factor * power;
      break;
    }
  std::vector<double> ticks;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1)
    ticks.push_back(k * step + 0.0);  // + 0.0: no negative zero
  return ticks;
}

/// Of an axis: without zeros that say nothing, "0.5" and not "0.500".
inline std::string axis_label(double v) {
  std::string text = short_number(v);
  if (text.find('.') != text.npos && text.find('e') == text.npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text;
}

}  // namespace detail

/// Where a chart's values lie in its picture of 520 x 260, and which values its axes name.
class chart_scale {
 public:
  static constexpr double width = 520, height = 260, left = 52, right = 12, top = 12, bottom = 34;

  explicit chart_scale(const chart& c) : percent_(c.percent) {
    low_ = c.zero_based ? 0 : INFINITY, high_ = -INFINITY;
    for (const chart_series& s : c.series)
      for (const double v : s.values)
        if (std::isfinite(v)) low_ = (std::min)(low_, v), high_ = (std::max)(high_, v);
    double least = INFINITY;
    for (const chart_series& s : c.series)
      for (const double v : s.values)
        if (std::isfinite(v)) least = (std::min)(least, v);
    logarithmic_ = c.may_be_logarithmic && least > 0 && high_ > 1000 * least;
    if (logarithmic_) low_ = std::log10(least), high_ = std::log10(high_);
    if (!(low_ <= high_)) low_ = 0, high_ = 1;
    if (high_ - low_ < 1e-12 * (1 + std::abs(high_)))
      low_ -= 0.5 * (1e-3 + std::abs(low_)) * !c.zero_based, high_ += 0.5 * (1e-3 + std::abs(high_));
    first_ = c.x.empty() ? 0 : c.x.front();
    last_ = c.x.empty() || c.x.back() <= first_ ? first_ + 1 : c.x.back();
  }

  double x(double v) const { return left + (v - first_) / (last_ - first_) * (width - left - right); }
  double y(double v) const {
    return height - bottom - ((logarithmic_ ? std::log10(v) : v) - low_) / (high_ - low_) * (height - top - bottom);
  }
  std::string label(double v) const { return percent_ ? short_number(v * 100) + "%" : short_number(v); }
  std::string tick_label(double v) const { return percent_ ? detail::axis_label(v * 100) + "%" : detail::axis_label(v); }
  bool shows(double v) const { return v >= first_ && v <= last_; }

  /// On a logarithmic axis powers of ten, at most seven.
  std::vector<double> y_ticks() const {
    if (!logarithmic_) return detail::axis_ticks(low_, high_);
    std::vector<double> ticks;
    const double step = std::ceil((high_ - low_) / 7);
    for (double power = std::ceil(low_); power <= high_; power += step) ticks.push_back(std::pow(10.0, power));
    return ticks;
  }
  /// Whole numbers: epochs.
  std::vector<double> x_ticks() const {
    std::vector<double> ticks = detail::axis_ticks(first_, last_);
    std::erase_if(ticks, [](double t) { return t > std::floor(t); });
    return ticks;
  }

 private:
  double low_ = 0, high_ = 1, first_ = 0, last_ = 1;
  bool percent_ = false, logarithmic_ = false;
};

/// The chart as an svg element of class "chart"; colours come from the page's style (classes s0, s1, ...).
inline std::string chart_svg(const chart& c) {
  const chart_scale scale(c);
  std::string out = text_of("<svg class=\"chart\" viewBox=\"0 0 520 260\" role=\"img\" tabindex=\"0\" aria-label=\"",
                            html_escape(c.title), "\">");
  for (const double t : scale.y_ticks())
    out += text_of("<line class=\"grid\" x1=\"52\" x2=\"508\" y1=\"", fixed(scale.y(t), 1), "\" y2=\"", fixed(scale.y(t), 1),
                   "\"/><text class=\"tick\" x=\"46\" y=\"", fixed(scale.y(t) + 4, 1), "\" text-anchor=\"end\">",
                   scale.tick_label(t), "</text>");
  for (const double t : scale.x_ticks())
    out += text_of("<text class=\"tick\" x=\"", fixed(scale.x(t), 1), "\" y=\"243\" text-anchor=\"middle\">",
                   static_cast<index_t>(t), "</text>");
  out += "<text class=\"tick\" x=\"280\" y=\"256\" text-anchor=\"middle\">epoch</text>";
  if (scale.shows(c.mark))
    out += text_of("<line class=\"mark\" x1=\"", fixed(scale.x(c.mark), 1), "\" x2=\"", fixed(scale.x(c.mark), 1),
                   "\" y1=\"12\" y2=\"226\"/>");
  const char* radius = c.x.size() > 60 ? "1.5" : "3";
  for (std::size_t s = 0; s < c.series.size(); ++s) {
    std::string points, dots;
    for (std::size_t i = 0; i < c.series[s].values.size() && i < c.x.size(); ++i) {
      const double v = c.series[s].values[i];
      if (!std::isfinite(v)) continue;
      const std::string x = fixed(scale.x(c.x[i]), 1), y = fixed(scale.y(v), 1);
      points += text_of(points.empty() ? "" : " ", x, ",", y);
      dots += text_of("<circle class=\"s", s, "\" cx=\"", x, "\" cy=\"", y, "\" r=\"", radius, "\"><title>",
                      html_escape(c.series[s].name), ", epoch ", static_cast<index_t>(c.x[i]), ": ", scale.label(v),
                      "</title></circle>");
    }
    out += text_of("<polyline class=\"s", s, "\" points=\"", points, "\"/>", dots);
  }
  return out + "</svg>";
}

}  // namespace minicnn::inline MINICNN_ABI
