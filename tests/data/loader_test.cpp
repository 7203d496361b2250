#include "minicnn/data/loader.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <type_traits>

#include "loader_records.hpp"
#include "minicnn/data/image_folder.hpp"
#include "minicnn/data/split.hpp"
#include "pictures.hpp"

using namespace minicnn;
using namespace loader_records;

TEST_CASE("a loader refuses a data set that ends with the statement") {
  static_assert(std::is_constructible_v<loader<float>, const image_dataset&, sample_indices, loader_options>);
  static_assert(!std::is_constructible_v<loader<float>, image_dataset, sample_indices, loader_options>);
  static_assert(!std::is_constructible_v<picture_source, image_dataset>);
}

TEST_CASE("evaluation goes through the samples in order, with their pictures and labels") {
  const image_dataset data = numbered(10);
  for (const int workers : {0, 1, 3}) {
    loader<float> l(data, {9, 0, 5, 3}, options(3, workers));
    const epoch_record r = record(l, 0);
    CHECK(r.sizes == sizes{3, 1});
    CHECK(r.indices == sizes{9, 0, 5, 3});
    CHECK(r.labels == std::vector<std::int32_t>{1, 0, 1, 0});
    REQUIRE(r.values.size() == 4 * 48);
    for (std::size_t i = 0; i < r.values.size(); ++i) CHECK(r.values[i] == static_cast<float>(r.indices[i / 48]));
    CHECK(record(l, 1) == r);
  }
}

TEST_CASE("F44 shuffled anew every epoch, each sample once") {
  const image_dataset data = numbered(1000, 1);
  loader<float> l(data, all_samples(data), options(100, 2, true));
  std::vector<sizes> orders;
  for (index_t epoch : {1, 2}) {
    const epoch_record r = record(l, epoch);
    int dogs = 0;
    for (std::size_t i = 0; i < 100; ++i) dogs += r.labels[i];
    CHECK(dogs >= 30);
    CHECK(dogs <= 70);
    sizes sorted = r.indices;
    std::sort(sorted.begin(), sorted.end());
    CHECK(sorted == all_samples(data));
    orders.push_back(r.indices);
  }
  CHECK(orders[0] != orders[1]);
  CHECK(record(l, 1).indices == orders[0]);  // an epoch's order follows from its number, not from the epochs before
  loader_options other = options(100, 2, true);
  other.seed = 12;
  loader<float> m(data, all_samples(data), other);
  CHECK(record(m, 1).indices != orders[0]);
}

TEST_CASE("F45 last, smaller batches") {
  const image_dataset data = numbered(10);
  loader<float> l(data, all_samples(data), options(4, 2));
  CHECK(l.batches() == 3);
  CHECK(record(l, 0).sizes == sizes{4, 4, 2});
  const auto sizes_with = [&](index_t batch_size) {
    loader<float> other(data, all_samples(data), options(batch_size, 2));
    return record(other, 0).sizes;
  };
  CHECK(sizes_with(1) == sizes(10, 1));
  CHECK(sizes_with(64) == sizes{10});
  CHECK(sizes_with(5) == sizes{5, 5});

  loader<float> three(data, {0, 1, 2}, options(8, 1));
  CHECK(record(three, 0).sizes == sizes{3});
  loader<float> one(data, {7}, options(8, 0));
  CHECK(record(one, 0).indices == sizes{7});

  loader_options drop = options(4, 1);
  drop.drop_last = true;
  loader<float> dropping(data, all_samples(data), drop);
  CHECK(dropping.batches() == 2);
  CHECK(record(dropping, 0).sizes == sizes{4, 4});

  CHECK_THROWS_WITH_AS(loader<float>(data, {}, options(4, 1)), "loader: no pictures to load", option_error);
  CHECK_THROWS_WITH_AS(loader<float>(data, {0}, options(0, 1)), "loader: batch size 0 is below 1", option_error);
  CHECK_THROWS_WITH_AS(loader<float>(data, {0, 1}, drop), "loader: 2 pictures make no whole batch of 4", option_error);
}

