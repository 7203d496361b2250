// Runs that are broken off, whose side files have changed, and classes without pictures.
#include <chrono>
#include <filesystem>
#include <fstream>

#include "small_set.hpp"

using program::contains;
using program::red_png;
using program::rows_of;
using program::run;
using program::small_set;

namespace fs = std::filesystem;

TEST_CASE("0 is a value of every option that it turns off") {
  const small_set s;
  for (const char* zero : {"--momentum 0",
                           "--optimizer muon --momentum 0",
                           "--optimizer lars --momentum 0",
                           "--optimizer adam --momentum 0",
                           "--preset best --momentum 0",
                           "--preset classic --momentum 0",
                           "--preset quick --momentum 0",
                           "--lr 0",
                           "--optimizer muon --rest-rate 0",
                           "--weight-decay 0",
                           "--l2 0",
                           "--dropout 0",
                           "--label-smoothing 0",
                           "--warmup 0",
                           "--ema 0",
                           "--ema-growth 0",
                           "--lookahead 0",
                           "--clip-norm 0",
                           "--jitter 0",
                           "--lighting 0",
                           "--erase 0",
                           "--mixup 0",
                           "--cutmix 0",
                           "--val-fraction 0",
                           "--limit 0",
                           "--time-limit 0",
                           "--save-every 0",
                           "--patience 0",
                           "--shift 0",
                           "--whiten 0",
                           "--keep-hardest 0.5 --hardest-from 0"}) {
    CAPTURE(zero);
    const auto r = run(s.command(zero + std::string(" --overwrite"), 1));
    INFO(r.err);
    CHECK(r.code == 0);
  }
  // SGD without momentum, which has no state, goes on as any other.
  const small_set other;
  CHECK(other.begin_then("--momentum 0", "kill -TERM $p").code == 130);
  const auto resumed = other.go_on("--momentum 0");
  INFO(resumed.err);
  CHECK(resumed.code == 130);
}

TEST_CASE("A09 a train that fails before its first step leaves a folder that the next one takes") {
  const small_set s;
  fs::resize_file(s.picture("dog.3.png"), 0);
  const auto failed = run(s.command("--val-fraction 0"));
  CHECK(failed.code == 1);
  CHECK(contains(failed.err, "dog.3.png: empty file"));
  const auto nothing = run(s.command("--val-fraction 0 --resume"));
  CHECK(nothing.code == 1);
  CHECK(contains(nothing.err, "nothing to resume"));
  const auto again = run(s.command("--val-fraction 0 --skip-bad"));
  INFO(again.err);
  CHECK(again.code == 0);
  CHECK(run(s.command("--val-fraction 0 --skip-bad --resume")).code == 0);
  CHECK(contains(run(s.command("--val-fraction 0 --skip-bad")).err, "holds a run already"));

  // What an earlier version left there; and a configuration of something else, which stays.
  const small_set old;
  fs::create_directories(old.out());
  std::ofstream(old.out("config.json")) << R"({"command": "minicnn train", "recipe": {"epochs": 1}})";
  CHECK(run(old.command()).code == 0);
  const small_set other;
  fs::create_directories(other.out());
  std::ofstream(other.out("config.json")) << R"({"editor": true})";
  CHECK(run(other.command()).code == 1);
  CHECK(other.file("config.json").size() == 16);
}

TEST_CASE("A09 best weights alone are no run to go on with, and both messages say what to do") {
  const small_set s;
  s.folder().write("run/best.safetensors", "x");
  CHECK(contains(run(s.command("")).err, "holds a run already, without last.safetensors to go on from; --overwrite begins anew"));
  const auto resumed = run(s.command("--resume"));
  INFO(resumed.err);
  CHECK(resumed.code == 1);
  CHECK(contains(resumed.err, "nothing to resume: no last.safetensors; --overwrite begins anew"));
  CHECK(run(s.command("--overwrite")).code == 0);
  CHECK(contains(run(s.command("")).err, "holds a run already; --resume goes on with it, --overwrite begins anew"));
}

