// The train command: equal bytes whatever the threads, resuming, refusals, bad pictures, what it says beforehand.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "eta.hpp"
#include "interrupt.hpp"
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
  /// Of a network whose files are small.
  std::string small(const std::string& name, const std::string& rest = "", int epochs = 1) const {
    return command(name, "--model alexnet-small --threads 1 --workers 0 " + rest, epochs);
  }
  pictures::bytes file(const std::string& name, const char* file) const { return pictures::read(out(name) + "/" + file); }

  /// Runs a command's beginning, then `then` in a shell that knows the process as $p, as soon as the first epoch is on disk.
  int begin_then(const std::string& name, const std::string& command_line, const std::string& then) const {
    const std::string line = "'" MINICNN_PROGRAM "' " + command_line + " 2>/dev/null >/dev/null & p=$!; while [ ! -f '" +
                             out(name) + "/report.html' ] && kill -0 $p 2>/dev/null; do sleep 0.02; done; " + then;
    const int status = std::system(line.c_str());
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status);
  }

 private:
  pictures::folder folder_;
};

void put(const std::string& path, const char* text) { std::ofstream(path) << text; }

}  // namespace

TEST_CASE("a run folder given as FOLDER/ is told with one slash") {
  const small_run r;
  const auto told = run(r.small("slash/", "--quiet"));
  CHECK(told.code == 0);
  CHECK(told.out == r.out("slash/best.safetensors") + "\n" + r.out("slash/report.html") + "\n");
}

TEST_CASE("equal seeds give byte-equal weights files for any threads, workers and folder") {
  const small_run r;
  REQUIRE(run(r.command("a", "--threads 1 --workers 0")).code == 0);
  REQUIRE(run(r.command("b", "--threads 2 --workers 1")).code == 0);
  REQUIRE(run(r.command("c", "--threads 3 --workers 3 --cache ram")).code == 0);
  REQUIRE(run(r.command("e", "--threads 4 --workers 4")).code == 0);
  for (const char* name : {"best.safetensors", "last.safetensors"}) {
    const pictures::bytes first = r.file("a", name);
    CHECK(first.size() > 1000);
    CHECK((r.file("b", name) == first));
    CHECK((r.file("c", name) == first));
    CHECK((r.file("e", name) == first));
  }
  REQUIRE(run(r.command("d", "--seed 1")).code == 0);
  CHECK_FALSE((r.file("d", "last.safetensors") == r.file("a", "last.safetensors")));
  for (const char* name : {"config.json", "results.csv", "report.html"}) CHECK(r.file("a", name).size() > 50);
}

TEST_CASE("a run that is told to end saves, exits with 130 and goes on to the same bytes") {
  const small_run r;
  const std::string small = "--model alexnet-small ";  // whose epochs are short
  std::signal(SIGHUP, SIG_DFL);                        // whoever started this test may have it ignored, as nohup does
  REQUIRE(run(r.command("whole", small + "--threads 1", 8)).code == 0);
  for (const char* signal : {"TERM", "HUP"}) {  // HUP: the terminal was closed
    CAPTURE(signal);
    const std::string name = signal;
    CHECK(r.begin_then(name, r.command(name, small + "--threads 1", 8), "kill -" + name + " $p 2>/dev/null; wait $p") == 130);
    const auto resumed = run(r.command(name, small + "--threads 2 --resume", 8));
    INFO(resumed.err);
    CHECK(resumed.code == 0);
    CHECK((r.file(name, "last.safetensors") == r.file("whole", "last.safetensors")));
    CHECK((r.file(name, "best.safetensors") == r.file("whole", "best.safetensors")));
  }
}

TEST_CASE("the first signal is a request, the second one ends the process at once; nohup is respected") {
  const auto child = [](const auto& body) {
    const pid_t process = ::fork();
    REQUIRE(process >= 0);
    if (process == 0) ::_exit(body());
    int status = 0;
    REQUIRE(::waitpid(process, &status, 0) == process);
    return status;
  };
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    CAPTURE(signal);
    const int once = child([&] {
      std::signal(signal, SIG_DFL);
      cli::catch_interrupts();
      const bool before = cli::interrupted();
      std::raise(signal);
      return !before && cli::interrupted() ? 7 : 1;
    });
    CHECK((WIFEXITED(once) && WEXITSTATUS(once) == 7));
    const int twice = child([&] {
      std::signal(signal, SIG_DFL);
      cli::catch_interrupts();
      std::raise(signal);
      std::raise(signal);
      return 7;
    });
    CHECK((WIFEXITED(twice) && WEXITSTATUS(twice) == 130));
  }
  const int ignored = child([] {
    std::signal(SIGHUP, SIG_IGN);
    cli::catch_interrupts();
    std::raise(SIGHUP);
    return cli::interrupted() ? 1 : 7;
  });
  CHECK((WIFEXITED(ignored) && WEXITSTATUS(ignored) == 7));
}

