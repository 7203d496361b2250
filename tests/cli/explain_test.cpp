// minicnn explain, on a network whose maps are known: red through one tap of each layer.
#include "program.hpp"

#include <algorithm>
#include <filesystem>
#include <minicnn/data/image.hpp>

using program::contains;
namespace fs = std::filesystem;

namespace {

/// A picture that is red on its left half alone.
pictures::bytes half_red(int height = 70, int width = 80) {
  minicnn::image_u8 image{height, width, 3, {}};
  for (int i = 0; i < height * width; ++i) {
    const auto red = static_cast<unsigned char>(i % width < width / 2 ? 255 : 0);
    image.pixels.insert(image.pixels.end(), {red, 40, 90});
  }
  return pictures::png(image);
}

/// Mean of red minus blue over a half of a picture: high where an overlay is hot.
double heat(const minicnn::image_u8& image, bool left) {
  double sum = 0;
  for (minicnn::index_t y = 0; y < image.height; ++y)
    for (minicnn::index_t x = left ? 0 : image.width / 2; x < (left ? image.width / 2 : image.width); ++x) {
      const unsigned char* p = image.pixels.data() + 3 * (y * image.width + x);
      sum += p[0] - p[2];
    }
  return sum / static_cast<double>(image.height * image.width / 2);
}

}  // namespace

TEST_CASE("Grad-CAM and occlusion are hot where the class's evidence is") {
  const program::red_means_dog weights;
  const pictures::folder data("data"), out("out");
  data.write("a.png", half_red());
  const auto o = program::run("explain" + weights.option() + "'" + data.path("a.png") +
                              "' --class dog --method all --size 126 --json --out '" + out.path("new") + "'");
  INFO(o.err);
  REQUIRE(o.code == 0);
  REQUIRE(o.lines().size() == 2);
  const auto filters = nlohmann::ordered_json::parse(o.lines()[0]), text = nlohmann::ordered_json::parse(o.lines()[1]);
  CHECK(fs::exists(filters["files"]["filters"].get<std::string>()));
  CHECK(text["path"] == data.path("a.png"));
  CHECK(text["explained_class"] == "dog");
  for (const char* method : {"grad-cam", "occlusion"}) {
    const minicnn::image_u8 picture = minicnn::load_image(text["files"][method].get<std::string>());
    CHECK(picture.width == 126);
    CHECK(picture.height == 126);
    CHECK(heat(picture, true) > heat(picture, false) + 50);
  }
  CHECK(text["files"].size() >= 4);  // and feature maps of at least two sizes
  for (const auto& [what, file] : text["files"].items()) CHECK(minicnn::load_image(file.get<std::string>()).height > 0);
}

TEST_CASE("explain names class and probability; pictures of one name do not overwrite each other") {
  const program::red_means_dog weights;
  const pictures::folder data("data"), out("out");
  fs::create_directories(data.path("b"));
  data.write("x.png", program::red_png(200));
  data.write("b/x.png", program::red_png(30));
  const auto o = program::run("explain" + weights.option() + "'" + data.path("x.png") + "' '" + data.path("b") + "' --out '" +
                              out.path("") + "'");
  REQUIRE(o.code == 0);
  REQUIRE(o.lines().size() == 2);
  CHECK(contains(o.lines()[0], "x.png\tdog\t0.7"));
  CHECK(contains(o.lines()[1], "x.png\tcat\t0.8"));
  CHECK(fs::exists(out.path("x.grad-cam.png")));
  CHECK(fs::exists(out.path("x-2.grad-cam.png")));
}

TEST_CASE("explain names the class and probability that predict names, by the views that the weights record") {
  const pictures::folder folder("views");
  const std::string data = "'" + folder.path("data") + "'";
  REQUIRE(program::run("generate --images 12 --seed 3 --out " + data).code == 0);
  REQUIRE(program::run("train --data " + data + " --out '" + folder.path("run") +
                       "' --model lenet5 --image-size 32 --batch-size 8 --epochs 1 --tta flip --quiet")
              .code == 0);
  const std::string weights = " --weights '" + folder.path("run/best.safetensors") + "' " + data;
  const auto predicted = program::run("predict" + weights);
  const auto one_view = program::run("predict --tta none" + weights);
  const auto explained = program::run("explain --out '" + folder.path("out") + "'" + weights);
  REQUIRE(explained.lines().size() == 12);
  CHECK(predicted.out != one_view.out);
  for (std::size_t i = 0; i < 12; ++i) CHECK(explained.lines()[i].starts_with(predicted.lines()[i] + "\t"));
}

