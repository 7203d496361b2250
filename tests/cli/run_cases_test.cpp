// Runs that are broken off, whose pictures or side files have changed, and classes without pictures.
#include <chrono>
#include <filesystem>
#include <fstream>

#include "program.hpp"

using program::contains;
using program::red_png;
using program::run;

namespace {

namespace fs = std::filesystem;

/// Sixteen pictures each of cat and dog, whose files differ in size, and a short training on them.
class small_set {
 public:
  small_set() {
    for (int i = 0; i < 16; ++i) {
      folder_.write("data/cat." + std::to_string(i) + ".png", red_png(5 * i, 40 + i, 40));
      folder_.write("data/dog." + std::to_string(i) + ".png", red_png(160 + 5 * i, 40, 60 + i));
    }
  }
  std::string data() const { return folder_.path("data"); }
  std::string out(const std::string& name = "") const { return folder_.path("run") + (name.empty() ? "" : "/" + name); }
  std::string picture(const std::string& name) const { return folder_.path("data/" + name); }
  std::string command(const std::string& rest = "", int epochs = 2) const {
    return "train --model lenet5 --image-size 32 --batch-size 8 --threads 1 --workers 0 --quiet --epochs " +
           std::to_string(epochs) + " --data '" + data() + "' --out '" + out() + "' " + rest;
  }
  /// Begins a long training; when its first epoch is on disk, `then` in a shell that knows the process as $p. The exit code and
  /// standard error of the training.
  program::outcome begin_then(const std::string& rest, const std::string& then) const {
    const std::string line = "'" MINICNN_PROGRAM "' " + command(rest, 100000) + " >/dev/null 2>'" + folder_.path("err") +
                             "' & p=$!; while [ ! -f '" + out("report.html") +
                             "' ] && kill -0 $p 2>/dev/null; do sleep 0.02; done; " + then + "; wait $p";
    const int status = std::system(line.c_str());
    const pictures::bytes err = pictures::read(folder_.path("err"));
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, "", std::string(err.begin(), err.end())};
  }
  /// Goes on with a long training until an epoch more is on disk, or it ends.
  program::outcome go_on(const std::string& rest) const {
    const std::string marker = folder_.path("marker"), err = folder_.path("err2");
    const std::string line = "touch '" + marker + "'; sleep 0.02; '" MINICNN_PROGRAM "' " + command(rest + " --resume", 100000) +
                             " >/dev/null 2>'" + err + "' & p=$!; sleep 0.1; while [ ! '" + out("report.html") + "' -nt '" +
                             marker + "' ] && kill -0 $p 2>/dev/null; do sleep 0.02; done; kill -TERM $p 2>/dev/null; wait $p";
    const int status = std::system(line.c_str());
    const pictures::bytes text = pictures::read(err);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, "", std::string(text.begin(), text.end())};
  }
  std::string say_until(const std::string& text) const {
    return "for i in $(seq 1500); do grep -q '" + text + "' '" + folder_.path("err") + "' && break; sleep 0.02; done";
  }
  pictures::bytes file(const char* name) const { return pictures::read(out(name)); }
  const pictures::folder& folder() const { return folder_; }

 private:
  pictures::folder folder_{"run_cases"};
};

std::size_t rows_of(const std::string& csv) {
  std::ifstream file(csv);
  std::size_t n = 0;
  for (std::string line; std::getline(file, line);) ++n;
  return n - 1;
}

}  // namespace

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

TEST_CASE("G11 a picture that goes during training is named and left out with --skip-bad, and the run can be resumed") {
  for (const char* gone : {"cat.3.png", "dog.0.png"}) {
    const small_set s;
    const auto first = s.begin_then("--skip-bad", "mv '" + s.picture(gone) + "' '" + s.folder().path("kept.png") + "'; " +
                                                      s.say_until(gone) + "; kill -TERM $p");
    INFO(first.err);
    CHECK(first.code == 130);
    CHECK(contains(first.err, std::string("skipped: ") + s.picture(gone) + ": no such file"));
    CHECK(first.err.find("skipped: ") == first.err.rfind("skipped: "));  // once
    const auto still_gone = s.go_on("--skip-bad");
    INFO(still_gone.err);
    CHECK(contains(still_gone.err, "interrupted; the run is saved"));
    CHECK(contains(still_gone.err, gone));
    fs::rename(s.folder().path("kept.png"), s.picture(gone));
    const auto back = s.go_on("--skip-bad");
    INFO(back.err);
    CHECK(contains(back.err, "interrupted; the run is saved"));
    CHECK_FALSE(contains(back.err, "skipped"));
  }
}

