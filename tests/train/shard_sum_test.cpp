#include "minicnn/train/shard_sum.hpp"

#include <doctest/doctest.h>

#include <cstring>

#include "minicnn/core/half.hpp"
#include "minicnn/core/random.hpp"
#include "team_of_threads.hpp"

using namespace minicnn;

namespace {

constexpr index_t elements = 64 * 5;  // 20 lines of float: no multiple of most numbers of ranks

std::vector<float> values_of(index_t shard) {
  random_stream r{random_key(7).of(static_cast<std::uint64_t>(shard))};
  std::vector<float> v(static_cast<std::size_t>(elements));
  for (float& x : v) x = static_cast<float>(r.normal());
  return v;
}

/// The tree as it is described, by recursion: the left half has the largest power of two below the length.
std::vector<float> tree(index_t begin, index_t end) {
  if (end - begin == 1) return values_of(begin);
  index_t left = 1;
  while (2 * left < end - begin) left *= 2;
  std::vector<float> a = tree(begin, begin + left);
  const std::vector<float> b = tree(begin + left, end);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

std::vector<float> sum_of(team& ranks, index_t planned, index_t shards, exchange_options o = {}) {
  shard_sum<float> sum(ranks, planned, elements, {}, o);
  aligned_buffer<float> arena(elements);
  const index_range run = range_of_part(shards, ranks.size(), ranks.rank());
  sum.begin(shards);
  for (index_t s = run.begin; s < run.end; ++s) {
    const std::vector<float> v = values_of(s);
    std::copy(v.begin(), v.end(), arena.data());
    sum.add(arena.data());
  }
  sum.finish(arena.data());
  return {arena.data(), arena.data() + elements};
}

}  // namespace

TEST_CASE("sums over shards are those of the tree, bit for bit, for any number of ranks and shards") {
  for (index_t planned = 1; planned <= 11; ++planned)
    for (index_t shards = 1; shards <= planned; ++shards) {
      const std::vector<float> wanted = tree(0, shards);
      team_of_one alone;
      CHECK(sum_of(alone, planned, shards) == wanted);
      for (index_t size = 2; size <= planned; ++size) {
        CAPTURE(planned);
        CAPTURE(shards);
        CAPTURE(size);
        std::vector<std::vector<float>> got(static_cast<std::size_t>(size));
        const auto errors = threads_as_ranks::run(
            size, [&](team& me) { got[static_cast<std::size_t>(me.rank())] = sum_of(me, planned, shards); });
        for (const std::string& e : errors) CHECK(e == "");
        for (const auto& one : got) CHECK(std::memcmp(one.data(), wanted.data(), sizeof(float) * wanted.size()) == 0);
      }
    }
}

TEST_CASE("in buckets the sums have the same bits, from the arena's end on") {
  for (const index_t buckets : {2, 3, 16}) {
    team_of_one alone;
    const shard_sum<float> parts(alone, 4, elements, {}, {.buckets = buckets});
    index_t end = elements;
    for (index_t b = 0; b < buckets; ++b) {
      CHECK(parts.bucket_begin(b) <= end);
      end = parts.bucket_begin(b);
    }
    CHECK(end == 0);
    const std::vector<float> wanted = tree(0, 5);
    CHECK(sum_of(alone, 5, 5, {.buckets = buckets}) == wanted);
    const auto errors = threads_as_ranks::run(3, [&](team& me) { CHECK(sum_of(me, 5, 5, {.buckets = buckets}) == wanted); });
    for (const std::string& e : errors) CHECK(e == "");
  }
}

TEST_CASE("in bf16 every shard is rounded once, and the sum once, whatever the number of ranks") {
  const exchange_options o{.wire = wire_format::bf16, .buckets = 3};
  const auto rounded = [](std::vector<float> v) {
    for (float& x : v) x = to_float(to_bfloat16(x));
    return v;
  };
  for (index_t shards = 1; shards <= 9; ++shards) {
    // The tree by hand: leaves in order, the left half of a branch has the largest power of two below its length.
    const auto branch = [&](const auto& self, index_t begin, index_t end) -> std::vector<float> {
      if (end - begin == 1) return rounded(values_of(begin));
      index_t left = 1;
      while (2 * left < end - begin) left *= 2;
      std::vector<float> a = self(self, begin, begin + left);
      const std::vector<float> b = self(self, begin + left, end);
      for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
      return a;
    };
    const std::vector<float> wanted = rounded(branch(branch, 0, shards));
    CHECK(wanted != tree(0, shards));
    team_of_one alone;
    CHECK(sum_of(alone, 9, shards, o) == wanted);
    for (index_t size = 2; size <= 9; ++size) {
      CAPTURE(shards);
      CAPTURE(size);
      const auto errors = threads_as_ranks::run(size, [&](team& me) { CHECK(sum_of(me, 9, shards, o) == wanted); });
      for (const std::string& e : errors) CHECK(e == "");
    }
  }
  team_of_one alone;
  CHECK_THROWS_AS((shard_sum<double>(alone, 2, 64, {}, o)), option_error);
}

TEST_CASE("in bf16 a shard on each rank sends half the bytes") {
  index_t bytes[2] = {};
  for (const bool half : {false, true}) {
    const auto errors = threads_as_ranks::run(4, [&](team& me) {
      sum_of(me, 4, 4, {.wire = half ? wire_format::bf16 : wire_format::fp32});
      if (me.rank() == 0) bytes[half] = static_cast<threads_as_ranks::member&>(me).bytes();
    });
    for (const std::string& e : errors) CHECK(e == "");
  }
  CHECK(bytes[0] > 0);
  CHECK(bytes[1] == bytes[0] / 2);
}

TEST_CASE("a batch is cut into shards of two images at least, and ranks get neighbouring ones") {
  CHECK(shards_of_batch(64, 4) == 4);
  CHECK(shards_of_batch(7, 4) == 3);
  CHECK(shards_of_batch(1, 4) == 1);
  CHECK(shards_of_batch(0, 4) == 0);
  CHECK(shards_of_batch(5, 1) == 1);
  for (const index_t count : {1, 2, 3, 10, 13, 64})
    for (const index_t shards : {1, 2, 3, 8})
      for (index_t ranks = 1; ranks <= shards; ++ranks) {
        index_t next = 0;
        for (index_t r = 0; r < ranks; ++r) {
          const index_range own = images_of_rank(count, shards, ranks, r);
          CHECK(own.begin == next);
          next = own.end;
        }
        CHECK(next == count);
      }
}
