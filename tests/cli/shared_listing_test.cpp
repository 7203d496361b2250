// One list of pictures for several ranks, which are threads here: the first reads the folder, the others get what it found.
#include "shared_listing.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <minicnn/data/picture_source.hpp>
#include <minicnn/data/read_dataset.hpp>
#include <minicnn/data/split.hpp>
#include <string>
#include <vector>

#include "data/pictures.hpp"
#include "data/tar_files.hpp"
#include "run_data.hpp"
#include "train/team_of_threads.hpp"

using minicnn::image_dataset;
using minicnn::team;

namespace {

/// A folder for each rank, as if each had a disk of its own.
struct disks {
  disks() : folder("disks") {
    for (const char* rank : {"0", "1", "2"})
      for (int i = 0; i < 12; ++i)
        folder.write(rank + ("/set/" + std::string(i < 5 ? "cat." : "dog.")) + std::to_string(i) + ".png",
                     pictures::png(pictures::plain(8, 8 + i, 9, 9, 9)));
  }
  std::string root(const team& me, const std::string& name = "set") const {
    return folder.path(std::to_string(me.rank()) + "/" + name);
  }

  /// What each rank gets, or the error that it throws, with the number of ranks that read for themselves.
  struct outcome {
    std::vector<image_dataset> data = std::vector<image_dataset>(3);
    std::vector<std::string> errors;
    std::atomic<int> reads = 0;
  };
  void open(outcome& out, const std::string& name = "set") const {
    out.errors = threads_as_ranks::run(3, [&](team& me) {
      image_dataset& data = out.data[static_cast<std::size_t>(me.rank())];
      data = cli::open_together(me, root(me, name), [&] { return ++out.reads, minicnn::read_dataset(root(me, name)); });
      cli::run_data(data, {minicnn::all_samples(data), {}}, "", me);
    });
  }

  pictures::folder folder;
};

/// The same pictures in the same order, each below the rank's own root.
void check_same(const std::vector<image_dataset>& data) {
  REQUIRE(!data[0].samples.empty());
  for (const image_dataset& d : data) {
    REQUIRE(d.samples.size() == data[0].samples.size());
    CHECK((d.classes == data[0].classes && d.channels == data[0].channels && d.layout == data[0].layout));
    for (std::size_t i = 0; i < d.samples.size(); ++i) {
      const minicnn::sample &s = d.samples[i], &first = data[0].samples[i];
      CHECK((s.id == first.id && s.label == first.label && s.target == first.target && s.member == first.member));
      CHECK(s.path == d.root + first.path.substr(data[0].root.size()));
    }
  }
}

}  // namespace

TEST_CASE("one rank reads the folder, and what lies in those of the others besides changes nothing") {
  const disks d;
  d.folder.write("1/set/bird.1.png", pictures::png(pictures::plain(8, 8, 9, 9, 9)));
  disks::outcome out;
  d.open(out);
  for (const std::string& e : out.errors) CHECK(e == "");
  CHECK(out.reads == 1);
  check_same(out.data);
  CHECK(out.data[0].samples.size() == 12);
  CHECK(out.data[2].root == d.folder.path("2/set"));
}

TEST_CASE("a rank that sees another folder is named, with a picture that is not there or is another") {
  const disks d;
  const std::string bytes = std::to_string(std::filesystem::file_size(d.folder.path("0/set/cat.0.png")));
  SUBCASE("the first one is missing") {
    std::filesystem::remove(d.folder.path("1/set/cat.0.png"));
    disks::outcome out;
    d.open(out);
    for (const std::string& e : out.errors)
      CHECK(e == "rank 1: " + d.folder.path("1/set/cat.0.png") + ": wanted the " + bytes +
                     " bytes that rank 0 has, but it is not there");
  }
  SUBCASE("the last one is longer") {
    const std::string path = d.folder.path("2/set/dog.11.png");
    const auto size = std::filesystem::file_size(path);
    std::ofstream(path, std::ios::app) << "more";
    disks::outcome out;
    d.open(out);
    for (const std::string& e : out.errors)
      CHECK(e == "rank 2: " + path + ": wanted the " + std::to_string(size) + " bytes that rank 0 has, got " +
                     std::to_string(size + 4));
  }
  SUBCASE("the first rank has no folder") {
    std::filesystem::remove_all(d.folder.path("0/set"));
    disks::outcome out;
    d.open(out);
    for (const std::string& e : out.errors) CHECK(e.starts_with("rank 0: " + d.folder.path("0/set") + ": "));
  }
}

TEST_CASE("tar files are indexed by one rank, and opened by each where it has them") {
  const disks d;
  for (const char* rank : {"0", "1", "2"})
    for (const char* part : {"0", "1"}) {
      std::string tar;
      const pictures::bytes picture = pictures::png(pictures::plain(8, 9, 1, 2, 3));
      for (const char* name : {"cat/1", "dog/2"})
        tar += tar_files::member(std::string(name) + part + ".png", {picture.begin(), picture.end()});
      tar += std::string(1024, '\0');
      d.folder.write(std::string(rank) + "/part-" + part + ".tar", tar);
    }
  SUBCASE("a pattern") {
    disks::outcome out;
    d.open(out, "part-{0..1}.tar");
    for (const std::string& e : out.errors) CHECK(e == "");
    CHECK(out.reads == 1);
    check_same(out.data);
    for (const image_dataset& data : out.data) {
      REQUIRE(data.archive != nullptr);
      minicnn::image_workspace workspace;
      for (minicnn::index_t i = 0; i < data.size(); ++i) CHECK(minicnn::picture_source(data).get(i, workspace).width == 9);
    }
    CHECK(out.data[2].archive->paths()[1] == d.folder.path("2/part-1.tar"));
  }
  SUBCASE("one that is cut off on one rank") {
    const std::string path = d.folder.path("2/part-1.tar");
    const auto size = std::filesystem::file_size(path);
    std::filesystem::resize_file(path, size / 2);
    disks::outcome out;
    d.open(out, "part-{0..1}.tar");
    for (const std::string& e : out.errors)
      CHECK(e == "rank 2: " + path + ": wanted the " + std::to_string(size) + " bytes that rank 0 has, got " +
                     std::to_string(size / 2));
  }
}

TEST_CASE("pictures in memory are read by each rank, and compared") {
  const disks d;
  for (const char* rank : {"0", "1", "2"}) {
    std::vector<unsigned char> batch(5 * 3073, rank[0] == '1' ? 7 : 5);
    d.folder.write(std::string(rank) + "/bin/data_batch_1.bin", batch);
  }
  disks::outcome out;
  d.open(out, "bin");
  CHECK(out.reads == 3);
  for (const std::string& e : out.errors) CHECK(e.starts_with("rank 1: "));
  for (const std::string& e : out.errors) CHECK(e.ends_with(": picture 1 is not that of rank 0"));
}
