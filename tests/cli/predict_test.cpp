#include <set>

#include "program.hpp"
#include "serving.hpp"

using program::contains;
using program::red_means_dog;
using program::red_png;
using program::run;

namespace {

const red_means_dog& weights() {
  static const red_means_dog w;
  return w;
}

/// cat.1 to dog.3 in other than alphabetical order of redness.
struct some_pictures {
  pictures::folder folder{"predict"};
  std::vector<std::pair<std::string, int>> reds{{"2.png", 200}, {"10.png", 10}, {"11.png", 255}};
  some_pictures() {
    for (const auto& [name, red] : reds) folder.write(name, red_png(red));
    folder.write("notes.txt", std::string("not a picture"));
    folder.write(".hidden.png", red_png(7));
  }
  std::string quoted() const { return " '" + folder.path() + "' "; }
};

}  // namespace

TEST_CASE("JSON: an object a line, in natural order, with the network's probabilities") {
  const some_pictures s;
  const auto r = run("predict --json" + weights().option() + s.quoted());
  CHECK(r.code == 0);
  CHECK(contains(r.err, ": pictures in it and below; 3 pictures; left out: 1 hidden, 1 of other kinds"));
  REQUIRE(r.lines().size() == s.reds.size());
  for (std::size_t i = 0; i < s.reds.size(); ++i) {
    const auto line = nlohmann::ordered_json::parse(r.lines()[i]);
    const double p = weights().probability_of_dog(s.reds[i].second);
    CHECK(line["path"] == s.folder.path(s.reds[i].first));
    CHECK(line["class"] == (p > 0.5 ? "dog" : "cat"));
    CHECK(line["probability"].get<double>() == doctest::Approx(p > 0.5 ? p : 1 - p).epsilon(1e-5));
    CHECK(line["probabilities"].size() == 2);
    CHECK(line["probabilities"]["dog"].get<double>() == doctest::Approx(p).epsilon(1e-5));
    CHECK(line["probabilities"]["cat"].get<double>() == doctest::Approx(1 - p).epsilon(1e-5));
  }
}

TEST_CASE("text and CSV, most probable class first") {
  const some_pictures s;
  const std::string file = s.folder.write("a, \"b\".png", red_png(0));
  const std::string path = " '" + file + "' ";
  // P(dog) = sigmoid(-2) = 0.119203
  const auto text = run("predict" + weights().option() + path);
  CHECK(text.out == file + "\tcat\t0.880797\n");
  const auto two = run("predict --top-k 9" + weights().option() + path);
  CHECK(two.out == file + "\tcat\t0.880797\tdog\t0.119203\n");
  const auto csv = run("predict --csv --top-k 2" + weights().option() + path);
  REQUIRE(csv.lines().size() == 2);
  CHECK(csv.lines()[0] == "path,class,probability,class_2,probability_2");
  CHECK(csv.lines()[1].starts_with("\"" + s.folder.path("a, \"\"b\"\".png") + "\",cat,0.88079"));
  CHECK(run("predict --csv" + weights().option() + path).lines()[0] == "path,class,probability");
}

TEST_CASE("the order is the one given, and a picture may come twice") {
  const some_pictures s;
  const std::string a = s.folder.path("11.png"), b = s.folder.path("2.png");
  const auto r = run("predict --batch-size 2 --csv" + weights().option() + a + " " + b + " " + a);
  CHECK(r.code == 0);
  REQUIRE(r.lines().size() == 4);
  CHECK(r.lines()[1].starts_with(a + ","));
  CHECK(r.lines()[2].starts_with(b + ","));
  CHECK(r.lines()[3] == r.lines()[1]);
}

TEST_CASE("the same digits for any batch size, number of threads and locale") {
  const some_pictures s;
  const auto r = run("predict --json" + weights().option() + s.quoted());
  CHECK(run("predict --json --batch-size 1" + weights().option() + s.quoted()).out == r.out);
  CHECK(run("predict --json --threads 3" + weights().option() + s.quoted()).out == r.out);
  CHECK(run("predict --json" + weights().option() + s.quoted(), "LC_ALL=de_DE.UTF-8").out == r.out);
}

