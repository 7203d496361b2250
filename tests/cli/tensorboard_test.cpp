// Event files and JSON lines of a training: read back by a reader that knows nothing of the writer.
#include <doctest/doctest.h>

#include <filesystem>

#include "program.hpp"

using program::contains;
using program::run;

namespace {

struct small_run {
  small_run() : folder("board") {
    for (int k = 0; k < 8; ++k) {
      folder.write("data/cat." + std::to_string(k) + ".png", program::red_png(10 * k));
      folder.write("data/dog." + std::to_string(k) + ".png", program::red_png(200 + 5 * k));
    }
  }
  std::string train(const std::string& more) const {
    return "train --data '" + folder.path("data") + "' --out '" + folder.path("run") +
           "' --model lenet5 --batch-size 4 --threads 1 --workers 0 --val-fraction 0.25 " + more;
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
    const auto script = std::filesystem::path(__FILE__).parent_path().parent_path() / "formats" / "read_events.py";
    const std::string command = "python3 '" + script.string() + "' '" + file + "' > '" + folder.path("found") + "' 2>&1";
    const int status = std::system(command.c_str());
    return (status == 0 ? "" : "failed: ") + text("found");
  }
  std::string text(const std::string& name) const {
    const pictures::bytes b = pictures::read(folder.path(name));
    return {b.begin(), b.end()};
  }
  pictures::folder folder;
};

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("--tensorboard: scalars of steps and epochs, figures, pictures; a resumed run goes on in a file of its own") {
  const small_run r;
  const auto first = run(r.train("--epochs 2 --tensorboard"));
  INFO(first.err);
  REQUIRE(first.code == 0);
  REQUIRE(r.event_files("run").size() == 1);
  if (std::system("python3 -c 1 2>/dev/null") != 0) return;
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
  CHECK(count(found, "image 6 mistakes/") > 0);
  CHECK(contains(found, "image 6 filters "));

  SUBCASE("overwriting takes the older event files away, others stay") {
    r.folder.write("run/events.out.tfevents.1.other", pictures::bytes{1});
    REQUIRE(run(r.train("--epochs 1 --overwrite --tensorboard")).code == 0);
    CHECK(r.event_files("run").size() == 2);
    CHECK(contains(r.read(r.event_files("run").back()), "scalar 3 loss/train"));
  }
  SUBCASE("a folder of its own, and none in the data") {
    REQUIRE(run(r.train("--epochs 1 --overwrite --tensorboard '" + r.folder.path("boards/a") + "'")).code == 0);
    CHECK(r.event_files("boards/a").size() == 1);
    CHECK(run(r.train("--epochs 1 --overwrite --tensorboard '" + r.folder.path("data/x") + "'")).code == 2);
  }
}

TEST_CASE("results.jsonl has a line an epoch, each once, after a resumed run too; figures that do not exist are null") {
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
