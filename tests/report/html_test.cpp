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

TEST_CASE("validation's logits give ROC and calibration; nothing is shown that cannot be judged") {
  training_report r;
  r.history = {{1, 0.7, 0.5, 0.6, 0.75, 0.1, 30, 60}};
  r.best_epoch = 1;
  r.classes = {"cat", "<dog>"};
  r.labels = {0, 0, 1, 1};
  r.logits = {2, 0, 0, 1, 0, 3, 0, 2};  // cat sure, cat taken for dog, dog sure, dog sure
  r.confusion = {{1, 1}, {0, 2}};
  const std::string page = report_html(r);
  CHECK(contains(page, "Area under the curve 1.0000; \"&lt;dog&gt;\" is positive."));
  CHECK(contains(page, "<td>66.67 %</td><td>100.00 %</td><td>0.8000</td>"));  // dog: precision, recall, F1
  CHECK(contains(page, "Expected calibration error"));
  CHECK_FALSE(contains(page, "<dog>"));
  for (const float bad : {NAN, INFINITY}) {
    r.logits[3] = bad;
    const std::string without = report_html(r);
    CHECK_FALSE(contains(without, "Calibration"));
    CHECK_FALSE(contains(without, "nan"));
  }
  r.logits.pop_back();
  CHECK_FALSE(contains(report_html(r), "Calibration"));
}

TEST_CASE("pictures, captions and paths are escaped") {
  training_report r;
  r.mistakes = {{"data:image/jpeg;base64,AA==", "data:image/jpeg;base64,BB==", "a<b>", "is \"c\" & (x'y/<script>.jpg)"}};
  r.augmented = {{"data:image/jpeg;base64,CC==", "", "e\" onerror=\"f", ""}};
  r.filters = "data:image/png;base64,DD==";
  const std::string page = report_html(r);
  for (const char* part : {"AA==", "BB==", "CC==", "DD==", "a&lt;b&gt;", "is &quot;c&quot; &amp; (x'y/&lt;script&gt;.jpg)"})
    CHECK(contains(page, part));
  CHECK_FALSE(contains(page, "\" onerror="));
  CHECK_FALSE(contains(page, "<script>.jpg"));
}

TEST_CASE("many classes: pairs instead of a matrix, at most eight ROC curves") {
  training_report r;
  r.history = {{1, 0.7, 0.5, 0.6, 0.75, 0.1, 30, 60}};
  r.best_epoch = 1;
  r.confusion.assign(30, std::vector<index_t>(30, 0));
  r.confusion[3][7] = 5;
  for (std::int32_t k = 0; k < 30; ++k) r.classes.push_back("class" + to_text(k));
  const std::string page = report_html(r);
  CHECK(contains(page, "<td>class3</td><td>class7</td><td>5</td>"));
  CHECK_FALSE(contains(page, "id=\"confusion\""));
}

TEST_CASE("curves.svg is a file of its own") {
  const std::vector<epoch_record> history{{1, 0.7, 0.5, 0.6, 0.55, 0.1, 30, 60}, {2, 0.5, 0.7, 0.4, 0.8, 0.05, 31, 125}};
  const std::string svg = curves_svg(history, 2, "a & b");
  CHECK(contains(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(contains(svg, "a &amp; b"));
  CHECK(contains(svg, "validation, epoch 2: 80.0%"));
  CHECK(contains(svg, "class=\"mark\""));
  // Without validation its charts are gone.
  const std::vector<epoch_record> alone{{1, 0.7, 0.5, NAN, NAN, 0.1, 30, 60}};
  CHECK_FALSE(contains(curves_svg(alone, 1, ""), "log loss"));
  CHECK(training_charts(alone, 1).size() == 4);
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
