// What a loader asks of memory: nothing once it is warm, and no more for more pictures.
#include <doctest/doctest.h>

#include <fstream>
#include <utility>

#include "counted_new.hpp"
#include "minicnn/data/loader.hpp"
#include "minicnn/data/split.hpp"
#include "pictures.hpp"

using namespace minicnn;

TEST_CASE("no allocation once a worker has seen a picture") {
  image_dataset data;
  data.classes = {"cat", "dog"};
  for (index_t i = 0; i < 50; ++i) {
    data.samples.push_back({std::to_string(i), static_cast<int>(i % 2), static_cast<std::uint64_t>(i)});
    data.pictures.push_back(pictures::plain(9, 9, static_cast<unsigned char>(i), 0, 0));
  }
  // Allocations of the first epoch, and of ten more.
  const auto epochs = [&](int workers) {
    loader_options o{.batch_size = 8, .transform = {.size = 4}, .training = true, .workers = workers};
    o.transform.augment.flip = 0.5;
    o.transform.augment.brightness = 0.2;
    loader<float> l(data, all_samples(data), o);
    const auto run = [&](index_t first, index_t last) {
      const long before = counted_new::allocations;
      for (index_t epoch = first; epoch < last; ++epoch) {
        l.start_epoch(epoch);
        while (l.next() != nullptr) {
        }
      }
      return counted_new::allocations - before;
    };
    const long warming = run(0, 1);
    return std::pair(warming, run(1, 11));
  };
  CHECK(epochs(0).second == 0);
  const auto [warming, more] = epochs(1);
  CHECK(warming > 0);
  CHECK(more == 0);
  // Of two workers one may have slept through the first epoch.
  CHECK(epochs(2).second <= warming);
}

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("sets larger than memory: what streams by is not kept") {
  const pictures::folder folder("streamed");
  const std::string one = folder.write("cat.jpg", pictures::jpeg(pictures::ramp(128, 128)));
  image_dataset data;
  data.classes = {"cat"};
  for (index_t i = 0; i < 1000; ++i) data.samples.push_back({one, 0, static_cast<std::uint64_t>(i)});
  const auto resident_kibibytes = [] {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
      if (long size = 0; word == "VmRSS:" && status >> size) return size;
    return 0L;
  };
  loader<float> stream(data, all_samples(data), {.batch_size = 10, .transform = {.size = 4}});
  stream.start_epoch(0);
  long warm = 0;
  for (index_t batch = 0; stream.next() != nullptr; ++batch)
    if (batch == 9) warm = resident_kibibytes();
  REQUIRE(warm > 0);
  // 900 more pictures of 48 KiB decoded are 42 MiB.
  CHECK(resident_kibibytes() - warm < 4096);
}
#endif