TEST_CASE("F21 batches do not depend on the number of workers, and augmentation changes from epoch to epoch") {
  image_dataset data;
  data.classes = {"cat", "dog"};
  for (int i = 0; i < 37; ++i) {
    data.samples.push_back({std::to_string(i), i % 2, static_cast<std::uint64_t>(i)});
    data.pictures.push_back(pictures::ramp(20 + i % 5, 30 - i % 7));
  }
  loader_options o = options(8, 0, true);
  o.transform.size = 16;
  o.transform.fit = fit_mode::crop;
  o.transform.resize_to = 20;
  o.transform.augment.crop = crop_mode::random_resized;
  o.transform.augment.flip = 0.5;
  o.transform.augment.brightness = o.transform.augment.contrast = o.transform.augment.saturation = 0.3;
  std::vector<epoch_record> first, second;
  for (const int workers : {0, 1, 4}) {
    o.workers = workers;
    loader<float> l(data, all_samples(data), o);
    first.push_back(record(l, 1));
    second.push_back(record(l, 2));
  }
  CHECK(first[1] == first[0]);
  CHECK(first[2] == first[0]);
  CHECK(second[1] == second[0]);
  CHECK(second[2] == second[0]);

  constexpr std::size_t elements = 3 * 16 * 16;
  std::map<index_t, std::vector<float>> seen;
  const auto picture = [](const epoch_record& r, std::size_t i) {
    const auto begin = r.values.begin() + static_cast<std::ptrdiff_t>(i * elements);
    return std::vector<float>(begin, begin + elements);
  };
  for (std::size_t i = 0; i < 37; ++i) seen[first[0].indices[i]] = picture(first[0], i);
  int equal = 0;
  for (std::size_t i = 0; i < 37; ++i) equal += seen[second[0].indices[i]] == picture(second[0], i);
  CHECK(equal <= 1);
}

TEST_CASE("the size changes between epochs") {
  const image_dataset data = numbered(6, 8);
  loader<float> l(data, all_samples(data), options(4, 2));
  for (const index_t size : {8, 2, 12}) {
    l.set_size(size);
    l.start_epoch(0);
    const batch<float>* b = l.next();
    REQUIRE(b != nullptr);
    CHECK(b->images.dims() == shape{4, 3, size, size});
    CHECK(b->images(3, 2, size - 1, 0) == 3);
  }
  CHECK_THROWS_AS(l.set_size(0), option_error);
}

TEST_CASE("a view of test-time augmentation") {
  image_dataset slope;
  slope.samples.resize(1);
  slope.pictures.push_back({1, 2, 3, {10, 0, 0, 20, 0, 0}});
  image_transform two;
  two.size = 2;
  loader_options one_view = options(1, 1);
  float left[2] = {};
  for (std::size_t v = 0; v < 2; ++v) {
    one_view.transform = views_of(two, test_views::flip)[v];
    loader<float> m(slope, {0}, one_view);
    m.start_epoch(0);
    left[v] = m.next()->images(0, 0, 0, 0);
  }
  CHECK(left[0] == 10);
  CHECK(left[1] == 20);
}

TEST_CASE("an epoch may be left before its end and started again") {
  const image_dataset data = numbered(100);
  for (const int workers : {0, 2}) {
    loader<float> l(data, all_samples(data), options(4, workers));
    CHECK_THROWS_WITH_AS(l.next(), "loader: next() without start_epoch()", error);
    for (int i = 0; i < 20; ++i) {
      l.start_epoch(i);
      for (int j = 0; j < i % 5; ++j) CHECK(l.next()->indices[0] == j * 4);
    }
    CHECK(record(l, 0).indices == all_samples(data));
    CHECK(l.next() == nullptr);
  }
}

TEST_CASE("the batch in use stays as it is while workers prepare others") {
  const image_dataset data = numbered(60);
  loader_options o = options(2, 3);
  o.prefetch = 1;
  loader<float> l(data, all_samples(data), o);
  l.start_epoch(0);
  while (const batch<float>* b = l.next()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    for (index_t n = 0; n < 2; ++n)
      for (const float x : b->images.at(n)) REQUIRE(x == static_cast<float>(b->indices[static_cast<std::size_t>(n)]));
  }
}

