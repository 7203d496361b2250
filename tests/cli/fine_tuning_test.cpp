// train --init-from, --freeze and --rate.
#include <doctest/doctest.h>

#include <filesystem>
#include <minicnn/formats/pth_writer.hpp>
#include <minicnn/io/safetensors.hpp>

#include "program.hpp"

using program::contains;
using program::run;

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

TEST_CASE("F11 a last layer of another name is found as the one that remains") {
  const pictures::folder folder("last_layer");
  const minicnn::network<float> net = minicnn::make_model({.name = "lenet5", .classes = 2, .image_size = 32}, {.threads = 1});
  const std::string last = net.parameters().back().name.substr(0, net.parameters().back().name.find('.'));
  for (int i = 0; i < 4; ++i)
    folder.write((i % 2 == 0 ? "d/cat/" : "d/dog/") + std::to_string(i) + ".png", program::red_png(50 * i));
  const auto write = [&](const std::string& layer, minicnn::index_t classes, const std::string& more = "") {
    std::vector<std::string> names;
    for (const auto& p : net.parameters())
      names.push_back("module." + (p.name.starts_with(last + ".") ? layer + p.name.substr(last.size()) : p.name));
    const minicnn::index_t width = net.parameter(last + ".weight").dim(1);
    const minicnn::tensor<float> weight({classes, width}), bias({classes});
    std::vector<minicnn::named_tensor<float>> all;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string& own = net.parameters()[i].name;
      all.push_back({names[i], own == last + ".weight" ? minicnn::view<const float>(weight)
                               : own == last + ".bias" ? minicnn::view<const float>(bias)
                                                       : net.parameter(own)});
    }
    if (!more.empty()) all.push_back({more, minicnn::view<const float>(bias)});
    minicnn::write_pth<float>(folder.path("h.pth"), all);
  };
  const std::string import = "import --model lenet5 --image-size 32 --from '" + folder.path("h.pth") + "' --out '" +
                             folder.path("o.safetensors") + "'",
                    tune =
                        "train --model lenet5 --image-size 32 --batch-size 2 --epochs 1 --threads 1 --workers 0 --overwrite "
                        "--val-fraction 0 --data '" +
                        folder.path("d") + "' --out '" + folder.path("run") + "' --init-from '" + folder.path("h.pth") + "'";
  for (const char* layer : {"head", "classifier", "head.fc", "my_last"}) {
    CAPTURE(layer);
    write(layer, 2);
    for (const std::string& command : {import, import + " --new-head --classes 2", tune}) {
      const auto r = run(command);
      INFO(r.err);
      CHECK(r.code == 0);
    }
    write(layer, 7);
    const auto seven = run(import);
    INFO(seven.err);
    CHECK(seven.code == 0);
    CHECK(contains(seven.err, "7 classes"));
    CHECK(run(tune).code == 0);
    CHECK(contains(run(import + " --classes 3").err, "--new-head"));
    write(layer, 2, "module.spare.bias");
    const auto spare = run(import);
    CHECK(spare.code == 1);
    CHECK(contains(spare.err, "spare.bias"));
  }
}
