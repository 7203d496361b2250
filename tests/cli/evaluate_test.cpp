#include <fstream>
#include <sstream>

#include "program.hpp"

using program::contains;
using program::red_means_dog;
using program::red_png;
using program::run;

namespace {

const red_means_dog& weights() {
  static const red_means_dog w;
  return w;
}

/// Two cats (one of them red, so taken for a dog) and three dogs (one taken for a cat).
struct labelled_pictures {
  pictures::folder folder{"evaluate"};
  std::vector<std::pair<bool, int>> truth{{false, 20}, {false, 180}, {true, 250}, {true, 60}, {true, 200}};
  labelled_pictures() {
    for (std::size_t i = 0; i < truth.size(); ++i)
      folder.write((truth[i].first ? "dog." : "cat.") + std::to_string(i) + ".png", red_png(truth[i].second));
  }
  std::string option() const { return " --data '" + folder.path() + "' "; }

  /// Mean of -log P(true class).
  double log_loss(const red_means_dog& w) const {
    double sum = 0;
    for (const auto& [dog, red] : truth) sum -= std::log(dog ? w.probability_of_dog(red) : 1 - w.probability_of_dog(red));
    return sum / static_cast<double>(truth.size());
  }
};

/// The last line of a run's results.csv that holds `epoch`, by the names of the columns.
std::string result_of(const std::string& path, const std::string& name, std::size_t row) {
  std::ifstream file(path);
  std::string line, field;
  std::getline(file, line);
  std::istringstream header(line);
  std::size_t column = 0;
  while (std::getline(header, field, ',') && field != name) ++column;
  for (std::size_t i = 0; i <= row; ++i) REQUIRE(std::getline(file, line));
  std::istringstream fields(line);
  for (std::size_t i = 0; i <= column; ++i) REQUIRE(std::getline(fields, field, ','));
  return field;
}

}  // namespace

TEST_CASE("figures against hand computation") {
  const labelled_pictures s;
  const auto r = run("evaluate --json" + weights().option() + s.option());
  CHECK(r.code == 0);
  const auto j = r.json();
  CHECK(j["images"] == 5);
  CHECK(j["accuracy"] == 0.6);
  CHECK(j["classes"] == nlohmann::json({"cat", "dog"}));
  CHECK(j["confusion"] == nlohmann::json({{1, 1}, {1, 2}}));
  CHECK(j["log_loss"].get<double>() == doctest::Approx(s.log_loss(weights())).epsilon(1e-5));
  CHECK(j["log_loss_clipped"].get<double>() == doctest::Approx(j["log_loss"].get<double>()).epsilon(1e-9));
  CHECK(j["per_class"][0]["class"] == "cat");
  CHECK(j["per_class"][0]["recall"] == 0.5);
  CHECK(j["per_class"][1]["images"] == 3);
  CHECK(j["per_class"][1]["precision"].get<double>() == doctest::Approx(2.0 / 3));
  CHECK(j["per_class"][1]["f1"].get<double>() == doctest::Approx(2.0 / 3));
  CHECK(j["balanced_accuracy"].get<double>() == doctest::Approx((0.5 + 2.0 / 3) / 2));
  // Of the 6 pairs of a cat and a dog, the dog is the redder one in all but (180, 60).
  CHECK(j["auc"].get<double>() == doctest::Approx(5.0 / 6));
  double brier = 0;
  for (const auto& [dog, red] : s.truth) brier += 2 * std::pow(weights().probability_of_dog(red) - dog, 2) / 5;
  CHECK(j["brier"].get<double>() == doctest::Approx(brier).epsilon(1e-5));
  CHECK(j["ece"].get<double>() > 0);
  CHECK(j["split"] == "all");
  CHECK(j["tta"] == "none");

  const auto text = run("evaluate" + weights().option() + s.option());
  for (const char* part : {"60.00 %", "log loss", "precision", "true class \\ predicted"}) CHECK(contains(text.out, part));
}

TEST_CASE("the temperature of the weights file divides the logits") {
  const labelled_pictures s;
  const red_means_dog cooler(2.0);
  const auto j = run("evaluate --json" + cooler.option() + s.option()).json();
  CHECK(j["temperature"] == 2.0);
  CHECK(j["accuracy"] == 0.6);
  CHECK(j["log_loss"].get<double>() == doctest::Approx(s.log_loss(cooler)).epsilon(1e-5));
}

TEST_CASE("views, locale, threads and batch size change no figure of pictures of one colour") {
  const labelled_pictures s;
  const std::string rest = weights().option() + s.option();
  const auto one = run("evaluate --json" + rest);
  CHECK(run("evaluate --json --threads 2 --workers 0" + rest).out == one.out);
  CHECK(run("evaluate --json" + rest, "LC_ALL=de_DE.UTF-8").out == one.out);
  const auto views = run("evaluate --json --tta ten-crop --batch-size 7" + rest).json();
  CHECK(views["tta"] == "ten-crop");
  CHECK(views["confusion"] == one.json()["confusion"]);
  CHECK(views["log_loss"].get<double>() == doctest::Approx(one.json()["log_loss"].get<double>()).epsilon(1e-6));
}