TEST_CASE("cached pictures are decoded once and never outgrow the limit") {
  const pictures::folder folder("cache");
  for (int i = 0; i < 4; ++i)
    folder.write(std::to_string(i) + ".png", pictures::png(pictures::plain(8, 8, static_cast<unsigned char>(i), 0, 0)));
  const image_dataset data = read_image_folder(folder.path());
  loader_options o = options(4, 2);
  o.cache_bytes = 2 * 8 * 8 * 3 + 100;  // two pictures and a half
  loader<float> l(data, all_samples(data), o);
  const epoch_record before = record(l, 0);
  for (int i = 0; i < 4; ++i) folder.write(std::to_string(i) + ".png", pictures::png(pictures::plain(8, 8, 99, 0, 0)));
  const epoch_record after = record(l, 1);
  int kept = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(before.values[i * 48] == static_cast<float>(i));
    kept += after.values[i * 48] == static_cast<float>(i);
  }
  CHECK(kept == 2);

  o.cache_bytes = 1000000;
  loader<float> all(data, {3, 3, 3, 1, 3}, o);  // the same picture wanted by several workers at once
  const epoch_record first = record(all, 0);
  for (int i = 0; i < 4; ++i) folder.write(std::to_string(i) + ".png", "gone");
  CHECK(record(all, 1) == first);
}

TEST_CASE("grey data sets give batches of one channel; a picture of other channels is an error") {
  image_dataset data;
  data.channels = 1;
  data.samples = {{"a", 0, 0}, {"b", 1, 1}};
  data.pictures = {{1, 1, 1, {50}}, {1, 1, 1, {70}}};
  loader<double> l(data, {0, 1}, options(2, 1));
  l.start_epoch(0);
  CHECK(l.next()->images.dims() == shape{2, 1, 4, 4});
  data.channels = 3;
  loader<float> wrong(data, {0, 1}, options(2, 1));
  wrong.start_epoch(0);
  CHECK_THROWS_WITH_AS(wrong.next(), "a: 1 channels, the data set has 3", shape_error);
}

TEST_CASE("options outside their range are errors") {
  const image_dataset data = numbered(4);
  loader_options o = options(2, -1);
  CHECK_THROWS_AS(loader<float>(data, {0}, o), option_error);
  o = options(2, 100000);
  CHECK_THROWS_AS(loader<float>(data, {0}, o), option_error);
  o = options(2, 1);
  o.prefetch = 0;
  CHECK_THROWS_AS(loader<float>(data, {0}, o), option_error);
  o = options(2, 1);
  o.cache_bytes = -1;
  CHECK_THROWS_AS(loader<float>(data, {0}, o), option_error);
  CHECK_THROWS_WITH_AS(loader<float>(data, {0, 4}, options(2, 1)), "loader: sample 4 of a data set of 4", option_error);
  image_dataset short_of_pictures = numbered(4);
  short_of_pictures.pictures.pop_back();
  CHECK_THROWS_AS(loader<float>(short_of_pictures, {0}, options(2, 1)), shape_error);
}

TEST_CASE("Dogs vs Cats") {
  const char* folder = std::getenv("MINICNN_DOGS_VS_CATS");
  if (folder == nullptr) {
    MESSAGE("MINICNN_DOGS_VS_CATS is not set: no real pictures are loaded");
    return;
  }
  const image_dataset data = read_image_folder(std::string(folder) + "/heldout");
  loader_options o = options(64, 2, true);
  o.transform.size = 128;
  o.skip_bad = true;
  loader<float> l(data, stratified_subset(data, all_samples(data), 200, 1), o);
  CHECK(l.bad_files().empty());
  l.start_epoch(0);
  const batch<float>* b = l.next();
  CHECK(b->images.dims() == shape{64, 3, 128, 128});
  double mean = 0;
  for (const float x : b->images) mean += static_cast<double>(x) / static_cast<double>(b->images.size());
  CHECK(mean > 80);
  CHECK(mean < 160);
}