TEST_CASE("what lies in the place of last.safetensors and is no training is named, with what to do") {
  const small_set s;
  REQUIRE(run(s.command("--val-fraction 0.25")).code == 0);
  const std::string last = s.out("last.safetensors"), own = s.folder().path("own"), weights = s.out("best.safetensors");
  fs::rename(last, own);
  const std::string int8 = s.folder().path("int8");
  REQUIRE(run("quantize --weights '" + weights + "' --data '" + s.data() + "' --out '" + int8 + "'").code == 0);
  const std::string golden = MINICNN_TEST_GOLDEN_DIR, anew = "; put the run's own file back, or begin anew with --overwrite";
  for (const auto& [file, said] : std::vector<std::pair<std::string, std::string>>{
           {weights, "holds weights alone, no training to go on with" + anew + " (from these weights: --init-from, "},
           {golden + "/dense.safetensors", "holds weights alone, no training to go on with" + anew},
           {int8, "is an 8-bit file for prediction; no training goes on from it; use the file it was made from (it was called "},
           {s.picture("cat.1.png"), "is a picture, no training to go on with" + anew},
           {golden + "/onnx/dense.onnx", "is an ONNX model, no training to go on with" + anew},
           {"/dev/null", "is an empty file, no training to go on with" + anew}}) {
    std::ofstream(last, std::ios::binary) << std::ifstream(file, std::ios::binary).rdbuf();
    const pictures::bytes before = pictures::read(last);
    const auto r = run(s.command("--val-fraction 0.25 --resume"));
    CHECK(r.code == 1);
    CHECK_MESSAGE(contains(r.err, last + ": " + said), r.err);
    CHECK(pictures::read(last) == before);
  }
  fs::rename(own, last);
  CHECK(run(s.command("--val-fraction 0.25 --resume")).code == 0);
}

TEST_CASE("A10 other pictures under the same names are refused") {
  const small_set s;
  REQUIRE(run(s.command()).code == 0);
  const pictures::bytes before = s.file("last.safetensors"), config = s.file("config.json");
  CHECK_FALSE(contains(std::string(config.begin(), config.end()), "rank_seconds"));  // of several ranks
  CHECK(run(s.command("--resume")).code == 0);
  for (int i = 0; i < 16; ++i)
    fs::copy_file(s.picture("dog." + std::to_string(i) + ".png"), s.picture("cat." + std::to_string(i) + ".png"),
                  fs::copy_options::overwrite_existing);
  const auto refused = run(s.command("--resume"));
  INFO(refused.err);
  CHECK(refused.code == 1);
  CHECK(contains(refused.err, "their names are the same, their sizes in bytes are not"));
  CHECK(s.file("last.safetensors") == before);
}

TEST_CASE("other labels of the same pictures, and other names, are refused in words") {
  const small_set s;
  const std::string table = s.folder().path("labels.csv");
  const auto write_labels = [&](int swapped) {
    std::ofstream file(table);
    file << "id,label\n";
    for (int i = 0; i < 16; ++i)
      file << "cat." << i << (i == swapped ? ".png,dog\ndog." : ".png,cat\ndog.") << i
           << (i == swapped ? ".png,cat\n" : ".png,dog\n");
  };
  write_labels(-1);
  REQUIRE(run(s.command("--labels '" + table + "'")).code == 0);
  CHECK(run(s.command("--resume --labels '" + table + "'")).code == 0);
  write_labels(3);
  const auto labels = run(s.command("--resume --labels '" + table + "'"));
  INFO(labels.err);
  CHECK(labels.code == 1);
  CHECK(contains(labels.err, "other labels: the pictures have the same names, but some are of other classes"));

  const small_set other;
  REQUIRE(run(other.command()).code == 0);
  fs::rename(other.picture("cat.3.png"), other.picture("cat.77.png"));
  const auto names = run(other.command("--resume"));
  INFO(names.err);
  CHECK(names.code == 1);
  CHECK(contains(names.err, "there are as many, but some have other names"));
  fs::rename(other.picture("cat.77.png"), other.picture("cat.3.png"));
  const auto model = run(other.command("--resume --channels 1"));
  INFO(model.err);
  CHECK(contains(model.err, "the run was made with recipe.model.channels = 3, this call says 1"));
}

TEST_CASE("nothing to validate on is said, and what has no effect then") {
  const small_set s;
  const auto fold = run(s.command("--fold 500/1000 --patience 3", 1));
  INFO(fold.err);
  CHECK(fold.code == 0);
  CHECK(contains(fold.err, "--fold 500/1000: of 32 pictures this part has none, so nothing is validated"));
  CHECK(contains(fold.err, "--patience: has no effect"));
  CHECK(contains(run(s.command("--overwrite --limit 2", 1)).err, "--val-fraction 0.1: of 2 pictures this is none"));
  CHECK(run(s.command("--overwrite --val-fraction 0", 1)).err.empty());
}

