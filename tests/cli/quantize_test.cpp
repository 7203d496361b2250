// minicnn quantize, and what the other commands make of its file.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <minicnn/io/safetensors.hpp>
#include <string>
#include <tuple>

#include "data/pictures.hpp"
#include "program.hpp"

using program::contains;
using program::red_means_dog;
using program::red_png;
using program::run;

namespace {

/// Pictures of one colour: up to red 127 they are called cat, from there on dog.
void draw(const pictures::folder& folder) {
  for (int i = 0; i < 16; ++i) folder.write((i < 8 ? "cat." : "dog.") + std::to_string(i) + ".png", red_png(16 * i + 8));
}

}  // namespace

TEST_CASE("quantize: a quarter of the size, answers that are near, for all commands that predict") {
  const red_means_dog weights;
  const pictures::folder data("quantize_data"), out("quantize_out");
  draw(data);
  const std::string small = out.path("small.safetensors"), option = " --weights '" + small + "' ";
  const auto made = run("quantize" + weights.option() + "--data '" + data.path() + "' --out '" + small + "' --threads 2");
  CAPTURE(made.err);
  REQUIRE(made.code == 0);
  CHECK(contains(made.err, "8 of 8 convolutions and dense layers in 8 bits"));
  const auto before = std::filesystem::file_size(weights.path()), after = std::filesystem::file_size(small);
  CHECK(static_cast<double>(after) < 0.26 * static_cast<double>(before));

  for (const int red : {8, 100, 140, 248}) {
    CAPTURE(red);
    data.write("one.png", red_png(red));
    const auto said = run("predict" + option + "--json '" + data.path("one.png") + "'").json();
    CHECK(said["probabilities"]["dog"].get<double>() == doctest::Approx(weights.probability_of_dog(red)).epsilon(0.02));
  }
  std::filesystem::remove(data.path("one.png"));
  const auto figures = run("evaluate" + option + "--data '" + data.path() + "' --json").json();
  CHECK(figures["accuracy"] == 1.0);
  CHECK(run("evaluate" + option + "--data '" + data.path() + "' --json --threads 1 --tta flip").json()["accuracy"] == 1.0);
  const std::string summary = run("summary" + option).out;
  CHECK(contains(summary, "int8_conv2d"));
  CHECK(summary.starts_with("alexnet-bn (8-bit), input "));
  CHECK(run("summary --json" + option).json()["title"] == "alexnet-bn (8-bit)");

  // Equal pictures, equal bytes.
  const std::string again = out.path("again.safetensors");
  REQUIRE(
      run("quantize" + weights.option() + "--data '" + data.path() + "' --out '" + again + "' --threads 1 --workers 0").code ==
      0);
  CHECK(pictures::read(small) == pictures::read(again));

  CHECK(contains(run("export" + option + "--format onnx --out '" + out.path("small.onnx") + "'").err,
                 "small.onnx: alexnet-bn (8-bit) for images of "));
  REQUIRE(run("export" + option + "--format safetensors --out '" + out.path("copy.safetensors") + "'").code == 0);
  CHECK(run("predict --weights '" + out.path("copy.safetensors") + "' '" + data.path("cat.0.png") + "'").out ==
        run("predict" + option + "'" + data.path("cat.0.png") + "'").out);

  for (const std::string format : {"npz", "pth"}) {
    const auto real = run("export" + option + "--format " + format + " --out '" + out.path("real." + format) + "'");
    CHECK(real.code == 1);
    CHECK(contains(real.err, "8-bit"));
  }
  CHECK(run("export" + option + "--format safetensors --dtype f16 --out '" + out.path("half.safetensors") + "'").code == 2);
  CHECK(run("export" + weights.option() + "--format npz --signed-weights --out '" + out.path("x.npz") + "'").code == 2);
  const auto filters = run("explain" + option + "--method filters --out '" + out.path("maps") + "'");
  CHECK(filters.code == 1);
  CHECK(contains(filters.err, "8-bit"));

  const auto twice = run("quantize" + option + "--data '" + data.path() + "' --out '" + again + "'");
  CHECK(twice.code == 1);
  CHECK(contains(twice.err, "the network is quantised already"));
  const auto explained = run("explain" + option + "--out '" + out.path("maps") + "' '" + data.path("cat.0.png") + "'");
  CHECK(explained.code == 2);
  CHECK(contains(explained.err, "in real numbers"));
}

