// A loader whose images are dealt to several processes.
#include <doctest/doctest.h>

#include <memory>

#include "minicnn/data/loader.hpp"
#include "minicnn/data/split.hpp"
#include "pictures.hpp"

using namespace minicnn;

namespace {

/// Pictures of one colour each: the number of the sample.
image_dataset coloured(index_t count) {
  image_dataset data;
  data.root = "memory", data.classes = {"a", "b"};
  for (index_t i = 0; i < count; ++i) {
    const auto value = static_cast<unsigned char>(i);
    data.samples.push_back({std::to_string(i), static_cast<int>(i % 2), static_cast<std::uint64_t>(i)});
    data.pictures.push_back(pictures::plain(6, 6, value, value, value));
  }
  return data;
}

loader_options options(int workers, bool training) {
  loader_options o;
  o.batch_size = 10, o.workers = workers, o.training = training, o.seed = 4;
  o.transform.size = 4, o.transform.augment.flip = 0.5, o.transform.augment.brightness = 0.3;
  return o;
}

}  // namespace

TEST_CASE("dealt training batches have the same images at the same places, each on one rank, and no others are read") {
  const image_dataset data = coloured(43);
  for (const int workers : {0, 3})
    for (const index_t ranks : {2, 3, 5}) {
      loader<float> whole(data, all_samples(data), options(workers, true));
      std::vector<std::unique_ptr<loader<float>>> parts;
      for (index_t r = 0; r < ranks; ++r) {
        parts.push_back(std::make_unique<loader<float>>(data, all_samples(data), options(workers, true)));
        parts.back()->deal({r, ranks, 5});
        CHECK(parts.back()->batches() == whole.batches());
      }
      for (const index_t first : {0, 2}) {
        whole.start_epoch(3, first);
        for (auto& p : parts) p->start_epoch(3, first);
        while (const batch<float>* all = whole.next()) {
          index_t seen = 0;
          for (index_t r = 0; r < ranks; ++r) {
            const batch<float>* b = parts[static_cast<std::size_t>(r)]->next();
            REQUIRE(b != nullptr);
            CHECK(b->size() == all->size());
            const index_range own = images_of_rank(all->size(), 5, ranks, r);
            const index_t image = all->images.dims().size_from(1);
            for (index_t i = own.begin; i < own.end; ++i, ++seen) {
              CHECK(b->indices[static_cast<std::size_t>(i)] == all->indices[static_cast<std::size_t>(i)]);
              CHECK(b->labels[static_cast<std::size_t>(i)] == all->labels[static_cast<std::size_t>(i)]);
              CHECK(std::equal(b->images.data() + i * image, b->images.data() + (i + 1) * image, all->images.data() + i * image));
            }
          }
          CHECK(seen == all->size());
        }
        for (auto& p : parts) CHECK(p->next() == nullptr);
      }
    }
}

TEST_CASE("dealt evaluation batches are whole, in order, each on one rank") {
  const image_dataset data = coloured(43);
  for (const int workers : {0, 2})
    for (const index_t ranks : {1, 2, 3, 7}) {
      std::vector<index_t> indices;
      for (index_t r = 0; r < ranks; ++r) {
        loader<float> part(data, all_samples(data), options(workers, false));
        part.deal({r, ranks, 8});
        part.start_epoch(0);
        while (const batch<float>* b = part.next()) indices.insert(indices.end(), b->indices.begin(), b->indices.end());
      }
      CHECK(indices == all_samples(data));
    }
}
