// Event files and JSON lines of a training: read back by a reader that knows nothing of the writer.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <set>
#include <sstream>

#include "program.hpp"

using program::contains;
using program::run;

namespace {

const std::string reader = "python3 '" + std::string(MINICNN_TEST_GOLDEN_DIR) + "/../formats/read_events.py" + "' ";

bool can_read() {
  if (std::system("python3 -c 1 2>/dev/null") == 0) return true;
  MESSAGE("SKIPPED: no python3, which reads event files");
  return false;
}

struct small_run {
  small_run() : folder("board") {
    for (int k = 0; k < 8; ++k) {
      folder.write("data/cat." + std::to_string(k) + ".png", program::red_png(10 * k));
      folder.write("data/dog." + std::to_string(k) + ".png", program::red_png(200 + 5 * k));
    }
  }
  std::string train(const std::string& more, const std::string& out = "run", int batch_size = 4) const {
    return "train --data '" + folder.path("data") + "' --out '" + folder.path(out) + "' --model lenet5 --batch-size " +
           std::to_string(batch_size) + " --threads 1 --workers 0 --val-fraction 0.25 " + more;
  }
  /// Event files in a folder, oldest first.
  std::vector<std::string> event_files(const std::string& where) const {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path(where)))
      if (entry.path().filename().string().starts_with("events.out.tfevents.")) out.push_back(entry.path().string());
    std::sort(out.begin(), out.end());
    return out;
  }
  std::string read(const std::string& file) const {
    const std::string command = reader + "'" + file + "' > '" + folder.path("found") + "' 2>&1";
    const int status = std::system(command.c_str());
    return (status == 0 ? "" : "failed: ") + text("found");
  }
  std::string text(const std::string& name) const {
    const pictures::bytes b = pictures::read(folder.path(name));
    return {b.begin(), b.end()};
  }
  pictures::folder folder;
};

/// Steps that have a value of this name, in the order of the file.
std::vector<int> steps_of(const std::string& found, const std::string& name) {
  std::vector<int> out;
  std::istringstream lines(found);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string kind, tag;
    int step = 0;
    if (words >> kind >> step >> tag && kind == "scalar" && tag == name) out.push_back(step);
  }
  return out;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("--tensorboard: scalars of steps and epochs, figures, pictures") {
  const small_run r;
  const auto first = run(r.train("--epochs 2 --tensorboard"));
  INFO(first.err);
  REQUIRE(first.code == 0);
  REQUIRE(r.event_files("run").size() == 1);
  if (!can_read()) return;
  const std::string found = r.read(r.event_files("run").front());
  INFO(found);
  CHECK(found.starts_with("version brain.Event:2\n"));
  CHECK(count(found, " step/loss ") == 6);  // three batches an epoch
  CHECK(count(found, " step/learning_rate ") == 6);
  for (const char* name : {"loss/train", "loss/validation", "accuracy/train", "accuracy/validation", "learning_rate",
                           "images_per_second", "validation/accuracy", "validation/macro_F1"}) {
    INFO(name);
    CHECK(contains(found, "scalar 3 " + std::string(name) + " "));
    CHECK(contains(found, "scalar 6 " + std::string(name) + " "));
  }
  // As results.csv has it.
  const auto rows = nlohmann::json::parse(r.text("run/results.jsonl").substr(0, r.text("run/results.jsonl").find('\n')));
  char loss[64];
  std::snprintf(loss, sizeof loss, "scalar 3 loss/validation %.6g\n", static_cast<double>(rows["val_loss"].get<float>()));
  CHECK(contains(found, loss));
  CHECK(count(found, "image 6 augmented/") > 0);
  CHECK(count(found, "image 6 mistakes/1 ") > 0);
  CHECK(contains(found, "image 6 filters "));
}

TEST_CASE("--overwrite removes the run's own event files, and no other run's in a folder that they share") {
  const small_run r;
  const auto names = [&](const std::string& where) {
    std::set<std::string> out;
    for (const std::string& file : r.event_files(where)) out.insert(std::filesystem::path(file).filename().string());
    return out;
  };
  SUBCASE("in the run folder: all that minicnn wrote") {
    REQUIRE(run(r.train("--epochs 1 --tensorboard")).code == 0);
    const std::string first = r.event_files("run").front();
    r.folder.write("run/events.out.tfevents.1.other", pictures::bytes{1});
    r.folder.write("run/events.out.tfevents.1.2.minicnn", pictures::bytes{1});  // of a version without events.txt
    REQUIRE(run(r.train("--epochs 1 --overwrite --tensorboard")).code == 0);
    CHECK(names("run").size() == 2);
    CHECK(names("run").count("events.out.tfevents.1.other") == 1);
    CHECK_FALSE(std::filesystem::exists(first));
  }
  SUBCASE("in a folder of several runs: what events.txt lists") {
    const std::string board = " --tensorboard '" + r.folder.path("boards/all") + "'";
    REQUIRE(run(r.train("--epochs 1" + board, "s1")).code == 0);
    const std::set<std::string> one = names("boards/all");
    REQUIRE(one.size() == 1);
    CHECK(r.text("s1/events.txt") == *one.begin() + "\n");
    REQUIRE(run(r.train("--epochs 1" + board, "s2")).code == 0);
    REQUIRE(run(r.train("--epochs 1 --resume" + board, "s2")).code == 0);
    const std::set<std::string> both = names("boards/all");
    REQUIRE(both.size() == 3);
    REQUIRE(run(r.train("--epochs 1 --overwrite" + board, "s2")).code == 0);
    const std::set<std::string> after = names("boards/all");
    CHECK(after.size() == 2);
    CHECK(after.count(*one.begin()) == 1);
    for (const std::string& name : after) CHECK((both.count(name) == 0 || name == *one.begin()));
    CHECK(contains(r.text("s2/events.txt"), ".minicnn\n"));
    CHECK(count(r.text("s2/events.txt"), "\n") == 1);
  }
  SUBCASE("none in the data") {
    CHECK(run(r.train("--epochs 1 --overwrite --tensorboard '" + r.folder.path("data/x") + "'")).code == 2);
  }
}