TEST_CASE("8-bit weights that are not finite are refused, whose answers would be numbers all the same") {
  const red_means_dog weights;
  const pictures::folder data("quantize_data"), out("quantize_out");
  draw(data);
  const std::string file = out.path("small.safetensors");
  REQUIRE(run("quantize" + weights.option() + "--data '" + data.path() + "' --out '" + file + "'").code == 0);
  pictures::bytes bytes = pictures::read(file);
  const minicnn::safetensors_file tensors = minicnn::safetensors_file::open(file);
  for (const minicnn::tensor_entry& e : tensors.entries()) {
    if (!e.name.ends_with(".scale")) continue;
    constexpr unsigned char nan[] = {0, 0, 0xC0, 0x7F};
    const std::size_t header = bytes[0] + 256U * bytes[1] + 65536U * bytes[2];
    std::copy(nan, nan + 4, bytes.begin() + static_cast<std::ptrdiff_t>(8 + header) + e.begin);
    out.write("nan.safetensors", bytes);
    const auto said = run("predict --weights '" + out.path("nan.safetensors") + "' '" + data.path("cat.0.png") + "'");
    CHECK(said.code == 1);
    CHECK(contains(said.err, e.name + ": wanted finite numbers, got nan"));
    return;
  }
  FAIL("no scale in the file");
}

TEST_CASE("quantize: layers that stay in fp32, and what is refused") {
  const red_means_dog weights;
  const pictures::folder data("quantize_data"), out("quantize_out");
  draw(data);
  const std::string call = "quantize" + weights.option() + "--data '" + data.path() + "' ";
  const auto kept = run(call + "--keep conv1,fc1 --range all --pictures 4 --out '" + out.path("kept.safetensors") + "'");
  CAPTURE(kept.err);
  CHECK(kept.code == 0);
  CHECK(contains(kept.err, "6 of 8 convolutions and dense layers in 8 bits"));
  CHECK(run(call + "--pictures 4 --out /dev/null").code == 0);  // which has no size to tell

  const auto unknown = run(call + "--keep conv11 --out '" + out.path("no.safetensors") + "'");
  CHECK(unknown.code == 2);
  CHECK(contains(unknown.err, "--keep conv11: no layer or scope is called so"));
  CHECK(run(call + "--pictures 0 --out '" + out.path("no.safetensors") + "'").code == 2);
  CHECK(run(call + "--out '" + weights.path() + "'").code == 2);
  CHECK(run(call + "--out '" + data.path("in.safetensors") + "'").code == 2);
  CHECK(!std::filesystem::exists(out.path("no.safetensors")));
  const auto nowhere = run(call + "--out '" + out.path("none/x.safetensors") + "'");
  CHECK(nowhere.code == 1);
  CHECK(contains(nowhere.err, "x.safetensors: cannot be made: there is no folder "));
  CHECK_FALSE(contains(nowhere.err, "calibrat"));
}

