// The command line as a whole: what is refused, and how.
#include "program.hpp"

#include <minicnn/version.hpp>

using program::contains;
using program::run;

TEST_CASE("help and version are results") {
  const auto help = run("--help");
  CHECK(help.code == 0);
  for (const char* name :
       {"train", "evaluate", "predict", "submit", "summary", "check", "bench", "generate", "lr-find", "compare"}) {
    CAPTURE(name);
    CHECK(contains(help.out, std::string("  ") + name + " "));
    const auto own = run(std::string(name) + " --help");
    CHECK(own.code == 0);
    CHECK(contains(own.out, "--help"));
    CHECK(own.err.empty());
  }
  const auto version = run("--version");
  CHECK(version.code == 0);
  CHECK(version.out == std::string("minicnn ") + minicnn::version_string + "\n");
}

TEST_CASE("help shows the defaults") {
  const auto evaluate = run("evaluate --help");
  for (const char* text : {"=all", "=64", "what the weights file says"}) CHECK(contains(evaluate.out, text));
  const auto bench = run("bench --help");
  for (const char* text : {"=train", "=10", "=fp32", "=2"}) CHECK(contains(bench.out, text));
  CHECK(contains(run("generate --help").out, "=2000"));
}

TEST_CASE("what is not understood ends with 2 and one line that says why") {
  for (const auto& [arguments, reason] : std::vector<std::pair<std::string, std::string>>{
           {"", "subcommand"},
           {"traim --data x", "there is no command \"traim\""},
           {"evaluate --data x", "--weights"},
           {"evaluate --weights w --data x --split most", "--split"},
           {"evaluate --weights w --data x --tta eleven-crop", "--tta"},
           {"evaluate --weights w --data x --colour", "--colour"},
           {"predict --weights w", "PATH"},
           {"predict --weights w a.jpg --json --csv", "excludes"},
           {"predict --weights w a.jpg --top-k 0", "--top-k"},
           {"submit --weights w --data x --out y --clip 0.5", "--clip: wanted a number from 0 to below 0.5, got \"0.5\""},
           {"submit --weights w --data x --out y --clip -0.1", "--clip: wanted a number from 0 to below 0.5, got \"-0.1\""},
           {"submit --weights w --data x --out y --clip nan", "--clip: wanted a number from 0 to below 0.5, got \"nan\""},
           {"summary", "wanted --model or --weights"},
           {"summary --model alexnett", "--model"},
           {"summary --model alexnet --weights w", "excludes"},
           {"summary --weights w --classes 3", "--classes and --image-size go with --model"},
           {"summary --model alexnet --aux on", "auxiliary heads"},
           {"summary --model alexnet --classes 0", "--classes"},
           {"summary --model alexnet --classes two", "--classes"},
           {"summary --model alexnet --image-size 20", "--model alexnet at 20 pixels: "},
           {"bench --model alexnet", "--batch-size"},
           {"bench --model alexnet --batch-size 0", "--batch-size"},
           {"bench --model alexnet --batch-size 1 --precision fp8", "--precision"},
           {"bench --model alexnet --batch-size 1 --mode both", "--mode"},
           {"bench --model alexnet --batch-size 1 --mode train --fold", "--fold"},
           {"bench --model alexnet --batch-size 1 --image-size 20", "--model alexnet at 20 pixels: "},
           {"generate --out x --images 0", "--images"},
           {"generate --out x --seed -1", "--seed"},
           {"check --data x --threads -1", "--threads"},
       }) {
    CAPTURE(arguments);
    const auto r = run(arguments);
    CHECK(r.code == 2);
    CHECK(r.out.empty());
    CHECK(r.err.starts_with("minicnn: "));
    CHECK_MESSAGE(contains(r.err, reason), r.err);
  }
}

TEST_CASE("a result that cannot be written is a failure") {
  const pictures::folder scratch("full");
  const std::string line = "'" MINICNN_PROGRAM "' --help >/dev/full 2>'" + scratch.path("err") + "'";
  const int status = std::system(line.c_str());
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 1);
}

TEST_CASE("a rank that a shell has inherited from mpirun silences nothing") {
  for (const char* rank : {"env PMI_RANK=1", "env OMPI_COMM_WORLD_RANK=1", "env PMI_RANK=-1 PMI_SIZE=1"}) {
    CAPTURE(rank);
    const auto r = run("train --data nowhere --out q --preset none", rank);
    CHECK(r.code == 2);
    CHECK(contains(r.err, "--preset: "));
  }
}
