// Signals and descriptors: what ends a command, what is saved first, and that nothing but data gets into files.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "program.hpp"

using program::contains;
using program::red_means_dog;
using program::red_png;
using program::run;

namespace {

std::string text_of_file(const std::string& path) {
  const pictures::bytes b = pictures::read(path);
  return {b.begin(), b.end()};
}

int shell(const std::string& line) {
  const int status = std::system(line.c_str());
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

const std::string program_name = "'" MINICNN_PROGRAM "' ";

/// A few drawings.
struct drawings {
  pictures::folder folder{"signals"};
  drawings() { REQUIRE(run("generate --images 20 --seed 4 --out '" + data() + "'").code == 0); }
  std::string data() const { return folder.path("data"); }
  std::string out(const char* name = "run") const { return folder.path(name); }
  std::string train(int epochs, const char* name = "run") const {
    return program_name + "train --model lenet5 --image-size 32 --batch-size 8 --threads 1 --workers 0 --data '" + data() +
           "' --out '" + out(name) + "' --epochs " + std::to_string(epochs) + " ";
  }
  std::size_t temporaries(const std::string& path) const {
    std::size_t n = 0;
    for (const auto& e : std::filesystem::directory_iterator(path)) n += contains(e.path().filename().string(), ".tmp-") ? 1 : 0;
    return n;
  }
};

}  // namespace

TEST_CASE("G09 a pipe or a device as weights is refused at once by every command") {
  const red_means_dog w;
  const pictures::folder folder("pipes");
  const pictures::folder results("results");  // submit writes nothing into the data
  folder.write("1.png", red_png(200));
  const std::string pipe = folder.path("pipe"), picture = folder.path("1.png");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const std::string& file : {pipe, std::string("/dev/zero"), std::string("/dev/tty")})
    for (const std::string& command :
         {"predict '" + picture + "' --weights ", "evaluate --data '" + folder.path() + "' --weights ",
          "submit --data '" + folder.path() + "' --out '" + results.path("s.csv") + "' --weights ",
          std::string("summary --weights "), "explain '" + picture + "' --out '" + folder.path("e") + "' --weights ",
          std::string("serve --port 0 --weights "), "export --format npz --out '" + folder.path("e.npz") + "' --weights ",
          "import --model lenet5 --out '" + folder.path("i") + "' --from "}) {
      CAPTURE(command);
      const auto r = run(command + "'" + file + "'", "timeout 60");
      CHECK(r.code == 1);
      CHECK(contains(r.err, file + ": is not a regular file"));
    }
  const auto named =
      run("import --model alexnet-bn --from '" + w.path() + "' --out '" + folder.path("i") + "' --class-names '" + pipe + "'",
          "timeout 60");
  CHECK(named.code == 1);
  CHECK(contains(named.err, pipe + ": is not a regular file"));
}

TEST_CASE("G09 one signal ends a command that waits, with exit code 130 and no temporary file") {
  const red_means_dog w;
  const pictures::folder folder("waiting");
  const std::string err = folder.path("err");
  // Until the process $p has its handlers, of the signals 1, 2 and 15; sanitizers and MPICH's UCX have others too.
  const std::string ready =
      "while kill -0 $p && ! grep -q 'SigCgt:.*[4-7c-f]..[37bf]$' /proc/$p/status; do sleep 0.02; done; sleep 0.3; ";
  for (const char* signal : {"INT", "TERM", "HUP"}) {
    CAPTURE(signal);
    std::signal(SIGHUP, SIG_DFL);  // whoever started this test may have it ignored, as nohup does
    const std::string fifo = folder.path(signal);
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    // Reads a list from a pipe that stays open and says nothing.
    CHECK(shell("sleep 60 > '" + fifo + "' & s=$!; " + program_name + "predict -" + w.option() + "<'" + fifo +
                "' >/dev/null 2>'" + err + "' & p=$!; " + ready + "kill -" + signal + " $p; wait $p; c=$?; kill $s; exit $c") ==
          130);
    CHECK(text_of_file(err) == "minicnn: interrupted\n");
  }
  // Writes into a pipe that is full.
  const std::string fifo = folder.path("full");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(shell("sleep 60 < '" + fifo + "' & s=$!; " + program_name + "export --format npz --out '" + fifo + "'" + w.option() +
              ">/dev/null 2>&1 & p=$!; " + ready + "kill -TERM $p; wait $p; c=$?; kill $s; exit $c") == 130);
}

