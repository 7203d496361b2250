#include "minicnn/data/read_dataset.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include "io/temporary_folder.hpp"
#include "minicnn/data/picture_source.hpp"
#include "picture_files.hpp"

using namespace minicnn;
using picture_files::cifar10_records;
using picture_files::idx_labels;
using picture_files::idx_pictures;

namespace {

using list = std::vector<std::string>;

std::string refusal(const std::string& path, data_part part = data_part::train) {
  return thrown<file_error>([&] { read_dataset(path, {.part = part}); });
}

void write_mnist(const pictures::folder& folder) {
  folder.write("train-images-idx3-ubyte", idx_pictures(5));
  folder.write("train-labels-idx1-ubyte", idx_labels({0, 1, 2, 3, 9}));
  folder.write("t10k-images-idx3-ubyte", idx_pictures(2));
  folder.write("t10k-labels-idx1-ubyte", idx_labels({4, 5}));
}

const std::string fashion = "/usr/share/datasets/fashion-mnist";

}  // namespace

TEST_CASE("MNIST's folder: train-*, t10k-* on request, ten classes") {
  const pictures::folder folder("mnist");
  write_mnist(folder);
  const image_dataset data = read_dataset(folder.path() + "/");
  CHECK(data.root == folder.path());
  CHECK(data.size() == 5);
  CHECK(data.classes.size() == 10);
  CHECK(data.classes.back() == "9");
  CHECK(read_dataset(folder.path(), {.part = data_part::test}).samples[1].label == 5);
  const image_dataset all = read_dataset(folder.path(), {.part = data_part::all});
  CHECK(all.size() == 7);
  CHECK(all.pictures.size() == 7);
  CHECK(all.samples[5].label == 4);
  CHECK(all.samples[5].id != all.samples[0].id);
  CHECK(read_dataset(folder.path("t10k-images-idx3-ubyte")).size() == 2);
  CHECK(holds_picture_files(folder.path()));
  CHECK(holds_picture_files(folder.path("t10k-images-idx3-ubyte")));
  CHECK(!holds_picture_files(folder.path("t10k-labels-idx1-ubyte")));

  folder.write("train-labels-idx1-ubyte", idx_labels({0, 1, 2, 3, 10}));
  CHECK(contains(refusal(folder.path()), "label 10 of picture 4, wanted 0 to 9"));
  folder.write("classes.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n");
  CHECK(read_dataset(folder.path()).classes[10] == "k");
  std::filesystem::remove(folder.path("train-labels-idx1-ubyte"));
  CHECK(contains(refusal(folder.path()), "wanted its labels beside it"));
  std::filesystem::remove(folder.path("train-images-idx3-ubyte"));
  CHECK(read_dataset(folder.path()).size() == 2);  // nothing but a test part
  folder.write("other-train-images-idx3-ubyte", idx_pictures(1));
  folder.write("some-train-images-idx3-ubyte", idx_pictures(1));
  CHECK(contains(refusal(folder.path()), "belong to several data sets"));
}

