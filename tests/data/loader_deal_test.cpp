// A loader whose images are dealt to several processes.
#include <doctest/doctest.h>

#include <memory>

#include "minicnn/data/loader.hpp"
#include "minicnn/data/split.hpp"
#include "minicnn/train/mix.hpp"
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

TEST_CASE("for mixed batches a rank reads its own pictures and their partners, and no others") {
  const index_t ranks = 5, count = 10;  // two pictures a rank, in one batch
  const image_dataset data = coloured(count);
  loader<float> whole(data, all_samples(data), options(0, true));
  whole.start_epoch(3);
  const batch<float>* b = whole.next();
  const std::vector<index_t> order(b->indices.begin(), b->indices.end());
  for (index_t place = 0; place < count; ++place) {
    image_dataset damaged = data;  // a grey picture among those in colour is an error
    damaged.pictures[static_cast<std::size_t>(order[static_cast<std::size_t>(place)])].channels = 1;
    for (index_t r = 0; r < ranks; ++r) {
      CAPTURE(place);
      CAPTURE(r);
      loader<float> part(damaged, all_samples(damaged), options(0, true));
      const auto mixed = mix<float>(source_of<float>(part), {.mixup = 1, .classes = 2});
      mixed->deal({r, ranks, 5});
      mixed->start_epoch(3, 0);
      if (place / 2 == r || (count - 1 - place) / 2 == r)
        CHECK_THROWS_AS(mixed->next(), shape_error);
      else
        CHECK(mixed->next() != nullptr);
    }
  }
}

TEST_CASE("dealt mixed batches have the same images and labels at the same places") {
  const image_dataset data = coloured(43);
  for (const int workers : {0, 3})
    for (const index_t ranks : {2, 3, 5}) {
      const mix_options o{.mixup = 0.4, .cutmix = 1.0, .classes = 2, .seed = 5};
      loader<float> all(data, all_samples(data), options(workers, true));
      const auto whole = mix<float>(source_of<float>(all), o);
      std::vector<std::unique_ptr<loader<float>>> loaders;
      std::vector<std::unique_ptr<batch_source<float>>> parts;
      for (index_t r = 0; r < ranks; ++r) {
        loaders.push_back(std::make_unique<loader<float>>(data, all_samples(data), options(workers, true)));
        parts.push_back(mix<float>(source_of<float>(*loaders.back()), o));
        CHECK(parts.back()->deal({r, ranks, 5}));
      }
      whole->start_epoch(2, 0);
      for (auto& p : parts) p->start_epoch(2, 0);
      while (const batch<float>* b = whole->next())
        for (index_t r = 0; r < ranks; ++r) {
          const batch<float>* part = parts[static_cast<std::size_t>(r)]->next();
          REQUIRE(part != nullptr);
          const index_range own = images_of_rank(b->size(), 5, ranks, r);
          const index_t image = b->images.dims().size_from(1);
          const auto same = [&](const view<const float>& one, const view<const float>& other, index_t row) {
            return std::equal(one.data() + own.begin * row, one.data() + own.end * row, other.data() + own.begin * row);
          };
          CHECK(same(part->images, b->images, image));
          CHECK(same(part->soft_labels, b->soft_labels, 2));
        }
    }
}
