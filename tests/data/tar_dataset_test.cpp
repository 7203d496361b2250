#include "minicnn/data/tar_dataset.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <thread>

#include "io/temporary_folder.hpp"
#include "minicnn/data/loader.hpp"
#include "minicnn/data/read_dataset.hpp"
#include "minicnn/data/tar_writer.hpp"
#include "pictures.hpp"
#include "tar_files.hpp"

using namespace minicnn;

namespace {

using list = std::vector<std::string>;

std::string png(unsigned char red) {
  const pictures::bytes b = pictures::png(pictures::plain(6, 5, red, 0, 9));
  return {b.begin(), b.end()};
}

void write_tar(const std::string& path, const std::vector<std::pair<std::string, std::string>>& members) {
  tar_writer out(path);
  for (const auto& [name, bytes] : members) out.add(name, bytes);
  out.commit();
}

list names_of(const image_dataset& data) {
  list out;
  for (const sample& s : data.samples) out.push_back(s.path.substr(data.root.size() + 1));
  return out;
}

std::vector<int> labels_of(const image_dataset& data) {
  std::vector<int> out;
  for (const sample& s : data.samples) out.push_back(s.label);
  return out;
}

std::string refusal(const std::string& path) {
  return thrown<file_error>([&] { read_dataset(path); });
}

/// All batches of two epochs, as one list of numbers.
std::vector<float> epochs(const image_dataset& data) {
  loader_options o;
  o.batch_size = 3;
  o.transform.size = 4;
  o.transform.augment.flip = 0.5;
  o.training = true;
  o.workers = 2;
  loader<float> batches(data, all_samples(data), o);
  std::vector<float> out;
  for (const index_t epoch : {0, 1}) {
    batches.start_epoch(epoch);
    while (const batch<float>* b = batches.next()) {
      out.insert(out.end(), b->images.data(), b->images.data() + b->images.size());
      out.insert(out.end(), b->labels.begin(), b->labels.end());
    }
  }
  return out;
}

}  // namespace

TEST_CASE("a folder and its tar files are one data set: names, order, ids, labels and batches") {
  const pictures::folder folder("set");
  std::vector<std::pair<std::string, std::string>> members;
  for (const char* name : {"dog/10.png", "cat/1.png", "dog/2.png", "cat/b/7.png", "dog/x.png", "cat/10.png", "cat/2.png"}) {
    members.emplace_back(name, png(static_cast<unsigned char>(20 * members.size())));
    folder.write(name, pictures::png(pictures::plain(6, 5, static_cast<unsigned char>(20 * (members.size() - 1)), 0, 9)));
  }
  const temporary_folder tars;
  write_tar(tars / "t-00.tar", {members.begin(), members.begin() + 3});
  write_tar(tars / "t-01.tar", {members.begin() + 3, members.end()});
  const image_dataset a = read_dataset(folder.path());
  for (const std::string& path : {tars / "t-{00..01}.tar", tars / "t-0{0,1}.tar", tars.path()}) {
    INFO(path);
    const image_dataset b = read_dataset(path);
    CHECK(b.layout == "a folder a class, in 2 tar files");
    CHECK(names_of(b) == names_of(a));
    CHECK(b.classes == list{"cat", "dog"});
    CHECK(labels_of(b) == labels_of(a));
    REQUIRE(b.size() == 7);
    for (std::size_t i = 0; i < 7; ++i) CHECK(b.samples[i].id == a.samples[i].id);
    CHECK(epochs(b) == epochs(a));
    CHECK(holds_picture_files(path));
  }
}

TEST_CASE("the folder around a set is passed over, and one within can be named") {
  const temporary_folder folder;
  write_tar(folder / "a.tar", {{"photos/cat/1.png", png(1)}, {"photos/dog/1.png", png(2)}, {"photos/._x.jpg", "x"}});
  CHECK(names_of(read_dataset(folder / "a.tar")) == list{"cat/1.png", "dog/1.png"});
  CHECK(read_dataset(folder / "a.tar").ignored.hidden == 1);
  write_tar(folder / "b.tar", {{"x/cat.1.png", png(1)}, {"x/dog.1.png", png(2)}});
  CHECK(read_dataset(folder / "b.tar").classes == list{"cat", "dog"});
  write_tar(folder / "test.tar", {{"test/1.png", png(1)}, {"test/2.png", png(2)}});
  CHECK(read_dataset(folder / "test.tar").classes.empty());
  write_tar(folder / "c.tar", {{"cat/1.png", png(1)}, {"cat/2.png", png(2)}});
  CHECK(read_dataset(folder / "c.tar").classes == list{"cat"});

  write_tar(folder / "parts.tar",
            {{"set/train/cat/1.png", png(1)}, {"set/train/dog/1.png", png(1)}, {"set/val/cat/2.png", png(2)}});
  CHECK(contains(refusal(folder / "parts.tar"), "name one of these folders: " + (folder / "parts.tar/train")));
  CHECK(names_of(read_dataset(folder / "parts.tar/train/")) == list{"cat/1.png", "dog/1.png"});
  CHECK(refusal(folder / "parts.tar/test") == folder / "parts.tar/test: no such folder in the tar file");
}

