// What is printed by name, and numbers that are none: names come from folders and files of others, figures from networks that may
// have diverged.
#include <cmath>
#include <filesystem>
#include <minicnn/core/printable.hpp>
#include <minicnn/io/checkpoint.hpp>
#include <minicnn/train/history.hpp>
#include <set>

#include "program.hpp"

using program::contains;
using program::red_means_dog;
using program::red_png;
using program::run;

namespace {

/// The weights of `red_means_dog` for other classes; `spoil` may change the network.
template <class F>
void save_as(const red_means_dog& weights, const std::string& path, const std::vector<std::string>& classes, const F& spoil) {
  const auto file = minicnn::safetensors_file::open(weights.path());
  minicnn::model_info info = minicnn::read_model_info(file);
  minicnn::network<float> net = minicnn::make_model(info.config, {.seed = 0, .threads = 1});
  minicnn::load_weights(net, file);
  spoil(net);
  info.classes = classes;
  minicnn::save_weights(net, path, minicnn::to_metadata(info));
}

/// Whether all lines of each block of text are equally wide in a terminal.
bool in_columns(const std::string& text) {
  std::istringstream lines(text);
  int width = -1;
  bool equal = true;
  for (std::string line; std::getline(lines, line); width = line.empty() ? -1 : minicnn::text_columns(line))
    equal = equal && (width < 0 || line.empty() || minicnn::text_columns(line) == width);
  return equal;
}

bool without_controls(const std::string& text) {
  for (const char c : text)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7F) return false;
  return !contains(text, "\u202e") && !contains(text, "\u009b");
}

}  // namespace

TEST_CASE("G17 tables stay in columns whatever the script of the names") {
  const red_means_dog weights;
  const pictures::folder folder("scripts");
  for (const auto& [first, second] : std::vector<std::pair<std::string, std::string>>{
           {"猫", "собака"}, {"cafe\u0301", "🐱"}, {"한국어", "x"}, {"🇩🇪 👨‍👩‍👧", "กำ"}}) {
    CAPTURE(first);
    const std::string data = "data " + first;
    save_as(weights, folder.path("w.safetensors"), {first, second}, [](auto&) {});
    folder.write(data + "/" + first + "/1.png", red_png(10));
    folder.write(data + "/" + second + "/2.png", red_png(200));
    const auto r = run("evaluate --weights '" + folder.path("w.safetensors") + "' --data '" + folder.path(data) + "'");
    REQUIRE_MESSAGE(r.code == 0, r.err);
    CHECK(contains(r.out, first));
    CHECK_MESSAGE(in_columns(r.out), r.out);
  }
}

TEST_CASE("G18 the area under the curve of one class is not a number, and said so") {
  const red_means_dog weights;
  const pictures::folder folder("one class");
  folder.write("cat.1.png", red_png(10));
  folder.write("cat.2.png", red_png(200));
  for (const char* tta : {"none", "flip"}) {
    const std::string command = "evaluate" + weights.option() + "--data '" + folder.path() + "' --tta " + tta;
    const auto text = run(command);
    CHECK(text.code == 0);
    CHECK_MESSAGE(contains(text.out, "not defined: one class only"), text.out);
    CHECK_FALSE(contains(text.out, "nan"));
    CHECK(in_columns(text.out));
    const auto json = run(command + " --json").json();
    CHECK(json["auc"].is_null());
    CHECK(json["auc_reason"] == "not defined: one class only");
  }
  folder.write("dog.1.png", red_png(200));
  const auto both = run("evaluate" + weights.option() + "--data '" + folder.path() + "' --json").json();
  CHECK(both["auc"].is_number());
  CHECK_FALSE(both.contains("auc_reason"));
}

TEST_CASE("N03 a network that diverged has no figures, only an error that says so") {
  const red_means_dog weights;
  const pictures::folder folder("diverged");
  folder.write("cat.1.png", red_png(10));
  folder.write("dog.1.png", red_png(200));
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    CAPTURE(bad);
    const std::string path = folder.path("w/w.safetensors");
    std::filesystem::create_directories(folder.path("w"));
    save_as(weights, path, {"cat", "dog"}, [&](auto& net) {
      for (float& b : net.parameter("logits_eval.bias")) b = bad;
    });
    for (const std::string& command :
         {"evaluate --tta none --weights '" + path + "' --data '" + folder.path() + "'",
          "evaluate --tta none --json --weights '" + path + "' --data '" + folder.path() + "'",
          "evaluate --tta flip --weights '" + path + "' --data '" + folder.path() + "'",
          "predict --json --weights '" + path + "' '" + folder.path("cat.1.png") + "'",
          "predict --csv --weights '" + path + "' '" + folder.path("cat.1.png") + "'",
          "explain --out '" + folder.path("out") + "' --weights '" + path + "' '" + folder.path("cat.1.png") + "'"}) {
      CAPTURE(command);
      const auto r = run(command);
      CHECK(r.code == 1);
      CHECK_MESSAGE(contains(r.err, "not finite"), r.err);
      CHECK_FALSE(contains(r.out, "nan"));
      CHECK_FALSE(contains(r.out, "inf"));
    }
  }
}

