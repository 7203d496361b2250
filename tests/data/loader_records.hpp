#pragma once
// Data sets for tests of the loader, and what it makes of them in an epoch.
#include <doctest/doctest.h>

#include "minicnn/data/loader.hpp"
#include "pictures.hpp"

namespace loader_records {

using namespace minicnn;

/// Pictures in memory whose every pixel says which sample it is; the first half is class 0, the second class 1.
inline image_dataset numbered(index_t count, index_t side = 4) {
  image_dataset data;
  data.root = "memory";
  data.classes = {"cat", "dog"};
  for (index_t i = 0; i < count; ++i) {
    const auto value = static_cast<unsigned char>(i);
    data.samples.push_back({std::to_string(i), i < count / 2 ? 0 : 1, static_cast<std::uint64_t>(i)});
    data.pictures.push_back(pictures::plain(static_cast<int>(side), static_cast<int>(side), value, value, value));
  }
  return data;
}

inline loader_options options(index_t batch_size, int workers, bool training = false) {
  loader_options o;
  o.batch_size = batch_size;
  o.workers = workers;
  o.training = training;
  o.transform.size = 4;
  o.seed = 11;
  return o;
}

struct epoch_record {
  std::vector<index_t> sizes, indices;
  std::vector<std::int32_t> labels;
  std::vector<float> values;
  bool operator==(const epoch_record&) const = default;
};

template <class T>
epoch_record record(loader<T>& data, index_t epoch) {
  epoch_record out;
  data.start_epoch(epoch);
  while (const batch<T>* b = data.next()) {
    out.sizes.push_back(b->images.dim(0));
    REQUIRE(b->labels.size() == static_cast<std::size_t>(b->images.dim(0)));
    REQUIRE(b->indices.size() == b->labels.size());
    out.indices.insert(out.indices.end(), b->indices.begin(), b->indices.end());
    out.labels.insert(out.labels.end(), b->labels.begin(), b->labels.end());
    for (const T x : b->images) out.values.push_back(static_cast<float>(x));
  }
  return out;
}

using sizes = std::vector<index_t>;

}  // namespace loader_records
