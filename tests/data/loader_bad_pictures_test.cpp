// Pictures that cannot be read: before the first epoch, and those that go later.
#include <doctest/doctest.h>

#include <cstdlib>

#include "loader_records.hpp"
#include "minicnn/data/image_folder.hpp"
#include "minicnn/data/loader.hpp"
#include "minicnn/data/split.hpp"
#include "pictures.hpp"

using namespace minicnn;
using namespace loader_records;

TEST_CASE("F32 the first bad picture ends the epoch with its name, whatever the number of workers") {
  const pictures::folder folder("bad");
  const pictures::bytes good = pictures::jpeg(pictures::ramp(8, 8));
  for (int i = 0; i < 20; ++i) folder.write("cat." + std::to_string(i) + ".jpg", good);
  folder.write("cat.9.jpg", pictures::bytes(good.begin(), good.begin() + 40));
  folder.write("cat.11.jpg", "not a picture");
  const image_dataset data = read_image_folder(folder.path());
  for (const int workers : {0, 1, 4}) {
    loader<float> l(data, all_samples(data), options(4, workers));
    for (int again = 0; again < 2; ++again) {
      l.start_epoch(0);
      CHECK(l.next()->indices[0] == 0);
      CHECK(l.next()->indices[0] == 4);
      CHECK_THROWS_WITH_AS(l.next(), (folder.path("cat.9.jpg") + ": JPEG without its end (truncated file)").c_str(), file_error);
      CHECK_THROWS_AS(l.next(), error);
    }
  }
}

TEST_CASE("F32 skip_bad leaves bad pictures out, remembers why, and batches are the same for every number of workers") {
  const pictures::folder folder("skip");
  const pictures::bytes good = pictures::jpeg(pictures::ramp(8, 8));
  for (int i = 0; i < 12; ++i) folder.write((i < 6 ? "cat." : "dog.") + std::to_string(i) + ".jpg", good);
  folder.write("cat.0.jpg", pictures::bytes());
  folder.write("cat.4.jpg", pictures::bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(good.size() / 2)));
  folder.write("dog.8.jpg", pictures::png(pictures::ramp(8, 8)));
  std::filesystem::create_directory(folder.path("dog.7.jpg.jpg"));
  const image_dataset data = read_image_folder(folder.path());
  std::vector<epoch_record> records;
  for (const int workers : {0, 1, 4})
    for (const std::int64_t cache : {0, 100000}) {
      loader_options o = options(4, workers, true);
      o.skip_bad = true;
      o.cache_bytes = cache;
      loader<float> l(data, all_samples(data), o);
      CHECK(l.size() == 10);
      REQUIRE(l.bad_files().size() == 3);
      CHECK(l.bad_files()[0].path == folder.path("cat.0.jpg"));
      CHECK(l.bad_files()[0].reason == "empty file (0 bytes)");
      CHECK(l.bad_files()[1].reason == "JPEG without its end (truncated file)");
      CHECK(l.bad_files()[2].reason == "is a directory, not a picture");
      records.push_back(record(l, 3));
      CHECK(records.back().sizes == sizes{4, 4, 2});
      CHECK(l.bad_files().size() == 3);
    }
  for (const epoch_record& r : records) CHECK(r == records.front());

  for (const sample& s : data.samples)
    if (s.path.find("dog.7.jpg.jpg") == std::string::npos)
      folder.write(std::filesystem::path(s.path).filename().string(), "gone");
  loader_options o = options(4, 1);
  o.skip_bad = true;
  CHECK_THROWS_AS(loader<float>(data, all_samples(data), o), file_error);
  // What is known to be bad is left out, and nothing is decoded to find more.
  o.known_bad = {{2, folder.path("cat.2.jpg"), "known"}};
  loader<float> told(data, all_samples(data), o);
  CHECK(told.size() == data.size() - 1);
  REQUIRE(told.bad_files().size() == 1);
  CHECK(told.bad_files()[0].reason == "known");
}

TEST_CASE("G11 a picture that goes: another takes its place in training, a gap is closed in evaluation, and it is named once") {
  const pictures::folder folder("goes");
  for (int i = 0; i < 9; ++i)
    folder.write((i < 5 ? "cat." : "dog.") + std::to_string(i) + ".png",
                 pictures::png(pictures::plain(8, 8, static_cast<unsigned char>(i), 0, 0)));
  const image_dataset data = read_image_folder(folder.path());
  for (const int workers : {0, 2})
    for (const bool training : {true, false}) {
      CAPTURE(workers);
      CAPTURE(training);
      loader_options o = options(4, workers, training);
      o.skip_bad = true;
      o.transform.augment = {};
      loader<float> l(data, all_samples(data), o);
      CHECK(l.bad_files().empty());
      for (const char* name : {"cat.2.png", "dog.8.png"})
        std::filesystem::rename(folder.path(name), folder.path(std::string(name) + "x"));
      for (int epoch = 0; epoch < 3; ++epoch) {
        l.start_epoch(epoch);
        index_t images = 0, batches = 0;
        while (const batch<float>* b = l.next()) {
          images += b->images.dim(0);
          ++batches;
          for (std::size_t n = 0; n < b->indices.size(); ++n) {
            CHECK(b->indices[n] != 2);
            CHECK(b->indices[n] != 8);
            CHECK(b->labels[n] == (b->indices[n] < 5 ? 0 : 1));
            CHECK(b->images.at(static_cast<index_t>(n))[0] == static_cast<float>(b->indices[n]));
          }
        }
        CHECK(images == (training ? 9 : 7));
        CHECK(batches == (training ? 3 : 2));  // the third has one picture, which has gone
      }
      CHECK(l.bad_files().size() == 2);
      for (const bad_file& b : l.bad_files()) CHECK(b.reason == "no such file");
      for (const char* name : {"cat.2.png", "dog.8.png"})
        std::filesystem::rename(folder.path(std::string(name) + "x"), folder.path(name));
    }
  // Nothing is left: an error, not an epoch without end.
  loader_options o = options(4, 1, true);
  o.skip_bad = true;
  loader<float> l(data, all_samples(data), o);
  for (const sample& s : data.samples) std::filesystem::remove(s.path);
  l.start_epoch(0);
  CHECK_THROWS_AS(l.next(), file_error);
  // Without skip_bad the picture at fault is known.
  loader<float> strict(data, all_samples(data), options(4, 1));
  strict.start_epoch(0);
  CHECK_THROWS_AS(strict.next(), file_error);
  REQUIRE(strict.bad_files().size() == 1);
  CHECK(strict.bad_files()[0].index == 0);
}