TEST_CASE("test-time augmentation averages probabilities: of pictures of one colour nothing changes") {
  const some_pictures s;
  const auto one = run("predict --json" + weights().option() + s.quoted());
  const auto flip = run("predict --tta flip --json" + weights().option() + s.quoted());
  const auto ten = run("predict --tta ten-crop --batch-size 3 --json" + weights().option() + s.quoted());
  CHECK(flip.code == 0);
  CHECK(ten.code == 0);
  for (std::size_t i = 0; i < 3; ++i) {
    const double p = nlohmann::json::parse(one.lines()[i])["probability"];
    CHECK(nlohmann::json::parse(flip.lines()[i])["probability"].get<double>() == doctest::Approx(p).epsilon(1e-6));
    CHECK(nlohmann::json::parse(ten.lines()[i])["probability"].get<double>() == doctest::Approx(p).epsilon(1e-6));
  }
}

TEST_CASE("ten crops see the corners") {
  // Wide pictures whose left third alone is red: the middle window sees none of it.
  const pictures::folder folder("corners");
  minicnn::image_u8 image{63, 189, 3, {}};
  for (int i = 0; i < 63 * 189; ++i)
    image.pixels.insert(image.pixels.end(), {static_cast<unsigned char>(i % 189 < 63 ? 255 : 0), 0, 0});
  const std::string path = " " + folder.write("wide.png", pictures::png(image)) + " ";
  const auto dog = [&](const std::string& tta) {
    return run("predict --json --tta " + tta + weights().option() + path).json()["probabilities"]["dog"].get<double>();
  };
  const double p0 = weights().probability_of_dog(0), p1 = weights().probability_of_dog(255);
  CHECK(dog("none") == doctest::Approx(p0).epsilon(1e-5));
  // Two of five windows lie at the left edge; mirroring the whole picture brings the red to the other edge.
  CHECK(dog("ten-crop") == doctest::Approx(0.6 * p0 + 0.4 * p1).epsilon(1e-5));
}

TEST_CASE("F32 what cannot be read is named, the rest is done, and the exit code is 1") {
  const some_pictures s;
  const pictures::bytes whole = red_png(90);
  s.folder.write("3.png", pictures::bytes(whole.begin(), whole.begin() + static_cast<long>(whole.size() / 2)));
  s.folder.write("4.jpg", std::string("these are not the bytes of a picture"));
  s.folder.write("5.jpg", std::string());
  const auto r = run("predict --csv" + weights().option() + "/nowhere/a.jpg" + s.quoted());
  CHECK(r.code == 1);
  std::set<std::string> done;
  for (const std::string& line : r.lines()) done.insert(line.substr(0, line.find(',')));
  CHECK(done == std::set<std::string>{"path", s.folder.path("2.png"), s.folder.path("10.png"), s.folder.path("11.png")});
  for (const char* name : {"3.png", "4.jpg", "5.jpg"})
    CHECK_MESSAGE(contains(r.err, "minicnn: " + s.folder.path(name) + ": "), r.err);
  CHECK(contains(r.err, "minicnn: /nowhere/a.jpg: "));
  CHECK(contains(r.err, "4 paths have no prediction"));
  const pictures::folder empty("empty");
  const auto none = run("predict" + weights().option() + empty.path());
  CHECK(none.code == 1);
  CHECK(contains(none.err, "holds no pictures"));
}

TEST_CASE("weights files that are none are refused by name") {
  const some_pictures s;
  const std::string text = s.folder.write("text.safetensors", std::string("plain text, long enough for a header"));
  const pictures::bytes whole = pictures::read(weights().path());
  const std::string cut =
      s.folder.write("cut.safetensors", pictures::bytes(whole.begin(), whole.begin() + static_cast<long>(whole.size() / 2)));
  minicnn::safetensors_writer other;
  const minicnn::tensor<float> values({2}, {1, 2});
  other.add("x", values);
  const std::string foreign = s.folder.path("foreign.safetensors");
  other.write(foreign);
  for (const std::string& file : {text, cut, foreign, s.folder.path("missing.safetensors"), s.folder.path()}) {
    CAPTURE(file);
    const auto r = run("predict --weights '" + file + "'" + s.quoted());
    CHECK(r.code == 1);
    CHECK(r.out.empty());
    CHECK_MESSAGE(r.err.starts_with("minicnn: " + file + ": "), r.err);
  }
}

