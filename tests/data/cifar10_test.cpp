#include "minicnn/data/cifar10.hpp"

#include <doctest/doctest.h>

#include "io/temporary_folder.hpp"
#include "picture_files.hpp"

using namespace minicnn;

namespace {

image_dataset read(const std::string& path) {
  image_dataset data;
  data.classes = cifar10_classes();
  read_cifar10_file(path, data);
  return data;
}

}  // namespace

TEST_CASE("F49 records of 3073 bytes: a label and the planes red, green, blue") {
  const pictures::folder folder("cifar");
  pictures::bytes records = picture_files::cifar10_records({3, 9});
  records[3073 + 1 + 33] = 77;         // red, row 1, column 1
  records[3073 + 1 + 2048 + 31] = 78;  // blue, row 0, column 31
  const image_dataset data = read(folder.write("data_batch_1.bin", records));
  REQUIRE(data.size() == 2);
  CHECK(data.channels == 3);
  CHECK(data.classes[static_cast<std::size_t>(data.samples[0].label)] == "cat");
  CHECK(data.samples[1].label == 9);
  CHECK(data.samples[1].id == sample_id("data_batch_1.bin#1"));
  const image_u8& p = data.pictures[1];
  REQUIRE(p.pixels.size() == 3072);
  CHECK(p.height == 32);
  CHECK(p.pixels[0] == 10);
  CHECK(p.pixels[1] == 20);
  CHECK(p.pixels[2] == 199);
  CHECK(p.pixels[33 * 3] == 77);
  CHECK(p.pixels[31 * 3 + 2] == 78);
}

TEST_CASE("F49 a file that is no whole number of records, and a label of 10, are refused") {
  const pictures::folder folder("cifar");
  pictures::bytes records = picture_files::cifar10_records({3, 9});
  records.push_back(0);
  const std::string odd = folder.write("data_batch_1.bin", records);
  CHECK(thrown<file_error>([&] { read(odd); }) ==
        odd + ": wanted records of 3073 bytes (a label and 32 x 32 x 3 pixels), got 6147 bytes: 2 records and 1 bytes");
  const std::string empty = folder.write("data_batch_2.bin", pictures::bytes());
  CHECK(contains(thrown<file_error>([&] { read(empty); }), "got 0 bytes"));
  const std::string large = folder.write("data_batch_3.bin", picture_files::cifar10_records({3, 10}));
  CHECK(thrown<file_error>([&] { read(large); }) == large + ": record 1: label 10, wanted 0 to 9");
}

TEST_CASE("names of classes: a line each, LF or CR LF, the last one unfinished") {
  const pictures::folder folder("names");
  CHECK(read_class_names(folder.write("a", "cat\r\ndog\r\n\r\n")) == std::vector<std::string>{"cat", "dog"});
  CHECK(read_class_names(folder.write("b", "T-shirt/top\nAnkle boot")) == std::vector<std::string>{"T-shirt/top", "Ankle boot"});
  CHECK(contains(thrown<file_error>([&] { read_class_names(folder.write("c", "cat\ncat\n")); }), "there twice"));
  CHECK(contains(thrown<file_error>([&] { read_class_names(folder.write("d", "\n")); }), "no names"));
  CHECK(read_class_names(folder.write("e", " cat\n\tbig dog \n \n")) == std::vector<std::string>{"cat", "big dog"});
  CHECK(contains(thrown<file_error>([&] { read_class_names(folder.write("f", "cat\ncat \n")); }), "there twice"));
}