TEST_CASE("WebDataset's samples: classes by number or by name, in .cls and .txt members") {
  const temporary_folder folder;
  const std::string path = folder / "w.tar";
  write_tar(path, {{"b/0002.png", png(2)},
                   {"b/0002.cls", "2\n"},
                   {"b/0002.json", "{}"},
                   {"a.cls", "0"},
                   {"a.png", png(1)},
                   {"c.txt", "a caption"},
                   {"c.png", png(3)},
                   {"d.cls", "1"}});
  image_dataset data = read_dataset(path);
  CHECK(names_of(data) == list{"a.png", "c.png", "b/0002.png"});
  CHECK(labels_of(data) == std::vector<int>{0, -1, 2});
  CHECK(data.classes == list{"0", "1", "2"});
  CHECK(data.layout == "labels in .cls members, in a tar file");
  CHECK(data.ignored.other == 2);
  REQUIRE(data.warnings.size() == 2);
  CHECK(contains(data.warnings[0], "1 pictures have no label beside them"));
  CHECK(data.warnings[1] == "1 labels have no picture beside them");
  write_file(folder / "classes.txt", "ant\nbee\ncat\n");
  CHECK(read_dataset(path).classes == list{"ant", "bee", "cat"});
  write_file(folder / "classes.txt", "ant\nbee\n");
  CHECK(contains(refusal(path), "classes.txt: has 2 names of classes, .cls members go to class 2"));

  write_tar(path, {{"1.png", png(1)}, {"1.cls", "zebra"}, {"2.png", png(2)}, {"2.cls", "ant"}});
  CHECK(read_dataset(path).classes == list{"ant", "zebra"});
  write_tar(path, {{"1.png", png(1)},
                   {"1.txt", "dog"},
                   {"2.png", png(2)},
                   {"2.txt", "cat"},
                   {"3.png", png(2)},
                   {"3.txt", "dog"},
                   {"4.png", png(2)},
                   {"4.txt", "dog"}});
  CHECK(labels_of(read_dataset(path)) == std::vector<int>{1, 0, 1, 1});
  CHECK(read_dataset(path, {.labels = false}).classes.empty());
  write_tar(path, {{"1.png", png(1)}, {"1.txt", "a dog"}, {"2.png", png(2)}, {"2.txt", "a cat"}});  // captions
  CHECK(read_dataset(path).classes.empty());
  write_tar(path, {{"1.png", png(1)}, {"1.cls", std::string(300, 'x')}});
  CHECK(contains(refusal(path), "1.cls has 300 bytes, wanted at most 255"));
  write_tar(path, {{"1.png", png(1)}, {"1.cls", " \n"}});
  CHECK(contains(refusal(path), "1.cls: wanted the number or the name of a class"));
  write_tar(path, {{"1.png", png(1)}, {"1.cls", "2000000000"}});
  CHECK(contains(refusal(path), "class 2000000000 in a .cls member"));
}

TEST_CASE("names that are there twice") {
  const temporary_folder folder;
  write_tar(folder / "a.tar", {{"cat/1.png", png(1)}, {"dog/1.png", png(2)}, {"cat/1.png", png(3)}});
  CHECK(contains(refusal(folder / "a.tar"), "a.tar at byte 512: cat/1.png is there again in " + (folder / "a.tar at byte 2560")));
  write_tar(folder / "b.tar", {{"cat/1.png", png(1)}, {"dog/1.png", png(2)}});
  write_tar(folder / "c.tar", {{"cat/1.png", png(1)}});
  CHECK(contains(refusal(folder / "{b,c}.tar"), "is there again in " + (folder / "c.tar at byte 512")));
  for (const char* name : {"s-0.tar", "s-1.tar"}) write_tar(folder / name, {{"0.png", png(1)}, {"0.cls", "1"}});
  CHECK(names_of(read_dataset(folder / "s-{0..1}.tar")) == list{"s-0/0.png", "s-1/0.png"});
}