TEST_CASE("SIGPIPE too, and other signals within a pack, leave nothing that is not complete") {
  const pictures::folder folder("unfinished");
  const pictures::bytes picture = red_png(200, 8, 8);
  for (int i = 0; i < 3000; ++i) folder.write("data/cat." + std::to_string(i) + ".png", picture);
  const auto left = [&](const char* beginning) {
    int n = 0;
    for (const auto& e : std::filesystem::directory_iterator(folder.path()))
      n += e.path().filename().string().starts_with(beginning) ? 1 : 0;
    return n;
  };
  // Ends the process $p by the signal once `begun` is there; `done` is what it makes.
  const auto ended = [&](const std::string& command, const std::string& begun, const std::string& done,
                         const std::string& signal) {
    return shell(program_name + command + " >/dev/null 2>&1 & p=$!; n=0; while [ $n -lt 3000000 ] && [ ! -e '" + done +
                 "' ]; do set -- " + begun + "; [ ! -e \"$1\" ] || break; n=$((n+1)); done; kill -" + signal + " $p; wait $p");
  };
  const std::string packed = folder.path("packed");
  std::signal(SIGHUP, SIG_DFL);
  for (const char* signal : {"PIPE", "TERM", "HUP", "XCPU", "USR1"}) {
    CAPTURE(signal);
    CHECK(ended("pack --size 10240 --data '" + folder.path("data") + "' --out '" + packed + "'",
                "'" + packed + "'.tmp-*/shard-000001.tar", packed, signal) == 130);
    CHECK(left("packed") == 0);
  }
  const red_means_dog w;
  for (const char* format : {"npz", "pth", "onnx", "safetensors"}) {
    const std::string out = folder.path("exported");
    CHECK(ended(std::string("export --format ") + format + w.option() + "--out '" + out + "'", "'" + out + "'.tmp-*", out,
                "PIPE") == 128 + SIGPIPE);
    CHECK(left("exported") == 0);
  }
}

TEST_CASE("A06 submit into what standard output leads to appends to it, and '-' is standard output everywhere") {
  const red_means_dog w;
  const pictures::folder folder("stream");
  folder.write("test/1.png", red_png(200));
  folder.write("test/2.png", red_png(20));
  const std::string log = folder.path("log"),
                    submit = program_name + "submit " + w.option() + "--data '" + folder.path("test") + "' ";
  REQUIRE(shell(submit + "--out '" + folder.path("file.csv") + "' >/dev/null") == 0);
  const std::string rows = text_of_file(folder.path("file.csv"));
  for (const char* out : {"/dev/stdout", "-", "/dev/fd/1", "/proc/self/fd/1"}) {
    CAPTURE(out);
    REQUIRE(shell("echo old > '" + log + "'; " + submit + "--out " + out + " >> '" + log + "' 2>/dev/null") == 0);
    CHECK(text_of_file(log) == "old\n" + rows);
    REQUIRE(shell("(echo old; " + submit + "--out " + out + " 2>/dev/null) > '" + log + "'") == 0);
    CHECK(text_of_file(log) == "old\n" + rows);
    REQUIRE(shell(submit + "--out " + out + " 2>/dev/null | cat > '" + log + "'") == 0);
    CHECK(text_of_file(log) == rows);
  }
  for (const char* format : {"safetensors", "npz", "pth", "onnx"}) {
    CAPTURE(format);
    const std::string command = program_name + "export " + w.option() + "--format " + format;
    REQUIRE(shell(command + " --out '" + folder.path("file") + "' 2>/dev/null") == 0);
    REQUIRE(shell(command + " --out - > '" + log + "' 2>/dev/null") == 0);
    CHECK((pictures::read(log) == pictures::read(folder.path("file"))));
  }
  REQUIRE(shell(program_name + "import --model alexnet-bn --from '" + w.path() + "' --out - > '" + log + "' 2>/dev/null") == 0);
  CHECK(run("summary --weights '" + log + "'").code == 0);
  for (const std::string& command : {"explain '" + folder.path("test") + "'" + w.option(),
                                     "train --data '" + folder.path("test") + "' ", std::string("generate ")}) {
    const auto r = run(command + " --out -");
    CHECK(r.code == 2);
    CHECK(contains(r.err, "--out -: wanted a folder"));
  }
  CHECK(shell(submit + "--out /dev/full 2>/dev/null >/dev/null") == 1);
}

