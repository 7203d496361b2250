// check and generate: data sets seen and made; all commands on MNIST's, CIFAR-10's and Kaggle's layouts.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "data/picture_files.hpp"
#include "minicnn/io/crc32.hpp"
#include "program.hpp"

using program::contains;
using program::red_png;
using program::run;

TEST_CASE("a sound data set: counts, sizes and nothing else") {
  const pictures::folder folder("sound");
  folder.write("cat.1.png", red_png(1, 40, 50));
  folder.write("cat.2.png", red_png(2, 60, 70));
  folder.write("dog.1.png", red_png(3, 80, 60));
  const auto r = run("check --json --data '" + folder.path() + "'");
  CHECK(r.code == 0);
  CHECK(r.err.empty());
  const auto j = r.json();
  CHECK(j["images"] == 3);
  CHECK(j["classes"] == nlohmann::ordered_json({{"cat", 2}, {"dog", 1}}));
  CHECK(j["width"] == nlohmann::ordered_json({{"min", 50}, {"median", 60}, {"max", 70}}));
  CHECK(j["height"] == nlohmann::ordered_json({{"min", 40}, {"median", 60}, {"max", 80}}));
  for (const char* list : {"broken", "odd", "duplicates", "warnings"}) CHECK(j[list].empty());
  const auto text = run("check --data '" + folder.path() + "'");
  CHECK(text.code == 0);
  CHECK(contains(text.out, "cat: 2"));
  CHECK(contains(text.out, "broken: 0"));
}

TEST_CASE("F32 F35 what is broken, odd, there twice or left alone") {
  const pictures::folder folder("unsound");
  const pictures::bytes whole = red_png(1);
  const std::string cat = folder.write("cat.1.png", whole), dog = folder.write("dog.1.png", whole);
  const std::string tiny = folder.write("cat.2.png", red_png(2, 8, 90)), thin = folder.write("cat.3.png", red_png(2, 40, 170));
  const std::string empty = folder.write("cat.4.jpg", std::string());
  const std::string cut =
      folder.write("dog.5.png", pictures::bytes(whole.begin(), whole.begin() + static_cast<long>(whole.size() / 2)));
  folder.write("Thumbs.db", std::string("x"));
  folder.write("._cat.1.jpg", std::string("x"));
  std::filesystem::create_directory(folder.path("dog.7.jpg"));
  const auto r = run("check --json --data '" + folder.path() + "'");
  CHECK(r.code == 1);
  const auto j = r.json();
  CHECK(j["images"] == 7);
  CHECK(j["readable"] == 4);
  std::vector<std::string> broken;
  for (const auto& b : j["broken"]) {
    broken.push_back(b["path"]);
    CHECK_FALSE(b["reason"].get<std::string>().empty());
    CHECK_FALSE(contains(b["reason"], folder.path()));
  }
  CHECK(broken == std::vector<std::string>{empty, cut, folder.path("dog.7.jpg")});
  REQUIRE(j["odd"].size() == 2);
  CHECK(j["odd"][0]["path"] == tiny);
  CHECK(j["odd"][1]["path"] == thin);
  REQUIRE(j["duplicates"].size() == 1);
  CHECK(j["duplicates"][0]["paths"] == nlohmann::json({cat, dog}));
  CHECK(j["duplicates"][0]["labels_differ"] == true);
  CHECK(j["ignored"]["hidden"] == 1);
  CHECK(j["ignored"]["other"] == 1);
  const auto text = run("check --data '" + folder.path() + "'");
  CHECK(text.code == 1);
  for (const std::string& path : {empty, cut, tiny, thin}) CHECK(contains(text.out, "  " + path + ": "));
  CHECK(contains(text.out, cat + " = " + dog + "  (with different labels)"));
}

namespace {

/// A black BMP picture of one bit a pixel: many pixels in few bytes.
pictures::bytes one_bit_bmp(std::uint32_t height, std::uint32_t width) {
  const std::uint32_t row = (width + 31) / 32 * 4;
  pictures::bytes out{'B', 'M'};
  const auto put = [&](std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out.push_back(static_cast<unsigned char>(value >> (8 * i)));
  };
  put(62 + row * height, 4), put(0, 4), put(62, 4);  // size of the file, place of the pixels
  put(40, 4), put(width, 4), put(height, 4), put(1, 2), put(1, 2), put(0, 4), put(row * height, 4);
  put(2835, 4), put(2835, 4), put(2, 4), put(2, 4);  // resolution, colours
  put(0, 4), put(0xFFFFFF, 4);
  out.resize(out.size() + row * height, 0);
  return out;
}

}  // namespace

