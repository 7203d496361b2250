#include "minicnn/report/lr_range_chart.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace minicnn;

namespace {

lr_range_test valley() {
  lr_range_test test;
  for (int i = 0; i <= 60; ++i) {
    test.rates.push_back(std::pow(10.0, -5 + 0.1 * i));
    test.losses.push_back(1 + 0.001 * (i - 40) * (i - 40));
  }
  detail::judge(test, 60, 1e9);
  return test;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("one SVG file: two curves, a point a step with its values, decades below, the suggestion marked") {
  const lr_range_test test = valley();
  const std::string svg = lr_range_svg(test, "a <b> & c");
  CHECK(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(count(svg, "<polyline") == 2);
  CHECK(count(svg, "<circle") == 61);
  CHECK(count(svg, "a &lt;b&gt; &amp; c") == 2);
  for (const char* decade : {">1e-5<", ">1e-4<", ">1e-3<", ">0.01<", ">0.1<", ">1<", ">10<"}) {
    CAPTURE(decade);
    CHECK(count(svg, std::string("y=\"386\" text-anchor=\"middle\"") + decade) == 1);
  }
  CHECK(count(svg, short_number(test.suggestion()) + " (" + std::string(test.rule()) + ")") == 1);
  CHECK(count(svg, "prefers-color-scheme:dark") == 1);
  CHECK(count(svg, "nan") == 0);
}

TEST_CASE("what never falls has no mark; nothing at all is still a picture") {
  lr_range_test rising;
  for (int i = 0; i < 20; ++i) rising.rates.push_back(std::pow(10.0, -3 + 0.1 * i)), rising.losses.push_back(1.0 + i);
  detail::judge(rising, 20, 1e9);
  CHECK(count(lr_range_svg(rising, "t"), "class=\"mark\"") == 0);
  const std::string empty = lr_range_svg(lr_range_test{}, "t");
  CHECK(empty.ends_with("</svg>\n"));
  CHECK(count(empty, "nan") == 0);
  CHECK(count(empty, "inf") == 0);
}

TEST_CASE("a curve that breaks away leaves the frame: no points at its edge, lines cut off") {
  lr_range_test test;
  for (int i = 0; i < 60; ++i)
    test.rates.push_back(std::pow(10.0, -5 + 0.1 * i)), test.losses.push_back(i < 40 ? 2.0 - 0.02 * i : 1e6);
  detail::judge(test, 60, 1e9);
  const std::string svg = lr_range_svg(test, "t");
  // Before it breaks away the loss is 2 at most, afterwards far above.
  const auto shown =
      static_cast<std::size_t>(std::count_if(test.smoothed.begin(), test.smoothed.end(), [](double v) { return v < 2.5; }));
  CHECK(shown > 20);
  CHECK(shown < 60);
  CHECK(count(svg, "<circle") == shown);
  CHECK(count(svg, "clip-path=\"url(#frame)\"") == 2);
  CHECK(count(svg, "cy=\"44.0\"") == 0);
}

TEST_CASE("the page stands alone") {
  const std::string page = lr_range_html(valley(), "title", {"note & note"});
  CHECK(page.starts_with("<!doctype html>"));
  CHECK(count(page, "<p>note &amp; note</p>") == 1);
  CHECK(count(page, "<svg") == 1);
  CHECK(count(page, "src=") == 0);
  CHECK(count(page, "href=") == 0);
}
