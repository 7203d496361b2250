// Which layout a folder has: decided by all of it, never by one stray file; parts of a set told by structure.
#include <doctest/doctest.h>

#include "minicnn/data/read_dataset.hpp"
#include "picture_files.hpp"
#include "pictures.hpp"

using namespace minicnn;

namespace {

/// Empty files of these names in a folder of its own.
struct tree {
  pictures::folder folder{"layout"};
  tree(std::initializer_list<const char*> names) : tree(std::vector<const char*>(names)) {}
  explicit tree(const std::vector<const char*>& names) {
    for (const char* name : names) folder.write(name, "x");
  }
  image_dataset read() const { return read_image_folder(folder.path()); }
  std::string refusal() const {
    try {
      read();
      return "";
    } catch (const file_error& e) {
      return std::string(e.what()).substr(folder.path().size());
    }
  }
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }
using list = std::vector<std::string>;

}  // namespace

TEST_CASE("G04 one stray name does not decide the layout of all") {
  const tree edited{"1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "2.edited.jpg"};
  const image_dataset numbered = edited.read();
  CHECK(numbered.size() == 6);
  CHECK(numbered.classes.empty());
  CHECK(numbered.layout == "pictures without labels");
  REQUIRE(numbered.warnings.size() == 1);
  CHECK(contains(numbered.warnings[0], "2.edited.jpg"));
  CHECK_FALSE(number_of("2.edited.jpg").has_value());

  const image_dataset labelled = tree{"cat.1.jpg", "cat.2.jpg", "dog.1.JPG", "montage.png"}.read();
  CHECK(labelled.classes == list{"cat", "dog"});
  CHECK(labelled.size() == 3);
  CHECK(labelled.ignored.pictures == 1);
  CHECK(contains(labelled.warnings.at(0), "montage.png"));

  // A folder of thumbnails beside numbered pictures, and stray pictures beside class folders.
  const image_dataset beside = tree{"1.jpg", "2.jpg", "3.jpg", "thumbs/1.jpg", "thumbs/2.jpg"}.read();
  CHECK(beside.size() == 3);
  CHECK(beside.classes.empty());
  CHECK(beside.ignored.pictures == 2);
  CHECK(contains(beside.warnings.at(0), "thumbs"));
  const image_dataset classes = tree{"cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "cat.9.jpg"}.read();
  CHECK(classes.classes == list{"cat", "dog"});
  CHECK(classes.ignored.pictures == 1);

  const std::string both = tree{"cat.1.jpg", "dog.1.jpg", "cat.2.jpg", "old/3.jpg", "older/4.jpg"}.refusal();
  CHECK(contains(both, "holds 3 pictures with labels in their names (cat.1.jpg) and 2 in folders (old, older)"));
}

TEST_CASE("G04 one file of many pictures does not make another data set of a folder of pictures") {
  const pictures::folder folder("stray");
  for (int i = 0; i < 6; ++i) folder.write((i % 2 == 0 ? "cat." : "dog.") + std::to_string(i) + ".jpg", "x");
  folder.write("test_batch.bin", picture_files::cifar10_records({1, 2}));
  CHECK(read_dataset(folder.path()).classes == list{"cat", "dog"});
  CHECK_FALSE(holds_picture_files(folder.path()));
  // And a few pictures beside such a file do not make a folder of pictures of it.
  for (int i = 2; i < 6; ++i) std::filesystem::remove(folder.path((i % 2 == 0 ? "cat." : "dog.") + std::to_string(i) + ".jpg"));
  CHECK(read_dataset(folder.path()).classes == cifar10_classes());
  CHECK(holds_picture_files(folder.path()));
}

TEST_CASE("G05 parts of a set are told by what they hold, whatever they are called") {
  const std::vector<std::vector<const char*>> sets = {
      {"training_set/cats/1.jpg", "training_set/dogs/2.jpg", "test_set/cats/3.jpg", "test_set/dogs/4.jpg"},
      {"entrenamiento/gato/1.jpg", "entrenamiento/perro/2.jpg", "prueba/gato/3.jpg", "prueba/perro/4.jpg"},
      {"1/a/1.jpg", "1/b/1.jpg", "2/a/1.jpg", "2/b/1.jpg", "3/A/1.jpg", "3/B/1.jpg"},
      {"TRAIN/cat/1.jpg", "TRAIN/dog/1.jpg", "TRAIN/stray.jpg", "Other/cat/1.jpg", "Other/dog/1.jpg", "readme.txt"},
      {"a/cat/1.jpg", "a/dog/1.jpg", "a/fox/1.jpg", "b/cat/1.jpg", "b/dog/1.jpg"},  // one has a class less
      {"x/cat/1.jpg", "x/dog/1.jpg", "y/cat/Thumbs.db", "y/dog/1.jpg"},             // or an empty one
      {"x/cat/1.jpg", "x/dog/1.jpg", "y/cat/1.jpg", "y/dog/1.jpg", "z/1.jpg"},      // one without labels
      {"training_set/training_set/c/1.jpg", "training_set/training_set/d/1.jpg", "q/q/c/1.jpg", "q/q/d/1.jpg"},
      {"uno/cat.1.jpg", "uno/dog.1.jpg", "dos/cat.2.jpg", "dos/dog.2.jpg"},
      {"uno/cat.1.jpg", "uno/dog.1.jpg", "dos/1.jpg", "dos/2.jpg"},
      {"train/cat/1.jpg", "train/dog/1.jpg", "muestra/1.jpg"},
      {"train2017/1.jpg", "val2017/2.jpg"},
      {"eins/cat/1.jpg", "eins/dog/1.jpg", "zwei/cat/2.jpg"},                                           // a class of two
      {"PetImages/Cat/1.jpg", "PetImages/Dog/1.jpg", "readme[1].txt", "__MACOSX/PetImages/Cat/1.jpg"},  // a folder in between
  };
  for (const auto& names : sets) {
    CAPTURE(*names.begin());
    const std::string text = tree(names).refusal();
    CAPTURE(text);
    CHECK(contains(text, "not classes"));
    CHECK(contains(text, "; name one of these folders: "));
  }
  CHECK(contains(tree{"training_set/cats/1.jpg", "training_set/dogs/2.jpg", "training_set/dogs/3.jpg", "test_set/cats/3.jpg",
                      "test_set/dogs/4.jpg"}
                     .refusal(),
                 "/training_set"));
}

TEST_CASE("G05 classes that hold parts, or folders called alike, are told what to do, and that works") {
  namespace fs = std::filesystem;
  const tree parts{"cat/train/1.jpg", "cat/val/2.jpg", "dog/train/1.jpg", "dog/train/3.jpg", "dog/val/2.jpg"};
  const std::string root = parts.folder.path();
  CHECK(parts.refusal() ==
        ": cat, dog: classes that hold parts of a data set (train, val); wanted parts that hold classes: move " + root +
            "/dog/train to " + root + "/train/dog and the others likewise, then name " + root + "/train");
  for (const char* part : {"train", "val"})
    for (const char* of : {"cat", "dog"}) {
      fs::create_directories(root + "/" + part);
      fs::rename(root + "/" + of + "/" + part, root + "/" + part + "/" + of);
    }
  CHECK(read_image_folder(root + "/train").classes == list{"cat", "dog"});
  CHECK(read_image_folder(root + "/train").size() == 3);
  for (const char* of : {"cat", "dog"}) fs::remove(root + "/" + of);
  CHECK(contains(parts.refusal(), "name one of these folders: " + root + "/"));

  const tree alike{"cats/a/1.jpg", "cats/b/2.jpg", "dogs/a/3.jpg", "dogs/b/4.jpg"};
  const std::string text = alike.refusal(), where = alike.folder.path();
  CHECK(contains(text, ": cats, dogs: parts of a data set, not classes (cats holds a, b); name one of these folders: " + where));
  CHECK(contains(text, "; if these are classes, their pictures are to lie in them without folders in between"));
  CHECK(read_image_folder(where + "/cats").classes == list{"a", "b"});
  for (const std::string name : {"cats/a/1.jpg", "cats/b/2.jpg", "dogs/a/3.jpg", "dogs/b/4.jpg"}) {
    const fs::path from = where + "/" + name;
    fs::rename(from, from.parent_path().parent_path() / from.filename());
  }
  CHECK(alike.read().classes == list{"cats", "dogs"});
  CHECK_FALSE(contains(tree{"train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/b/1.jpg"}.refusal(), "if these are classes"));
}

TEST_CASE("G05 of parts of a set the one to train on is advised") {
  const std::vector<std::pair<const char*, const char*>> parts = {
      {"Training", "Testing"},  {"TRAIN", "DEV"},          {"train1", "test1"},    {"seg_train", "seg_test"},
      {"cats_train", "cats_a"}, {"data-train", "data-ev"}, {"tr", "te"},           {"train2017", "a2017"},
      {"main", "holdout"},      {"main", "eval"},          {"training_set", "dev"}};
  for (const auto& [training, other] : parts) {
    CAPTURE(training);
    const tree set{};
    for (const char* name : {"/cat/1.jpg", "/dog/1.jpg"}) set.folder.write(training + std::string(name), "x");
    for (const char* name : {"/cat/2.jpg", "/dog/2.jpg", "/dog/3.jpg"}) set.folder.write(other + std::string(name), "x");
    CHECK(contains(set.refusal(), "; name one of these folders: " + set.folder.path(training)));
  }
  const tree within{"cat/Testing/1.jpg", "cat/Training/2.jpg", "dog/Testing/3.jpg", "dog/Training/4.jpg"};
  const tree shorter{"cat/tr/1.jpg", "cat/val/2.jpg", "dog/tr/3.jpg", "dog/val/4.jpg"};
  CHECK(contains(shorter.refusal(), "/cat/tr to " + shorter.folder.path("tr/cat and")));
  const std::string root = within.folder.path();
  CHECK(contains(within.refusal(), "move " + root + "/cat/Training to " + root + "/Training/cat and"));
}

TEST_CASE("G05 a copy of the classes beside them is no class") {
  CHECK(tree{"cat/1.jpg", "dog/1.jpg", "backup/cat/1.jpg", "backup/dog/1.jpg"}.refusal() ==
        ": backup holds folders that are called like the classes beside it (cat, dog); move it elsewhere, or name it alone");
  CHECK(contains(tree{"cat/1.jpg", "dog/1.jpg", "train/Cat/1.jpg"}.refusal(), "train holds folders"));
  CHECK(tree{"cat/cat/1.jpg", "dog/dog/1.jpg"}.read().classes == list{"cat", "dog"});
  CHECK(tree{"cat/1.jpg", "cat/2.jpg", "cat/3.jpg", "cat/dog/1.jpg", "dog/1.jpg"}.read().classes == list{"cat", "dog"});
}

TEST_CASE("G05 folders within a class are told of") {
  const image_dataset learn = tree{"learn/cat/1.jpg", "learn/dog/1.jpg", "exam/1.jpg"}.read();
  CHECK(learn.classes == list{"exam", "learn"});
  REQUIRE(learn.warnings.size() == 1);
  CHECK(learn.warnings[0] == "the folders in learn are no classes of their own: what is in them is of that class");
  CHECK(tree{"cat/a/1.jpg", "dog/1.jpg"}.read().warnings.empty());
}

TEST_CASE("G05 classes stay classes") {
  const std::vector<std::pair<std::vector<const char*>, list>> sets = {
      {{"cat/1.jpg", "cat/a/2.jpg", "dog/1.jpg", "dog/b/2.jpg"}, {"cat", "dog"}},
      {{"n01/images/1.jpg", "n02/images/1.jpg", "n03/images/1.jpg"}, {"n01", "n02", "n03"}},  // Tiny ImageNet
      {{"cats/cat.1.jpg", "cats/cat.2.jpg", "dogs/dog.1.jpg", "dogs/dog.2.jpg"}, {"cats", "dogs"}},
      {{"c/cat.1.jpg", "c/cat.2.jpg", "c/cat.3.jpg", "c/cat.4.jpg", "c/dog.5.jpg", "d/dog.1.jpg"}, {"c", "d"}},  // a mistake
      {{"c/at 10.11.12.png", "c/at 11.11.12.png", "d/at 10.12.13.png", "d/at 11.12.13.png"}, {"c", "d"}},
      {{"train/1.jpg", "tram/1.jpg", "bus/1.jpg"}, {"bus", "train", "tram"}},
      {{"cat/in/1.jpg", "cat/out/1.jpg", "dog/1.jpg", "fox/1.jpg"}, {"cat", "dog", "fox"}},
      {{"cat/in/1.jpg", "cat/out/1.jpg", "dog/in/1.jpg", "dog/night/1.jpg"}, {"cat", "dog"}},
  };
  for (const auto& set : sets) {
    CAPTURE(*set.first.begin());
    CHECK(tree(set.first).read().classes == set.second);
  }
}

TEST_CASE("G06 folders that hold a run are left out of data") {
  const std::initializer_list<const char*> run_files = {"config.json", "results.csv",      "report.html",     "curves.svg",
                                                        "curves.png",  "best.safetensors", "last.safetensors"};
  tree set{"cat/1.jpg", "dog/1.jpg", "run/explained/1.grad-cam.png", "run/.lock"};
  for (const char* name : run_files) set.folder.write(std::string("run/") + name, "x");
  for (const char* name : run_files) set.folder.write(std::string("cat/") + name, "x");    // among pictures: they stay
  for (const char* name : run_files) set.folder.write(std::string("dog/a/") + name, "x");  // further down
  const image_dataset data = set.read();
  CHECK(data.classes == list{"cat", "dog"});
  CHECK(data.size() == 2);
  for (const std::string& text : data.warnings) CHECK_FALSE(contains(text, "run"));
  const auto left = [&](const std::string& path) {
    return std::any_of(data.ignored.names.begin(), data.ignored.names.end(), [&](const auto& e) {
      return e.path == set.folder.path(path) && contains(e.reason, "a run of minicnn train");
    });
  };
  CHECK(left("run"));
  CHECK(data.ignored.folders == 2);
  CHECK(data.ignored.other == 7);  // those in cat
  CHECK(data.ignored.hidden == 0);
  CHECK(left("dog/a"));
  CHECK(left("cat/curves.png"));
  // A picture of that name alone is a picture.
  CHECK(tree{"cat/curves.png", "dog/1.jpg"}.read().size() == 2);
}

TEST_CASE("F8 where most pictures are called LABEL.NUMBER, other names with dots make no class") {
  const image_dataset strays =
      tree{"cat.1.jpg", "cat.2.jpg", "dog.1.jpg", "dog.2.jpg", "holiday.jpg.jpg", "cat.old.jpg", "dog.3.copy.jpg"}.read();
  CHECK(strays.classes == list{"cat", "dog"});
  CHECK(strays.size() == 6);
  CHECK(strays.ignored.pictures == 1);
  CHECK(contains(strays.warnings.at(0), "1 pictures are not called as the others and are left out (holiday.jpg.jpg)"));
  // Without numbers all are what they say, and a label of many pictures is one.
  CHECK(tree{"cat.a.jpg", "cat.b.jpg", "dog.a.jpg", "bird.jpg.jpg"}.read().classes == list{"bird", "cat", "dog"});
  CHECK(tree{"cat.1.jpg", "cat.2.jpg", "cat.3.jpg", "dog.1.jpg", "dog.2.jpg", "bird.a.jpg", "bird.b.jpg"}.read().classes ==
        list{"bird", "cat", "dog"});
}

TEST_CASE("G06 a folder that holds .nomedia is left out, whatever it is called; one that is named itself is not") {
  const tree set{"cat/1.jpg",  "dog/1.jpg",           "heat/.nomedia",   "heat/cat/1.jpg",
                 "heat/1.jpg", "dog/thumbs/.nomedia", "dog/thumbs/1.jpg"};
  const image_dataset data = set.read();
  CHECK(data.classes == list{"cat", "dog"});
  CHECK(data.size() == 2);
  CHECK(data.ignored.folders == 2);
  CHECK(std::any_of(data.ignored.names.begin(), data.ignored.names.end(),
                    [](const auto& e) { return e.path.ends_with("/heat") && e.reason == "holds .nomedia"; }));
  CHECK(tree{".nomedia", "cat/1.jpg", "dog/1.jpg"}.read().size() == 2);
}

TEST_CASE("G05 one folder under two names is no two classes") {
  namespace fs = std::filesystem;
  const tree set{"cat/1.jpg", "cat/in/2.jpg", "dog/1.jpg", "fox/Thumbs.db"};
  const auto is_refused = [&](const std::string& target, const std::string& link, const std::string& names) {
    fs::create_directory_symlink(target, set.folder.path(link));
    CHECK(set.refusal() ==
          ": " + names + " are one folder, by a link or a mount: its pictures would be of two classes; remove one");
    CHECK(read_pictures(set.folder.path()).size() == 3);
    fs::remove(set.folder.path(link));
  };
  is_refused("cat", "wolf", "cat and wolf");
  is_refused(set.folder.path("cat"), "ant", "ant and cat");  // absolute, and before it
  is_refused("cat/in", "wolf", "cat/in and wolf");
  is_refused("cat/in", "ant", "ant and cat/in");
  is_refused("../" + fs::path(set.folder.path()).filename().string() + "/dog/", "wolf", "dog and wolf");
  // Elsewhere is elsewhere, and an empty folder twice has no pictures.
  const tree other{"1.jpg"};
  fs::create_directory_symlink(other.folder.path(), set.folder.path("wolf"));
  fs::create_directory_symlink("fox", set.folder.path("vixen"));
  CHECK(set.read().classes == list{"cat", "dog", "wolf"});
  // Labels from a table: each picture once.
  fs::create_directory_symlink("cat", set.folder.path("kitten"));
  const image_dataset once = read_pictures(set.folder.path());
  CHECK(once.size() == 4);
  REQUIRE(once.warnings.size() == 1);
  CHECK(once.warnings[0] == "kitten is the same folder as cat and is left out");
}