TEST_CASE("F32 F35 F39 F41 check names every kind of picture that is broken or odd, and does not follow circular links") {
  const pictures::folder folder("kinds");
  const auto golden = [](const char* name) { return pictures::read(std::string(MINICNN_TEST_GOLDEN_DIR) + "/images/" + name); };
  pictures::bytes extra = golden("baseline.jpg"), upright = extra, huge_head = red_png(7);
  REQUIRE(extra.size() > 500);
  for (const char c : std::string("another file")) extra.push_back(static_cast<unsigned char>(c));
  // Behind the two bytes that begin a JPEG file: an EXIF segment with orientation 6, a quarter turn.
  const std::string exif(
      "\xFF\xE1\x00\x22"
      "Exif\0\0"
      "MM\0\x2A\0\0\0\x08"
      "\0\x01"
      "\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
      "\0\0\0\0",
      36);
  upright.insert(upright.begin() + 2, exif.begin(), exif.end());
  for (const std::size_t i : {16U, 20U})  // 20,000 x 20,000 pixels, and the header's checksum
    huge_head[i] = 0, huge_head[i + 1] = 0, huge_head[i + 2] = 0x4E, huge_head[i + 3] = 0x20;
  const std::uint32_t sum = minicnn::crc32({reinterpret_cast<const char*>(huge_head.data()) + 12, 17});
  for (std::size_t i = 0; i < 4; ++i) huge_head[29 + i] = static_cast<unsigned char>(sum >> (24 - 8 * i));

  folder.write("cat/extra.jpg", extra);
  folder.write("cat/turned.jpg", upright);
  folder.write("cat/grey.jpg", golden("gray.jpg"));
  folder.write("cat/cmyk.jpg", golden("cmyk_red.jpg"));
  folder.write("cat/deep.png", golden("rgb16.png"));
  folder.write("cat/palette.png", golden("palette.png"));
  folder.write("cat/alpha.png", golden("rgba.png"));
  folder.write("cat/really_png.jpg", red_png(1));
  folder.write("cat/huge.bmp", one_bit_bmp(4200, 5000));
  folder.write("cat/same.png", red_png(9));
  folder.write("dog/same too.png", red_png(9));
  folder.write("dog/the same as BMP.bmp", pictures::bmp(pictures::plain(70, 80, 9, 40, 90)));
  folder.write("dog/too_large.png", huge_head);
  folder.write("dog/empty.jpg", std::string());
  folder.write("dog/text.jpg", std::string("not a picture at all"));
  folder.write("dog/notes.txt", std::string("stray"));
  folder.write("dog/secret.png", red_png(200));
  std::filesystem::create_directory_symlink("..", folder.path("dog/up"));
  std::filesystem::create_symlink("loop.png", folder.path("dog/loop.png"));
  std::filesystem::create_directory(folder.path("fish"));
  REQUIRE(::chmod(folder.path("dog/secret.png").c_str(), 0) == 0);

  // Root may read everything, so it steps down.
  const auto r =
      run("check --json --data '" + folder.path() + "'", ::geteuid() == 0 ? "setpriv --reuid 65534 --clear-groups" : "");
  CHECK(r.code == 1);
  const auto j = r.json();
  std::map<std::string, std::set<std::string>> kinds;
  for (const char* list : {"odd", "broken"})
    for (const auto& one : j[list])
      kinds[std::filesystem::path(one["path"].get<std::string>()).filename()].insert(one["kind"].get<std::string>());
  const auto has = [&](const char* file, const char* kind) { return kinds[file].count(kind) == 1; };
  CHECK(has("extra.jpg", "extra-bytes"));
  CHECK(has("turned.jpg", "orientation"));
  CHECK(has("grey.jpg", "grey"));
  CHECK(has("cmyk.jpg", "cmyk"));
  CHECK(has("deep.png", "16-bit"));
  CHECK(has("palette.png", "palette"));
  CHECK(has("alpha.png", "alpha"));
  CHECK(has("really_png.jpg", "wrong-extension"));
  CHECK(has("huge.bmp", "huge"));
  CHECK(has("too_large.png", "too-large"));
  CHECK(has("empty.jpg", "empty"));
  CHECK(has("text.jpg", "not-a-picture"));
  CHECK(has("secret.png", "unreadable"));
  CHECK_FALSE(kinds["loop.png"].empty());
  CHECK(kinds["same.png"].empty());
  bool found = false;  // by what the pictures show, whatever the format, across classes
  for (const auto& group : j["duplicates"])
    if (group["paths"].size() == 3) found = group["labels_differ"].get<bool>();
  CHECK(found);
  CHECK(j["ignored"]["other"] == 1);
  CHECK(j["classes"].size() == 2);
  CHECK(j["warnings"].dump().find("fish") != std::string::npos);
}

TEST_CASE("check names a folder that is not there") {
  const auto r = run("check --data /nowhere");
  CHECK(r.code == 1);
  CHECK(r.out.empty());
  CHECK(r.err == "minicnn: /nowhere: no such folder\n");
}

TEST_CASE("generate: half cats, half dogs, and the same ones again from the same seed") {
  const pictures::folder folder("generate");
  const auto r = run("generate --images 5 --seed 4 --out '" + folder.path("a/b") + "'");
  CHECK(r.code == 0);
  CHECK(contains(r.out, "5 pictures"));
  const auto j = run("check --json --data '" + folder.path("a/b") + "'").json();
  CHECK(j["classes"] == nlohmann::ordered_json({{"cat", 3}, {"dog", 2}}));
  CHECK(j["broken"].empty());
  REQUIRE(run("generate --images 2 --seed 4 --out '" + folder.path("c") + "'").code == 0);
  CHECK(pictures::read(folder.path("c/dog.0.jpg")) == pictures::read(folder.path("a/b/dog.0.jpg")));
  const auto again = run("generate --images 2 --seed 5 --out '" + folder.path("c") + "'");
  CHECK(again.code == 1);
  CHECK(contains(again.err, folder.path("c")));
}

// ---- data sets that are no folders of cat.1.jpg: trained on, evaluated, predicted, checked and submitted

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
