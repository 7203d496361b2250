// The compare and lr-find commands.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "program.hpp"

using program::contains;
using program::run;
using json = nlohmann::ordered_json;

namespace {

/// Drawings, and runs on them.
class drawings {
 public:
  drawings() : folder_("compare") { REQUIRE(run("generate --images 30 --seed 4 --out '" + path("data") + "'").code == 0); }
  std::string path(const std::string& name) const { return folder_.path(name.c_str()); }
  void train(const std::string& name, const std::string& rest) const {
    const auto result = run("train --data '" + path("data") + "' --out '" + path(name) +
                            "' --batch-size 8 --val-fraction 0.3 --epochs 2 --quiet " +
                            (contains(rest, "--image-size") ? rest : rest + " --image-size 63"));
    INFO(result.err);
    REQUIRE(result.code == 0);
  }
  std::string text(const std::string& name) const {
    const pictures::bytes b = pictures::read(path(name));
    return {b.begin(), b.end()};
  }

 private:
  pictures::folder folder_;
};

}  // namespace

TEST_CASE("compare: figures of both runs, what differs, and a paired test that adds up") {
  const drawings d;
  d.train("a", "--seed 2 --lr 0.001");
  d.train("b", "--seed 2 --lr 0.01");
  d.train("other split", "--seed 3");
  const std::string runs = "'" + d.path("a") + "' '" + d.path("b") + "'";

  const auto result = run("compare " + runs + " --json --out '" + d.path("page.html") + "'");
  REQUIRE(result.code == 0);
  const json text = result.json();
  REQUIRE(text["runs"].size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    // The best epoch's row of results.csv: epoch, train_loss, train_accuracy, val_loss, val_accuracy.
    std::istringstream rows(d.text(i == 0 ? "a/results.csv" : "b/results.csv"));
    std::string row;
    for (int k = 0; k <= text["runs"][i]["best_epoch"].get<int>(); ++k) std::getline(rows, row);
    std::vector<double> values;
    std::istringstream fields(row);
    for (std::string field; std::getline(fields, field, ',');) values.push_back(std::stod(field));
    CHECK(text["runs"][i]["val_loss"].get<double>() == doctest::Approx(values.at(3)).epsilon(1e-9));
    CHECK(text["runs"][i]["val_accuracy"].get<double>() == doctest::Approx(values.at(4)).epsilon(1e-9));
    CHECK(text["runs"][i]["epochs"] == 2);
  }
  CHECK(text["settings"].contains("learning_rate"));
  CHECK_FALSE(text["settings"].contains("seed"));
  REQUIRE(text["pairs"].size() == 1);
  const json pair = text["pairs"][0];
  const int both = pair["both_right"], first = pair["only_first_right"], second = pair["only_second_right"];
  CHECK(pair["images"] == 10);  // 30 % of 15 cats and of 15 dogs, rounded up
  CHECK(both + first + second + pair["neither_right"].get<int>() == 10);
  CHECK((both + first) / 10.0 == doctest::Approx(text["runs"][0]["val_accuracy"].get<double>()).epsilon(1e-9));
  CHECK((both + second) / 10.0 == doctest::Approx(text["runs"][1]["val_accuracy"].get<double>()).epsilon(1e-9));
  // Predictions are those of the weights file: with its views and temperature, which the run's own curve is without.
  const auto log_loss = [&](const char* name) {
    return run("evaluate --weights '" + d.path(name) + "/best.safetensors' --data '" + d.path("data") + "' --split val --json")
        .json()["log_loss"]
        .get<double>();
  };
  CHECK(pair["log_loss_difference"].get<double>() == doctest::Approx(log_loss("a") - log_loss("b")).epsilon(1e-5));
  const double p = pair["mcnemar_p"];
  CHECK(p > 0);
  CHECK(p <= 1);

  const std::string page = d.text("page.html");
  CHECK(contains(page, "<svg"));
  CHECK(contains(page, "McNemar"));
  for (const char* outside : {"src=\"http", "href=\"http", "@import", "url(http"}) CHECK_FALSE(contains(page, outside));

  const auto differs = run("compare '" + d.path("a") + "' '" + d.path("other split") + "' --json");
  REQUIRE(differs.code == 0);
  CHECK(differs.json()["pairs"].empty());
  CHECK(contains(differs.json()["notes"].dump(), "different pictures"));

  const auto plain = run("compare " + runs + " --no-test");
  CHECK(plain.code == 0);
  CHECK(contains(plain.out, "val log loss"));
  CHECK_FALSE(contains(plain.out, "McNemar"));
}

