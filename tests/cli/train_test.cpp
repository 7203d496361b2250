// The train command: equal bytes whatever the threads, resuming, refusals, bad pictures, fine-tuning.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "interrupt.hpp"
#include "pace.hpp"
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
    CHECK((WIFSIGNALED(twice) && WTERMSIG(twice) == signal));
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

namespace {

/// A network that has learned two classes, and pictures of three others: one colour each.
class two_tasks {
 public:
  two_tasks() : folder_("fine-tuning") {
    colours("old", {{"blue", 200}, {"green", 100}});
    colours("new", {{"lime", 90}, {"pink", 220}, {"teal", 10}});
    const auto trained = run("train --model resnet20 --data " + path("old") + " --out " + path("base") + " --seed 5" + rest(1));
    INFO(trained.err);
    REQUIRE(trained.code == 0);
  }
  std::string path(const std::string& name) const { return "'" + folder_.path(name.c_str()) + "'"; }
  std::string file(const std::string& name) const { return folder_.path(name.c_str()); }
  static std::string rest(int epochs) {
    return " --batch-size 8 --threads 1 --workers 0 --val-fraction 0.25 --epochs " + std::to_string(epochs) + " ";
  }
  std::string train(const std::string& out, const std::string& options, int epochs = 2) const {
    return "train --data " + path("new") + " --out " + path(out) + rest(epochs) + options;
  }
  /// The values of a tensor in a weights file.
  std::vector<float> values(const std::string& name, const char* tensor) const {
    const auto t = minicnn::safetensors_file::open(file(name)).load<float>(tensor);
    return {t.begin(), t.end()};
  }

 private:
  void colours(const std::string& set, const std::vector<std::pair<std::string, int>>& classes) {
    for (const auto& [name, colour] : classes)
      for (int i = 0; i < 8; ++i)
        folder_.write((set + "/" + name + "/" + std::to_string(i) + ".png").c_str(),
                      pictures::png(pictures::plain(32, 32, static_cast<unsigned char>(colour + i), 60,
                                                    static_cast<unsigned char>(250 - colour))));
  }

  pictures::folder folder_;
};

}  // namespace

TEST_CASE("--init-from takes all but the last layer; --freeze body leaves the rest as it was, running statistics too") {
  const two_tasks t;
  const auto tuned = run(t.train("tuned", "--init-from " + t.path("base/best.safetensors") + " --freeze body"));
  INFO(tuned.err);
  REQUIRE(tuned.code == 0);
  CHECK(contains(tuned.err, "as its classes are others: fc.weight, fc.bias"));
  CHECK(contains(tuned.err, "frozen: body; 195 of "));  // 64 x 3 weights and 3 biases
  for (const char* name : {"conv1.weight", "bn1.running_var", "layer3.2.conv2.weight", "layer3.2.bn2.bias"}) {
    CAPTURE(name);
    CHECK(t.values("tuned/best.safetensors", name) == t.values("base/best.safetensors", name));
  }
  CHECK(t.values("tuned/best.safetensors", "fc.weight").size() == 192);
  const auto config = nlohmann::json::parse(pictures::read(t.file("tuned/config.json")));
  CHECK(config["recipe"]["model"]["name"] == "resnet20");
  CHECK(config["recipe"]["freeze"] == "body");
  CHECK(config["init_from"] == t.file("base/best.safetensors"));
  CHECK(config["recipe"]["init_from"].get<std::string>().starts_with("crc32:"));

  // The same from PyTorch's and NumPy's files, which say less about themselves.
  for (const char* format : {"pth", "npz"}) {
    CAPTURE(format);
    const std::string out = t.path(std::string("w.") + format);
    REQUIRE(run("export --weights " + t.path("base/best.safetensors") + " --format " + format + " --out " + out).code == 0);
    const auto other = run(t.train(format, "--model resnet20 --freeze body --init-from " + out));
    INFO(other.err);
    CHECK(other.code == 0);
    CHECK(contains(other.err, "as it has none that fit: fc.weight, fc.bias"));
    CHECK(t.values(std::string(format) + "/best.safetensors", "fc.weight") == t.values("tuned/best.safetensors", "fc.weight"));
  }
}

