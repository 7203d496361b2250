#include "minicnn/report/html.hpp"

#include <doctest/doctest.h>

using namespace minicnn;

namespace {
bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
}  // namespace

TEST_CASE("the page is one file that names what it shows, escaped") {
  training_report r;
  r.title = "a <b> & \"c\"";
  r.history = {{1, 0.7, 0.5, 0.6, 0.55, 0.1, 30, 60}, {2, 0.5, 0.7, 0.4, 0.8, 0.05, 31, 125}};
  r.classes = {"cat", "dog"};
  r.confusion = {{8, 2}, {3, 7}};
  r.best_epoch = 2;
  r.settings = {{"seed", "<1>"}};
  r.command = "minicnn train --data 'x y'";
  const std::string page = report_html(r);
  CHECK(contains(page, "a &lt;b&gt; &amp; &quot;c&quot;"));
  CHECK_FALSE(contains(page, "a <b>"));
  CHECK(contains(page, "80.00 %</td></tr>"));  // cats that were right
  CHECK(contains(page, "&lt;1&gt;"));
  CHECK(contains(page, "2 epochs in 2:05"));
  CHECK(contains(page, "validation, epoch 2: 0.400"));
  for (const char* outside : {"http://", "https://", "src=", "@import"}) CHECK_FALSE(contains(page, outside));
}

TEST_CASE("a run without validation or without an epoch still has a page") {
  training_report r;
  CHECK(contains(report_html(r), "No epoch has ended yet"));
  r.history = {{1, 0.7, 0.5, NAN, NAN, 0.1, 30, 60}};
  const std::string page = report_html(r);
  CHECK_FALSE(contains(page, "nan"));
  CHECK_FALSE(contains(page, "Confusion"));
}

TEST_CASE("numbers for people") {
  CHECK(short_number(0) == "0");
  CHECK(short_number(0.12345) == "0.123");
  CHECK(short_number(12.345) == "12.3");
  CHECK(short_number(4.2e-8) == "4.20e-08");
  CHECK(clock_text(59.6) == "1:00");
  CHECK(clock_text(3723) == "1:02:03");
  CHECK(clock_text(NAN) == "--:--");
  CHECK(bar_text(0.5, 4, false) == "##..");
  CHECK(bar_text(7, 2, true) == "██");
}

TEST_CASE("axes have round ticks inside their range") {
  const auto ticks = detail::axis_ticks(0.0, 1.0);
  CHECK(ticks.size() == 6);
  CHECK(ticks[1] == doctest::Approx(0.2));
  for (const double t : detail::axis_ticks(-3.7, 1234.5)) CHECK((t >= -3.7 && t <= 1234.5));
}