TEST_CASE("explain: what is wrong is said, the rest is done") {
  const program::red_means_dog weights;
  const pictures::folder data("data"), out("out");
  data.write("good.png", program::red_png(200));
  data.write("bad.png", pictures::bytes{1, 2, 3});
  const std::string begin = "explain" + weights.option() + "--out '" + out.path("o") + "' ";
  const auto o =
      program::run(begin + "'" + data.path("bad.png") + "' '" + data.path("none.png") + "' '" + data.path("good.png") + "'");
  CHECK(o.code == 1);
  CHECK(contains(o.err, "bad.png"));
  CHECK(contains(o.err, "none.png"));
  CHECK(contains(o.err, "2 paths have no explanation"));
  CHECK(o.lines().size() == 1);

  CHECK(program::run("explain" + weights.option() + "--out '" + out.path("empty") + "' '" + data.path("none.png") + "'").code ==
        1);
  CHECK_FALSE(fs::exists(out.path("empty")));
  CHECK(program::run(begin).code == 2);  // no picture
  const std::string picture = "'" + data.path("good.png") + "' ";
  const auto horse = program::run(begin + picture + "--class horse");
  CHECK(horse.code == 2);
  CHECK(contains(horse.err, "cat, dog"));
  CHECK(program::run(begin + picture + "--node logits_eval").code == 2);
  CHECK(program::run(begin + picture + "--method magic").code == 2);
  CHECK(program::run(begin + "--method filters").code == 0);
  CHECK(fs::exists(out.path("o/filters.png")));
}

TEST_CASE("explain takes what predict takes as PATH, and --method takes one word") {
  const program::red_means_dog weights;
  const pictures::folder data("data"), out("out");
  data.write("a.png", half_red());
  data.write("b.png", half_red());
  const std::string begin = "explain" + weights.option() + "--out '" + out.path("new") + "' ";
  const auto lines = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
  const auto behind = program::run(begin + "--method grad-cam '" + data.path("a.png") + "'");
  INFO(behind.err);
  CHECK(behind.code == 0);
  CHECK(lines(behind.out) == 1);
  CHECK(program::run(begin + "--method filters,grad-cam '" + data.path("a.png") + "'").code == 0);
  CHECK(program::run(begin + "--method filters --method grad-cam '" + data.path("a.png") + "'").code == 0);
  CHECK(lines(program::run(begin + "'" + data.path("*.png") + "'").out) == 2);
  out.write("list", data.path("b.png") + "\n");
  CHECK(lines(program::run(begin + "- < '" + out.path("list") + "'").out) == 1);
  const auto none = program::run(begin + "'" + data.path("*.jpg") + "'");
  CHECK(none.code == 1);
  CHECK(contains(none.err, "matches no file or folder"));
}

TEST_CASE("G06 what explain writes beside class folders is no class") {
  const program::red_means_dog weights;
  const pictures::folder set("classes");
  for (const char* name : {"cat/a.png", "cat/b.png", "dog/a.png", "dog/b.png"}) set.write(name, half_red());
  const std::string begin = "explain" + weights.option() + "--method grad-cam '" + set.path("cat/a.png") + "' --out '";
  REQUIRE(program::run(begin + set.path("heat") + "'").code == 0);
  REQUIRE(program::run(begin + set.path("heat") + "'").code == 0);  // again
  const auto checked = program::run("check --json --data '" + set.path() + "'").json();
  CHECK(checked["images"] == 4);
  CHECK(checked["classes"].size() == 2);
  // Nothing is written among pictures: into a class, beside class folders, into a flat set.
  set.write("flat/1.jpg", half_red());
  set.write("packed/train.tar", half_red());
  set.write("cifar/data_batch_1.bin", half_red());
  for (const char* place : {"dog", "", "flat", "packed", "cifar", "nowhere/../dog"}) {
    CAPTURE(place);
    const auto files = std::distance(fs::recursive_directory_iterator(set.path()), fs::recursive_directory_iterator());
    const auto refused = program::run(begin + set.path(place) + "'");
    INFO(refused.err);
    CHECK(refused.code == 2);
    CHECK(contains(refused.err, "holds pictures ("));
    CHECK(contains(refused.err, "name a new folder"));
    CHECK(std::distance(fs::recursive_directory_iterator(set.path()), fs::recursive_directory_iterator()) == files);
  }
  // What explain has written itself is in nobody's way, nor is what lies beside it in a run or a folder of work.
  const pictures::folder work("work");
  for (const char* name : {"run/best.safetensors", "run/curves.png", "run/b.grad-cam.png", "pets/1.jpg"})
    work.write(name, half_red());
  fs::create_directories(work.path("empty"));
  const std::string all = "explain" + weights.option() + "--method all '" + set.path("cat/a.png") + "' --out '";
  for (const char* place : {"run", "", "empty", "empty"}) {
    CAPTURE(place);
    const auto r = program::run((std::string(place) == "empty" ? all : begin) + work.path(place) + "'");
    INFO(r.err);
    CHECK(r.code == 0);
  }
  // A run among classes stays a run with pictures of explain in it, and a folder of notes becomes no class.
  const pictures::folder mixed("mixed");
  for (const char* name : {"cat/a.png", "dog/a.png", "run/curves.png"}) mixed.write(name, half_red());
  for (const char* name : {"run/config.json", "run/results.csv", "notes/readme.txt"}) mixed.write(name, "{}");
  for (const char* place : {"run", "notes"}) {
    CAPTURE(place);
    REQUIRE(program::run(begin + mixed.path(place) + "'").code == 0);
    const auto found = program::run("check --json --data '" + mixed.path() + "'").json();
    CHECK(found["images"] == 2);
    CHECK(found["classes"].size() == 2);
  }
}
