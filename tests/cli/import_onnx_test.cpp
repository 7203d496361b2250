// minicnn import of ONNX models: what was exported comes back with all that its metadata says.
#include <minicnn/model/model_file.hpp>

#include "program.hpp"

using program::contains;
using program::red_means_dog;
using program::red_png;
using program::run;

TEST_CASE("an exported network is imported without a name for it, with classes, pictures and temperature") {
  const red_means_dog weights(2.0);
  const pictures::folder folder("onnx");
  folder.write("data/cat.1.png", red_png(10));
  folder.write("data/dog.2.png", red_png(200));
  for (const std::string form : {"", "--probabilities "}) {
    CAPTURE(form);
    const std::string model = folder.path("m.onnx"), again = folder.path("again.safetensors");
    REQUIRE(run("export --format onnx " + form + "--out '" + model + "'" + weights.option()).code == 0);
    const auto made = run("import --from '" + model + "' --out '" + again + "'");
    REQUIRE_MESSAGE(made.code == 0, made.err);
    CHECK(!contains(made.err, "warning"));
    const auto info = minicnn::read_model_info(minicnn::safetensors_file::open(again));
    CHECK(info.config.name == "graph");
    CHECK(info.classes == std::vector<std::string>{"cat", "dog"});
    CHECK(info.temperature == doctest::Approx(2.0));
    CHECK(info.transform.normalize.scale == 1.0F / 255);
    const auto said = run("predict --json --weights '" + again + "' '" + folder.path("data/dog.2.png") + "'");
    REQUIRE_MESSAGE(said.code == 0, said.err);
    CHECK(said.json()["probabilities"]["dog"].get<double>() == doctest::Approx(weights.probability_of_dog(200)).epsilon(1e-5));
    const auto figures = run("evaluate --json --weights '" + again + "' --data '" + folder.path("data") + "'").json();
    CHECK(figures["accuracy"] == 1.0);
    CHECK(run("summary --weights '" + again + "'").out.starts_with("m.onnx, input "));
    CHECK(run("export --format npz --out '" + folder.path("w.npz") + "' --weights '" + again + "'").code == 0);
  }
}

TEST_CASE("training that begins with an imported network: --dropout has no effect, for none of it is left in an ONNX model") {
  const red_means_dog weights;
  const pictures::folder folder("begun");
  const auto quoted = [&](const std::string& name) { return "'" + folder.path(name) + "' "; };
  REQUIRE(run("generate --images 8 --out " + quoted("data")).code == 0);
  REQUIRE(run("export --format onnx --out " + quoted("m.onnx") + weights.option()).code == 0);
  REQUIRE(run("import --from " + quoted("m.onnx") + "--out " + quoted("w.safetensors")).code == 0);
  const auto r = run("train --quiet --epochs 1 --dropout 0.3 --data " + quoted("data") + "--out " + quoted("run") +
                     "--init-from " + quoted("w.safetensors"));
  CHECK_MESSAGE(r.code == 0, r.err);
  CHECK_MESSAGE(contains(r.err, "--dropout: has no effect, m.onnx has none"), r.err);
}

TEST_CASE("options that do not fit the file are refused, and nothing is written") {
  const red_means_dog weights;
  const pictures::folder folder("refused");
  const std::string model = folder.path("m.onnx"), out = folder.path("x.safetensors");
  REQUIRE(run("export --format onnx --out '" + model + "'" + weights.option()).code == 0);
  const auto refused = [&](const std::string& from, const std::string& more) {
    const auto r = run("import --from '" + from + "' --out '" + out + "' " + more);
    CHECK(r.code == 2);
    CHECK(pictures::read(out).empty());
    return r.err;
  };
  CHECK(contains(refused(model, "--model resnet18"), "--model: not with ONNX models"));
  CHECK(contains(refused(model, "--classes 3"), "--classes: not with ONNX models"));
  CHECK(contains(refused(model, "--mean 0.5,x,0.5"), "--mean: wanted numbers with commas between, got \"0.5,x,0.5\""));
  CHECK(contains(refused(model, "--std 1,2"), "--std: wanted one number or three, got 2"));
  CHECK(contains(refused(model, "--std 0"), "--std: wanted numbers above 0"));
  CHECK(contains(refused(model, "--range 2"), "--range"));
  CHECK(contains(refused(weights.path(), "--model alexnet-bn --mean 0.5"), "--mean: only with ONNX models"));
  CHECK(contains(refused(weights.path(), ""), "--model: wanted"));
}
