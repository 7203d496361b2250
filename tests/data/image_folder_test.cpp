#include "minicnn/data/image_folder.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

#include "io/temporary_folder.hpp"
#include "minicnn/data/picture_source.hpp"
#include "pictures.hpp"

using namespace minicnn;

namespace {

std::vector<std::string> names(const image_dataset& data) {
  std::vector<std::string> out;
  for (const sample& s : data.samples) out.push_back(s.path.substr(data.root.size() + 1) + "=" + std::to_string(s.label));
  return out;
}

using list = std::vector<std::string>;

}  // namespace

TEST_CASE("F34 labels in file names: up to the first dot, never the path") {
  const pictures::folder folder("dog.folder");
  for (const char* name : {"dog.7.jpg", "cat.12.jpg", "cat.2.JPG", "dog.0.png", "cat.0.jpeg", "zebra.1.bmp"})
    folder.write(name, "x");
  const image_dataset data = read_image_folder(folder.path());
  CHECK(data.classes == list{"cat", "dog", "zebra"});
  CHECK(names(data) == list{"cat.0.jpeg=0", "cat.2.JPG=0", "cat.12.jpg=0", "dog.0.png=1", "dog.7.jpg=1", "zebra.1.bmp=2"});
  CHECK(data.class_counts() == std::vector<index_t>{3, 2, 1});
  CHECK(data.ignored.total() == 0);
  CHECK(data.warnings.empty());
  CHECK(data.samples[0].id == sample_id("cat.0.jpeg"));
}

TEST_CASE("F34 class folders: sorted by byte order, files naturally, nested folders belong to their class") {
  const pictures::folder folder("classes");
  for (const char* name : {"dog/10.jpg", "dog/9.jpg", "cat/a/2.png", "cat/1.jpg", "Zebra/1.jpg", "dog/cat.3.jpg"})
    folder.write(name, "x");
  const image_dataset data = read_image_folder(folder.path());
  CHECK(data.classes == list{"Zebra", "cat", "dog"});
  CHECK(names(data) == list{"Zebra/1.jpg=0", "cat/1.jpg=1", "cat/a/2.png=1", "dog/9.jpg=2", "dog/10.jpg=2", "dog/cat.3.jpg=2"});
}

TEST_CASE("pictures without labels") {
  const pictures::folder folder("unlabelled");
  for (const char* name : {"10.jpg", "9.jpg", "1.png", "photo.jpg"}) folder.write(name, "x");
  const image_dataset data = read_image_folder(folder.path());
  CHECK(data.classes.empty());
  CHECK(names(data) == list{"1.png=-1", "9.jpg=-1", "10.jpg=-1", "photo.jpg=-1"});
  CHECK(number_of(data.samples[2].path) == 10);
  CHECK(number_of("a/007.jpg") == 7);
  CHECK(!number_of("a/7b.jpg").has_value());
  CHECK(!number_of("photo.jpg").has_value());
  CHECK(!number_of("12/.jpg").has_value());
  CHECK(!number_of("99999999999999999999999.jpg").has_value());
}

TEST_CASE("F35 hidden files, system files, empty classes and circular links") {
  const pictures::folder folder("hidden");
  for (const char* name :
       {"dog/1.jpg", "dog/2.jpg", "cat/1.jpg", "cat/._1.jpg", ".DS_Store", "dog/Thumbs.db", "._cat.1.jpg", "readme.txt",
        ".hidden/1.jpg", ".ipynb_checkpoints/1.jpg", "dog/.ipynb_checkpoints/1.jpg", "__MACOSX/dog/1.jpg"})
    folder.write(name, "x");
  std::filesystem::create_directory(folder.path("empty"));
  std::filesystem::create_directory_symlink(folder.path(), folder.path("loop"));
  std::filesystem::create_directory_symlink(folder.path(), folder.path("dog/loop"));
  std::filesystem::create_directory_symlink("self", folder.path("self"));
  const image_dataset data = read_image_folder(folder.path());
  CHECK(data.classes == list{"cat", "dog"});
  CHECK(names(data) == list{"cat/1.jpg=0", "dog/1.jpg=1", "dog/2.jpg=1"});
  CHECK(data.ignored.hidden == 6);   // .DS_Store, two ._ files, .hidden, two .ipynb_checkpoints
  CHECK(data.ignored.other == 3);    // Thumbs.db, readme.txt, the link to itself, which is no folder
  CHECK(data.ignored.folders == 4);  // __MACOSX, empty, two loops
  CHECK(data.warnings == list{"the class folder empty holds no pictures"});
}

TEST_CASE("links to pictures and to class folders elsewhere are followed") {
  const pictures::folder elsewhere("elsewhere"), folder("links");
  elsewhere.write("1.jpg", "x");
  folder.write("cat/1.jpg", "x");
  std::filesystem::create_directory_symlink(elsewhere.path(), folder.path("dog"));
  std::filesystem::create_symlink(elsewhere.path("1.jpg"), folder.path("cat/2.jpg"));
  CHECK(names(read_image_folder(folder.path())) == list{"cat/1.jpg=0", "cat/2.jpg=0", "dog/1.jpg=1"});
}