TEST_CASE("A11 a file that may not grow is an error, not the end: old files stay whole, no temporary file stays") {
  const drawings d;
  REQUIRE(shell(d.train(1) + ">/dev/null 2>&1") == 0);
  const auto best = pictures::read(d.out() + "/best.safetensors"), last = pictures::read(d.out() + "/last.safetensors");
  const std::string err = d.folder.path("err");
  CHECK(shell("(ulimit -f 100; " + d.train(2) + "--seed 5 --overwrite >/dev/null 2>'" + err + "')") == 1);
  CHECK(contains(text_of_file(err), "cannot write: File too large"));
  CHECK((pictures::read(d.out() + "/best.safetensors") == best));
  CHECK((pictures::read(d.out() + "/last.safetensors") == last));
  CHECK(d.temporaries(d.out()) == 0);
}

TEST_CASE("A16 closed descriptors: nothing but data in files") {
  const drawings d;
  for (const char* closed : {"2>&-", ">&- 2>&-", "<&- >&- 2>&-"}) {
    CAPTURE(closed);
    std::filesystem::remove_all(d.out());
    // Without standard output the paths at the end cannot be told, which is an error as ever.
    CHECK(shell(d.train(1) + closed) == (contains(closed, ">&- 2") ? 1 : 0));
    CHECK(std::filesystem::file_size(d.out() + "/.lock") == 0);
    CHECK(run("summary --weights '" + d.out() + "/best.safetensors'").code == 0);
    CHECK(run("summary --weights '" + d.out() + "/last.safetensors'").code == 0);
  }
}

TEST_CASE("A17 an epoch is saved before its line is printed, and a reader that goes saves like SIGTERM") {
  const drawings d;
  const std::string seen = d.folder.path("seen"), code = d.folder.path("code");
  // Ends at the first line of an epoch.
  shell("{ " + d.train(400) + "2>&1 >/dev/null; echo $? > '" + code + "'; } | sed '/^ *1 .*%/q' > '" + seen + "'");
  REQUIRE(std::filesystem::exists(code));
  CHECK(text_of_file(code) == "130\n");
  CHECK(contains(text_of_file(d.out() + "/results.csv"), "\n1,"));
  CHECK(shell(d.train(400) + "--resume --time-limit 0.001 >/dev/null 2>'" + seen + "'") != 2);
  CHECK(contains(text_of_file(seen), "resuming after epoch "));
  CHECK(d.temporaries(d.out()) == 0);
}

TEST_CASE("a limit of processor time saves like SIGTERM, though its signal comes every second") {
  const drawings d;
  const std::string err = d.folder.path("err");
  CHECK(shell("ulimit -S -t 2; " + d.train(100000) + "--quiet >/dev/null 2>'" + err + "'") == 130);
  CHECK(contains(text_of_file(err), "interrupted; the run is saved"));
  CHECK(d.temporaries(d.out()) == 0);
}

TEST_CASE("generate says why a picture cannot be written") {
  const pictures::folder folder("limit");
  const std::string err = folder.path("err");
  CHECK(shell("ulimit -f 1; " + program_name + "generate --images 2 --out '" + folder.path("g") + "' 2>'" + err + "'") == 1);
  CHECK(contains(text_of_file(err), ".jpg: cannot be written: File too large"));
}

TEST_CASE("F11 generate leaves no empty folder where nothing can be written") {
  const pictures::folder folder("nothing_written");
  const std::string made = folder.path("made");
  CHECK(std::system(("(ulimit -f 0; '" MINICNN_PROGRAM "' generate --images 2 --out '" + made + "' >/dev/null 2>&1)").c_str()) !=
        0);
  CHECK_FALSE(std::filesystem::exists(made));
}
