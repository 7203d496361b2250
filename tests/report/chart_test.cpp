#include "minicnn/report/chart.hpp"

#include <doctest/doctest.h>

using namespace minicnn;

namespace {

chart losses(std::vector<double> values, bool may_be_logarithmic = true) {
  chart c{"Loss", {}, {{"train", std::move(values)}}, true};
  for (std::size_t i = 0; i < c.series[0].values.size(); ++i) c.x.push_back(static_cast<double>(i + 1));
  c.may_be_logarithmic = may_be_logarithmic;
  return c;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("losses from 100,000 to 0.1 are drawn by decades, so that the small ones can be told apart") {
  const chart c = losses({1e5, 1, 0.1});
  const chart_scale scale(c);
  CHECK(scale.y(1e5) == doctest::Approx(chart_scale::top));
  CHECK(scale.y(0.1) == doctest::Approx(chart_scale::height - chart_scale::bottom));
  CHECK(scale.y(1) - scale.y(10) == doctest::Approx((260.0 - 12 - 34) / 6));  // six decades in 214 pixels
  const std::vector<double> ticks = scale.y_ticks();
  REQUIRE(ticks.size() == 7);
  CHECK(ticks.front() == doctest::Approx(0.1));
  CHECK(ticks.back() == doctest::Approx(1e5));
  CHECK(contains(chart_svg(c), ">100000</text>"));
  CHECK(chart_scale(losses({1e12, 1})).y_ticks().size() <= 8);
}

TEST_CASE("the axis stays linear for ordinary losses, where a value is 0, and where nobody asked") {
  const double bottom = chart_scale::height - chart_scale::bottom;
  CHECK(chart_scale(losses({0.9, 0.01})).y(0) == doctest::Approx(bottom));
  CHECK(chart_scale(losses({5000, 1, 0})).y(0) == doctest::Approx(bottom));
  CHECK(chart_scale(losses({5000, 1}, false)).y(0) == doctest::Approx(bottom));
  CHECK(chart_scale(losses({5000, 1}, false)).y(2500) == doctest::Approx((bottom + chart_scale::top) / 2));
}

TEST_CASE("what is not finite is left out, and a chart without values still has an axis") {
  CHECK_FALSE(contains(chart_svg(losses({NAN, INFINITY, 2, 1})), "nan"));
  CHECK(contains(chart_svg(losses({NAN})), "<svg"));
  CHECK_FALSE(contains(chart_svg(losses({})), "nan"));
}
