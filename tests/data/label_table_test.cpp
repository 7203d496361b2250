#include "minicnn/data/label_table.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "io/temporary_folder.hpp"
#include "minicnn/data/image_folder.hpp"

using namespace minicnn;

namespace {

label_table labels(std::string_view text) { return read_label_table(parse_csv(text, "t.csv"), target_kind::labels); }
label_table numbers(std::string_view text) { return read_label_table(parse_csv(text, "t.csv"), target_kind::numbers); }
std::string refusal(std::string_view text, target_kind kind) {
  return thrown<file_error>([&] { read_label_table(parse_csv(text, "t.csv"), kind); });
}

image_dataset pictures(const std::vector<std::string>& names) {
  image_dataset data;
  data.root = "/photos";
  for (const std::string& name : names) data.samples.push_back({"/photos/" + name, -1, sample_id(name)});
  return data;
}

}  // namespace

TEST_CASE("a column a label, or one of names") {
  const label_table columns = labels("id,beach,people\n1,1,0\n2,0,1\n");
  CHECK(columns.names == std::vector<std::string>{"beach", "people"});
  CHECK(columns.ids == std::vector<std::string>{"1", "2"});
  CHECK(columns.values == std::vector<double>{1, 0, 0, 1});
  for (const char* text : {"id,tags\n1,people beach\n2,\n3,people\n", "id,tags\n1,people;beach\n2,\n3,people\n",
                           "id,tags\n1,people|beach\n2,\n3,people\n", "id,tags\n1,\"people, beach\"\n2,\n3,people\n",
                           "id,tags\n1,\"people;\tbeach \"\n2,\" \"\n3,people\t\n"}) {
    CAPTURE(text);
    const label_table names = labels(text);
    CHECK(names.names == std::vector<std::string>{"beach", "people"});
    CHECK(names.values == std::vector<double>{1, 1, 0, 0, 0, 1});
  }
  CHECK(labels("id,\" beach\",people\t\n1, 1,0 \n").names == std::vector<std::string>{"beach", "people"});
  // One column of 0 and 1 is one label.
  CHECK(labels("id,sharp\n1,1\n2,0\n").names == std::vector<std::string>{"sharp"});
}

TEST_CASE("numbers, and the id wherever it stands") {
  const label_table t = numbers("age,id,weight\n34,a,71.5\n-2,b,1e3\n");
  CHECK(t.names == std::vector<std::string>{"age", "weight"});
  CHECK(t.ids == std::vector<std::string>{"a", "b"});
  CHECK(t.values == std::vector<double>{34, 71.5, -2, 1000});
  CHECK(numbers("id,age\n1,+5\n2,5.\n").values == std::vector<double>{5, 5});  // the grammar of options
  CHECK(numbers("id,age\n1,\" 7\"\n2, 8 \n").values == std::vector<double>{7, 8});
  CHECK(numbers("image,age\nx,1\n").ids[0] == "x");  // the first where none is called id
}

TEST_CASE("what is no table of labels is refused with file, line and column") {
  using enum target_kind;
  CHECK(refusal("id,a,b\n1,0,2\n", target_kind::labels) == "t.csv: line 2: b: wanted 0 or 1, got \"2\"");
  CHECK(refusal("id,a\n1,x\n", target_kind::numbers) == "t.csv: line 2: a: wanted a number, got \"x\"");
  for (const char* text : {"id,a\n1,nan\n", "id,a\n1,inf\n", "id,a\n1,1e999\n", "id,a\n1,\n", "id,a\n1,\"1 1\"\n"})
    CHECK(refusal(text, target_kind::numbers).find("wanted a number") != std::string::npos);
  CHECK(refusal("id,a\n1,5\n2,1e300\n", target_kind::numbers) ==
        "t.csv: line 3: a: wanted a number of at most 1.8e19, whose square a float can hold, got \"1e300\"");
  for (const char* text : {"id,a\n1,-1e39\n", "id,a\n1,1.9e19\n"})  // beyond float, and with their squares alone
    CHECK(refusal(text, target_kind::numbers).find(": line 2: a: wanted a number of at most 1.8e19") != std::string::npos);
  CHECK(refusal("id,a\n1,-1.8e19\n", target_kind::numbers).empty());
  CHECK(refusal("id,a,b\n1,0,1\n1,0,1\n", target_kind::labels) == "t.csv: line 3: the id 1 is there twice");
  CHECK(refusal("id,a,b\n,0,1\n", target_kind::labels) == "t.csv: line 2: the id is empty");
  CHECK(refusal("id,a,a\n1,0,1\n", target_kind::labels).find("each once") != std::string::npos);
  CHECK(refusal("id\n1\n", target_kind::labels).find("at least one column") != std::string::npos);
  CHECK(refusal("id,a\n", target_kind::numbers).find("only the header") != std::string::npos);
  CHECK(refusal("id,a\n1,\n", target_kind::labels).find("no picture has a label") != std::string::npos);
}