TEST_CASE("a second run in the folder of one that goes on is refused and changes nothing") {
  const small_run r;
  const std::string seen = r.out("seen"), second = r.out("second.err");
  const auto try_second = [&](const std::string& how) {
    return "'" MINICNN_PROGRAM "' " + r.small("a", how, 500) + " >/dev/null 2>>'" + second + "'; echo $? >>'" + second + "'; ";
  };
  // The first one stands still while the others try.
  r.begin_then("a", r.small("a", "", 500),
               "kill -STOP $p; cp '" + r.out("a") + "/last.safetensors' '" + seen + "'; " + try_second("--resume") +
                   try_second("--overwrite") + "cmp '" + seen + "' '" + r.out("a") + "/last.safetensors' >>'" + second +
                   "' || echo changed >>'" + second + "'; kill -KILL $p; wait $p");
  std::ifstream file(second);
  std::string line;
  for (int i = 0; i < 2; ++i) {
    std::string text;
    while (std::getline(file, line) && line != "1" && line != "2") text += line;
    CHECK(contains(text, "another process is training in this folder"));
  }
  CHECK_FALSE(std::getline(file, line));  // nothing was changed
  // The lock ends with the process that held it.
  CHECK(run(r.small("a", "--overwrite")).code == 0);
}

TEST_CASE("--overwrite keeps the old run until the new one is on disk") {
  namespace fs = std::filesystem;
  const small_run r;
  const char* const names[] = {"config.json", "results.csv", "report.html", "best.safetensors", "last.safetensors"};
  REQUIRE(run(r.small("a")).code == 0);
  fs::copy(r.out("a"), r.out("before"));
  const auto unchanged = [&](const char* name) { return r.file("a", name) == r.file("before", name); };

  // A disk that takes no weights (a limit in blocks of 512 bytes): the old run is whole, and goes on.
  const std::string full =
      "ulimit -f 64; trap '' XFSZ; exec '" MINICNN_PROGRAM "' " + r.small("a", "--seed 2 --overwrite") + " >/dev/null 2>&1";
  const int status = std::system(("sh -c \"" + full + "\"").c_str());
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 1));
  CHECK(unchanged("best.safetensors"));
  CHECK(unchanged("last.safetensors"));
  REQUIRE(run(r.small("a", "--resume")).code == 0);
  for (const char* name : {"results.csv", "best.safetensors", "last.safetensors"}) CHECK(unchanged(name));
  CHECK_FALSE(fs::exists(r.out("a") + "/.replaced"));

  // What is there after a kill between the new run's first file and its last: the old run is put back.
  REQUIRE(run(r.small("other", "--seed 2")).code == 0);
  fs::create_directory(r.out("a") + "/.replaced");
  for (const char* name : names) fs::create_hard_link(r.out("a") + "/" + name, r.out("a") + "/.replaced/" + name);
  fs::rename(r.out("other") + "/best.safetensors", r.out("a") + "/best.safetensors");
  CHECK_FALSE(unchanged("best.safetensors"));
  REQUIRE(run(r.small("a", "--resume")).code == 0);
  CHECK(unchanged("best.safetensors"));
  CHECK(unchanged("last.safetensors"));
  CHECK_FALSE(fs::exists(r.out("a") + "/.replaced"));

  // And at last it goes, with everything that the new run has not written again.
  put(r.out("a") + "/curves.svg", "old");
  REQUIRE(run(r.small("a", "--seed 2 --overwrite")).code == 0);
  CHECK_FALSE(unchanged("best.safetensors"));
  CHECK_FALSE(unchanged("last.safetensors"));
  CHECK_FALSE(fs::exists(r.out("a") + "/.replaced"));
  CHECK_FALSE(fs::exists(r.out("a") + "/.replaced-dropped"));
}

