#include <filesystem>
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

struct test_set {
  pictures::folder folder{"submit"};
  test_set() {
    for (const int id : {1, 2, 10, 3}) folder.write("test/" + std::to_string(id) + ".png", red_png(red(id)));
  }
  static int red(int id) { return 25 * id; }
  std::string out() const { return folder.path("submission.csv"); }
  std::string options() const { return weights().option() + "--data '" + folder.path("test") + "' --out '" + out() + "' "; }
  /// The lines of submission.csv.
  std::vector<std::string> lines() const {
    const pictures::bytes all = pictures::read(out());
    std::istringstream text(std::string(all.begin(), all.end()));
    std::vector<std::string> found;
    for (std::string line; std::getline(text, line);) found.push_back(line);
    return found;
  }
  /// Names beside the test folder: results, and temporary files if any were left.
  std::size_t files() const {
    std::size_t n = 0;
    for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator(folder.path())) ++n;
    return n;
  }
};

}  // namespace

TEST_CASE("id,label in numeric order with the probability of a dog") {
  const test_set s;
  const auto r = run("submit" + s.options());
  CHECK(r.code == 0);
  CHECK(contains(r.out, "4 rows"));
  CHECK(contains(r.out, "P(dog)"));
  const auto lines = s.lines();
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] == "id,label");
  const int ids[] = {1, 2, 3, 10};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::string& line = lines[i + 1];
    const auto comma = line.find(',');
    CHECK(line.substr(0, comma) == std::to_string(ids[i]));
    CHECK(std::stod(line.substr(comma + 1)) ==
          doctest::Approx(weights().probability_of_dog(test_set::red(ids[i]))).epsilon(1e-5));
  }
  CHECK(contains(r.err, "6 ids are missing"));
  CHECK(s.files() == 2);
}

TEST_CASE("--clip, --positive, views and locale") {
  const test_set s;
  CHECK(run("submit --clip 0.2" + s.options()).code == 0);
  // P(dog): 0.1668, 0.2286, 0.3055, 0.8725
  CHECK(s.lines()[1] == "1,0.2");
  CHECK(s.lines()[2].starts_with("2,0.228"));
  CHECK(s.lines()[4] == "10,0.8");
  CHECK(run("submit --positive cat" + s.options()).code == 0);
  CHECK(std::stod(s.lines()[1].substr(2)) == doctest::Approx(1 - weights().probability_of_dog(25)).epsilon(1e-5));
  const auto before = s.lines();
  CHECK(run("submit --positive cat --tta none" + s.options(), "LC_ALL=de_DE.UTF-8").code == 0);
  CHECK(s.lines() == before);
  const auto wrong = run("submit --positive horse" + s.options());
  CHECK(wrong.code == 2);
  CHECK(contains(wrong.err, "cat, dog"));
  CHECK(s.lines() == before);
}

TEST_CASE("nothing is written if an id is no number, comes twice, or a picture cannot be read") {
  for (const auto& [name, reason] : std::vector<std::pair<std::string, std::string>>{
           {"test/dog_4.png", "is not a number"}, {"test/02.png", "same id"}, {"test/4.png", ""}}) {
    CAPTURE(name);
    const test_set s;
    const std::string path = reason.empty() ? s.folder.write(name, std::string("no picture")) : s.folder.write(name, red_png(1));
    const auto r = run("submit" + s.options());
    CHECK(r.code == 1);
    CHECK(r.out.empty());
    CHECK_MESSAGE(contains(r.err, path), r.err);
    CHECK(contains(r.err, reason));
    CHECK(s.files() == 1);
  }
}

TEST_CASE("a folder that cannot be written to is named") {
  const test_set s;
  const auto r = run("submit" + weights().option() + "--data '" + s.folder.path("test") + "' --out /nowhere/submission.csv");
  CHECK(r.code == 1);
  CHECK(contains(r.err, "minicnn: /nowhere/submission.csv: "));
}
