// Every network by name: published counts, refusals, and a run with auxiliary losses.
#include <filesystem>
#include <sstream>

#include "data/picture_files.hpp"
#include "program.hpp"

using program::contains;
using program::run;

TEST_CASE("summary prints the published parameter counts") {
  const struct {
    const char* model;
    int classes;
    std::int64_t parameters;
  } published[] = {{"lenet5", 10, 61706},
                   {"vgg16", 1000, 138357544},
                   {"vgg19", 1000, 143667240},
                   {"vgg16-bn", 1000, 138365992},
                   {"googlenet", 1000, 6624904},
                   {"inception-v3", 1000, 27161264},
                   {"resnet18", 1000, 11689512},
                   {"resnet50", 1000, 25557032},
                   {"resnet152", 1000, 60192808},
                   {"resnet20", 10, 269722},
                   {"spp-net", 1000, 77037672},
                   {"nin", 1000, 7595176},
                   {"squeezenet", 1000, 1235496},
                   {"squeezenet-1.0", 1000, 1248424},
                   {"mobilenet-v2", 1000, 3504872},
                   {"mobilenet-v3-small", 1000, 2542856},
                   {"mobilenet-v3-large", 1000, 5483032},
                   {"efficientnet-b0", 1000, 5288548},
                   {"densenet121", 1000, 7978856},
                   {"densenet169", 1000, 14149480},
                   {"densenet201", 1000, 20013928},
                   {"se-resnet50", 1000, 28088024},
                   {"resnet50-d", 1000, 25576264},
                   {"convnext-tiny", 1000, 28589128},
                   {"vit-b16", 1000, 86567656}};
  for (const auto& p : published) {
    CAPTURE(p.model);
    const auto r = run(std::string("summary --json --model ") + p.model + " --classes " + std::to_string(p.classes));
    CHECK(r.code == 0);
    CHECK(r.json()["parameters"] == p.parameters);
  }
}

TEST_CASE("--aux chooses whether auxiliary heads are counted") {
  const auto count = [](const std::string& rest) { return run("summary --classes 1000 --json --model " + rest).json(); };
  CHECK(count("googlenet --aux on")["parameters"] == 13004888);
  CHECK(count("googlenet --aux on")["parameters_without_aux"] == 6624904);
  CHECK(count("googlenet --aux off")["parameters"] == 6624904);
  CHECK(count("inception-v3 --aux off")["parameters"] == 23834568);
  CHECK(count("inception-v3")["parameters_without_aux"] == 23834568);
  CHECK(run("summary --model resnet18 --aux on").code == 2);
  CHECK(run("summary --model resnet18 --aux off").code == 0);
}

TEST_CASE("an image that is too small is refused, naming model, size and node") {
  const auto r = run("summary --model vgg16 --image-size 20");
  CHECK(r.code == 2);
  for (const char* part : {"vgg16", "20 pixels", "pool5"}) CHECK(contains(r.err, part));
  CHECK(run("bench --model inception-v3 --image-size 74 --batch-size 1").code == 2);
  CHECK(run("summary --model vgg17").code == 2);
}

TEST_CASE("bench and train with auxiliary losses; the weights file is enough to predict") {
  const auto b = run("bench --model googlenet --image-size 32 --batch-size 2 --steps 1 --json");
  CHECK(b.code == 0);
  CHECK(b.json()["model"] == "googlenet");
  const auto folded = run("bench --model resnet20 --batch-size 2 --mode infer --fold --steps 1 --json");
  CHECK(folded.json()["image_size"] == 32);
  CHECK(folded.json()["folded"] == true);

  const pictures::folder folder("models");
  const std::string data = " --data '" + folder.path("data") + "'", out = folder.path("run");
  REQUIRE(run("generate --images 12 --seed 4 --out '" + folder.path("data") + "'").code == 0);
  const auto trained =
      run("train --model googlenet --image-size 32 --batch-size 4 --epochs 1 --val-fraction 0.25 --out '" + out + "'" + data);
  INFO(trained.err);
  CHECK(trained.code == 0);
  const std::string weights = " --weights '" + out + "/last.safetensors'";
  CHECK(run("summary --json" + weights).json()["parameters_without_aux"] ==
        run("summary --model googlenet --json").json()["parameters"]);
  CHECK(run("evaluate --json" + weights + data).json()["images"] == 12);
}