TEST_CASE("a folder of tar files may have a part for testing") {
  const temporary_folder folder;
  write_tar(folder / "train-0.tar", {{"cat/1.png", png(1)}, {"dog/1.png", png(2)}});
  write_tar(folder / "test.tar", {{"cat/1.png", png(3)}, {"dog/1.png", png(4)}, {"dog/2.png", png(5)}});
  CHECK(read_dataset(folder.path()).size() == 2);
  CHECK(read_dataset(folder.path(), {.part = data_part::test}).size() == 3);
  const image_dataset all = read_dataset(folder.path(), {.part = data_part::all});
  REQUIRE(all.size() == 5);
  picture_source source(all);
  image_workspace workspace;
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(source.get(static_cast<index_t>(i), workspace).pixels[0] == std::vector<int>{1, 2, 3, 4, 5}[i]);
  folder.names();
  std::filesystem::remove(folder / "train-0.tar");
  CHECK(read_dataset(folder.path()).size() == 3);
}

TEST_CASE("errors of a member name the picture, the tar file and the byte") {
  const temporary_folder folder;
  const std::string path = folder / "t.tar";
  write_tar(path, {{"cat/1.png", "no picture"}, {"dog/1.png", png(2)}});
  const image_dataset data = read_dataset(path);
  picture_source source(data);
  const std::vector<bad_file> bad = source.check(all_samples(data), 1);
  REQUIRE(bad.size() == 1);
  CHECK(bad[0].path == path + "/cat/1.png");
  CHECK(bad[0].reason == "in " + path + " at byte 512: not a JPEG, PNG or BMP picture");
  std::filesystem::resize_file(path, 1600);
  image_workspace workspace;
  CHECK(contains(thrown<file_error>([&] { source.get(1, workspace); }), path + "/dog/1.png: in " + path + " at byte 1536: "));

  CHECK(contains(refusal(folder / "none.tar"), "none.tar: cannot open"));
  CHECK(contains(refusal(folder / "none-{0..1}.tar"), "none-0.tar: cannot open"));
  CHECK(contains(thrown<option_error>([&] { read_dataset(folder / "t-{0..}.tar"); }), "between braces wanted a range"));
  CHECK(contains(thrown<option_error>([&] { read_dataset(folder / "t-{0.tar"); }), "a brace that is not closed"));
  write_tar(path, {{"notes.md", "x"}});
  CHECK(contains(refusal(path), "t.tar: holds no pictures"));
  write_file(path, tar_files::member("1.jpg", "x") + tar_files::header("2.jpg", 0, '2'));
  const image_dataset linked = read_dataset(path);
  REQUIRE(linked.warnings.size() == 2);
  CHECK(contains(linked.warnings[0], "1 pictures are links"));
  write_file(path, tar_files::member("1.jpg", "x") + tar_files::header("2.jpg", 0, '6') + tar_files::header("3.jpg", 0, '3'));
  const image_dataset special = read_dataset(path);
  CHECK(contains(special.warnings.at(0), "2 pictures are pipes, devices or the like"));
  CHECK(special.ignored.names.at(0).reason == "a pipe, a device or the like");
  CHECK(contains(linked.warnings[1], "1 tar files have no end and may be cut off, the first of them " + path));
}

TEST_CASE("a file with a tar's header is one whatever it is called; braces expand as in a shell") {
  const temporary_folder folder;
  write_tar(folder / "a.bin", {{"cat/1.png", png(1)}, {"dog/1.png", png(2)}});
  CHECK(read_dataset(folder / "a.bin").size() == 2);
  write_tar(folder / "{1..2}.tar", {{"cat/1.png", png(1)}, {"dog/1.png", png(2)}});  // a file called so
  CHECK(read_dataset(folder / "{1..2}.tar").size() == 2);
  CHECK(expand_braces("a{8..11}") == list{"a8", "a9", "a10", "a11"});
  CHECK(expand_braces("{08..10}{x,y}") == list{"08x", "08y", "09x", "09y", "10x", "10y"});
  CHECK(contains(thrown<option_error>([] { expand_braces("{5..2}"); }), "ends before it begins"));
  CHECK(contains(thrown<option_error>([] { expand_braces("{0..999999999}"); }), "more than 100,000"));
  CHECK(contains(thrown<option_error>([] { expand_braces("{0..9999}{0..9999}"); }), "more than 100,000"));
  CHECK(contains(thrown<option_error>([] { expand_braces("{x}"); }), "got {x}"));
}