TEST_CASE("a fine-tuning that is told to end goes on to the same bytes, even without the file that it began with") {
  const two_tasks t;
  const std::string options =
      "--init-from " + t.path("base/best.safetensors") + " --freeze conv1,bn1 --rate body:0.1 --rate head:2";
  REQUIRE(run(t.train("whole", options, 10)).code == 0);
  const std::string report = t.path("broken/report.html");
  const std::string line = "'" MINICNN_PROGRAM "' " + t.train("broken", options, 10) +
                           " 2>/dev/null >/dev/null & p=$!; while [ ! -f " + report +
                           " ] && kill -0 $p 2>/dev/null; do sleep 0.01; done; kill -TERM $p 2>/dev/null; wait $p";
  const int status = std::system(line.c_str());
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 130);
  CHECK(contains(run(t.train("broken", "--resume --model resnet20", 10)).err, "init_from"));
  CHECK(contains(
      run(t.train("broken",
                  "--resume --rate body:0.2 --rate head:2 --freeze conv1,bn1 --init-from " + t.path("base/best.safetensors"), 10))
          .err,
      "rates"));
  std::filesystem::remove(t.file("base/best.safetensors"));
  const auto resumed = run(t.train("broken", options + " --resume", 10));
  INFO(resumed.err);
  CHECK(resumed.code == 0);
  for (const char* name : {"last.safetensors", "best.safetensors"})
    CHECK((pictures::read(t.file(std::string("broken/") + name)) == pictures::read(t.file(std::string("whole/") + name))));
}

TEST_CASE("a group's rate is the factor of what its layers move by") {
  const two_tasks t;
  const auto moved = [&](const std::string& out, const std::string& rates, const char* tensor) {
    const auto trained = run(t.train(out,
                                     "--optimizer sgd --lr 1e-4 --schedule constant --weight-decay 0 --no-augment --init-from " +
                                         t.path("base/best.safetensors") + rates,
                                     1));
    INFO(trained.err);
    REQUIRE(trained.code == 0);
    const auto before = t.values("base/best.safetensors", tensor), after = t.values(out + "/last.safetensors", tensor);
    double sum = 0;
    for (std::size_t i = 0; i < before.size(); ++i) sum += std::abs(static_cast<double>(after[i]) - before[i]);
    return sum;
  };
  const double all = moved("a", "", "conv1.weight");
  CHECK(all > 0);
  CHECK(moved("b", " --rate conv1:0.5", "conv1.weight") / all == doctest::Approx(0.5).epsilon(0.05));
  CHECK(moved("c", " --rate body:3,head:1", "conv1.weight") / all == doctest::Approx(3).epsilon(0.1));
}

TEST_CASE("weights that do not fit, and layers that there are not, are refused and named") {
  const two_tasks t;
  const std::string from = "--init-from " + t.path("base/best.safetensors");
  const auto refused = [&](const std::string& options, int code, std::initializer_list<const char*> parts) {
    const auto r = run(t.train("none", options));
    INFO(options << ": " << r.err);
    CHECK(r.code == code);
    for (const char* part : parts) CHECK(contains(r.err, part));
    CHECK_FALSE(std::filesystem::exists(t.file("none")));
  };
  refused(from + " --model lenet5", 2, {"resnet20", "lenet5"});
  refused(from + " --freeze conv9", 2, {"conv9", "conv1, bn1"});
  refused(from + " --freeze body,fc", 2, {"nothing to train"});
  refused(from + " --freeze body --rate conv1:2", 2, {"--rate conv1:2", "frozen"});
  refused(from + " --rate conv9:2", 2, {"conv9"});
  for (const char* rate : {"head", "head:0", "head:-1", ":2", "head:x"}) refused(std::string("--rate ") + rate, 2, {"--rate"});
  refused("--init-from " + t.path("gone.pth"), 1, {"gone.pth"});
  refused("--channels 2", 2, {"--channels"});
  REQUIRE(run("export --weights " + t.path("base/best.safetensors") + " --format npz --out " + t.path("w.npz")).code == 0);
  refused("--model resnet32 --init-from " + t.path("w.npz"), 1, {"missing", "layer1.3.conv1.weight"});
  refused("--model resnet20 --channels 1 --init-from " + t.path("w.npz"), 1, {"conv1.weight (wanted 16x1x3x3, got 16x3x3x3)"});
  const auto own = run("train --overwrite --data " + t.path("new") + " --out " + t.path("base") + " " + from);
  CHECK(own.code == 2);
  CHECK(contains(own.err, "--overwrite replaces"));
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