TEST_CASE("G11 without --skip-bad the run ends, says what is saved, and can be resumed either way") {
  const small_set s;
  const auto ended = s.begin_then("--accumulate 3", "mv '" + s.picture("cat.5.png") + "' '" + s.folder().path("kept.png") + "'");
  INFO(ended.err);
  CHECK(ended.code == 1);
  CHECK(contains(ended.err, "cat.5.png: no such file"));
  CHECK(contains(ended.err, "the run is saved in " + s.out() + ", after epoch "));
  CHECK(contains(ended.err, "--resume, and with --skip-bad if the picture is gone for good"));
  const auto once_more = run(s.command("--accumulate 3 --resume", 100000));
  INFO(once_more.err);
  CHECK(once_more.code == 1);
  CHECK(contains(once_more.err, "cat.5.png: no such file"));
  fs::copy_file(s.picture("cat.6.png"), s.picture("cat.5.png"));  // not the same picture
  CHECK(contains(run(s.command("--accumulate 3 --resume", 100000)).err, "their sizes in bytes are not"));
  fs::remove(s.picture("cat.5.png"));
  const auto without = s.go_on("--accumulate 3 --skip-bad");
  INFO(without.err);
  CHECK(without.code == 130);
  CHECK(contains(without.err, "interrupted; the run is saved"));
}

TEST_CASE("A10 other pictures under the same names are refused") {
  const small_set s;
  REQUIRE(run(s.command()).code == 0);
  const pictures::bytes before = s.file("last.safetensors");
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

TEST_CASE("G11 a picture that goes is left out for several labels and numbers too, and the run can be resumed") {
  for (const std::string task : {"multilabel", "regress"}) {
    CAPTURE(task);
    const small_set s;
    const std::string table = s.folder().path("answers.csv");
    std::ofstream file(table);
    file << "id,x,y\n";
    for (int i = 0; i < 16; ++i) file << "cat." << i << ",1," << i % 2 << "\ndog." << i << ",0," << i % 2 << '\n';
    file.close();
    const std::string options = "--skip-bad --task " + task + " --labels '" + table + "' ";
    const auto first =
        s.begin_then(options, "rm '" + s.picture("cat.3.png") + "'; " + s.say_until("cat.3.png") + "; kill -TERM $p");
    INFO(first.err);
    CHECK(first.code == 130);
    const auto on = s.go_on(options);
    INFO(on.err);
    CHECK(on.code == 130);
    CHECK(contains(on.err, "interrupted; the run is saved"));
  }
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

TEST_CASE("F5 a run begun without --skip-bad goes on with it when a picture has gone or is damaged since") {
  for (const char* lost : {"gone", "damaged"}) {
    CAPTURE(lost);
    const small_set s;
    const auto first = s.begin_then("", "kill -TERM $p");
    INFO(first.err);
    REQUIRE(first.code == 130);
    const pictures::bytes before = s.file("last.safetensors");
    const std::string gone = s.picture("cat.3.png");
    if (std::string(lost) == "gone")
      fs::remove(gone);
    else
      fs::resize_file(gone, 20);
    const auto without = run(s.command("--resume", 100000));
    INFO(without.err);
    CHECK(without.code == 1);
    CHECK(contains(without.err, gone + ": "));
    CHECK(contains(without.err, "--resume --skip-bad"));
    const auto with = s.go_on("--skip-bad");
    INFO(with.err);
    CHECK(with.code == 130);
    CHECK(contains(with.err, "skipped: " + gone + ": "));
    CHECK(contains(with.err, "interrupted; the run is saved"));
    CHECK(rows_of(s.out("results.csv")) >= 2);  // it went on, not anew
    CHECK(s.file("last.safetensors") != before);
  }
}

TEST_CASE("F5 a whole class that has gone, pictures that were added, and a run without its list") {
  const small_set s;
  REQUIRE(s.begin_then("", "kill -TERM $p").code == 130);
  for (int i = 0; i < 8; ++i) fs::rename(s.picture("dog." + std::to_string(i) + ".png"), s.folder().path(std::to_string(i)));
  const auto half = s.go_on("--skip-bad");
  INFO(half.err);
  CHECK(half.code == 130);
  for (const char* name : {"dog.0.png", "dog.7.png"}) CHECK(contains(half.err, "skipped: " + s.picture(name) + ": no such file"));
  for (int i = 0; i < 8; ++i) fs::rename(s.folder().path(std::to_string(i)), s.picture("dog." + std::to_string(i) + ".png"));
  fs::copy_file(s.picture("cat.1.png"), s.picture("cat.99.png"));
  const auto more = run(s.command("--resume --skip-bad", 100000));
  CHECK(more.code == 1);
  CHECK(contains(more.err, "the run was made with other pictures: " + s.data() + " has 1 that it did not have: cat.99.png"));
  fs::remove(s.picture("cat.99.png"));
  fs::remove(s.picture("cat.1.png"));
  std::ofstream(s.out("pictures.txt")) << "id\tlabel\ttarget\tbytes\tname\n1\t0";
  const auto blind = run(s.command("--resume --skip-bad", 100000));
  INFO(blind.err);
  CHECK(blind.code == 1);
  CHECK(contains(blind.err, "the run was made with 32 pictures, " + s.data() + " has 31"));
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