TEST_CASE("--tensorboard: steps show within an epoch; interrupted and resumed, every step is there once") {
  if (!can_read()) return;
  const small_run r;
  for (int k = 0; k < 3000; ++k) r.folder.write("data/cat.more." + std::to_string(k) + ".png", program::red_png(k % 100));
  const std::string board = r.folder.path("boards"), found = r.folder.path("seen"), err = r.folder.path("err");
  const std::string whole = "--epochs 1 --image-size 64 --quiet --tensorboard '" + board + "'";
  // Until a step of the epoch under way can be read.
  const std::string line = "'" MINICNN_PROGRAM "' " + r.train(whole, "run", 1) + " >/dev/null 2>'" + err + "' & p=$!; " +
                           "while kill -0 $p && ! grep -q 'step/loss' '" + found + "'; do sleep 0.1; " + reader + "'" + board +
                           "'/events.* > '" + found + "'; done 2>/dev/null; kill -INT $p; wait $p";
  const int status = std::system(line.c_str());
  REQUIRE(WIFEXITED(status));
  CAPTURE(r.text("err"));
  REQUIRE(WEXITSTATUS(status) == 130);
  CHECK(!std::filesystem::exists(r.folder.path("run/results.csv")));  // no epoch was done
  const int done = nlohmann::json::parse(r.text("run/config.json"))["steps"].get<int>();
  REQUIRE(r.event_files("boards").size() == 1);
  const std::vector<int> first = steps_of(r.read(r.event_files("boards")[0]), "step/loss");
  REQUIRE(!first.empty());
  CHECK(first.back() == done);

  const auto resumed = run(r.train(whole + " --resume", "run", 1));
  CAPTURE(resumed.err);
  REQUIRE(resumed.code == 0);
  REQUIRE(r.event_files("boards").size() == 2);
  CHECK(count(r.text("run/events.txt"), "\n") == 2);
  const std::string rest = r.read(r.event_files("boards")[1]);
  CHECK(contains(rest, "start " + std::to_string(done + 1) + "\n"));
  std::vector<int> all = first, wanted(nlohmann::json::parse(r.text("run/config.json"))["steps"].get<std::size_t>());
  for (const int step : steps_of(rest, "step/loss")) all.push_back(step);
  std::iota(wanted.begin(), wanted.end(), 1);
  CHECK(wanted.size() > first.size());
  CHECK((all == wanted));
  CHECK(steps_of(rest, "epoch") == std::vector<int>{static_cast<int>(wanted.size())});
}

TEST_CASE("results.jsonl has a line an epoch, each once, also of a complete run resumed; figures that do not exist are null") {
  const small_run r;
  REQUIRE(run(r.train("--epochs 2 --val-every 2 --tensorboard")).code == 0);
  const auto lines = [&] {
    std::vector<nlohmann::json> out;
    std::istringstream text(r.text("run/results.jsonl"));
    for (std::string line; std::getline(text, line);) out.push_back(nlohmann::json::parse(line));
    return out;
  };
  REQUIRE(lines().size() == 2);
  CHECK(lines()[0]["epoch"] == 1);
  CHECK(lines()[0]["val_loss"].is_null());
  CHECK(lines()[1]["val_loss"].is_number());
  CHECK(lines()[1]["train_loss"].is_number());
  std::filesystem::remove(r.folder.path("run/results.jsonl"));
  const auto again = run(r.train("--epochs 2 --val-every 2 --tensorboard --resume"));
  INFO(again.err);
  REQUIRE(again.code == 0);
  REQUIRE(lines().size() == 2);
  CHECK(lines()[1]["epoch"] == 2);
}

TEST_CASE("--tensorboard that can be no folder ends the run before its first step") {
  const small_run r;
  r.folder.write("file", pictures::bytes{'x'});
  const auto refused = run(r.train("--epochs 2 --tensorboard '" + r.folder.path("file") + "'"));
  CHECK(refused.code == 1);
  CHECK(contains(refused.err, "--tensorboard " + r.folder.path("file") + ": cannot make this folder: "));
  CHECK_FALSE(std::filesystem::exists(r.folder.path("run/last.safetensors")));
}
