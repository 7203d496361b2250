#include "minicnn/data/pack.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "io/temporary_folder.hpp"
#include "minicnn/data/picture_source.hpp"
#include "minicnn/data/read_dataset.hpp"
#include "picture_files.hpp"
#include "pictures.hpp"

using namespace minicnn;

namespace {

using list = std::vector<std::string>;

void check_same(const image_dataset& a, const image_dataset& b) {
  CHECK(a.classes == b.classes);
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.samples.size(); ++i) {
    CHECK(a.samples[i].id == b.samples[i].id);
    CHECK(a.samples[i].label == b.samples[i].label);
    CHECK(a.samples[i].path.substr(a.root.size()) == b.samples[i].path.substr(b.root.size()));
    image_u8 x, y;
    std::vector<unsigned char> bytes;
    load_sample(a, static_cast<index_t>(i), x, bytes);
    load_sample(b, static_cast<index_t>(i), y, bytes);
    CHECK(x.pixels == y.pixels);
  }
}

pictures::bytes picture(std::size_t k) { return pictures::png(pictures::plain(20, 30, static_cast<unsigned char>(k), 9, 9)); }

std::string all_bytes(const list& files) {
  std::string out;
  for (const std::string& file : files) out += read_file(file);
  return out;
}

}  // namespace

TEST_CASE("packed data sets of each layout are read as the same sets, from files that are no larger than asked for") {
  const std::vector<list> layouts{{"cat/1.png", "cat/2.png", "cat/10.png", "dog/a/1.png", "dog/1.png"},
                                  {"cat.1.png", "cat.10.png", "dog.2.png", "dog.3.png"},
                                  {"1.png", "2.png", "10.png"},
                                  {"cat/" + std::string(120, 'x') + ".png", "dog/1.png"}};
  for (const list& names : layouts) {
    const pictures::folder folder("packed");
    for (std::size_t k = 0; k < 200; ++k) {
      std::string name = names[k % names.size()];
      name.insert(name.find_last_of('.'), k < names.size() ? "" : std::to_string(100 + k));
      folder.write(name, picture(k));
    }
    const temporary_folder out;
    const image_dataset data = read_dataset(folder.path());
    REQUIRE(data.size() == 200);
    const list files = pack_pictures(data, out / "a", {.shard_bytes = 51200});
    CHECK(files.size() > 3);
    CHECK(files[1] == out / "a/shard-000001.tar");
    for (const std::string& file : files) CHECK(std::filesystem::file_size(file) <= 51200);
    CHECK(out.names() == list{"a"});
    check_same(read_dataset(out / "a"), data);
    CHECK(all_bytes(pack_pictures(data, out / "b", {.shard_bytes = 51200})) == all_bytes(files));
    // From tar files to others, in another order, with class numbers beside.
    const list mixed =
        pack_pictures(read_dataset(out / "b/"), out / "c", {.shard_bytes = 40960, .shuffle = true, .seed = 7, .cls = true});
    CHECK(all_bytes(mixed) !=
          all_bytes(pack_pictures(data, out / "d", {.shard_bytes = 40960, .shuffle = true, .seed = 8, .cls = true})));
    const image_dataset again = read_dataset(out / "c");
    CHECK((again.layout.find(".cls") != std::string::npos) == !data.classes.empty());
    check_same(again, data);
  }
}

TEST_CASE("classes from a table are packed as .cls members and classes.txt") {
  const pictures::folder folder("kaggle");
  for (std::size_t k = 1; k <= 4; ++k) folder.write("train/" + std::to_string(k) + ".png", picture(k));
  folder.write("trainLabels.csv", "id,label\n1,frog\n2,cat\n3,frog\n4,a deer\n");
  const temporary_folder out;
  const image_dataset data = read_dataset(folder.path());
  const list files = pack_pictures(data, out / "a");
  REQUIRE(files.size() == 1);
  CHECK(read_file(out / "a/classes.txt") == "a deer\ncat\nfrog\n");
  const image_dataset packed = read_dataset(out / "a");
  CHECK(packed.classes == data.classes);
  for (std::size_t i = 0; i < 4; ++i) CHECK(packed.samples[i].label == data.samples[i].label);
}

TEST_CASE("what is not packed") {
  const pictures::folder folder("refused");
  folder.write("cat/1.png", picture(1));
  folder.write("dog/1.png", picture(2));
  const temporary_folder out;
  image_dataset data = read_dataset(folder.path());
  CHECK(contains(thrown<file_error>([&] { pack_pictures(data, folder.path()); }), "is there already, and not an empty folder"));
  CHECK(contains(thrown<option_error>([&] { pack_pictures(data, out / "a", {.shard_bytes = 1000}); }), "wanted at least 10240"));
  folder.write("cat/1.bmp", pictures::bmp(pictures::plain(3, 3, 1, 2, 3)));
  CHECK(contains(thrown<option_error>([&] { pack_pictures(read_dataset(folder.path()), out / "a", {.cls = true}); }),
                 "is called cat/1 too"));
  std::filesystem::remove(folder.path("dog/1.png"));
  CHECK(contains(thrown<file_error>([&] { pack_pictures(data, out / "a"); }), "dog/1.png: cannot open"));
  CHECK(out.names().empty());
  data.pictures.resize(2);
  CHECK(contains(thrown<option_error>([&] { pack_pictures(data, out / "a"); }), "lie in a few large files already"));
}

TEST_CASE("classes that classes.txt would give back under another name are refused") {
  const pictures::folder folder("names");
  folder.write("a/1.png", picture(1));
  folder.write("b/2.png", picture(2));
  image_dataset data = read_dataset(folder.path());
  const temporary_folder out;
  for (const char* name : {"", " b", "b\t", " ", "b\nc"}) {
    CAPTURE(name);
    data.classes[1] = name;
    CHECK(thrown<option_error>([&] { pack_pictures(data, out / "p", {.cls = true}); }).find("cannot stand in classes.txt") !=
          std::string::npos);
    CHECK_FALSE(std::filesystem::exists(out / "p"));
  }
}
