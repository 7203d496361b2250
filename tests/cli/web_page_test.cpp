// The network of a web page (examples/web), compiled for this machine: whatever the weights file is, JavaScript gets an answer.
#include <doctest/doctest.h>

#include "../../examples/web/page_model.hpp"
#include "program.hpp"

using program::red_means_dog;
using program::red_png;
using program::run;

namespace {

nlohmann::json parsed(const std::string& text) {
  INFO(text);
  REQUIRE(nlohmann::json::accept(text));
  return nlohmann::json::parse(text);
}

std::string picture(int red) {
  const pictures::bytes b = red_png(red);
  return {b.begin(), b.end()};
}

}  // namespace

TEST_CASE("a page's network answers and explains as the program does") {
  const red_means_dog weights;
  web::page_model model(weights.path());
  CHECK(parsed(model.note())["note"] == "alexnet-bn, 63x63 pixels, tells apart: cat, dog");
  const auto said = parsed(model.answer(picture(200), true));
  CHECK(said["class"] == "dog");
  CHECK(said["probability"].get<double>() == doctest::Approx(weights.probability_of_dog(200)).epsilon(1e-4));
  CHECK(said["overlay"].get<std::string>().starts_with("data:image/jpeg;base64,"));
  CHECK(!said.contains("overlay_error"));
  CHECK(!parsed(model.answer(picture(200), false)).contains("overlay"));
  const auto bad = parsed(model.answer("no picture", true));
  CHECK(bad.size() == 1);
  CHECK(program::contains(bad["error"].get<std::string>(), "JPEG"));
}

TEST_CASE("a page of an 8-bit file answers, and says why it explains nothing") {
  const red_means_dog weights;
  const pictures::folder folder("web_page");
  for (int i = 0; i < 8; ++i) folder.write("data/" + std::to_string(i) + ".png", red_png(32 * i + 8));
  const std::string small = folder.path("small.safetensors");
  const auto made = run("quantize" + weights.option() + "--data '" + folder.path("data") + "' --out '" + small + "' --threads 1");
  CAPTURE(made.err);
  REQUIRE(made.code == 0);
  web::page_model model(small);
  CHECK(parsed(model.note()).contains("note"));
  for (int turn = 0; turn < 2; ++turn) {
    const auto said = parsed(model.answer(picture(200), true));
    CHECK(said["class"] == "dog");
    CHECK(!said.contains("error"));
    CHECK(!said.contains("overlay"));
    CHECK(!said["overlay_error"].get<std::string>().empty());
  }
  CHECK(!parsed(model.answer(picture(200), false)).contains("overlay_error"));
}

TEST_CASE("weights that cannot be a page's: the reason as text, without a file's name") {
  const red_means_dog weights;
  const pictures::folder folder("web_page_bad");
  const auto refused = [](const std::string& path) {
    web::page_model model(path);
    const auto note = parsed(model.note()), answer = parsed(model.answer(picture(200), true));
    CHECK(note == answer);
    const std::string reason = note["error"];
    CHECK(!program::contains(reason, path));
    return reason;
  };
  REQUIRE(run("export" + weights.option() + "--format onnx --out '" + folder.path("net.onnx") + "'").code == 0);
  CHECK(program::contains(refused(folder.path("net.onnx")), "safetensors"));
  CHECK(!refused(folder.path("none.safetensors")).empty());

  minicnn::model_info info;
  info.config.name = "alexnet-bn";
  info.config.image_size = 63;
  info.transform.size = 63;
  info.config.classes = 1;
  info.classes = {"age"};
  info.task.kind = "regress";
  info.task.mean = {0};
  info.task.std = {1};
  minicnn::network<float> net = minicnn::make_model(info.config, {.threads = 1});
  minicnn::save_weights(net, folder.path("ages.safetensors"), minicnn::to_metadata(info));
  CHECK(program::contains(refused(folder.path("ages.safetensors")), "regress"));
}
