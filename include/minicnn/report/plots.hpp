#pragma once
/// Plots of probabilities over the unit square as SVG text: ROC curves, and reliability before and after a temperature.

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/analysis/calibration.hpp"
#include "minicnn/report/chart.hpp"
#include "minicnn/report/roc.hpp"

namespace minicnn::inline MINICNN_ABI {

/// A named ROC curve; `area` is shown with it.
struct roc_series {
  std::string name;
  std::vector<roc_point> curve;
  double area = 0;
};

/// A named reliability diagram (Guo et al., 2017, figure 1).
struct reliability_series {
  std::string name;
  std::vector<calibration_bin> bins;
};

namespace detail {

/// Axes from `low` to 1 in percent, the diagonal, labels, and `content` over them.
class unit_plot {
 public:
  unit_plot(std::string_view title, std::string_view x_label, std::string_view y_label, double low) : low_(low) {
    out_ = text_of("<svg class=\"chart\" viewBox=\"0 0 520 300\" role=\"img\" tabindex=\"0\" aria-label=\"", html_escape(title),
                   "\">");
    for (const double t : axis_ticks(low, 1)) {
      const std::string label = fixed(100 * t, 0) + "%";
      out_ += text_of("<line class=\"grid\" x1=\"52\" x2=\"508\" y1=\"", y(t), "\" y2=\"", y(t),
                      "\"/><text class=\"tick\" x=\"46\" y=\"", fixed(place_y(t) + 4, 1), "\" text-anchor=\"end\">", label,
                      "</text>");
      // The last label ends with the picture.
      out_ += text_of("<text class=\"tick\" x=\"", t < 0.99 ? x(t) : "518", "\" y=\"276\" text-anchor=\"",
                      t < 0.99 ? "middle" : "end", "\">", label, "</text>");
    }
    out_ += text_of(
        "<line class=\"ideal\" x1=\"52\" y1=\"258\" x2=\"508\" y2=\"12\"/><text class=\"tick\" x=\"280\" y=\"294\" "
        "text-anchor=\"middle\">",
        html_escape(x_label),
        "</text><text class=\"tick\" transform=\"rotate(-90 12 135)\" x=\"12\" y=\"135\" text-anchor=\"middle\">",
        html_escape(y_label), "</text>");
  }

  std::string x(double v) const { return fixed(52 + (v - low_) / (1 - low_) * 456, 1); }
  std::string y(double v) const { return fixed(place_y(v), 1); }

  void line(std::size_t series, const std::string& points) {
    out_ += text_of("<polyline class=\"s", series, "\" points=\"", points, "\"/>");
  }
  void dot(std::size_t series, double at_x, double at_y, double radius, const std::string& title) {
    out_ += text_of("<circle class=\"s", series, "\" cx=\"", x(at_x), "\" cy=\"", y(at_y), "\" r=\"", fixed(radius, 1),
                    "\"><title>", html_escape(title), "</title></circle>");
  }
  std::string finish() const { return out_ + "</svg>"; }

 private:
  double place_y(double v) const { return 258 - (v - low_) / (1 - low_) * 246; }

  double low_;
  std::string out_;
};

}  // namespace detail

/// Curves of class "s0", "s1", ...; at most about 60 points of each carry their values as titles.
inline std::string roc_svg(const std::vector<roc_series>& curves) {
  detail::unit_plot plot("ROC curve", "false positives", "true positives", 0);
  for (std::size_t s = 0; s < curves.size(); ++s) {
    std::string points;
    for (const roc_point& p : curves[s].curve)
      points += text_of(points.empty() ? "" : " ", plot.x(p.false_positives), ",", plot.y(p.true_positives));
    plot.line(s, points);
    const std::size_t every = curves[s].curve.size() / 60 + 1;
    for (std::size_t i = every / 2; i < curves[s].curve.size(); i += every) {
      const roc_point& p = curves[s].curve[i];
      if (std::isfinite(p.threshold))
        plot.dot(s, p.false_positives, p.true_positives, 2,
                 text_of(curves[s].name, ", from score ", short_number(p.threshold), " on: finds ",
                         fixed(100 * p.true_positives, 1), "%, takes in ", fixed(100 * p.false_positives, 1), "%"));
    }
  }
  return plot.finish();
}

/// Accuracy over confidence, a dot a bin, larger where more samples are; on the diagonal probabilities mean what they say.
/// Confidences below 1 / `classes` do not occur.
inline std::string reliability_svg(const std::vector<reliability_series>& all, index_t classes) {
  double low = classes == 2 ? 0.5 : 0;
  for (const reliability_series& s : all)
    for (const calibration_bin& b : s.bins)
      if (b.count > 0 && b.accuracy < low) low = 0;
  detail::unit_plot plot("Calibration", "confidence", "accuracy", low);
  for (std::size_t s = 0; s < all.size(); ++s) {
    std::string points;
    index_t most = 1;
    for (const calibration_bin& b : all[s].bins) most = (std::max)(most, b.count);
    for (const calibration_bin& b : all[s].bins)
      if (b.count > 0) points += text_of(points.empty() ? "" : " ", plot.x(b.confidence), ",", plot.y(b.accuracy));
    plot.line(s, points);
    for (const calibration_bin& b : all[s].bins)
      if (b.count > 0)
        plot.dot(s, b.confidence, b.accuracy, 2.5 + 5 * std::sqrt(static_cast<double>(b.count) / static_cast<double>(most)),
                 text_of(all[s].name, ": says ", fixed(100 * b.confidence, 1), "%, is right ", fixed(100 * b.accuracy, 1), "% (",
                         b.count, b.count == 1 ? " image)" : " images)"));
  }
  return plot.finish();
}

}  // namespace minicnn::inline MINICNN_ABI
