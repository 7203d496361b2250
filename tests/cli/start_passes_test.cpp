// What is found out from pictures before training, by several ranks, which are threads here: the reading is shared, the result is
// that of one.
#include "start_passes.hpp"

#include <doctest/doctest.h>

#include <minicnn/core/shards.hpp>
#include <minicnn/data/image_folder.hpp>
#include <string>

#include "data/pictures.hpp"
#include "train/team_of_threads.hpp"

using minicnn::index_t;
using minicnn::team;

namespace {

/// 23 pictures of two classes, three of them damaged.
class photos {
 public:
  photos() : folder_("passes") {
    for (int i = 0; i < 23; ++i) {
      minicnn::image_u8 image = pictures::ramp(9 + i, 14);
      for (std::size_t k = 0; k < image.pixels.size(); ++k)
        image.pixels[k] = static_cast<unsigned char>(image.pixels[k] + 31 * i);
      pictures::bytes file = pictures::png(image);
      if (i == 4 || i == 5 || i == 22) file.resize(40), bad.push_back(i);
      folder_.write((i < 10 ? "cat." : "dog.") + std::to_string(i) + ".png", file);
      if (bad.empty() || bad.back() != i) good.push_back(i);
    }
    data = minicnn::read_image_folder(folder_.path());
  }
  std::string path(const std::string& name) const { return folder_.path(name.c_str()); }

  minicnn::image_dataset data;
  minicnn::sample_indices good, bad;

 private:
  pictures::folder folder_;
};

/// What rank `me` may read of `chosen`: the other files are not there.
minicnn::image_dataset own_files(minicnn::image_dataset data, const minicnn::sample_indices& chosen, const team& me) {
  const auto own = minicnn::range_of_part(static_cast<index_t>(chosen.size()), me.size(), me.rank());
  for (std::size_t i = 0; i < chosen.size(); ++i)
    if (!own.has(static_cast<index_t>(i))) data.samples[static_cast<std::size_t>(chosen[i])].path = "is not there.png";
  return data;
}

minicnn::loader_options small_pictures() {
  minicnn::loader_options how;
  how.batch_size = 4;
  how.transform.size = 6;
  return how;
}

}  // namespace

TEST_CASE("each rank reads a part, and all find what one process finds, bit for bit") {
  const photos p;
  const minicnn::sample_indices all = minicnn::all_samples(p.data);
  minicnn::team_of_one alone;
  const auto bad = cli::find_bad(p.data, all, 1, alone);
  REQUIRE(bad.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) CHECK(bad[i].index == p.bad[i]);
  const auto colours = cli::find_colours(p.data, p.good, 1, alone);
  CHECK(colours.mean == minicnn::colour_statistics(p.data, p.good).mean);
  const auto fed = cli::read_as_fed(p.data, p.good, small_pictures(), alone);
  for (const index_t ranks : {2, 3, 5, 30}) {
    CAPTURE(ranks);
    const auto errors = threads_as_ranks::run(ranks, [&](team& me) {
      const minicnn::image_dataset seen = own_files(p.data, all, me);
      const auto found = cli::find_bad(seen, all, 1, me);
      REQUIRE(found.size() == bad.size());
      for (std::size_t i = 0; i < bad.size(); ++i) CHECK((found[i].index == bad[i].index && found[i].reason == bad[i].reason));
      const minicnn::image_dataset good = own_files(p.data, p.good, me);
      const auto same = cli::find_colours(good, p.good, 1, me);
      CHECK((same.pixels == colours.pixels && same.mean == colours.mean && same.covariance == colours.covariance));
      const auto images = cli::read_as_fed(good, p.good, small_pictures(), me);
      CHECK(images.dims() == fed.dims());
      CHECK(std::equal(images.begin(), images.end(), fed.begin()));
    });
    for (const std::string& e : errors) CHECK(e == "");
  }
}

TEST_CASE("a picture that one rank cannot read is an error on all, with rank and file") {
  const photos p;
  const minicnn::sample_indices chosen{0, 1, 2, 3, 22};
  const auto errors = threads_as_ranks::run(3, [&](team& me) { cli::find_colours(p.data, chosen, 1, me); });
  const auto fed = threads_as_ranks::run(3, [&](team& me) { cli::read_as_fed(p.data, chosen, small_pictures(), me); });
  for (const auto& all : {errors, fed})
    for (const std::string& e : all) CHECK(e.starts_with("rank 2: " + p.path("dog.22.png") + ": "));
}