TEST_CASE("temporary files of killed processes go when a run begins in their folder; others stay") {
  namespace fs = std::filesystem;
  const small_run r;
  fs::create_directories(r.out("a"));
  const pid_t gone = ::fork();
  REQUIRE(gone >= 0);
  if (gone == 0) ::_exit(0);
  REQUIRE(::waitpid(gone, nullptr, 0) == gone);
  const std::string dead = std::to_string(gone), alive = std::to_string(::getpid());
  for (const std::string& name :
       {"last.safetensors.tmp-" + dead + "-0", "config.json.tmp-" + dead + "-3", "last.safetensors.tmp-" + alive + "-0",
        "mine.txt.tmp-" + dead + "-0", std::string("best.safetensors.tmp-mine"), std::string("best.safetensors.tmp-1x")})
    put(r.out("a") + "/" + name, "half");
  REQUIRE(run(r.small("a")).code == 0);
  CHECK_FALSE(fs::exists(r.out("a") + "/last.safetensors.tmp-" + dead + "-0"));
  CHECK_FALSE(fs::exists(r.out("a") + "/config.json.tmp-" + dead + "-3"));
  CHECK(fs::exists(r.out("a") + "/last.safetensors.tmp-" + alive + "-0"));
  CHECK(fs::exists(r.out("a") + "/mine.txt.tmp-" + dead + "-0"));
  CHECK(fs::exists(r.out("a") + "/best.safetensors.tmp-mine"));
  CHECK(fs::exists(r.out("a") + "/best.safetensors.tmp-1x"));
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
  for (const char* rest : {"--epochs 0", "--seed -1", "--model resnet19", "--precision fp8", "--schedule sometimes", "--ema 2",
                           "--init zero", "--val-fraction 1", "--threads -2", "--workers -1", "--resume --overwrite"}) {
    INFO(rest);
    CHECK(run("train --data '" + r.data() + "' --out '" + r.out("none") + "' " + rest).code == 2);
    CHECK_FALSE(std::filesystem::exists(r.out("none")));
  }
}

TEST_CASE("train tells beforehand how long an epoch takes; the measuring leaves no trace in the weights") {
  const small_run r;
  const auto told = run(r.command("told", "--seed 3"));
  REQUIRE(told.code == 0);
  const std::size_t at = told.err.find("\nestimate: ");
  REQUIRE(at != std::string::npos);
  const std::string line = told.err.substr(at + 1, told.err.find('\n', at + 1) - at - 1);
  CHECK(contains(line, " an epoch; a step of 8 images takes "));
  CHECK(contains(line, ", reading a picture "));
  CHECK(at < told.err.find("train loss"));  // before the first row
  const auto quiet = run(r.command("quiet", "--seed 3 --quiet"));
  REQUIRE(quiet.code == 0);
  CHECK(!contains(quiet.err, "estimate: "));  // only warnings
  CHECK(r.file("told", "best.safetensors") == r.file("quiet", "best.safetensors"));
  CHECK(r.file("told", "last.safetensors") == r.file("quiet", "last.safetensors"));
}

TEST_CASE("an epoch takes as long as what is slowest: computing, reading, or the processors that do both") {
  using cli::epoch_seconds;
  CHECK(epoch_seconds({10, 4}, 2, 0, 2) == 14);  // without workers one after the other
  CHECK(epoch_seconds({10, 4}, 2, 1, 2) == 12);  // both processors compute all the time and read besides: (20 + 4) / 2
  CHECK(epoch_seconds({10, 4}, 1, 1, 2) == 10);  // one computes, the other has time to read
  CHECK(epoch_seconds({10, 30}, 1, 1, 8) == 30);
  CHECK(epoch_seconds({10, 30}, 1, 2, 8) == 15);
  CHECK(epoch_seconds({10, 30}, 1, 8, 2) == 20);  // (10 + 30) / 2
  CHECK(epoch_seconds({10, 4}, 4, 1, 1) == 14);
}

TEST_CASE("A05 a folder .replaced that no run made is neither taken for a run nor removed") {
  const small_run r;
  std::filesystem::create_directories(r.out("run/.replaced"));
  const auto empty = run(r.small("run"));
  INFO(empty.err);
  CHECK(empty.code == 0);
  for (const std::string name : {"run/.replaced", "run/.replaced-dropped"})
    for (const char* how : {"", "--overwrite", "--resume"}) {
      std::filesystem::create_directories(r.out(name));
      put(r.out(name + "/my.txt"), "mine");
      const auto refused = run(r.small("run", how));
      CHECK(refused.code == 1);
      CHECK_MESSAGE(contains(refused.err, "holds my.txt, which no run wrote and which would be removed; move it elsewhere"),
                    refused.err);
      CHECK(std::filesystem::exists(r.out(name + "/my.txt")));
      std::filesystem::remove_all(r.out(name));
    }
  CHECK(run(r.small("run", "--overwrite")).code == 0);
}