TEST_CASE("--split takes the parts that training took") {
  const pictures::folder folder("split");
  for (int i = 0; i < 8; ++i) {
    folder.write("cat/" + std::to_string(i) + ".png", red_png(10 + i));
    folder.write("dog/" + std::to_string(i) + ".png", red_png(210 + i));
  }
  const std::string rest = weights().option() + "--data '" + folder.path() + "'";
  // A quarter of each class, as the weights file says.
  const auto val = run("evaluate --json --split val" + rest).json(), train = run("evaluate --json --split train" + rest).json();
  CHECK(val["images"] == 4);
  CHECK(val["confusion"] == nlohmann::json({{2, 0}, {0, 2}}));
  CHECK(train["images"] == 12);
  const auto all = run("evaluate --json" + rest).json();
  CHECK(all["log_loss"].get<double>() ==
        doctest::Approx((4 * val["log_loss"].get<double>() + 12 * train["log_loss"].get<double>()) / 16).epsilon(1e-9));
}

TEST_CASE("evaluate --split val repeats a run's validation figures to the last digit") {
  const pictures::folder folder("run");
  for (int i = 0; i < 12; ++i) {
    folder.write("data/cat." + std::to_string(i) + ".png", pictures::png(pictures::ramp(64 + i, 70)));
    folder.write("data/dog." + std::to_string(i) + ".png", red_png(20 * i));
  }
  const std::string data = " --data '" + folder.path("data") + "' ";
  const auto train =
      run("train" + data + "--out '" + folder.path("run") +
          "' --model alexnet-bn --image-size 63 --epochs 2 --batch-size 6 --val-fraction 0.25 --limit 20 --seed 5");
  REQUIRE_MESSAGE(train.code == 0, train.err);
  const auto j =
      run("evaluate --json --split val --tta none" + data + "--weights '" + folder.path("run/last.safetensors") + "'").json();
  const auto number = [&](const char* name) { return std::stod(result_of(folder.path("run/results.csv"), name, 1)); };
  CHECK(j["images"].get<int>() > 0);
  CHECK(j["log_loss"].get<double>() == number("val_loss"));
  CHECK(j["accuracy"].get<double>() == number("val_accuracy"));
}

TEST_CASE("classes of the data must be those of the weights") {
  const pictures::folder folder("classes");
  folder.write("cat.1.png", red_png(10));
  folder.write("horse.1.png", red_png(10));
  const auto other = run("evaluate" + weights().option() + "--data '" + folder.path() + "'");
  CHECK(other.code == 1);
  CHECK_MESSAGE(contains(other.err, "cat, horse"), other.err);
  CHECK(contains(other.err, "cat, dog"));

  // Some of the classes are enough, and keep their numbers.
  const pictures::folder dogs("dogs");
  dogs.write("dog.1.png", red_png(230));
  dogs.write("dog.2.png", red_png(30));
  const auto j = run("evaluate --json" + weights().option() + "--data '" + dogs.path() + "'").json();
  CHECK(j["confusion"] == nlohmann::json({{0, 0}, {1, 1}}));
  CHECK(j["auc"].is_null());

  const pictures::folder unlabelled("unlabelled");
  unlabelled.write("1.png", red_png(230));
  const auto none = run("evaluate" + weights().option() + "--data '" + unlabelled.path() + "'");
  CHECK(none.code == 1);
  CHECK(contains(none.err, "no labels"));
}

TEST_CASE("a picture that cannot be read stops evaluation, or is left out and named") {
  const labelled_pictures s;
  const std::string bad = s.folder.write("dog.9.png", std::string("not a picture"));
  for (const char* tta : {"none", "flip"}) {
    CAPTURE(tta);
    const std::string rest = weights().option() + s.option() + "--tta " + tta;
    const auto stopped = run("evaluate --json" + rest);
    CHECK(stopped.code == 1);
    CHECK(stopped.out.empty());
    CHECK_MESSAGE(contains(stopped.err, "minicnn: " + bad + ": "), stopped.err);
    const auto skipped = run("evaluate --json --skip-bad" + rest);
    CHECK(skipped.code == 0);
    CHECK(contains(skipped.err, bad + ": "));
    CHECK(skipped.json()["images"] == 5);
    CHECK(skipped.json()["skipped"] == 1);
  }
}

TEST_CASE("missing data is named") {
  const auto r = run("evaluate" + weights().option() + "--data /nowhere/at/all");
  CHECK(r.code == 1);
  CHECK(r.err == "minicnn: /nowhere/at/all: no such folder\n");
}