TEST_CASE("quantize: calibrates with what training saw, whatever says the labels; says where that is little") {
  const pictures::folder data("quantize_table"), out("quantize_table_out");
  draw(data);
  std::string numbers = "id,red\n", classes = "id,label\n";
  for (int i = 0; i < 16; ++i) {
    const std::string name = (i < 8 ? "cat." : "dog.") + std::to_string(i) + ".png";
    numbers += name + "," + std::to_string(i) + "\n", classes += name + (i % 2 == 0 ? ",even\n" : ",odd\n");
  }
  data.write("labels.csv", numbers);
  out.write("classes.csv", classes);
  out.write("other.csv", "id,blue\ncat.0.png,1\n");
  const std::string pictures = " --data '" + data.path() + "' ", table = " --labels '" + out.path("classes.csv") + "' ",
                    how = " --model lenet5 --epochs 1 --val-fraction 0.5 --batch-size 4 --threads 1 --seed 3 --quiet ";
  const auto quantized = [&](const std::string& name, const std::string& rest) {
    const auto made = run("quantize --weights '" + out.path(name + "/best.safetensors") + "'" + pictures + rest + " --out '" +
                          out.path(name + ".i8") + "'");
    CAPTURE(made.err);
    CHECK(made.code == 0);
    return made.err;
  };
  for (const auto& [name, task, rest] :
       {std::tuple{"numbers", " --task regress", ""}, std::tuple{"classes", " --task classify", table.c_str()}}) {
    REQUIRE(run("train" + pictures + rest + task + how + "--out '" + out.path(name) + "'").code == 0);
    const std::string said = quantized(name, rest);
    CHECK(contains(said, "calibrates with 8 pictures"));  // the other eight were validated on
    CHECK_FALSE(contains(said, "without labels"));
  }
  std::filesystem::remove(data.path("labels.csv"));
  const std::string alone = quantized("numbers", "");
  CHECK(contains(alone, "without labels, which --labels gives, it is not known what was validated on"));
  CHECK_FALSE(contains(alone, "--task"));
  const auto wrong = run("quantize --weights '" + out.path("numbers/best.safetensors") + "'" + pictures + "--labels '" +
                         out.path("other.csv") + "' --out '" + out.path("wrong.i8") + "'");
  CHECK(wrong.code == 1);
  CHECK(contains(wrong.err, ": has the targets blue; the weights predict red"));

  const red_means_dog weights;
  const pictures::folder cats("quantize_cats");
  cats.write("cat.0.png", red_png(20));
  cats.write("cat.1.png", red_png(30));
  const auto one_sided = run("quantize" + weights.option() + "--data '" + cats.path() + "' --out '" + out.path("cats") + "'");
  CHECK(contains(one_sided.err, "calibrates without a picture of dog"));
}

TEST_CASE("bench --precision int8 is for prediction") {
  const auto b = run("bench --model lenet5 --batch-size 2 --mode infer --precision int8 --steps 1 --json").json();
  CHECK(b["precision"] == "int8");
  CHECK(run("bench --model lenet5 --batch-size 2 --precision int8 --steps 1").code == 2);
}

TEST_CASE("F7 commands that an 8-bit file is not for say so, and name the file that it was made from") {
  const red_means_dog weights;
  const pictures::folder data("quantize_data"), out("quantize_out");
  draw(data);
  const std::string small = out.path("small.safetensors"), option = " '" + small + "' ", pictures = " '" + data.path() + "' ";
  REQUIRE(run("quantize" + weights.option() + "--data" + pictures + "--out" + option).code == 0);
  for (const std::string& command :
       {"explain --weights" + option + "--out '" + out.path("e") + "' '" + data.path("cat.0.png") + "'",
        "explain --method activations --weights" + option + "--out '" + out.path("e") + "' '" + data.path("cat.0.png") + "'",
        "import --model alexnet-bn --from" + option + "--out '" + out.path("i.safetensors") + "'",
        "train --epochs 1 --init-from" + option + "--data" + pictures + "--out '" + out.path("run") + "'",
        "train --epochs 1 --model alexnet-bn --init-from" + option + "--data" + pictures + "--out '" + out.path("run") + "'",
        "lr-find --init-from" + option + "--data" + pictures,
        "quantize --weights" + option + "--data" + pictures + "--out '" + out.path("q") + "'"}) {
    CAPTURE(command);
    const auto r = run(command);
    INFO(r.err);
    CHECK(r.code != 0);
    CHECK(contains(r.err, small + ": is an 8-bit file for prediction"));
    CHECK(contains(r.err, "use the file it was made from (it was called w.safetensors)"));
  }
  CHECK_FALSE(std::filesystem::exists(out.path("e")));
  CHECK(run("explain --method occlusion --weights" + option + "--out '" + out.path("e") + "' '" + data.path("cat.0.png") + "'")
            .code == 0);
}