TEST_CASE("CIFAR-10's folder, its names, its parts, the folder above it") {
  const pictures::folder folder("cifar");
  const std::string inner = "cifar-10-batches-bin/";
  for (int i = 1; i <= 5; ++i) folder.write(inner + "data_batch_" + std::to_string(i) + ".bin", cifar10_records({i, i + 1}));
  folder.write(inner + "test_batch.bin", cifar10_records({7}));
  const image_dataset data = read_dataset(folder.path());
  CHECK(data.size() == 10);
  CHECK(data.classes == cifar10_classes());
  CHECK(data.warnings.empty());
  CHECK(data.samples[9].label == 6);
  CHECK(read_dataset(folder.path(), {.part = data_part::test}).size() == 1);
  CHECK(read_dataset(folder.path(), {.part = data_part::all}).size() == 11);

  folder.write(inner + "batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
  CHECK(read_dataset(folder.path(inner)).classes[6] == "g");
  folder.write(inner + "batches.meta.txt", "a\nb\n");
  CHECK(contains(refusal(folder.path(inner)), "wanted 10 names of classes, got 2"));
  std::filesystem::remove(folder.path(inner + "batches.meta.txt"));
  std::filesystem::remove(folder.path(inner + "data_batch_4.bin"));
  CHECK(read_dataset(folder.path()).warnings == list{"only 4 of the five files data_batch_1.bin to data_batch_5.bin"});
}

TEST_CASE("Kaggle's train/ with trainLabels.csv, and test/ without labels") {
  const pictures::folder folder("kaggle");
  for (const char* name : {"1.png", "2.png", "10.png", "3.png"}) folder.write(std::string("train/") + name, "x");
  folder.write("test/1.png", "x");
  folder.write("trainLabels.csv", "id,label\r\n1,truck\r\n2,frog\r\n10,frog\r\n7,cat");
  const image_dataset data = read_dataset(folder.path());
  CHECK(data.classes == list{"frog", "truck"});
  REQUIRE(data.size() == 3);
  CHECK(data.samples[0].path == folder.path("train/1.png"));
  CHECK(data.samples[0].label == 1);
  CHECK(data.samples[2].path == folder.path("train/10.png"));
  CHECK(data.samples[2].label == 0);
  CHECK(data.ignored.unlabelled == 1);
  REQUIRE(data.ignored.names.size() == 1);
  CHECK(data.ignored.names[0].path == folder.path("train/3.png"));
  REQUIRE(data.warnings.size() == 2);
  CHECK(contains(data.warnings[0], "1 pictures have no row in " + folder.path("trainLabels.csv")));
  CHECK(contains(data.warnings[1], "1 ids of " + folder.path("trainLabels.csv") + " name no picture, the first of them 7"));
  const image_dataset test = read_dataset(folder.path(), {.part = data_part::test});
  CHECK(test.size() == 1);
  CHECK(test.classes.empty());

  folder.write("trainLabels.csv", "id,label\n1,truck\n1,frog\n");
  CHECK(contains(refusal(folder.path()), "line 3: the id 1 is there twice"));
  folder.write("trainLabels.csv", "id,label\n1,\n");
  CHECK(contains(refusal(folder.path()), "line 2: the label is empty"));
  folder.write("trainLabels.csv", "id,label\n77,frog\n");
  CHECK(contains(refusal(folder.path()), "none of its 1 ids"));
  folder.write("trainLabels.csv", "id,label\n./1.png,frog\n" + folder.path("train/2.png") + ",cat\n");
  CHECK(read_dataset(folder.path()).classes == list{"cat", "frog"});
  folder.write("trainLabels.csv", "id,label\n1,frog\n2.PNG,cat\n");
  CHECK(contains(refusal(folder.path()), "the id 2.PNG names no picture in " + folder.path("train") + "; did you mean 2.png?"));
  folder.write("trainLabels.csv", "id,class\n1,frog\n");
  CHECK(contains(refusal(folder.path()), "wanted a column \"label\", got \"id,class\""));
}

TEST_CASE("folders of pictures as ever; what is not there") {
  const pictures::folder folder("plain");
  folder.write("cat.1.jpg", "x");
  folder.write("dog.1.jpg", "x");
  CHECK(read_dataset(folder.path()).classes == list{"cat", "dog"});
  CHECK(!holds_picture_files(folder.path()));
  CHECK(contains(refusal(folder.path(), data_part::test), "has no test part"));
  CHECK(contains(refusal(folder.path("none")), "no such folder"));
  CHECK(contains(refusal(folder.path("none"), data_part::test), "no such folder"));
  CHECK(contains(refusal(folder.path("cat.1.jpg")), "is not a folder"));
}

TEST_CASE("pictures change between one channel and three") {
  const pictures::folder folder("channels");
  write_mnist(folder);
  image_dataset data = read_dataset(folder.path());
  convert_channels(data, 3);
  CHECK(data.channels == 3);
  REQUIRE(data.pictures[1].pixels.size() == 28 * 28 * 3);
  CHECK(data.pictures[1].pixels[3] == 32);
  CHECK(data.pictures[1].pixels[5] == 32);
  convert_channels(data, 1);
  CHECK(data.pictures[1].pixels.size() == 28 * 28);
  CHECK(data.pictures[1].pixels[1] == 32);

  folder.write("rgb/cat.1.png", pictures::png(pictures::plain(2, 2, 200, 100, 50)));
  image_dataset files = read_dataset(folder.path("rgb"));
  convert_channels(files, 1);
  picture_source source(files);
  image_workspace workspace;
  const image_u8& grey = source.get(0, workspace);
  CHECK(grey.channels == 1);
  CHECK(grey.pixels == pictures::bytes(4, 124));  // 59.8 + 58.7 + 5.7 = 124.2
}

TEST_CASE("Debian's Fashion-MNIST, read as it lies") {
  if (!std::filesystem::exists(fashion)) {
    MESSAGE("skipped: " << fashion << " is not there (Debian: dataset-fashion-mnist)");
    return;
  }
  const image_dataset data = read_dataset(fashion, {.part = data_part::test});
  CHECK(data.size() == 10000);
  CHECK(data.class_counts() == std::vector<index_t>(10, 1000));
  CHECK(data.classes.front() == "T-shirt/top");
  CHECK(data.classes[static_cast<std::size_t>(data.samples[0].label)] == "Ankle boot");
  CHECK(data.pictures[0].height == 28);
}