TEST_CASE("G20 A21 names are escaped where they are printed, and told apart") {
  const red_means_dog weights;
  const pictures::folder folder("hostile");
  const std::string red = "\x1b[31mred\nminicnn: fine\t\u202e", formula = "=cmd|calc!A1";
  folder.write("data/" + red + "/1.png", red_png(10));
  folder.write("data/" + formula + "/2.png", red_png(200));
  folder.write("data/" + red + "/broken\x1b.png", std::string("no picture"));
  const std::string data = " --data '" + folder.path("data") + "'", w = " --weights '" + folder.path("w.safetensors") + "' ";
  save_as(weights, folder.path("w.safetensors"), {red, formula}, [](auto&) {});

  const auto check = run("check" + data);
  CHECK(check.code == 1);
  CHECK_MESSAGE(contains(check.out, "  \\x1b[31mred\\nminicnn: fine\\t\\u202e: 2\n"), check.out);
  CHECK(contains(check.out, "broken\\x1b.png: "));
  CHECK(without_controls(check.out + check.err));

  const auto evaluated = run("evaluate --skip-bad" + w + data);
  CHECK(evaluated.code == 0);
  CHECK(without_controls(evaluated.out + evaluated.err));
  CHECK_MESSAGE(in_columns(evaluated.out), evaluated.out);

  const auto text = run("predict" + w + "'" + folder.path("data") + "'");
  CHECK(text.code == 1);
  CHECK(text.lines().size() == 2);
  CHECK_MESSAGE(without_controls(text.out + text.err), text.err);
  CHECK(text.err.find("minicnn: fine") != 0);

  const auto csv = run("predict --csv" + w + "'" + folder.path("data/" + formula) + "'");
  CHECK(csv.code == 0);
  CHECK_MESSAGE(contains(csv.out, ",\"'=cmd|calc!A1\","), csv.out);

  const auto missing = run("predict" + w + "\"$(printf 'no\\033[2Jsuch')\"");
  CHECK(missing.code == 1);
  CHECK(without_controls(missing.err));
  CHECK(contains(missing.err, "no\\x1b[2Jsuch"));
}

TEST_CASE("A21 paths that are not UTF-8 are told apart in JSON") {
  const red_means_dog weights;
  const pictures::folder folder("bytes");
  for (const char* name : {"a\xff.png", "a\xfe.png", "a\\xff.png", "\u00e4.png"}) folder.write(name, red_png(10));
  const auto r = run("predict --json" + weights.option() + "'" + folder.path() + "'");
  REQUIRE_MESSAGE(r.code == 0, r.err);
  std::set<std::string> paths, bytes;
  for (const std::string& line : r.lines()) {
    const auto one = nlohmann::json::parse(line);
    paths.insert(one["path"].get<std::string>() + one.value("path_bytes", ""));
    if (one.contains("path_bytes")) bytes.insert(one["path_bytes"].get<std::string>());
  }
  CHECK(paths.size() == 4);
  CHECK(bytes.size() == 2);
  CHECK(contains(*bytes.begin(), "61fe2e706e67"));
  // As classes, too.
  const pictures::folder data("byte classes");
  data.write("c\xff/1.png", red_png(10));
  data.write("c\xfe/2.png", red_png(20));
  const auto found = run("check --json --data '" + data.path() + "'").json();
  CHECK(found["classes"].size() == 2);
  CHECK(found["classes"].contains("c\\xff"));
  CHECK(without_controls(run("check --data '" + data.path() + "'").out));
}

