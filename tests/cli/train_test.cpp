// The train command: equal bytes whatever the threads, resuming, refusals, bad pictures.
#include <doctest/doctest.h>

#include <filesystem>

#include "program.hpp"

using program::contains;
using program::run;

namespace {

/// A few drawings and a short training on them.
class small_run {
 public:
  small_run() : folder_("train") { REQUIRE(run("generate --images 20 --seed 4 --out '" + data() + "'").code == 0); }
  std::string data() const { return folder_.path("data"); }
  std::string out(const std::string& name) const { return folder_.path(name.c_str()); }
  std::string command(const std::string& name, const std::string& rest = "", int epochs = 2) const {
    return "train --data '" + data() + "' --out '" + out(name) + "' --image-size 63 --batch-size 8 --val-fraction 0.2 --epochs " +
           std::to_string(epochs) + " " + rest;
  }
  pictures::bytes file(const std::string& name, const char* file) const { return pictures::read(out(name) + "/" + file); }

 private:
  pictures::folder folder_;
};

}  // namespace

TEST_CASE("equal seeds give byte-equal weights files for any threads, workers and folder") {
  const small_run r;
  REQUIRE(run(r.command("a", "--threads 1 --workers 0")).code == 0);
  REQUIRE(run(r.command("b", "--threads 2 --workers 1")).code == 0);
  REQUIRE(run(r.command("c", "--threads 3 --workers 3 --cache ram")).code == 0);
  for (const char* name : {"best.safetensors", "last.safetensors"}) {
    const pictures::bytes first = r.file("a", name);
    CHECK(first.size() > 1000);
    CHECK((r.file("b", name) == first));
    CHECK((r.file("c", name) == first));
  }
  REQUIRE(run(r.command("d", "--seed 1")).code == 0);
  CHECK_FALSE((r.file("d", "last.safetensors") == r.file("a", "last.safetensors")));
  for (const char* name : {"config.json", "results.csv", "report.html"}) CHECK(r.file("a", name).size() > 50);
}

TEST_CASE("a run that is told to end saves, exits with 130 and goes on to the same bytes") {
  const small_run r;
  REQUIRE(run(r.command("whole", "--threads 1", 5)).code == 0);
  // Ended by SIGTERM as soon as the first epoch is on disk.
  const std::string out = r.out("broken");
  const std::string line = "'" MINICNN_PROGRAM "' " + r.command("broken", "--threads 1", 5) + " 2>/dev/null >/dev/null & p=$!; " +
                           "while [ ! -f '" + out + "/report.html' ] && kill -0 $p 2>/dev/null; do sleep 0.02; done; " +
                           "kill -TERM $p 2>/dev/null; wait $p";
  const int status = std::system(line.c_str());
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 130);
  const auto resumed = run(r.command("broken", "--threads 2 --resume", 5));
  INFO(resumed.err);
  CHECK(resumed.code == 0);
  CHECK((r.file("broken", "last.safetensors") == r.file("whole", "last.safetensors")));
  CHECK((r.file("broken", "best.safetensors") == r.file("whole", "best.safetensors")));
}

TEST_CASE("an existing run is kept; resuming wants the same recipe and the same data") {
  const small_run r;
  CHECK(contains(run(r.command("a", "--resume")).err, "nothing to resume"));
  CHECK_FALSE(std::filesystem::exists(r.out("a")));
  REQUIRE(run(r.command("a")).code == 0);
  const pictures::bytes before = r.file("a", "last.safetensors");
  const auto refused = run(r.command("a"));
  CHECK(refused.code != 0);
  CHECK(contains(refused.err, "--overwrite"));
  const auto other = run(r.command("a", "--resume --dropout 0.4"));
  CHECK(other.code != 0);
  CHECK(contains(other.err, "dropout"));
  CHECK((r.file("a", "last.safetensors") == before));
  std::filesystem::remove(r.data() + "/cat.0.jpg");
  CHECK(contains(run(r.command("a", "--resume")).err, "images"));
  CHECK((r.file("a", "last.safetensors") == before));
}

TEST_CASE("a picture that cannot be read stops the run by name, or is left out and counted (F32)") {
  const small_run r;
  std::filesystem::resize_file(r.data() + "/dog.3.jpg", 0);
  const auto stopped = run(r.command("a"));
  CHECK(stopped.code == 1);
  CHECK(contains(stopped.err, "dog.3.jpg"));
  const auto skipped = run(r.command("b", "--skip-bad"));
  INFO(skipped.err);
  CHECK(skipped.code == 0);
  CHECK(contains(skipped.err, "dog.3.jpg"));
  CHECK(contains(skipped.err, "skipped 1 pictures"));
}

TEST_CASE("options that mean nothing end with 2 and write nothing") {
  const small_run r;
  for (const char* rest :
       {"--epochs 0", "--seed -1", "--model resnet19", "--precision fp8", "--schedule sometimes", "--ema 2", "--init zero",
        "--val-fraction 1", "--threads -2", "--workers -1", "--resume --overwrite"}) {
    INFO(rest);
    CHECK(run("train --data '" + r.data() + "' --out '" + r.out("none") + "' " + rest).code == 2);
    CHECK_FALSE(std::filesystem::exists(r.out("none")));
  }
}