TEST_CASE("one of each family trains on photos, MNIST's files and CIFAR-10's: channels, image size and head adapt") {
  const pictures::folder folder("families");
  REQUIRE(run("generate --images 2 --seed 4 --out '" + folder.path("photos") + "'").code == 0);
  folder.write("digits/train-images-idx3-ubyte", picture_files::idx_pictures(10));
  folder.write("digits/train-labels-idx1-ubyte", picture_files::idx_labels({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  const auto train = [&](const std::string& model, const char* data) {
    const auto r = run("train --dry-run --data '" + folder.path(data) + "' --out '" + folder.path("none") + "' --model " + model +
                       " --limit 2 --val-fraction 0 --batch-size 2 --threads 1 --workers 0");
    INFO(r.err);
    CHECK(r.code == 0);
    return r.err;
  };
  const struct {
    const char *model, *photos, *digits, *head;
  } families[] = {{"lenet5", "3x32x32", "1x32x32", "output"},
                  {"alexnet-small", "3x128x128", "1x128x128", "logits_eval"},
                  {"resnet20", "3x32x32", "1x32x32", "fc"},
                  {"resnet18", "3x192x192", "1x128x128", "fc"},
                  {"googlenet", "3x192x192", "1x128x128", "fc"},
                  {"inception-v3", "3x192x192", "1x128x128", "fc"},
                  {"nin-cifar", "3x32x32", "1x32x32", "cccp6"},
                  {"squeezenet", "3x192x192", "1x128x128", "conv10"},
                  {"mobilenet-v3-small", "3x192x192", "1x128x128", "classifier.3"},
                  {"densenet121", "3x192x192", "1x128x128", "classifier"}};
  // Columns: name, kind, output.
  const auto output = [](const std::string& table, const std::string& layer) {
    std::string line, name, kind, shape;
    for (std::istringstream lines(table); std::getline(lines, line);)
      if (line.starts_with(layer + " ")) std::istringstream(line) >> name >> kind >> shape;
    return shape;
  };
  for (const auto& f : families) {
    CAPTURE(f.model);
    const std::string photos = train(f.model, "photos"), digits = train(f.model, "digits");
    CHECK(output(photos, "input") == f.photos);
    CHECK(output(digits, "input") == f.digits);
    CHECK((output(photos, f.head) + "x").starts_with("2x"));
    CHECK((output(digits, f.head) + "x").starts_with("10x"));
  }
  for (const auto& [model, size] : {std::pair{"vgg11-bn", "64"}, {"spp-net", "180"}, {"nin", "96"}}) {
    const std::string table = train(std::string(model) + " --image-size " + size, "photos");
    CHECK(output(table, "input") == std::string("3x") + size + "x" + size);
  }
  for (int i = 1; i <= 5; ++i)
    folder.write("colours/data_batch_" + std::to_string(i) + ".bin",
                 picture_files::cifar10_records({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  for (const auto& [model, head] : {std::pair{"lenet5", "output"}, {"resnet20", "fc"}, {"nin-cifar", "cccp6"}}) {
    const std::string table = train(model, "colours");
    CHECK(output(table, "input") == "3x32x32");
    CHECK((output(table, head) + "x").starts_with("10x"));
  }
  CHECK_FALSE(std::filesystem::exists(folder.path("none")));
  const auto small = run("train --dry-run --data '" + folder.path("photos") + "' --out '" + folder.path("none") +
                         "' --model inception-v3 --image-size 64");
  CHECK(small.code == 2);
  CHECK(contains(small.err, "inception-v3 at 64 pixels"));
}