TEST_CASE("--keep-size feeds pictures as they are, of any height and width") {
  const pictures::folder folder("keep-size");
  minicnn::model_info info;
  info.config.name = "resnet20";
  info.config.image_size = 32;
  info.classes = {"cat", "dog"};
  info.transform.size = 32;
  info.transform.normalize = {{10, 20, 30}, {50, 60, 70}, 1};
  const minicnn::network<float> net = minicnn::make_model(info.config, {.seed = 3, .threads = 1});
  minicnn::save_weights(net, folder.path("w.safetensors"), minicnn::to_metadata(info));
  const std::vector<std::pair<int, int>> sides{{32, 32}, {20, 50}, {45, 33}};
  std::string paths;
  std::vector<double> wanted;
  for (const auto& [height, width] : sides) {
    const minicnn::image_u8 image = pictures::ramp(height, width);
    const std::string name = std::to_string(height) + ".png";
    folder.write(name.c_str(), pictures::png(image));
    paths += " '" + folder.path(name.c_str()) + "'";
    minicnn::tensor<float> x({1, 3, height, width});
    for (int i = 0; i < height * width; ++i)
      for (int c = 0; c < 3; ++c)
        x[c * height * width + i] = (static_cast<float>(image.pixels[static_cast<std::size_t>(3 * i + c)]) -
                                     info.transform.normalize.mean[static_cast<std::size_t>(c)]) /
                                    info.transform.normalize.std[static_cast<std::size_t>(c)];
    const minicnn::tensor<float> logits = net.predict(x);
    wanted.push_back(1 / (1 + std::exp(static_cast<double>(logits[0]) - logits[1])));
  }
  const std::string all = "predict --json --keep-size --weights '" + folder.path("w.safetensors") + "'" + paths;
  const auto r = run(all);
  INFO(r.err);
  CHECK(r.code == 0);
  const auto lines = r.lines();
  REQUIRE(lines.size() == 3);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(nlohmann::json::parse(lines[i])["probabilities"]["dog"].get<double>() == doctest::Approx(wanted[i]).epsilon(1e-5));
  CHECK(run("predict --json --native-size --weights '" + folder.path("w.safetensors") + "'" + paths).out == r.out);
  CHECK(run(all + " --tta flip").code == 0);
  CHECK(run(all + " --tta ten-crop").code == 2);
  CHECK(run(all + " --image-size 40").code == 2);
  // Dense layers after maps of a fixed size take one size only.
  const auto fixed = run("predict --keep-size" + weights().option() + paths);
  CHECK(fixed.code == 1);
  CHECK(contains(fixed.err, "at 20 x 50 pixels"));
}

TEST_CASE("G07 memory that does not suffice for one picture is said of that one, and the others are answered for") {
#if defined(__SANITIZE_ADDRESS__)
  MESSAGE("address space cannot be limited under the address sanitizer");
#else
  const pictures::folder folder("short");
  folder.write("p/1.png", red_png(0));
  folder.write("p/3.png", red_png(255));
  const std::string huge = serving::flat_png(9999);
  folder.write("p/2.png", pictures::bytes(huge.begin(), huge.end()));
  const std::string quoted = "'" + folder.path("p") + "'", limit = "ulimit -v 350000;";  // the picture takes 400 MB
  for (const char* threads : {"1", "2"}) {
    const auto r = run("predict --json --threads " + std::string(threads) + weights().option() + quoted, limit);
    INFO(r.err);
    CHECK(r.code == 1);
    const auto lines = r.lines();
    REQUIRE(lines.size() == 2);
    CHECK(nlohmann::json::parse(lines[0])["class"] == "cat");
    CHECK(nlohmann::json::parse(lines[1])["class"] == "dog");
    CHECK(contains(r.err, "p/2.png: not enough memory for this picture"));
    CHECK(contains(r.err, "1 path has no prediction"));
  }
  const auto explained = run("explain --threads 1 --out '" + folder.path("e") + "'" + weights().option() + quoted, limit);
  INFO(explained.err);
  CHECK(explained.code == 1);
  CHECK(explained.lines().size() == 2);
  CHECK(contains(explained.err, "p/2.png: not enough memory to read this picture"));
#endif
}