TEST_CASE("targets come with their pictures, whatever the order and the number of workers") {
  image_dataset data = numbered(10);
  data.target_names = {"number", "half"};
  for (index_t i = 0; i < 10; ++i) {
    data.samples[static_cast<std::size_t>(i)].target = 9 - i;
    data.targets.insert(data.targets.end(), {static_cast<double>(9 - i), static_cast<double>(9 - i) / 2});
  }
  for (const int workers : {0, 2}) {
    loader<double> pictures(data, all_samples(data), options(4, workers, true));
    for (index_t epoch = 0; epoch < 2; ++epoch) {
      pictures.start_epoch(epoch);
      while (const batch<double>* b = pictures.next()) {
        REQUIRE(b->targets.dims() == shape{b->size(), 2});
        for (index_t i = 0; i < b->size(); ++i) {
          CHECK(b->targets(i, 0) == static_cast<double>(b->indices[static_cast<std::size_t>(i)]));
          CHECK(b->targets(i, 1) == static_cast<double>(b->indices[static_cast<std::size_t>(i)]) / 2);
        }
      }
    }
  }
  data.samples[3].target = -1;
  loader<float> pictures(data, all_samples(data), options(4, 0));
  pictures.start_epoch(0);
  CHECK_THROWS_WITH_AS(pictures.next(), "3: has no targets", shape_error);
}

TEST_CASE("balanced sampling: classes come equally often, and every picture of the large one in turn") {
  image_dataset data = numbered(12);
  for (std::size_t i = 0; i < 12; ++i) data.samples[i].label = i < 9 ? 0 : 1;
  loader_options o = options(4, 0, true);
  o.balance = true;
  o.transform.augment.brightness = 0.4;
  loader<float> one(data, all_samples(data), o);
  o.workers = 3;
  loader<float> three(data, all_samples(data), o);
  std::set<index_t> seen;
  for (index_t epoch = 0; epoch < 6; ++epoch) {
    const epoch_record r = record(one, epoch);
    CHECK(r == record(three, epoch));
    CHECK(r.labels.size() == 12);
    CHECK(std::count(r.labels.begin(), r.labels.end(), 1) == 6);
    // Each of the three comes twice, augmented differently.
    std::map<index_t, std::set<float>> looks;
    for (std::size_t i = 0; i < r.indices.size(); ++i)
      if (r.labels[i] == 1) looks[r.indices[i]].insert(r.values[i * 48]);
    CHECK(looks.size() == 3);
    for (const auto& [index, values] : looks) CHECK(values.size() == 2);
    seen.insert(r.indices.begin(), r.indices.end());
  }
  CHECK(seen.size() == 12);
}

TEST_CASE("alternating mirror images: drawn once, then turned every epoch, whatever the workers") {
  image_dataset slopes;
  slopes.samples.resize(200);
  for (int i = 0; i < 200; ++i) slopes.pictures.push_back({1, 2, 3, {10, 0, 0, 20, 0, 0}});
  loader_options o = options(32, 2, true);
  o.transform.size = 2;
  o.transform.augment.flip = 0.5;
  o.transform.augment.alternate_flip = true;
  const auto mirrored = [&](index_t epoch, int workers) {
    o.workers = workers;
    loader<float> l(slopes, all_samples(slopes), o);
    std::vector<bool> out(200);
    l.start_epoch(epoch);
    while (const batch<float>* b = l.next())
      for (index_t n = 0; n < b->size(); ++n)
        out[static_cast<std::size_t>(b->indices[static_cast<std::size_t>(n)])] = b->images(n, 0, 0, 0) == 20;
    return out;
  };
  const std::vector<bool> first = mirrored(0, 2);
  const auto count = std::count(first.begin(), first.end(), true);
  CHECK(count > 70);
  CHECK(count < 130);
  CHECK(mirrored(4, 0) == first);
  std::vector<bool> turned = first;
  turned.flip();
  CHECK(mirrored(1, 2) == turned);
  CHECK(mirrored(7, 0) == turned);
  o.transform.augment.alternate_flip = false;
  CHECK(mirrored(1, 2) != turned);
}