TEST_CASE("compare: a run beside itself is told") {
  const drawings d;
  d.train("a", "--seed 2 --lr 0.001");
  const auto twice = run("compare --no-test '" + d.path("a") + "' '" + d.path("a") + "/'");
  CHECK(twice.code == 0);
  CHECK(contains(twice.err, " are the same run.\n"));
}

TEST_CASE("compare: what is no run, and too few of them, is said") {
  const drawings d;
  const auto missing = run("compare '" + d.path("data") + "' '" + d.path("nowhere") + "'");
  CHECK(missing.code == 1);
  CHECK(contains(missing.err, d.path("data")));
  CHECK(run("compare '" + d.path("data") + "'").code == 2);
}

TEST_CASE("lr-find: one loss a rate, rates from the lowest to the highest, a plot, and the same again from the same seed") {
  const drawings d;
  const std::string command =
      "lr-find --data '" + d.path("data") +
      "' --model alexnet-small --image-size 63 --batch-size 8 --steps 12 --lowest 1e-3 --highest 100 --json";
  const auto result = run(command + " --threads 1 --out '" + d.path("rates.svg") + "'");
  INFO(result.err);
  REQUIRE(result.code == 0);  // at a rate of 100 every loss breaks away, so there is something to suggest
  const json text = result.json();
  const auto rates = text["rates"].get<std::vector<double>>();
  REQUIRE(rates.size() >= 3);
  REQUIRE(rates.size() <= 12);
  CHECK(text["losses"].size() == rates.size());
  CHECK(rates[0] == doctest::Approx(1e-3));
  const double factor = std::pow(1e5, 1.0 / 11);
  for (std::size_t i = 1; i < rates.size(); ++i) CHECK(rates[i] / rates[i - 1] == doctest::Approx(factor).epsilon(1e-6));
  CHECK(text["suggestion"].get<double>() > 0);
  CHECK(text["suggestion"].get<double>() < 100);
  CHECK(contains(d.text("rates.svg"), "<svg"));
  CHECK(run(command + " --threads 2").out == result.out);
}

TEST_CASE("lr-find: options that mean nothing end with 2") {
  for (const char* wrong : {"--lowest 1 --highest 0.1", "--steps 2", "--out rates.png", "--lowest -1"})
    CHECK(run(std::string("lr-find --data nowhere ") + wrong).code == 2);
  const auto missing = run("lr-find --data nowhere");
  CHECK(missing.code == 1);
  CHECK(contains(missing.err, "nowhere"));
}

TEST_CASE("G15 A15 results.csv and config.json as editors of Windows save them are read by all") {
  const drawings d;
  d.train("a", "--model lenet5 --image-size 32 --threads 1 --workers 0");
  const std::string compare = "compare --no-test '" + d.path("a") + "' '" + d.path("b") + "'";
  std::filesystem::copy(d.path("a"), d.path("b"), std::filesystem::copy_options::recursive);
  const auto before = run(compare);
  REQUIRE(before.code == 0);
  const auto put = [&](const char* name, const std::string& text) {
    std::ofstream(d.path("a/" + std::string(name)), std::ios::binary) << text;
  };
  for (const char* name : {"results.csv", "config.json"}) {
    std::string text = "\xEF\xBB\xBF";
    for (const char c : d.text("a/" + std::string(name))) text += c == '\n' ? "\r\n" : std::string(1, c);
    put(name, text);
  }
  CHECK(run(compare).out == before.out);
  const auto resumed = run("train --data '" + d.path("data") + "' --out '" + d.path("a") +
                           "' --batch-size 8 --val-fraction 0.3 --epochs 2 --quiet --model lenet5 --image-size 32 --threads 1 "
                           "--workers 0 --resume");
  INFO(resumed.err);
  CHECK(resumed.code == 0);
  CHECK_FALSE(contains(resumed.err, "warning"));
  // What is missing is named, and another encoding told.
  const auto refusal_of = [&](const std::string& text) {
    put("config.json", text);
    const auto r = run(compare);
    CHECK(r.code == 1);
    CHECK(contains(r.err, "a/config.json: "));
    return r.err;
  };
  CHECK(contains(refusal_of("\xEF\xBB\xBF{\"recipe\": {}}\r\n"), "\"data\""));
  CHECK(contains(refusal_of("{\"data\": \"x\"}"), "\"recipe\""));
  CHECK(contains(refusal_of(std::string("\xFF\xFE{\0}\0", 6)), "is UTF-16 text, wanted UTF-8"));
}
