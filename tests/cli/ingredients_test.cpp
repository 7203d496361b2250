// Ingredients of fast recipes as options of train: the same bytes after a pause, and what they write into the weights file.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <minicnn/io/checkpoint.hpp>

#include "program.hpp"
#include "recipe.hpp"

using program::contains;
using program::run;

namespace {

class drawings {
 public:
  drawings() : folder_("ingredients") { REQUIRE(run("generate --images 24 --seed 4 --out '" + data() + "'").code == 0); }
  std::string data() const { return folder_.path("data"); }
  std::string path(const std::string& name) const { return folder_.path(name.c_str()); }
  std::string train(const std::string& out, const std::string& rest) const {
    return "train --quiet --data '" + data() + "' --out '" + path(out) +
           "' --preset cifar --batch-size 7 --lr 0.01 --val-fraction 0.2 --threads 2 " + rest;
  }
  pictures::bytes last(const std::string& out) const { return pictures::read(path(out + "/last.safetensors")); }

  /// Trains for some epochs, is told to end once the first is on disk, and resumes.
  int train_with_pause(const std::string& out, const std::string& rest) const {
    const std::string line = "'" MINICNN_PROGRAM "' " + train(out, rest) + " >/dev/null 2>/dev/null & p=$!; while [ ! -f '" +
                             path(out) + "/report.html' ] && kill -0 $p 2>/dev/null; do sleep 0.01; done; kill -INT $p; wait $p";
    const int status = std::system(line.c_str());
    REQUIRE(WIFEXITED(status));
    const auto resumed = run(train(out, rest + " --resume"));
    INFO(resumed.err);
    CHECK(resumed.code == 0);
    return WEXITSTATUS(status);
  }

 private:
  pictures::folder folder_;
};

}  // namespace

TEST_CASE("cifar: airbench94's values, and airbench94_muon's with --optimizer muon") {
  cli::recipe_overrides o;
  o.preset = "cifar";
  const cli::recipe r = cli::make_recipe(o);
  CHECK(r.model.name == "fast-cifar");
  CHECK(r.model.init == "dirac");
  CHECK(r.epochs == 10);
  CHECK(r.batch_size == 1024);
  CHECK(r.learning_rate == doctest::Approx(11.5 / (1 + 1 / 0.15)));        // of the sum of losses, times 1024
  CHECK(r.weight_decay == doctest::Approx(0.0153 / 11.5).epsilon(0.001));  // decay / rate, both decoupled
  CHECK(r.ema == doctest::Approx(std::pow(0.95, 5)));
  CHECK(r.whiten == 3);
  CHECK(r.shift == 2);
  CHECK(r.alternate_flip);
  CHECK(r.tta == "flip-shift");
  o.optimizer = "muon";
  const cli::recipe m = cli::make_recipe(o);
  CHECK(m.epochs == 8);
  CHECK(m.learning_rate == doctest::Approx(0.24));
  CHECK(m.rest_rate == doctest::Approx(0.67 * 2000 * std::pow(9.0 / 256, 2)).epsilon(0.01));
  CHECK(m.rest_rate * m.bias_rate == doctest::Approx(0.053 * 2000).epsilon(0.01));
  CHECK(m.lookahead == 0);
  CHECK(m.normalize_weights);
  cli::recipe_overrides off;
  off.preset = "cifar";
  off.alternate_flip = "off", off.whiten = -1, off.lookahead = 0;
  const cli::recipe n = cli::make_recipe(off);
  CHECK_FALSE(n.alternate_flip);
  CHECK(n.whiten == -1);
  off.lookahead = 5, off.ema = 0.0;
  CHECK_THROWS_AS(cli::make_recipe(off), minicnn::option_error);
}

TEST_CASE("a run of each ingredient that is told to end goes on to the same bytes") {
  const drawings d;
  for (const std::string options : {"--epochs 6", "--epochs 6 --optimizer muon --rest-rate 0.01",
                                    "--epochs 6 --mixup 0.4 --cutmix 1 --ema 0.9 --lookahead 0 --ema-growth 0",
                                    "--epochs 6 --keep-hardest 0.5 --hardest-from 0.2 --hardest-to 0.9"}) {
    CAPTURE(options);
    const std::string name = std::to_string(std::hash<std::string>()(options));
    const auto whole = run(d.train(name + "whole", options));
    INFO(whole.err);
    REQUIRE(whole.code == 0);
    d.train_with_pause(name + "broken", options);
    CHECK(d.last(name + "whole") == d.last(name + "broken"));
  }
}

