#include "minicnn/report/compare.hpp"

#include <doctest/doctest.h>

using namespace minicnn;

namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

compared_run run(const std::string& name, std::vector<double> losses) {
  compared_run r;
  r.name = name;
  for (const double loss : losses) {
    epoch_record e;
    e.epoch = static_cast<index_t>(r.history.size()) + 1;
    e.val_loss = loss, e.val_accuracy = 1 - loss / 2, e.train_loss = loss, e.learning_rate = 0.1, e.images_per_second = 100;
    r.history.push_back(e);
  }
  return r;
}

}  // namespace

TEST_CASE("the best epoch is that of the smallest finite validation loss") {
  const double nan = std::nan("");
  CHECK(run("a", {0.5, 0.3, 0.4}).best()->epoch == 2);
  CHECK(run("a", {nan, 0.4, nan}).best()->epoch == 2);
  CHECK(run("a", {nan, nan}).best()->epoch == 2);
  CHECK(run("a", {}).best() == nullptr);
}

TEST_CASE("settings side by side") {
  compared_run a = run("a", {}), b = run("b", {});
  a.settings = {{"model", "alexnet"}, {"seed", "1"}, {"only a", "x"}};
  b.settings = {{"seed", "2"}, {"model", "alexnet"}, {"only b", "y"}};
  const auto s = compare_settings({a, b});
  REQUIRE(s.size() == 4);
  CHECK(s[0].name == "model");
  CHECK(s[0].same());
  CHECK(s[1].values == std::vector<std::string>{"1", "2"});
  CHECK_FALSE(s[1].same());
  CHECK(s[2].values == std::vector<std::string>{"x", "-"});
  CHECK(s[3].values == std::vector<std::string>{"-", "y"});
}

TEST_CASE("one page that stands alone, with a curve and a row a run") {
  run_comparison c;
  c.runs = {run("first <run>", {0.6, 0.4, 0.45}), run("second", {0.7, 0.5}), run("empty", {})};
  c.runs[0].settings = {{"seed", "1"}, {"model", "m"}};
  c.runs[1].settings = {{"seed", "2"}, {"model", "m"}};
  c.runs[2].settings = {{"seed", "1"}, {"model", "m"}};
  c.notes = {"a note & more"};
  paired_comparison p;
  p.images = 200, p.only_first = 12, p.only_second = 4, p.p_value = 0.0768, p.loss_difference = {-0.02, -0.03, -0.01};
  c.pairs = {{0, 1, p}};
  const std::string page = compare_html(c, "runs");
  CHECK(page.starts_with("<!doctype html>"));
  CHECK(count(page, "<svg") == 4);
  CHECK(count(page, "<polyline") == 12);
  CHECK(count(page, "first &lt;run&gt;") > 3);
  CHECK(count(page, "<run>") == 0);
  CHECK(count(page, "a note &amp; more") == 1);
  CHECK(count(page, "0.0768") == 1);
  CHECK(count(page, "-0.0300 to -0.0100") == 1);
  CHECK(count(page, "id=\"pairs\"") == 1);
  CHECK(count(page, "prefers-color-scheme:dark") == 1);
  CHECK(count(page, "http") == 0);
  CHECK(count(page, "nan") == 0);
  // The best figures stand out once each: 0.4 and its accuracy.
  CHECK(count(page, "class=\"top\">80.00 %") == 1);
  CHECK(count(page, "class=\"top\">0.4000") == 1);
  c.pairs.clear();
  CHECK(count(compare_html(c, "runs"), "id=\"pairs\"") == 0);
}