TEST_CASE("ids are paths or names, with or without the ending; what has no partner is said") {
  image_dataset data = pictures({"1.jpg", "sub/2.png", "3.jpg", "4.jpg", "notes.jpg"});
  attach_targets(data, numbers("id,x\n1,10\n2,20\n3.jpg,30\nsub/2.pngx,0\n9,90\n"));
  REQUIRE(data.size() == 3);
  CHECK(data.targets_of(0)[0] == 10);
  CHECK(data.targets_of(1)[0] == 20);
  CHECK(data.targets_of(2)[0] == 30);
  REQUIRE(data.warnings.size() == 2);
  CHECK(data.warnings[0] == "2 pictures have no row in t.csv and are left out");
  CHECK(data.warnings[1] == "2 ids of t.csv name no picture, the first of them sub/2.pngx");

  image_dataset twins = pictures({"a/1.jpg", "b/1.jpg"});
  CHECK_THROWS_WITH_AS(attach_targets(twins, numbers("id,x\n1,10\n")),
                       "t.csv: the id 1 names two pictures, /photos/a/1.jpg and /photos/b/1.jpg", file_error);
  twins = pictures({"a/1.jpg", "b/1.jpg"});
  attach_targets(twins, numbers("id,x\na/1,10\nb/1,20\n"));
  CHECK(twins.targets_of(1)[0] == 20);
  image_dataset others = pictures({"x.jpg"});
  CHECK_THROWS_AS(attach_targets(others, numbers("id,x\n1,10\n")), file_error);
}

TEST_CASE("ids may be paths to the pictures: from the data's folder, or from the root") {
  const temporary_folder folder;
  std::filesystem::create_directories(folder / "data/sub");
  std::filesystem::create_directory_symlink("data", folder / "link");
  for (const char* name : {"1.jpg", "sub/2.jpg", "3.jpg", "4.jpg"}) std::ofstream(folder / ("data/" + std::string(name))) << "x";
  const std::string ids = "id,x\n./1.jpg,1\n" + folder / "data/sub/2.jpg" + ",2\n.//3,3\n" + folder / "link/4.jpg" + ",4\n";
  for (const char* root : {"data", "link", "data/", "data/sub/.."}) {
    CAPTURE(root);
    image_dataset data = read_pictures(folder / root);
    attach_targets(data, numbers(ids));
    REQUIRE(data.size() == 4);
    for (index_t i = 0; i < 4; ++i) {
      const std::string& path = data.samples[static_cast<std::size_t>(i)].path;
      CHECK(to_text(data.targets_of(i)[0]) == path.substr(path.size() - 5, 1));
    }
  }
  image_dataset outside = read_pictures(folder / "data");
  attach_targets(outside, numbers("id,x\n1,1\n" + folder / "other/3.jpg" + ",2\n"));
  CHECK(outside.size() == 1);
  std::filesystem::create_symlink("loop", folder / "loop");  // a folder that nobody can look at names nothing, 3.jpg neither
  image_dataset loop = read_pictures(folder / "data");
  attach_targets(loop, numbers("id,x\n1,1\n" + folder / "loop/3.jpg" + ",2\n"));
  CHECK(loop.size() == 1);
  image_dataset memory = pictures({"1.jpg"});
  memory.root.clear(), memory.samples[0].path = "1.jpg";
  attach_targets(memory, numbers("id,x\n./1.jpg,5\n"));
  CHECK(memory.targets_of(0)[0] == 5);
  image_dataset twice = pictures({"1.jpg"});
  CHECK(thrown<file_error>([&] { attach_targets(twice, numbers("id,x\n1.jpg,1\n./1.jpg,2\n")); }) ==
        "t.csv: the ids 1.jpg and ./1.jpg name one picture");
}

TEST_CASE("an id that is a picture's name but for capital letters is refused with that name") {
  for (const char* id : {"sub/cat.jpg", "SUB/CAT.JPG", "CAT", "./sub/cat.JPG"}) {
    CAPTURE(id);
    image_dataset data = pictures({"1.jpg", "sub/Cat.JPG"});
    CHECK(thrown<file_error>([&] { attach_targets(data, numbers("id,x\n1,1\n" + std::string(id) + ",2\n")); }) ==
          "t.csv: the id " + std::string(id) + " names no picture in /photos; did you mean sub/Cat.JPG?");
  }
  image_dataset both = pictures({"a.jpg", "A.jpg"});  // each has its own
  attach_targets(both, numbers("id,x\nA.jpg,1\na.jpg,2\nA.png,3\n"));
  CHECK(both.size() == 2);
}

TEST_CASE("pictures without labels: all of a folder and below, whatever they are called") {
  const temporary_folder folder;
  std::filesystem::create_directories(folder / "b");
  for (const char* name : {"cat.1.jpg", "2.png", "b/3.jpg", "b/notes.txt"}) std::ofstream(folder / name) << "x";
  const image_dataset data = read_pictures(folder.path());
  CHECK(data.size() == 3);
  CHECK(data.classes.empty());
  for (const sample& s : data.samples) CHECK(s.label == -1);
}