TEST_CASE("--patience waits for validations, which --val-every makes rare") {
  const small_set s;
  const auto r = run(s.command("--patience 1 --val-every 3", 7));
  INFO(r.err);
  CHECK(r.code == 0);
  CHECK(fs::exists(s.out("best.safetensors")));
  CHECK(rows_of(s.out("results.csv")) >= 3);
}

TEST_CASE("A15 side files may be missing, cut or garbage: a warning, and the run goes on from last.safetensors") {
  const small_set s;
  REQUIRE(run(s.command("", 3)).code == 0);
  const std::string saved = s.folder().path("saved");
  fs::rename(s.out(), saved);
  for (const char* name : {"results.csv", "config.json", "report.html"})
    for (const char* how : {"missing", "empty", "cut", "garbage", "other"}) {
      CAPTURE(name);
      CAPTURE(how);
      fs::remove_all(s.out());
      fs::copy(saved, s.out(), fs::copy_options::recursive);
      const std::string file = s.out(name), kind = how;
      if (kind == "missing")
        fs::remove(file);
      else if (kind == "empty")
        fs::resize_file(file, 0);
      else if (kind == "cut")
        fs::resize_file(file, fs::file_size(file) / 2);
      else
        std::ofstream(file) << (kind == "garbage" ? "\x01\xFF{[" : "[1, 2]\n");
      const auto r = run(s.command("--resume", 3));
      INFO(r.err);
      CHECK(r.code == 0);
      CHECK(contains(r.err, "warning") == (std::string(name) != "report.html"));
      if (std::string(name) != "report.html") CHECK(contains(r.err, name));
      CHECK(rows_of(s.out("results.csv")) == 3);
      CHECK(s.file("last.safetensors") == pictures::read(saved + "/last.safetensors"));
      const pictures::bytes config = s.file("config.json");
      CHECK(nlohmann::json::accept(std::string(config.begin(), config.end())));
    }
  // Broken off in the middle, with nothing beside.
  const small_set broken;
  REQUIRE(broken.begin_then("", "kill -TERM $p").code == 130);
  for (const char* name : {"results.csv", "config.json", "best.safetensors"}) fs::remove(broken.out(name));
  const auto r = broken.go_on("");
  INFO(r.err);
  CHECK(r.code == 130);
  for (const char* name : {"results.csv", "config.json", "best.safetensors"}) {
    CHECK(contains(r.err, name));
    CHECK(fs::exists(broken.out(name)));
  }
}

TEST_CASE("A15 figures of epochs come from last.safetensors, exactly") {
  const small_set s;
  REQUIRE(run(s.command("", 3)).code == 0);
  const auto columns = [&] {  // all but speed and time
    std::vector<std::string> rows;
    std::ifstream file(s.out("results.csv"));
    for (std::string line; std::getline(file, line);) rows.push_back(line.substr(0, line.rfind(',', line.rfind(',') - 1)));
    return rows;
  };
  const auto before = columns();
  REQUIRE(before.size() == 4);
  const pictures::bytes last = s.file("last.safetensors");
  fs::remove(s.out("results.csv"));
  fs::remove(s.out("config.json"));
  const auto r = run(s.command("--resume", 3));
  INFO(r.err);
  CHECK(r.code == 0);
  CHECK(columns() == before);
  CHECK(s.file("last.safetensors") == last);
}

