// --out: what no command replaces.
#include <doctest/doctest.h>

#include <filesystem>

#include "program.hpp"

using program::contains;
using program::red_means_dog;
using program::red_png;
using program::run;

TEST_CASE("A05 A06 --out never replaces the file that a command reads") {
  const pictures::folder folder("replaced");
  const red_means_dog weights;
  const std::string w = folder.path("w.safetensors");
  std::filesystem::copy_file(weights.path(), w);
  const pictures::bytes before = pictures::read(w);
  const std::string quoted = "'" + w + "'";
  std::filesystem::create_symlink(w, folder.path("link"));
  std::filesystem::create_hard_link(w, folder.path("hard"));
  for (const std::string& out : {w, folder.path("link"), folder.path("hard"), folder.path("./w.safetensors")}) {
    CAPTURE(out);
    for (const char* format : {"pth", "npz", "onnx", "safetensors"}) {
      const auto made = run("export --weights " + quoted + " --format " + format + " --out '" + out + "'");
      CHECK(made.code == 2);
      CHECK(contains(made.err, "is the file of --weights, which would be lost; name another one"));
    }
    CHECK(run("import --model alexnet-bn --image-size 63 --from " + quoted + " --out '" + out + "'").code == 2);
  }
  folder.write("names.txt", std::string("cat\ndog\n"));
  CHECK(run("import --model alexnet-bn --image-size 63 --from " + quoted + " --class-names '" + folder.path("names.txt") +
            "' --out '" + folder.path("names.txt") + "'")
            .code == 2);
  folder.write("data/1.png", red_png(8));
  CHECK(run("submit --weights " + quoted + " --data '" + folder.path("data") + "' --out " + quoted).code == 2);
  std::filesystem::create_directories(folder.path("run"));
  std::filesystem::copy_file(w, folder.path("run/best.safetensors"));
  CHECK(
      run("compare '" + folder.path("run") + "' '" + folder.path("run") + "' --out '" + folder.path("run/best.safetensors") + "'")
          .code == 2);
  CHECK(pictures::read(w) == before);
  CHECK(run("export --weights " + quoted + " --format npz --out '" + folder.path("new.npz") + "'").code == 0);
}

TEST_CASE("A05 --out never replaces what a run keeps") {
  const pictures::folder folder("run_files");
  REQUIRE(run("generate --images 12 --out '" + folder.path("data") + "'").code == 0);
  REQUIRE(run("train --quiet --data '" + folder.path("data") + "' --out '" + folder.path("run") +
              "' --model lenet5 --image-size 32 --batch-size 8 --epochs 1")
              .code == 0);
  const std::string weights = " --weights '" + folder.path("run/best.safetensors") + "' --out '";
  for (const char* name : {"last.safetensors", "config.json", "results.csv", "results.jsonl", "report.html", "pictures.txt"}) {
    CAPTURE(name);
    const auto before = pictures::read(folder.path((std::string("run/") + name).c_str()));
    const std::string out = weights + folder.path("run/") + name + "'";
    for (const std::string& command :
         {"export --format safetensors" + out, "submit --data '" + folder.path("data") + "'" + out}) {
      const auto r = run(command);
      CHECK(r.code == 2);
      CHECK_MESSAGE(contains(r.err, "is a file of a run, which would be lost"), r.err);
    }
    CHECK(pictures::read(folder.path((std::string("run/") + name).c_str())) == before);
  }
  CHECK(run("export --format safetensors" + weights + folder.path("run/model.safetensors") + "'").code == 0);
}

TEST_CASE("A05 --out never replaces a picture, or weights of another kind") {
  const red_means_dog w;
  const pictures::folder folder("losing");
  folder.write("1.png", red_png(200));
  folder.write("d/cat/1.png", red_png(9));
  folder.write("d/dog/1.png", red_png(200));
  const auto quoted = [&](const std::string& name) { return " '" + folder.path(name) + "' "; };
  for (const char* format : {"pth", "npz", "onnx"})
    REQUIRE(run("export --format " + std::string(format) + " --out" + quoted("w." + std::string(format)) + w.option()).code == 0);
  const std::string import = "import --model alexnet-bn --image-size 63 --from" + quoted("w.pth") + "--out",
                    submit = "submit" + w.option() + "--data" + quoted("d/dog") + "--out",
                    quantize = "quantize" + w.option() + "--data" + quoted("d") + "--out";
  for (const auto& [command, file] :
       {std::pair{"export --format npz" + w.option() + "--out", "1.png"}, std::pair{import, "1.png"}, std::pair{import, "w.onnx"},
        std::pair{submit, "1.png"}, std::pair{submit, "w.pth"}, std::pair{quantize, "1.png"}, std::pair{quantize, "w.npz"}}) {
    const pictures::bytes before = pictures::read(folder.path(file));
    const auto r = run(command + quoted(file));
    INFO(command << file << r.err);
    CHECK(r.code == 2);
    CHECK(contains(r.err, "which would be lost; remove it first, or name another file"));
    CHECK(pictures::read(folder.path(file)) == before);
  }
  // Older results are replaced, in whichever format, and what is nobody's.
  folder.write("notes.txt", std::string("x"));
  CHECK(run("export --format onnx" + w.option() + "--out" + quoted("w.pth")).code == 0);
  CHECK(run("export --format npz" + w.option() + "--out" + quoted("notes.txt")).code == 0);
  CHECK(run(submit + quoted("s.csv")).code == 0);
  CHECK(run(submit + quoted("s.csv")).code == 0);
}
