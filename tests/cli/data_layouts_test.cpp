// Data sets that are no folders of cat.1.jpg (MNIST's, CIFAR-10's, Kaggle's files): trained on, evaluated, predicted, checked and
// submitted.
#include <doctest/doctest.h>

#include <filesystem>
#include <sstream>

#include "data/picture_files.hpp"
#include "program.hpp"

using program::contains;
using program::run;

namespace {

std::string quoted(const std::string& path) { return "'" + path + "'"; }

/// Pictures of label k are of one colour: red 25 k, green 250 - 25 k, blue 70 k modulo 256.
pictures::bytes picture_of(int label) {
  return pictures::png(pictures::plain(32, 32, static_cast<unsigned char>(25 * label),
                                       static_cast<unsigned char>(250 - 25 * label), static_cast<unsigned char>(70 * label)));
}

std::string train_lenet(const std::string& data, const std::string& out) {
  const auto r = run("train --data " + quoted(data) + " --out " + quoted(out) +
                     " --model lenet5 --epochs 2 --batch-size 8 --threads 1 --workers 0 --no-augment");
  INFO(r.err);
  REQUIRE(r.code == 0);
  return r.err;
}

}  // namespace

TEST_CASE("small pictures with numbers to predict are no characters, and mirrored") {
  const pictures::folder folder("small_numbers");
  std::string table = "id,height\n";
  for (int i = 0; i < 16; ++i) {
    folder.write("data/" + std::to_string(i) + ".png", picture_of(i % 10));
    table += std::to_string(i) + "," + std::to_string(0.5 * i) + "\n";
  }
  folder.write("labels.csv", table);
  const auto r =
      run("train --dry-run --task regress --data " + quoted(folder.path("data")) + " --labels " +
          quoted(folder.path("labels.csv")) + " --out " + quoted(folder.path("run")) + " --model lenet5 --image-size 32");
  INFO(r.err);
  CHECK(r.code == 0);
  CHECK(contains(r.err, "and mirrored in training"));
}

TEST_CASE("MNIST's files: one channel, a black border, names by number, the test part on request") {
  const pictures::folder folder("mnist");
  std::vector<int> labels;
  for (int i = 0; i < 40; ++i) labels.push_back(i % 10);
  folder.write("data/train-images-idx3-ubyte", picture_files::idx_pictures(40));
  folder.write("data/train-labels-idx1-ubyte", picture_files::idx_labels(labels));
  folder.write("data/t10k-images-idx3-ubyte", picture_files::idx_pictures(3));
  folder.write("data/t10k-labels-idx1-ubyte", picture_files::idx_labels({0, 1, 2}));
  const std::string data = folder.path("data"), out = folder.path("run");
  // Packed, as they are published.
  REQUIRE(std::system(
              ("gzip " + quoted(data + "/train-images-idx3-ubyte") + " " + quoted(data + "/train-labels-idx1-ubyte")).c_str()) ==
          0);
  const std::string said = train_lenet(data, out);
  CHECK(contains(said, "28 pixels in a black border of 2, so 32 x 32"));
  CHECK(contains(said, "not mirrored"));

  const std::string weights = " --threads 1 --weights " + quoted(out + "/best.safetensors") + " ";
  CHECK(run("evaluate --json --data " + quoted(data) + weights).json()["images"] == 40);
  const auto test = run("evaluate --json --split test --data " + quoted(data) + weights).json();
  CHECK(test["images"] == 3);
  CHECK(test["classes"][7] == "7");
  const auto predicted = run("predict" + weights + quoted(data + "/t10k-images-idx3-ubyte")).lines();
  REQUIRE(predicted.size() == 3);
  CHECK(predicted[2].starts_with(data + "/t10k-images-idx3-ubyte#2\t"));
  folder.write("photo.png", picture_of(4));
  CHECK(run("predict" + weights + quoted(folder.path("photo.png"))).lines().size() == 1);  // turned grey
  const auto checked = run("check --json --data " + quoted(data)).json();
  CHECK(checked["images"] == 43);
  CHECK(checked["classes"]["9"] == 4);

  std::filesystem::remove(data + "/train-labels-idx1-ubyte.gz");
  folder.write("data/train-labels-idx1-ubyte", picture_files::idx_labels({1, 2}));
  const auto refused = run("check --data " + quoted(data));
  CHECK(refused.code == 1);
  CHECK(contains(refused.err, "2 labels for the 40 pictures"));
}

TEST_CASE("CIFAR-10's files") {
  const pictures::folder folder("cifar");
  std::vector<int> labels;
  for (int i = 0; i < 20; ++i) labels.push_back(i % 10);
  for (int i = 1; i <= 5; ++i)
    folder.write("data/data_batch_" + std::to_string(i) + ".bin", picture_files::cifar10_records(labels));
  folder.write("data/test_batch.bin", picture_files::cifar10_records({3}));
  train_lenet(folder.path("data"), folder.path("run"));
  const std::string rest = " --threads 1 --weights " + quoted(folder.path("run/best.safetensors")) + " --data ";
  const auto all = run("evaluate --json" + rest + quoted(folder.path("data"))).json();
  CHECK(all["images"] == 100);
  CHECK(all["classes"][9] == "truck");
  CHECK(run("evaluate --json --split test" + rest + quoted(folder.path("data"))).json()["images"] == 1);
}

TEST_CASE("Kaggle's trainLabels.csv, and a submission with names of classes") {
  const pictures::folder folder("kaggle");
  const char* names[] = {"bird", "cat", "dog"};
  std::string labels = "id,label\r\n";
  for (int i = 1; i <= 30; ++i) {
    folder.write("data/train/" + std::to_string(i) + ".png", picture_of(i % 3 * 4));
    labels += std::to_string(i) + "," + names[i % 3] + "\r\n";
  }
  folder.write("data/trainLabels.csv", labels);
  for (const int id : {10, 2, 1}) folder.write("data/test/" + std::to_string(id) + ".png", picture_of(0));
  train_lenet(folder.path("data"), folder.path("run"));
  const std::string out = folder.path("submission.csv");
  const auto r = run("submit --threads 1 --weights " + quoted(folder.path("run/best.safetensors")) + " --data " +
                     quoted(folder.path("data")) + " --out " + quoted(out));
  INFO(r.err);
  CHECK(r.code == 0);
  const pictures::bytes all = pictures::read(out);
  std::istringstream text(std::string(all.begin(), all.end()));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == "id,label");
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string id = std::to_string(i == 2 ? 10 : static_cast<int>(i) + 1) + ",";
    INFO(lines[i + 1]);
    CHECK(lines[i + 1].starts_with(id));
    const std::string name = lines[i + 1].substr(id.size());
    CHECK((name == "bird" || name == "cat" || name == "dog"));
  }
}