TEST_CASE("whitened filters stay as the pictures made them, and the views are recorded and evaluated") {
  const drawings d;
  REQUIRE(run(d.train("one", "--epochs 1")).code == 0);
  REQUIRE(run(d.train("two", "--epochs 3 --whiten 1")).code == 0);
  const auto one = minicnn::safetensors_file::open(d.path("one/last.safetensors"));
  const auto two = minicnn::safetensors_file::open(d.path("two/last.safetensors"));
  const minicnn::tensor<float> w = one.load<float>("whiten.weight"), v = two.load<float>("whiten.weight");
  REQUIRE(w.size() == v.size());
  CHECK(std::equal(w.begin(), w.end(), v.begin()));
  for (minicnn::index_t i = 0; i < 144; ++i) CHECK(w[i] == -w[144 + i]);
  const auto views = run("evaluate --json --weights '" + d.path("one/best.safetensors") + "' --data '" + d.data() + "'").json();
  CHECK(views["tta"] == "flip-shift");
  const auto flat =
      run("evaluate --json --tta none --weights '" + d.path("one/best.safetensors") + "' --data '" + d.data() + "'").json();
  CHECK(views["log_loss"] != flat["log_loss"]);
  // Of a network whose first filters are too many, and of one without batch norm.
  const auto many = run(d.train("many", "--model resnet18-cifar --dry-run"));
  CHECK(many.code == 2);
  CHECK(contains(many.err, "--whiten: conv1: whitening: 64 filters, wanted an even number up to 54"));
  const auto odd = run(d.train("odd", "--model lenet5 --whiten -1 --dry-run"));
  CHECK(odd.code == 2);
  CHECK(contains(odd.err, "--bias-rate"));
}

TEST_CASE("--teacher: the student learns from its answers; other classes are refused") {
  const drawings d;
  REQUIRE(run(d.train("teacher", "--epochs 2")).code == 0);
  const std::string teacher = " --teacher '" + d.path("teacher/best.safetensors") + "'";
  REQUIRE(run(d.train("alone", "--epochs 2 --seed 3")).code == 0);
  const auto student = run(d.train("student", "--epochs 2 --seed 3 --teacher-share 0.7" + teacher));
  INFO(student.err);
  REQUIRE(student.code == 0);
  CHECK(d.last("alone") != d.last("student"));
  d.train_with_pause("broken", "--epochs 2 --seed 3 --teacher-share 0.7" + teacher);
  CHECK(d.last("broken") == d.last("student"));
  CHECK(contains(run(d.train("student", "--epochs 2 --seed 3 --resume --teacher-share 0.6" + teacher)).err, "teacher_share"));
  const drawings other;
  REQUIRE(std::system(("mkdir '" + other.path("data2") + "' && cd '" + other.data() +
                       "' && for f in cat.*; do cp \"$f\" ../data2/; cp \"$f\" \"../data2/fox${f#cat}\"; done")
                          .c_str()) == 0);
  const auto refused =
      run("train --data '" + other.path("data2") + "' --out '" + other.path("x") + "' --preset cifar --epochs 1" + teacher);
  CHECK(refused.code == 2);
  CHECK(contains(refused.err, "--teacher "));
  CHECK(run(d.train("share", "--teacher-share 0.5")).code == 2);
}

TEST_CASE("scripts/ablate.sh pairs runs by seed, and its table is of their paired differences") {
  const drawings d;
  const std::string script = "'" MINICNN_TEST_GOLDEN_DIR "/../../scripts/ablate.sh' --program '" MINICNN_PROGRAM "' --data '" +
                             d.data() + "' --out '" + d.path("pairs") +
                             "' --epochs 1 --base '--preset cifar --batch-size 7 --lr 0.01 --val-fraction 0.5' ";
  const auto shell = [&](const std::string& line) { return std::system((line + " >'" + d.path("said") + "' 2>&1").c_str()); };
  CHECK(shell(script + "--seeds '1 2' 'plain: --shift 0'") != 0);
  REQUIRE(shell(script + "--seeds '1 2 3' 'plain: --shift 0 --alternate-flip off'") == 0);
  double losses[2][3], mean = 0, squares = 0;
  for (int seed = 1; seed <= 3; ++seed) {
    for (const int changed : {0, 1}) {
      const std::string name = (changed == 1 ? "pairs/plain-" : "pairs/base-") + std::to_string(seed) + "/val.json";
      const pictures::bytes text = pictures::read(d.path(name));
      losses[changed][seed - 1] = nlohmann::json::parse(text.begin(), text.end())["log_loss"];
    }
    const double gap = losses[1][seed - 1] - losses[0][seed - 1];
    mean += gap / 3, squares += gap * gap;
  }
  char wanted[64];
  std::snprintf(wanted, sizeof wanted, "| %+.4f +- %.4f |", mean, std::sqrt((squares - 3 * mean * mean) / 2 / 3));
  const pictures::bytes table = pictures::read(d.path("pairs/table.md"));
  const std::string text(table.begin(), table.end());
  CAPTURE(text);
  CHECK(contains(text, wanted));
  CHECK(contains(text, "\n| base | "));
  CHECK(contains(text, "\n| plain | "));
}