TEST_CASE("F32 a folder or a broken link that is called a picture is a sample, so that loading reports it") {
  const pictures::folder folder("called");
  folder.write("cat.1.jpg", "x");
  std::filesystem::create_directory(folder.path("cat.7.jpg"));
  std::filesystem::create_symlink("nowhere", folder.path("dog.2.jpg"));
  CHECK(names(read_image_folder(folder.path())) == list{"cat.1.jpg=0", "cat.7.jpg=0", "dog.2.jpg=1"});
}

TEST_CASE("what is left out is counted and said") {
  const pictures::folder flat("flat");
  for (const char* name : {"cat.1.jpg", "dog.1.jpg", "5.jpg", "old/cat.3.jpg", "a.webp", "b.gif"}) flat.write(name, "x");
  const image_dataset data = read_image_folder(flat.path());
  CHECK(data.size() == 2);
  CHECK(data.ignored.unlabelled == 1);
  CHECK(data.ignored.folders == 1);
  CHECK(data.ignored.other == 2);
  CHECK(data.warnings == list{"1 picture in folders beside labelled pictures is left out (old)",
                              "1 pictures have no label in their name and are left out (5.jpg)",
                              "2 pictures of other formats (GIF, WebP, TIFF, HEIC, AVIF) are left out"});
  const pictures::folder classes("beside");
  for (const char* name : {"cat/1.jpg", "dog/1.jpg", "montage.jpg"}) classes.write(name, "x");
  CHECK(read_image_folder(classes.path()).warnings == list{"1 pictures beside the class folders are left out (montage.jpg)"});
}

TEST_CASE("folders that are no data set are errors with their name") {
  const pictures::folder folder("none");
  const auto message = [](const std::string& path) -> std::string {
    try {
      read_image_folder(path);
      return "";
    } catch (const file_error& e) {
      return e.what();
    }
  };
  CHECK(message(folder.path("nowhere")) == folder.path("nowhere") + ": no such folder");
  CHECK(message(folder.path()) == folder.path() + ": holds no pictures (JPEG, PNG or BMP, as cat.1.jpg, cat/1.jpg or 1.jpg)");
  CHECK(message(folder.write("notes.txt", "x")) == folder.path("notes.txt") + ": is not a folder");
  folder.write("train/cat.1.jpg", "x");
  folder.write("test1/1.jpg", "x");
  CHECK(message(folder.path()) ==
        folder.path() + ": test1, train: parts of a data set, not classes; name one of these folders: " + folder.path("train"));

  std::filesystem::permissions(folder.path("train"), std::filesystem::perms::none);
  std::error_code failed;
  std::filesystem::directory_iterator(folder.path("train"), failed);
  if (!failed)
    MESSAGE("this user may list every folder: no unreadable folder to test with");
  else
    CHECK(message(folder.path("train")) == folder.path("train") + ": cannot be listed: Permission denied");
  std::filesystem::permissions(folder.path("train"), std::filesystem::perms::owner_all);
}

#if !defined(_WIN32)
TEST_CASE("a folder that cannot be listed is a picture that cannot be read; what can be listed is there") {
  const pictures::folder folder("unlisted");
  for (const char* name : {"cat/1.jpg", "cat/inner/2.jpg", "dog/3.jpg", "locked/4.jpg"}) folder.write(name, "x");
  using std::filesystem::perms;
  for (const char* name : {"cat/inner", "locked"}) std::filesystem::permissions(folder.path(name), perms::none);
  {
    const unprivileged guard;
    const image_dataset data = read_image_folder(folder.path());
    CHECK(names(data) == list{"cat/1.jpg=0", "cat/inner/=0", "dog/3.jpg=1", "locked/=2"});
    const std::vector<bad_file> bad = picture_source(data).check(std::vector<index_t>{1, 3}, 1);
    REQUIRE(bad.size() == 2);
    for (const bad_file& one : bad) CHECK(one.reason == "cannot be listed: Permission denied");
    CHECK(read_pictures(folder.path()).size() == 4);
  }
  for (const char* name : {"cat/inner", "locked"}) std::filesystem::permissions(folder.path(name), perms::owner_all);
}
#endif

TEST_CASE("nothing is written into the data set") {
  const pictures::folder folder("untouched");
  folder.write("cat.1.jpg", "x");
  const auto before = std::filesystem::last_write_time(folder.path());
  read_image_folder(folder.path());
  CHECK(std::filesystem::last_write_time(folder.path()) == before);
}

TEST_CASE("a trailing slash changes neither names nor ids") {
  const pictures::folder folder("slash");
  folder.write("cat.1.jpg", "x");
  const image_dataset plain = read_image_folder(folder.path()), slashed = read_image_folder(folder.path() + "/");
  CHECK(plain.samples[0].path == slashed.samples[0].path);
  CHECK(plain.samples[0].id == slashed.samples[0].id);
}

TEST_CASE("Dogs vs Cats") {
  const char* folder = std::getenv("MINICNN_DOGS_VS_CATS");
  if (folder == nullptr) {
    MESSAGE("MINICNN_DOGS_VS_CATS is not set: the real data set is not listed");
    return;
  }
  const image_dataset heldout = read_image_folder(std::string(folder) + "/heldout");
  CHECK(heldout.classes == list{"cat", "dog"});
  CHECK(heldout.class_counts() == std::vector<index_t>{1000, 1000});
  CHECK(read_image_folder(std::string(folder) + "/test").size() == 500);
}
