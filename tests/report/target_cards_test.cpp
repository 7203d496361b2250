#include "minicnn/report/html.hpp"

#include <doctest/doctest.h>

using namespace minicnn;

namespace {

training_report report() {
  training_report r;
  r.title = "a run";
  epoch_record e;
  e.epoch = 1, e.train_loss = 0.5, e.train_accuracy = NAN, e.val_loss = 0.25, e.val_accuracy = NAN;
  r.history = {e};
  r.best_epoch = 1;
  return r;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("numbers: predicted over true, and no matrix of classes") {
  training_report r = report();
  r.targets = {{"age <b>", {1, 2, 3}, {1, 2.5, NAN}, {0.5, 0.25, 0.75}}};
  r.figures = {{"R2", 0.75}};
  const std::string page = report_html(r);
  CHECK(page.find("age &lt;b&gt;") != page.npos);
  CHECK(count(page, "predicted 2.5") == 1);
  CHECK(count(page, "<circle class=\"s0\" cx=\"280.0\" cy=\"73.5\"") == 1);  // 2 of 1 to 3, 2.5 of 1 to 3
  CHECK(page.find("R2 0.7500") != page.npos);
  CHECK(page.find("validation R2") != page.npos);
  CHECK(page.find("Confusion matrix") == page.npos);
  CHECK(page.find("nan") == page.npos);
}

TEST_CASE("labels: a row each, with average precision and threshold") {
  training_report r = report();
  r.classes = {"beach", "people"};
  r.per_label = {{10, 0.875, 0.5, 0.25, 0.3333, 0.4}, {0, NAN, 0, 0, 0, 0.5}};
  r.figures = {{"mAP", 0.875}};
  const std::string page = report_html(r);
  CHECK(page.find("<td>beach</td><td>10</td><td>0.8750</td><td>0.5000</td><td>0.2500</td><td>0.3333</td><td>0.400</td>") !=
        page.npos);
  CHECK(page.find("<td>people</td><td>0</td><td>-</td>") != page.npos);
  CHECK(page.find("Confusion matrix") == page.npos);
}
