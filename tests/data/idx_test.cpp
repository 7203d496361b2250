#include "minicnn/data/idx.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

#include "io/temporary_folder.hpp"
#include "picture_files.hpp"

using namespace minicnn;
using picture_files::idx_labels;
using picture_files::idx_pictures;

namespace {

struct pair {
  pictures::folder folder{"idx"};
  std::string images = folder.path("a-images-idx3-ubyte"), labels = folder.path("a-labels-idx1-ubyte");

  pair(const pictures::bytes& a, const pictures::bytes& b) {
    folder.write("a-images-idx3-ubyte", a);
    folder.write("a-labels-idx1-ubyte", b);
  }
  std::string refusal(int classes = 10) const {
    return thrown<file_error>([&] { read_idx(images, labels, {.classes = classes}); });
  }
};

}  // namespace

TEST_CASE("F49 pictures and labels, big-endian, one channel") {
  const pair files(idx_pictures(3, 4, 5), idx_labels({7, 0, 9}));
  const image_dataset data = read_idx(files.images, files.labels, {.classes = 10});
  REQUIRE(data.size() == 3);
  CHECK(data.channels == 1);
  CHECK(data.classes.size() == 10);
  CHECK(data.classes[7] == "7");
  CHECK(data.samples[2].label == 9);
  CHECK(data.samples[2].path == files.images + "#2");
  const image_u8& second = data.pictures[1];
  CHECK(second.height == 4);
  CHECK(second.width == 5);
  CHECK(second.channels == 1);
  REQUIRE(second.pixels.size() == 20);
  CHECK(second.pixels[0] == 31);
  CHECK(second.pixels[19] == 50);
  CHECK(read_idx(files.images, "").samples[0].label == -1);
  CHECK(read_idx(files.images, files.labels).classes.size() == 10);  // the largest label is 9
}

TEST_CASE("F49 packed files give the same data set, ids included") {
  const pair files(idx_pictures(40), idx_labels(std::vector<int>(40, 3)));
  const image_dataset plain = read_idx(files.images, files.labels);
  REQUIRE(std::system(("gzip '" + files.images + "' '" + files.labels + "'").c_str()) == 0);
  index_t calls = 0;
  const image_dataset packed = read_idx(files.images + ".gz", files.labels + ".gz",
                                        {.progress = [&](const std::string&, index_t, index_t total) { calls += total == 40; }});
  CHECK(calls == 1);
  REQUIRE(packed.size() == 40);
  for (std::size_t i = 0; i < 40; ++i) {
    CHECK(packed.pictures[i].pixels == plain.pictures[i].pixels);
    CHECK(packed.samples[i].id == plain.samples[i].id);
    CHECK(packed.samples[i].label == 3);
  }
}

TEST_CASE("F49 what does not fit is refused with file, wanted and got") {
  const pictures::bytes good = idx_pictures(3, 4, 5), labels = idx_labels({1, 2, 3});
  const auto images_say = [&](const pictures::bytes& images) {
    const pair files(images, labels);
    const std::string text = files.refusal();
    CHECK(text.starts_with(files.images + ": "));
    return text;
  };
  pictures::bytes changed = good;
  std::swap(changed[0], changed[3]), std::swap(changed[1], changed[2]);
  CHECK(contains(images_say(changed), "2051 is little-endian"));
  CHECK(contains(images_say(labels), "wanted pictures (magic number 2051), got labels (magic number 2049)"));
  changed = good;
  changed[2] = 0x0D;
  CHECK(contains(images_say(changed), "floats in 3 dimensions"));
  changed = good;
  changed[7] = 4;  // a count of 4 over the pixels of 3
  CHECK(contains(images_say(changed), "announces 4 x 4 x 5 bytes, which makes a file of 96, got 76"));
  changed = good;
  changed.push_back(0);
  CHECK(contains(images_say(changed), "which makes a file of 76, got 77"));
  changed = good;
  changed[4] = changed[8] = changed[12] = 0xFF;  // sizes whose product does not fit into 64 bits
  CHECK(contains(images_say(changed), "announces"));
  changed = good;
  changed[7] = 0;
  CHECK(contains(images_say(changed), "holds no pictures"));
  CHECK(contains(images_say({0, 0, 8}), "ends after 3 bytes, wanted 1 more"));
  CHECK(contains(images_say({}), "ends after 0 bytes"));

  const pair few(good, idx_labels({1, 2}));
  CHECK(contains(few.refusal(), "2 labels for the 3 pictures"));
  const pair large(good, idx_labels({1, 10, 3}));
  CHECK(large.refusal() == large.labels + ": label 10 of picture 1, wanted 0 to 9");
  CHECK(large.refusal(11).empty());
  CHECK(contains(pair(good, good).refusal(), "wanted labels"));
}

TEST_CASE("F49 a packed file whose head claims more than it can hold is refused before memory is set aside") {
  pictures::bytes huge = idx_pictures(1, 4, 5);
  huge[4] = 0x7F, huge[10] = huge[14] = 0xFF;
  const pair files(huge, idx_labels({1}));
  REQUIRE(std::system(("gzip '" + files.images + "'").c_str()) == 0);
  const std::string text = thrown<file_error>([&] { read_idx_pictures(files.images + ".gz"); });
  CHECK(contains(text, "got at most"));
  const pair cut(idx_pictures(30), idx_labels({1}));
  pictures::bytes head = idx_pictures(30);
  head[7] = 31;
  cut.folder.write("a-images-idx3-ubyte", head);
  REQUIRE(std::system(("gzip '" + cut.images + "'").c_str()) == 0);
  CHECK(contains(thrown<file_error>([&] { read_idx_pictures(cut.images + ".gz"); }), "of unpacked data, wanted 784 more"));
}
