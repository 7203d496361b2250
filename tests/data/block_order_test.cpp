#include "minicnn/data/block_order.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace minicnn;

namespace {

sample_indices drawn(std::size_t count, std::uint64_t seed) {
  sample_indices stored(count), order;
  for (std::size_t i = 0; i < count; ++i) stored[i] = static_cast<index_t>(2 * i);
  detail::block_order blocks;
  blocks.draw(stored, random_stream(random_key(seed)), order);
  return order;
}

}  // namespace

TEST_CASE("an epoch by blocks has every picture once, and reads each block from front to back, sixteen at a time") {
  for (const std::size_t count : {1U, 2U, 1023U, 1024U, 5000U, 60000U}) {
    INFO(count);
    const sample_indices order = drawn(count, 3);
    REQUIRE(order.size() == count);
    sample_indices sorted = order;
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 0; i < count; ++i) REQUIRE(sorted[i] == static_cast<index_t>(2 * i));
    // A picture that does not follow one that was read begins a block; each is gone on with until it ends.
    std::set<index_t> next;
    std::size_t begun = 0, most = 0;
    for (const index_t i : order) {
      begun += next.erase(i) == 0;
      next.insert(i + 2);
      most = (std::max)(most, next.size());
    }
    CHECK(begun <= (count + 1023) / 1024 + 1);
    CHECK(most <= (count + 1023) / 1024 + 1);
  }
  const sample_indices large = drawn(60000, 3);
  // At any time some sixteen places: the first 16 x 512 pictures lie in not many more than sixteen blocks.
  std::set<index_t> touched;
  for (std::size_t i = 0; i < 8192; ++i) touched.insert(large[i] / 2048);
  CHECK(touched.size() >= 16);
  CHECK(touched.size() <= 40);
}

TEST_CASE("the order is the seed's, and its blocks are cut elsewhere the next time") {
  CHECK(drawn(5000, 1) == drawn(5000, 1));
  CHECK(drawn(5000, 1) != drawn(5000, 2));
  std::set<std::size_t> firsts;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const sample_indices order = drawn(3000, seed);
    sample_indices begins;
    std::set<index_t> next;
    for (const index_t i : order) {
      if (next.erase(i) == 0) begins.push_back(i);
      next.insert(i + 2);
    }
    std::sort(begins.begin(), begins.end());
    if (begins.size() > 1) firsts.insert(static_cast<std::size_t>(begins[1]));
  }
  CHECK(firsts.size() > 15);
}

TEST_CASE("neighbours are those of the archive, else of the list") {
  image_dataset data;
  data.samples = {{"a", 0, 0, -1, 5}, {"b", 0, 0, -1, 3}, {"c", 0, 0, -1, 4}, {"d", 0, 0, -1, 0}};
  CHECK(detail::storage_order(data, {0, 1, 2, 3}) == sample_indices{3, 1, 2, 0});
  CHECK(detail::storage_order(data, {2, 0, 1}) == sample_indices{1, 2, 0});
  for (sample& s : data.samples) s.member = -1;
  CHECK(detail::storage_order(data, {2, 0, 3}) == sample_indices{0, 2, 3});
}