TEST_CASE("A19 classes without pictures after --limit and the split are refused or named") {
  const small_set s;
  for (const char* rest : {"--limit 1", "--limit 1 --val-fraction 0"}) {
    const auto r = run(s.command(rest));
    CHECK(r.code == 1);
    CHECK(contains(r.err, "wanted at least 2 classes with pictures to train on"));
    CHECK_FALSE(fs::exists(s.out("last.safetensors")));
  }
  CHECK(run("lr-find --steps 3 --model lenet5 --image-size 32 --limit 1 --threads 1 --data '" + s.data() + "'").code == 1);
  for (int i = 1; i < 16; ++i) fs::remove(s.picture("cat." + std::to_string(i) + ".png"));
  const auto one = run(s.command("--overwrite"));
  INFO(one.err);
  CHECK(one.code == 0);
  CHECK(contains(one.err, "only one picture to train on of: cat"));
  CHECK(contains(one.err, "no pictures to validate on of: cat"));
  // What cannot be read does not count.
  fs::resize_file(s.picture("cat.0.png"), 10);
  const auto none = run(s.command("--overwrite --skip-bad"));
  CHECK(none.code == 1);
  CHECK(contains(none.err, "wanted at least 2 classes with pictures to train on"));
  // One class of three may have none; it is named.
  const small_set three;
  three.folder().write("data/fox.1.png", red_png(9));
  const auto named = run(three.command("--limit 8"));
  INFO(named.err);
  CHECK(named.code == 0);
  CHECK(contains(named.err, "no pictures to train on of: fox"));
}

TEST_CASE("F10 what is no file under the name of a run's file is named at once") {
  const small_set s;
  REQUIRE(run(s.command()).code == 0);
  for (const char* name : {"config.json", "results.csv", "results.jsonl", "report.html", "curves.svg", "curves.png",
                           "best.safetensors", "last.safetensors", "pictures.txt", ".lock"}) {
    CAPTURE(name);
    const std::string kept = s.folder().path("kept"), file = s.out(name);
    fs::rename(file, kept);
    for (const std::string& made : {"mkfifo '" + file + "'", "mkdir '" + file + "'", "ln -s /dev/zero '" + file + "'"}) {
      CAPTURE(made);
      REQUIRE(std::system(made.c_str()) == 0);
      for (const char* how : {"--resume", "--overwrite", ""}) {
        const auto begun = std::chrono::steady_clock::now();
        const auto r = run(s.command(how, 100000));  // would go on for long
        INFO(r.err);
        CHECK(r.code == 1);
        CHECK(contains(r.err, file + ": is "));
        CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
      }
      fs::remove(file);
    }
    fs::rename(kept, file);
  }
  CHECK(run(s.command("--resume")).code == 0);
}

TEST_CASE("A15 best weights that are damaged, or another run's, do not end a run that goes on") {
  const small_set s;
  const std::string options = "--val-fraction 0.25";
  CHECK(s.begin_then(options, "kill -TERM $p").code == 130);
  fs::resize_file(s.out("best.safetensors"), 1000);
  const auto damaged = s.go_on(options);
  INFO(damaged.err);
  CHECK(damaged.code == 130);
  CHECK(contains(damaged.err, "best.safetensors: cannot be used ("));
  CHECK(contains(damaged.err, "the next epoch that is validated counts as the best so far"));
  CHECK(run("summary --weights '" + s.out("best.safetensors") + "'").code == 0);

  const std::string other = s.folder().path("other");
  REQUIRE(run("train --model lenet5 --image-size 40 --batch-size 8 --threads 1 --workers 0 --quiet --epochs 1 --data '" +
              s.data() + "' --out '" + other + "'")
              .code == 0);
  fs::copy_file(other + "/best.safetensors", s.out("best.safetensors"), fs::copy_options::overwrite_existing);
  const auto foreign = s.go_on(options);
  INFO(foreign.err);
  CHECK(foreign.code == 130);
  CHECK(contains(foreign.err, "best.safetensors: is not this run's: another \"model\" than last.safetensors"));
  CHECK_FALSE(contains(s.go_on(options).err, "best.safetensors: "));
}

TEST_CASE("A15 a complete run with damaged best weights says so and stays as it is") {
  const small_set s;
  const std::string options = "--val-fraction 0.25 --resume";
  REQUIRE(run(s.command("--val-fraction 0.25")).code == 0);
  const pictures::bytes best = s.file("best.safetensors"), last = s.file("last.safetensors");
  fs::resize_file(s.out("best.safetensors"), 1000);
  const auto damaged = run(s.command(options));
  INFO(damaged.err);
  CHECK(damaged.code == 1);
  CHECK(contains(damaged.err, "best.safetensors: cannot be used ("));
  CHECK(contains(damaged.err, "the run is complete and writes no other: put it back, or use "));
  CHECK(s.file("last.safetensors") == last);
  s.folder().write("run/best.safetensors", best);
  CHECK(run(s.command(options)).code == 0);
}