TEST_CASE("labels of tables that stand for a missing value are warned of, where they become labels") {
  const pictures::folder folder("missing");
  for (int i = 1; i <= 4; ++i) folder.write("data/" + std::to_string(i) + ".png", red_png(50 * i));
  const auto said = [&](const std::string& table, const std::string& options) {
    folder.write("labels.csv", table);
    const auto r = run("train --model lenet5 --image-size 32 --dry-run --data '" + folder.path("data") + "' --labels '" +
                       folder.path("labels.csv") + "' --out '" + folder.path("run") + "' " + options);
    CHECK_MESSAGE(r.code == 0, r.err);
    return r.err;
  };
  for (const std::string mark : {"nan", "NaN", "NA", "N/A", "null", "None", "<NA>"}) {
    const std::string rows = "1,cat\n2," + mark + "\n3,dog\n4, " + mark + " \n",
                      text = "labels.csv: line 3: the label \"" + mark +
                             "\" is what programs write for a missing value, and is taken for a label as "
                             "others are, in 2 rows";
    CHECK(contains(said("id,label\n" + rows, ""), text));
    CHECK(contains(said("id,tags\n" + rows, "--task multilabel"), text));
  }
  CHECK_FALSE(contains(said("id,label\n1,cat\n2,nanny\n3,cat\n4,nanny\n", ""), "missing value"));
  CHECK_FALSE(contains(said("id,none,cat\n1,1,0\n2,1,0\n3,0,1\n4,1,1\n", "--task multilabel"), "missing value"));
  folder.write("kaggle/trainLabels.csv", std::string("id,label\n1,cat\n2,nan\n3,nan\n4,cat\n"));
  std::filesystem::rename(folder.path("data"), folder.path("kaggle/train"));
  CHECK(contains(run("check --data '" + folder.path("kaggle") + "'").err, "trainLabels.csv: line 3: the label \"nan\""));
}

TEST_CASE("G20 G23 A24 a run: names, a warm-up that is longer than the run, and the parameters in a comparison") {
  const pictures::folder folder("run");
  const std::string odd = "c\x1b[31mat";
  for (int i = 0; i < 4; ++i) {
    folder.write("data/" + odd + "/" + std::to_string(i) + ".png", red_png(10 + i));
    folder.write("data/dog/" + std::to_string(i) + ".png", red_png(200 + i));
  }
  const std::string command = "train --model lenet5 --image-size 32 --batch-size 4 --threads 1 --workers 0 --epochs 2 --data '" +
                              folder.path("data") + "' --out '";
  const auto warned = run(command + folder.path("one") + "' --warmup 100");
  REQUIRE_MESSAGE(warned.code == 0, warned.err);
  CHECK_MESSAGE(contains(warned.err, "warning: --warmup 100: the run has 2"), warned.err);
  CHECK_MESSAGE(without_controls(warned.out + warned.err), warned.err);
  CHECK(contains(warned.err, "c\\x1b[31mat: "));
  const pictures::bytes page = pictures::read(folder.path("one/report.html"));
  CHECK(without_controls(std::string(page.begin(), page.end())));
  const auto plain = run(command + folder.path("two") + "' --warmup 1 --quiet");
  REQUIRE(plain.code == 0);
  CHECK_FALSE(contains(plain.err, "--warmup"));

  const auto compared = run("compare '" + folder.path("one") + "' '" + folder.path("two") + "' --no-test --json --out '" +
                            folder.path("c.html") + "'");
  REQUIRE_MESSAGE(compared.code == 0, compared.err);
  const auto json = compared.json();
  const auto summary = run("summary --json --weights '" + folder.path("one/best.safetensors") + "'").json();
  for (const auto& one : json["runs"]) CHECK(one.at("parameters") == summary["parameters"]);
}

TEST_CASE("N01 --warmup ends at the learning rate, and the schedule follows") {
  const pictures::folder folder("warm");
  for (int i = 0; i < 4; ++i) {
    folder.write("data/cat." + std::to_string(i) + ".png", red_png(10 + i));
    folder.write("data/dog." + std::to_string(i) + ".png", red_png(200 + i));
  }
  const auto r =
      run("train --model lenet5 --image-size 32 --batch-size 2 --val-fraction 0 --threads 1 --workers 0 --quiet --epochs 3 " +
          ("--warmup 1 --schedule cosine --lr 0.01 --data '" + folder.path("data") + "' --out '" + folder.path("run") + "'"));
  CHECK_MESSAGE(r.err.empty(), r.err);
  const pictures::bytes text = pictures::read(folder.path("run/results.csv"));
  const auto rows = minicnn::parse_history_csv(std::string(text.begin(), text.end()), "results.csv");
  REQUIRE(rows.size() == 3);
  CHECK(rows[0].learning_rate == doctest::Approx(0.01));
  // The last of four steps of an epoch; the cosine has eight.
  CHECK(rows[1].learning_rate == doctest::Approx(0.005 * (1 + std::cos(std::acos(-1.0) * 3 / 8))));
  CHECK(rows[2].learning_rate == doctest::Approx(0.005 * (1 + std::cos(std::acos(-1.0) * 7 / 8))));
}
